//! `report`: the coverage page as one file. It looks as `status` does, without a lock.

use std::path::Path;
use std::sync::Arc;

use super::Context;
use super::args::ReportLang;
use super::exit::Stop;
use super::identity;
use super::ledgers::side_by_side;
use super::lineage::Lineage;
use super::print::{bytes, print};
use super::retired::retired;
use crate::config::Config;
use crate::domain::job::{Job, JobName};
use crate::domain::span::UtcMs;
use crate::domain::window::Zone;
use crate::durable::write_asked_for;
use crate::job::outage;
use crate::page::calendar::{by_day, date_of, span_of};
use crate::page::html::{DayPage, Days, Report};
use crate::page::lang::Lang;
use crate::page::openings::{Openings, Terms};
use crate::page::sheet::{Body, Breaker, JobSheet, Sheet, Standing, Summary, rows, years};
use crate::page::shown::{Shown, Wanted};

/// Everything that a ledger tells of.
const ALL: Wanted = Wanted {
    span: None,
    places: true,
};

/// A job whose ledger was read.
struct Read {
    sheet: JobSheet,
    shown: Option<Shown>,
}

/// Writes the report.
pub(super) fn report(
    context: &Context<'_>,
    html: &Path,
    lang: Option<ReportLang>,
) -> Result<(), Stop> {
    let config = context.config()?;
    let now = context.clock.now();
    let lang = match lang {
        Some(ReportLang::En) => Lang::En,
        Some(ReportLang::Ko) => Lang::Ko,
        None => Lang::of_environment(|name| std::env::var(name).ok()),
    };
    let refused = Lineage::of(&config).refused;
    let wrong_place = identity::refusal(&config);
    let mut jobs = side_by_side(&config.jobs, |job| {
        let problem = refused.get(&job.name).or(wrong_place.as_ref()).cloned();
        of_job(&config, job, problem, now)
    });
    for name in retired(&config).map_err(Stop::failed)? {
        jobs.push(of_retired(&config, &name, now));
    }
    let (sheets, shown): (Vec<_>, Vec<_>) = jobs
        .into_iter()
        .map(|read| (read.sheet, read.shown))
        .unzip();
    let sheet = Sheet {
        now,
        zone: config.archive.zone.clone(),
        jobs: sheets,
    };
    let text = written(lang, &sheet, &shown)
        .map_err(|error| Stop::failed(format!("can't make the report: {error}")))?;
    write_asked_for(html, &text)
        .map_err(|error| Stop::failed(format!("can't write {}: {error}", html.display())))?;
    print(&format!(
        "{}: {}\n",
        html.display(),
        bytes(text.len() as u64)
    ))
}

fn written(lang: Lang, sheet: &Sheet, shown: &[Option<Shown>]) -> Result<String, std::fmt::Error> {
    let mut report = Report::begin(lang, sheet, String::new())?;
    for (job, shown) in sheet.jobs.iter().zip(shown) {
        let days: Days<'_> = match (shown, &job.body) {
            (Some(shown), Some(body)) => Box::new(days(shown, body, sheet.now)),
            _ => Box::new(std::iter::empty()),
        };
        report.job(job, days)?;
    }
    report.end()
}

/// The days of a job that the calendars show, the newest first.
fn days<'a>(shown: &'a Shown, body: &'a Body, now: UtcMs) -> impl Iterator<Item = DayPage<'a>> {
    let terms = &body.terms;
    let openings = Openings::of(terms, &body.outline, now);
    let all = body.years.iter().flat_map(|(_, days)| days.iter().rev());
    all.map(move |day| {
        let span = span_of(day.date, &terms.zone);
        let rows = span.map(|span| rows(terms, &openings, &shown.windows, span));
        DayPage {
            job: &terms.name,
            zone: &terms.zone,
            date: day.date,
            span,
            rows: rows.unwrap_or_default(),
            problem: None,
        }
    })
}

fn of_job(config: &Config, job: &Job, problem: Option<String>, now: UtcMs) -> Read {
    let standing = match job.enabled {
        true => Standing::AtWork,
        false => Standing::Disabled,
    };
    let breaker = match outage::read(&config.state_dir, &job.account) {
        Some(down) => Breaker::Down {
            since: down.since_ms,
            next: down.next_ms,
            message: down.message,
        },
        None => Breaker::Unknown,
    };
    let terms = |_: &Shown| Terms::of(&Arc::new(job.clone()));
    let read = read(config, &job.name, terms, now);
    Read {
        sheet: JobSheet {
            breaker,
            problem: problem.or(read.sheet.problem),
            standing,
            ..read.sheet
        },
        shown: read.shown,
    }
}

fn of_retired(config: &Config, name: &JobName, now: UtcMs) -> Read {
    let zone: &Zone = &config.archive.zone;
    let terms = |shown: &Shown| Terms::retired(name.clone(), zone.clone(), &shown.outline);
    read(config, name, terms, now)
}

fn read(config: &Config, name: &JobName, terms: impl FnOnce(&Shown) -> Terms, now: UtcMs) -> Read {
    let sheet = |problem, body| JobSheet {
        name: name.clone(),
        standing: Standing::Retired,
        problem,
        breaker: Breaker::Unknown,
        body,
    };
    let shown = match Shown::read(&config.state_dir, name, ALL) {
        Ok(shown) => shown,
        Err(error) => {
            return Read {
                sheet: sheet(Some(error.to_string()), None),
                shown: None,
            };
        }
    };
    let terms = terms(&shown);
    let first = shown.windows.keys().next().map(|window| window.from());
    let first = first.map_or(terms.since, |first| first.min(terms.since));
    let (first, today) = (date_of(first, &terms.zone), date_of(now, &terms.zone));
    let archived = by_day(&shown.windows, &terms.zone);
    let summary = Summary::of(shown.outline.clone(), archived, &shown.failures);
    let body = Body::of(terms, summary, now, &years(first, today));
    Read {
        sheet: sheet(None, Some(body)),
        shown: Some(shown),
    }
}
