//! How much came, week by week, as bars and as a table.

use jiff::civil::Date;
use maud::{Markup, html};

use crate::page::calendar::{Day, WEEKS};
use crate::page::lang::Lang;
use crate::page::words::{grouped, size};

/// The height of a chart, in its own units.
const HEIGHT: u64 = 100;
/// The width of a week, likewise.
const WEEK: usize = 10;

/// A week.
struct Week {
    first: Date,
    records: u64,
    bytes: u64,
}

/// The volume of a year of days.
pub(super) fn volume(lang: Lang, days: &[Day]) -> Markup {
    let weeks: Vec<Week> = days.chunks(7).filter_map(week).collect();
    let records: Vec<u64> = weeks.iter().map(|week| week.records).collect();
    let bytes: Vec<u64> = weeks.iter().map(|week| week.bytes).collect();
    let most_records = records.iter().max().copied().unwrap_or(0);
    let most_bytes = bytes.iter().max().copied().unwrap_or(0);
    html! {
        h3 { (lang.volume()) }
        div.charts {
            (chart(lang.records(), &lang.most(most_records), &records))
            (chart(lang.bytes(), &lang.most_bytes(most_bytes), &bytes))
        }
        details {
            summary { (lang.as_table()) }
            div.over {
                table.list {
                    caption { (lang.volume()) }
                    thead { tr {
                        th scope="col" { (lang.week()) }
                        th.n scope="col" { (lang.records()) }
                        th.n scope="col" { (lang.bytes()) }
                    } }
                    tbody {
                        @for week in weeks.iter().rev().filter(|week| week.bytes > 0) {
                            tr {
                                th scope="row" { (lang.date(week.first)) }
                                td.n { (grouped(week.records)) }
                                td.n { (size(week.bytes)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn week(days: &[Day]) -> Option<Week> {
    let first = days.first()?.date;
    let sum = |of: fn(&Day) -> u64| days.iter().map(of).fold(0, u64::saturating_add);
    Some(Week {
        first,
        records: sum(|day| day.tally.records),
        bytes: sum(|day| day.tally.bytes),
    })
}

fn chart(name: &str, most: &str, values: &[u64]) -> Markup {
    let top = values.iter().max().copied().unwrap_or(0).max(1);
    let width = WEEKS as usize * WEEK;
    let height = |value: u64| (u128::from(value) * u128::from(HEIGHT) / u128::from(top)) as u64;
    html! {
        figure {
            svg role="img" aria-label={ (name) ", " (most) } viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" {
                @for (at, &value) in values.iter().enumerate().filter(|&(_, &value)| value > 0) {
                    @let height = height(value).max(1);
                    rect.bar x=(at * WEEK + 1) y=(HEIGHT - height) width=(WEEK - 2) height=(height) {}
                }
            }
            figcaption { (name) ": " (most) }
        }
    }
}
