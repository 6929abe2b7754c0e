//! The coverage of a span for an auditor: one sheet a month, to be printed, reviewed and signed. It looks the same whenever
//! and wherever it is made of the same archive.

use jiff::civil::Date;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::day::DayPage;
use crate::domain::job::JobName;
use crate::domain::span::{Span, UtcMs};
use crate::domain::window::Zone;
use crate::page::lang::Lang;
use crate::page::sheet::Row;
use crate::page::state::{State, Tally};
use crate::page::words::{grouped, instant, size};

/// Nothing is loaded, and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

const CSS: &str = "\
body{font:9pt/1.2 sans-serif;margin:1.5rem auto;max-width:60rem;color:#000;background:#fff}\
h1{font-size:15pt}h2{font-size:13pt}table{border-collapse:collapse;width:100%;margin:.5rem 0}\
th,td{border:1px solid #888;padding:.06rem .4rem;text-align:left;vertical-align:top}\
.n{text-align:right;white-space:nowrap}.marks{font-family:monospace;overflow-wrap:anywhere;letter-spacing:.1em}\
b.bad{background:#ccc;text-decoration:underline}.review td{height:2rem;width:32%}.review th{width:18%}\
.sheet{break-before:page}tr,.review{break-inside:avoid}\
@page{size:A4;margin:14mm}@media print{body{margin:0;max-width:none}}";

/// What is shown.
#[derive(Debug)]
pub(crate) struct Printed<'a> {
    /// The job.
    pub(crate) job: &'a JobName,
    /// The archive's id.
    pub(crate) archive: &'a str,
    /// Whose days they are.
    pub(crate) zone: &'a Zone,
    /// The span.
    pub(crate) span: Span,
    /// The instant of which what is due is told.
    pub(crate) as_of: UtcMs,
    /// Its days, in order.
    pub(crate) days: Vec<DayPage<'a>>,
}

/// The page.
pub(crate) fn printed(page: &Printed<'_>) -> String {
    let months = page
        .days
        .chunk_by(|one, next| month(one.date) == month(next.date));
    let title = format!("Coverage of {}", page.job);
    let html = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) }
                style { (PreEscaped(CSS)) }
            }
            body {
                h1 { (title) }
                (terms(page))
                (legend(&tally(&page.days)))
                p {
                    "Each sheet below is one month: a line a day, and in it a mark for each window, in the order of time. "
                    "VERIFY.txt proves that the folders are here as they were recorded."
                }
                @for days in months { (sheet(page, days)) }
            }
        }
    };
    html.into_string()
}

fn month(date: Date) -> (i16, i8) {
    (date.year(), date.month())
}

fn tally(days: &[DayPage<'_>]) -> Tally {
    let mut tally = Tally::default();
    for row in days.iter().flat_map(|day| &day.rows) {
        count(row, &mut tally);
    }
    tally
}

fn count(row: &Row<'_>, tally: &mut Tally) {
    match row.held {
        Some(held) => tally.hold(row.state, held.records, held.bytes),
        None => tally.add(row.state),
    }
}

fn terms(page: &Printed<'_>) -> Markup {
    let at = |at: UtcMs| instant(at, page.zone);
    html! {
        table {
            tr { th scope="row" { "Archive" } td { (page.archive) } th scope="row" { "Job" } td { (page.job) } }
            tr { th scope="row" { "From" } td { (at(page.span.from())) } th scope="row" { "To" } td { (at(page.span.to())) } }
            tr { th scope="row" { "As of" } td { (at(page.as_of)) } th scope="row" { "Times in" } td { (page.zone) } }
        }
    }
}

/// What is due, lost, or not certain.
const fn is_bad(state: State) -> bool {
    matches!(
        state,
        State::Lost | State::Gap | State::Late | State::Truncated | State::Unproven
    )
}

fn mark(state: State) -> Markup {
    html! {
        @if is_bad(state) { b.bad title=(Lang::En.name(state)) { (state.letter()) } } @else { (state.letter()) }
    }
}

/// How many windows of each state there are.
fn legend(tally: &Tally) -> Markup {
    let found = State::ALL.into_iter().filter(|&state| tally.of(state) > 0);
    html! {
        table {
            thead { tr { th scope="col" { "Mark" } th scope="col" { "Windows" } th scope="col" { "State" } th scope="col" { "What it means" } } }
            tbody {
                @for state in found {
                    tr {
                        td { (mark(state)) }
                        td.n { (grouped(tally.of(state).into())) }
                        td { (Lang::En.name(state)) " / " (Lang::Ko.name(state)) }
                        td { (Lang::En.meaning(state)) }
                    }
                }
            }
        }
    }
}

fn sheet(page: &Printed<'_>, days: &[DayPage<'_>]) -> Markup {
    let all = tally(days);
    let (year, month) = days.first().map_or((0, 0), |day| month(day.date));
    html! {
        section.sheet {
            h2 { (page.job) ": " (format!("{year:04}-{month:02}")) }
            table {
                thead { tr {
                    th scope="col" { "Date" } th scope="col" { "Windows" } th.n scope="col" { "Records" } th.n scope="col" { "Bytes" }
                } }
                tbody {
                    @for day in days {
                        @let of_day = tally(std::slice::from_ref(day));
                        tr {
                            th scope="row" { (day.date) }
                            td.marks { @for row in &day.rows { (mark(row.state)) } }
                            td.n { (grouped(of_day.records)) }
                            td.n { (size(of_day.bytes)) }
                        }
                    }
                }
                tfoot { tr {
                    th scope="row" { "All" } td { (grouped(all.all().into())) " windows" }
                    td.n { (grouped(all.records)) } td.n { (size(all.bytes)) }
                } }
            }
            (legend(&all))
            table.review {
                tr { th scope="row" { "Reviewed by" br; "검토자" } td {} th scope="row" { "Date" br; "검토 일자" } td {} }
                tr { th scope="row" { "Findings" br; "특이 사항" } td {} th scope="row" { "Signature" br; "서명" } td {} }
            }
        }
    }
}
