//! All jobs: how they stand, their calendars, what is missing.

use jiff::civil::Date;
use maud::{Markup, html};

use super::calendar::calendar;
use super::volume::volume;
use super::{Links, alert, document, fact, job_id, tag, time};
use crate::domain::window::Zone;
use crate::page::calendar::date_of;
use crate::page::lang::Lang;
use crate::page::openings::Stretch;
use crate::page::sheet::{Body, Breaker, JobSheet, Sheet, Standing};
use crate::page::state::State;
use crate::page::words::grouped;

/// How many gaps of a job are listed.
const MOST_LISTED: usize = 30;

/// The page of all jobs, of the year up to `until`; `None` is today.
pub(crate) fn all(lang: Lang, sheet: &Sheet, until: Option<Date>) -> String {
    let top = html! {
        @if until.is_some() {
            nav aria-label=(lang.today()) { ul { li { a href="/" { (lang.today()) } } } }
        }
    };
    let content = html! {
        (overview(lang, sheet))
        @for job in &sheet.jobs { (section(lang, job, Links::Pages)) }
    };
    document(lang, lang.title(), &top, &content)
}

/// What stands above the jobs.
pub(super) fn overview(lang: Lang, sheet: &Sheet) -> Markup {
    html! {
        p.soft { (lang.as_of()) " " (time(sheet.now, &sheet.zone)) }
        @if sheet.jobs.is_empty() { p.alert { (lang.no_jobs()) } }
        nav aria-label=(lang.jobs()) {
            ul {
                @for job in &sheet.jobs {
                    li {
                        a href={ "#" (job_id(&job.name)) } { (job.name) }
                        @match job.body.as_ref().and_then(Body::worst) {
                            _ if job.problem.is_some() => { " " span.tag { "⚠ " (lang.problem()) } },
                            Some(worst) => { " " (tag(lang, worst)) },
                            None => {},
                        }
                    }
                }
            }
        }
        details {
            summary { (lang.legend()) }
            p { (lang.legend_of_day()) }
            ul.legend {
                @for state in State::ALL {
                    li { span { (tag(lang, state)) } span { (lang.meaning(state)) } }
                }
            }
        }
    }
}

/// A job.
pub(super) fn section(lang: Lang, job: &JobSheet, links: Links) -> Markup {
    html! {
        section.job aria-labelledby=(job_id(&job.name)) {
            h2 id=(job_id(&job.name)) tabindex="-1" { (job.name) }
            @match job.standing {
                Standing::AtWork => {},
                Standing::Disabled => { p.soft { (lang.disabled()) } },
                Standing::Retired => { p.soft { (lang.retired()) } },
            }
            @if let Some(why) = &job.problem { (alert(lang, why)) }
            @if let Breaker::Down { since, next, message } = &job.breaker {
                @let zone = job.body.as_ref().map_or_else(Zone::utc, |body| body.terms.zone.clone());
                p.alert {
                    strong { (lang.service_down()) } " (" (lang.since_when()) " " (time(*since, &zone)) "; "
                    (lang.asked_next()) " " (time(*next, &zone)) "): " span lang="en" { (message) }
                }
            }
            @match &job.body {
                None => { p { (lang.not_known()) } },
                Some(body) => { (shown(lang, job, body, links)) },
            }
        }
    }
}

fn shown(lang: Lang, job: &JobSheet, body: &Body, links: Links) -> Markup {
    let zone = &body.terms.zone;
    html! {
        (in_short(lang, job, body))
        h3 { (lang.missing()) }
        (missing(lang, job, body, links))
        h3 { (lang.errors()) }
        (errors(lang, body, zone))
        @for (at, year) in body.years.iter().enumerate() {
            @if at == 0 {
                h3 { (lang.calendar()) }
                (calendar(lang, &job.name, year, links))
                @if links == Links::Pages && year.0.first > date_of(body.terms.since, zone) {
                    @if let Some(before) = year.0.before() {
                        p { a href={ "/?until=" (before) } { "← " (lang.earlier()) ": " (lang.up_to(before)) } }
                    }
                }
                (volume(lang, &year.1))
            } @else {
                details {
                    summary { (lang.dates(year.0.first, year.0.last)) }
                    (calendar(lang, &job.name, year, links))
                    (volume(lang, &year.1))
                }
            }
        }
    }
}

fn in_short(lang: Lang, job: &JobSheet, body: &Body) -> Markup {
    let (zone, outline) = (&body.terms.zone, &body.outline);
    let (incomplete, known) = (outline.incomplete, outline.acknowledged);
    let confirmed = outline.confirmed;
    let number = |number: u64| html! { (grouped(number)) };
    html! {
        dl {
            (fact(lang.covered_until(), &time(body.covered_until(), zone)))
            (fact(lang.since(), &time(body.terms.since, zone)))
            (fact(lang.due_windows(), &number(body.due as u64)))
            (fact(lang.archived(), &html! { (lang.amount(outline.records, outline.bytes)) }))
            (fact(lang.confirmed(), &html! {
                (lang.confirmed_of(confirmed.search + confirmed.download, confirmed.none))
            }))
            @for (state, all, known) in [
                (State::Truncated, incomplete.truncated, known.truncated),
                (State::Unproven, incomplete.unproven, known.unproven),
            ] {
                @if all > 0 {
                    (fact(lang.name(state), &html! { (lang.acknowledged(all, known)) }))
                }
            }
            (fact(lang.last_success(), &html! {
                @match outline.last_success {
                    Some(at) => { (time(at, zone)) },
                    None => { (lang.nothing_yet()) },
                }
            }))
            @if job.standing == Standing::AtWork {
                (fact(lang.circuit(), &breaker(lang, &job.breaker)))
            }
        }
    }
}

fn breaker(lang: Lang, breaker: &Breaker) -> Markup {
    match breaker {
        Breaker::Unknown => html! { (lang.circuit_unknown()) },
        Breaker::Closed => html! { (lang.circuit_closed()) },
        Breaker::Open => html! { strong { (lang.circuit_open()) } },
        Breaker::Down { .. } => html! { strong { (lang.service_down()) } },
    }
}

fn missing(lang: Lang, job: &JobSheet, body: &Body, links: Links) -> Markup {
    let stretches = &body.stretches;
    html! {
        @if stretches.is_empty() {
            p { (lang.nothing_missing()) }
        } @else {
            table.list.stack {
                thead { tr {
                    th scope="col" { (lang.span()) }
                    th scope="col" { (lang.state()) }
                    th.n scope="col" { (lang.windows()) }
                    th scope="col" { (lang.deadline()) }
                } }
                tbody { @for stretch in stretches.iter().take(MOST_LISTED) { (stretched(lang, job, body, stretch, links)) } }
            }
            @if stretches.len() > MOST_LISTED { p { (lang.and_more(stretches.len() - MOST_LISTED)) } }
        }
    }
}

fn stretched(lang: Lang, job: &JobSheet, body: &Body, stretch: &Stretch, links: Links) -> Markup {
    let zone = &body.terms.zone;
    let (from, to) = (stretch.span.from(), stretch.span.to());
    html! {
        tr {
            th scope="row" {
                a href=(links.day(&job.name, date_of(from, zone))) { (time(from, zone)) " – " (time(to, zone)) }
            }
            td { (tag(lang, stretch.state)) }
            td.n data-k=(lang.windows()) { (grouped(stretch.windows)) }
            td data-k=(lang.deadline()) {
                @match (stretch.state, stretch.deadline) {
                    (_, Some(deadline)) => { (time(deadline, zone)) },
                    (State::Gap | State::Late, None) => { (lang.deadline_unknown()) },
                    (_, None) => { (lang.is_over()) },
                }
            }
        }
    }
}

fn errors(lang: Lang, body: &Body, zone: &Zone) -> Markup {
    html! {
        @if body.failing.is_empty() {
            p { (lang.no_errors()) }
        } @else {
            ul.errors {
                @for (window, failed) in &body.failing {
                    li {
                        (time(failed.last, zone)) ": " span lang="en" { (failed.message) }
                        " (" (time(window.from(), zone)) " – " (time(window.to(), zone)) ", " (lang.times(failed.times)) ")"
                    }
                }
            }
        }
    }
}
