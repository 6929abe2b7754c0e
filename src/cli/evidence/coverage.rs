//! The sheets of an auditor's pack: `coverage.html`.

use std::sync::Arc;

use super::gathering::OfLedger;
use crate::config::Config;
use crate::domain::span::{Span, UtcMs};
use crate::evidence::claims::Pack;
use crate::page::calendar::{date_of, span_of};
use crate::page::html::{DayPage, Printed, printed};
use crate::page::openings::{Openings, Terms};
use crate::page::sheet::rows;
use crate::page::shown::Shown;

/// The page of a span, as of an instant.
pub(super) fn coverage(
    config: &Config,
    pack: &Pack<'_>,
    ledger: &OfLedger,
    as_of: UtcMs,
) -> String {
    let job = pack.job;
    let shown = Shown::of(&ledger.bytes);
    let configured = config.jobs.iter().find(|known| known.name == *job);
    let terms = match configured {
        Some(job) => Terms::of(&Arc::new(job.clone())),
        None => Terms::retired(job.clone(), config.archive.zone.clone(), &shown.outline),
    };
    let openings = Openings::of(&terms, &shown.outline, as_of);
    let zone = &terms.zone;
    let last = date_of(UtcMs(pack.span.to().0 - 1), zone);
    let dates = date_of(pack.span.from(), zone).series(jiff::Span::new().days(1));
    let of_day = |date| {
        let whole = span_of(date, zone);
        let cut = whole.and_then(|day: Span| {
            Span::new(
                day.from().max(pack.span.from()),
                day.to().min(pack.span.to()),
            )
        });
        DayPage {
            job,
            zone,
            date,
            span: cut,
            // A window may have begun before the span, on its first day.
            rows: whole.map_or_else(Vec::new, |day| {
                let mut rows = rows(&terms, &openings, &shown.windows, day);
                rows.retain(|row| row.window.span().intersection(pack.span).is_some());
                rows
            }),
            problem: None,
        }
    };
    printed(&Printed {
        job,
        archive: &pack.archive,
        zone,
        span: pack.span,
        as_of,
        days: dates.take_while(|date| *date <= last).map(of_day).collect(),
    })
}
