//! A day, window by window.

use jiff::civil::Date;
use maud::{Markup, html};

use super::{Links, alert, crumbs, document, tag};
use crate::domain::job::JobName;
use crate::domain::second_opinion::Way;
use crate::domain::span::{Millis, Span};
use crate::domain::window::Zone;
use crate::page::lang::Lang;
use crate::page::sheet::Row;
use crate::page::words::{bounds, grouped, size};

/// A day of a job.
#[derive(Debug)]
pub(crate) struct DayPage<'a> {
    /// The job.
    pub(crate) job: &'a JobName,
    /// Its zone.
    pub(crate) zone: &'a Zone,
    /// The day.
    pub(crate) date: Date,
    /// Its instants; `None` where the zone has left it out.
    pub(crate) span: Option<Span>,
    /// Its windows.
    pub(crate) rows: Vec<Row<'a>>,
    /// Why the job can't run.
    pub(crate) problem: Option<&'a str>,
}

/// The page of a day.
pub(crate) fn day(lang: Lang, page: &DayPage<'_>) -> String {
    let title = format!("{}: {}", page.job, lang.date(page.date));
    let worst = page.rows.iter().map(Row::counts_as).min();
    let beside =
        |date: Result<Date, jiff::Error>| date.ok().map(|date| Links::Pages.day(page.job, date));
    let content = html! {
        @if let Some(why) = page.problem { (alert(lang, why)) }
        @if let Some(worst) = worst { p { (tag(lang, worst)) " – " (lang.meaning(worst)) } }
        nav aria-label=(lang.calendar()) {
            ul {
                @if let Some(before) = beside(page.date.yesterday()) { li { a href=(before) rel="prev" { "← " (lang.day_before()) } } }
                @if let Some(after) = beside(page.date.tomorrow()) { li { a href=(after) rel="next" { (lang.day_after()) " →" } } }
            }
        }
        (windows(lang, page, Links::Pages))
    };
    document(lang, &title, &crumbs(lang, None), &content)
}

/// The windows of a day as a table.
pub(super) fn windows(lang: Lang, page: &DayPage<'_>, links: Links) -> Markup {
    // A day of 23 or 25 hours has two offsets.
    let is_even = page
        .span
        .is_some_and(|span| span.length() == Millis::from_days(1));
    html! {
        @if page.rows.is_empty() {
            p { (lang.no_windows()) }
        } @else {
            table.list.stack {
                caption { (lang.times_in()) " " (page.zone) }
                thead { tr {
                    th scope="col" { (lang.span()) }
                    th scope="col" { (lang.state()) }
                    th.n scope="col" { (lang.records()) }
                    th.n scope="col" { (lang.bytes()) }
                    th scope="col" { (lang.by()) }
                    th scope="col" { (lang.folder()) }
                } }
                tbody { @for row in &page.rows { (line(lang, page, row, is_even, links)) } }
            }
        }
    }
}

fn line(lang: Lang, page: &DayPage<'_>, row: &Row<'_>, is_even: bool, links: Links) -> Markup {
    let time = bounds(row.window, page.zone, is_even);
    html! {
        tr {
            th scope="row" {
                @match links {
                    Links::Pages => { a href={ (links.day(page.job, page.date)) "/" (row.name(page.zone)) } { (time) } },
                    Links::File => { (time) },
                }
            }
            td {
                (tag(lang, row.state))
                @if row.held.is_some_and(|held| held.is_known) { " (" (lang.is_known()) ")" }
            }
            @match row.held {
                Some(held) => {
                    td.n data-k=(lang.records()) { @match held.records { Some(records) => { (grouped(records)) }, None => { "?" } } }
                    td.n data-k=(lang.bytes()) { (size(held.bytes)) }
                    td data-k=(lang.by()) { @if held.by == Way::None { (lang.none()) } @else { (lang.way(held.by)) } }
                    td.path { @if let Some(place) = &held.place { (place.folder) } }
                },
                None => { td.n {} td.n {} td {} td.path {} },
            }
        }
    }
}
