//! The sheets of an auditor's pack: `coverage.html`.

use std::sync::Arc;

use crate::config::Config;
use crate::domain::job::JobName;
use crate::domain::span::{Span, UtcMs};
use crate::evidence::claims::Pack;
use crate::ledger::LedgerError;
use crate::page::calendar::{date_of, span_of};
use crate::page::html::{DayPage, Printed, printed};
use crate::page::openings::{Openings, Terms};
use crate::page::sheet::rows;
use crate::page::shown::{Shown, Wanted};

/// The page of a span, as of an instant.
///
/// # Errors
/// When the ledger can't be read.
pub(super) fn coverage(
    config: &Config,
    job: &JobName,
    pack: &Pack<'_>,
    as_of: UtcMs,
) -> Result<String, LedgerError> {
    let wanted = Wanted {
        span: Some(pack.span),
        places: false,
    };
    let shown = Shown::read(&config.state_dir, job, wanted)?;
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
            rows: cut.map_or_else(Vec::new, |span| {
                rows(&terms, &openings, &shown.windows, span)
            }),
            problem: None,
        }
    };
    Ok(printed(&Printed {
        job,
        archive: &pack.archive,
        zone,
        span: pack.span,
        as_of,
        days: dates.take_while(|date| *date <= last).map(of_day).collect(),
    }))
}
