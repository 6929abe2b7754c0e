//! A calendar as a table: a row for each day of the week, a column for each week.

use maud::{Markup, html};

use super::Links;
use crate::domain::job::JobName;
use crate::page::calendar::{Block, Day};
use crate::page::lang::Lang;
use crate::page::state::State;

/// How wide, in weeks, a month must be for its year to fit.
const WITH_YEAR: usize = 4;

/// A year of days.
pub(super) fn calendar(
    lang: Lang,
    job: &JobName,
    (block, days): &(Block, Vec<Day>),
    links: Links,
) -> Markup {
    let end = format!("after.{job}.{}", block.last);
    let name = format!("calendar.{job}.{}", block.last);
    html! {
        a.skip href={ "#" (end) } { (lang.skip_calendar()) }
        p.soft id=(name) { (lang.dates(block.first, block.last)) }
        div.scroll {
            table.cal aria-labelledby=(name) {
                thead {
                    tr {
                        td {}
                        @for (label, weeks) in months(lang, days) {
                            th scope="colgroup" colspan=(weeks) { (label) }
                        }
                    }
                }
                tbody {
                    @for (weekday, (short, full)) in lang.weekdays().into_iter().enumerate() {
                        tr {
                            th scope="row" { abbr title=(full) { (short) } }
                            @for week in days.chunks(7) {
                                td { @if let Some(day) = week.get(weekday) { (cell(lang, job, day, links)) } }
                            }
                        }
                    }
                }
            }
        }
        span id=(end) tabindex="-1" {}
    }
}

fn cell(lang: Lang, job: &JobName, day: &Day, links: Links) -> Markup {
    let words = lang.day(day);
    let class = format!("cell {}", day.state.class());
    let is_bare = matches!(day.state, State::Before | State::Ended) && day.tally.bytes == 0;
    html! {
        @if is_bare {
            span class=(class) role="img" aria-label=(words) title=(words) { (day.state.letter()) }
        } @else {
            a class=(class) href=(links.day(job, day.date)) aria-label=(words) title=(words) { (day.state.letter()) }
        }
    }
}

/// The months of the weeks' first days, and how many weeks each has.
fn months(lang: Lang, days: &[Day]) -> Vec<(String, usize)> {
    let mut months: Vec<(jiff::civil::Date, usize)> = Vec::new();
    for monday in days.chunks(7).filter_map(<[Day]>::first) {
        let date = monday.date;
        match months.last_mut() {
            Some((first, weeks))
                if (first.year(), first.month()) == (date.year(), date.month()) =>
            {
                *weeks += 1;
            }
            _ => months.push((date, 1)),
        }
    }
    let mut is_first = true;
    let mut label = |(date, weeks): (jiff::civil::Date, usize)| {
        let names_year = (is_first || date.month() == 1) && weeks >= WITH_YEAR;
        is_first = is_first && !names_year;
        let label = match (names_year, weeks) {
            (true, _) => lang.month_of_year(date),
            (false, 1) => String::new(),
            (false, _) => lang.month(date),
        };
        (label, weeks)
    };
    months.into_iter().map(&mut label).collect()
}
