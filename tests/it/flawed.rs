//! Answers that contradict themselves, and refusals of windows without logs: each in JSON and in CSV, with
//! search permitted and refused, once and always. What is archived is compared with what was logged:
//! none ends green and inexact.

use std::thread;

use elsa_archiver::domain::span::{Millis, Span};
use elsa_archiver::simulator::truth::{Difference, seqs_in};
use elsa_archiver::simulator::{
    CsvLayout, Dialect, EmptyAnswer, Fault, FaultPlan, Flaw, JsonLayout, Lie, LieKind, LyingCalls,
    Project, Search, SearchAccess, Settings, TimeStyle,
};

use crate::confirmed_later::newest;
use crate::harness::{Due, Folder, Job, PROJECT_ID, World, project_key, tell};
use crate::second_opinion::job;

/// Logs of each window, and of the same hour of the day before.
const LOGS: [usize; 2] = [600, 450];
const DAY: Millis = Millis::from_days(1);

/// What goes wrong, and how often.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    /// An answer contradicts itself.
    Flaw(Flaw),
    /// Something is left out of a download.
    Lie(LieKind),
    /// A download is refused.
    Refused,
    /// Nothing: how the service is says it all.
    Nothing,
}

/// A service that goes wrong, and what it is asked.
#[derive(Clone)]
struct Row {
    wrong: Wrong,
    formats: &'static [&'static str],
    windows: i64,
    dialect: Dialect,
    /// Of the windows the first holds nothing.
    first_is_empty: bool,
    /// The windows but the first are archived while nothing is wrong.
    others_before: bool,
    /// Whether an older archive is looked at again while it goes wrong.
    rechecked: bool,
    settings: &'static [(&'static str, &'static str)],
    /// Whether each download tells the same lie, and nothing else could tell.
    beyond_proof: fn(Variant) -> bool,
}

/// How a row is tried.
#[derive(Clone, Copy, Debug)]
struct Variant {
    format: &'static str,
    access: SearchAccess,
    lasts: bool,
}

const BOTH: &[&str] = &["json", "csv"];

fn row(wrong: Wrong) -> Row {
    Row {
        wrong,
        formats: BOTH,
        windows: 3,
        dialect: Dialect::default(),
        first_is_empty: false,
        others_before: false,
        rechecked: false,
        settings: &[],
        beyond_proof: |_| false,
    }
}

fn flaw(flaw: Flaw) -> Row {
    row(Wrong::Flaw(flaw))
}

impl Row {
    fn project(&self, due: &Due) -> Project {
        let mut times = Vec::new();
        let windows = due.windows.iter().skip(usize::from(self.first_is_empty));
        for window in windows {
            for (before, logs) in [0, 1].into_iter().zip(LOGS) {
                let from = window.from().minus(DAY.times(before));
                let of = window.length().0 / logs as i64;
                times.extend((0..logs as i64).map(|at| from.plus(Millis(at * of + at % 7))));
            }
        }
        Project::from_times(&project_key("shop"), PROJECT_ID, 7, times)
    }

    fn job(&self, due: &Due, format: &str, first: usize) -> Job {
        let mut job = job(due)
            .with("format", &format!("{format:?}"))
            .with("limit", "100")
            .with("since", &format!("\"{}\"", due.windows[first].from()));
        for (key, value) in self.settings {
            job = job.with(key, value);
        }
        if self.rechecked {
            job = job.with("recheck", &format!("\"{}s\"", due.settle_s + 60));
        }
        job
    }

    /// From now on it goes wrong.
    fn goes_wrong(&self, world: &World, lasts: bool) {
        let fault = match self.wrong {
            Wrong::Nothing => return,
            Wrong::Lie(kind) => {
                return world.service.set_lies(vec![Lie {
                    kind,
                    times: (!lasts).then_some(1),
                    calls: LyingCalls::Download,
                }]);
            }
            Wrong::Flaw(flaw) => Fault::Flawed(flaw),
            Wrong::Refused => Fault::Status {
                http: 404,
                error_code: "300".to_owned(),
                message: "Not Found".to_owned(),
                retry_after: None,
            },
        };
        world.service.set_faults(match lasts {
            true => FaultPlan::always(fault),
            false => FaultPlan::script([fault]),
        });
    }
}

/// Whether a window holds exactly what was logged.
fn is_exact(world: &World, folder: &Folder) -> bool {
    let project = world.service.project(&project_key("shop")).unwrap();
    Difference::between(seqs_in(project, folder.window), folder.seqs()).is_none()
}

async fn archived(row: &Row, variant: Variant) -> Option<String> {
    let Variant {
        format,
        access,
        lasts,
    } = variant;
    let due = Due::hours(row.windows);
    let world = World::start(Settings {
        projects: vec![row.project(&due)],
        dialect: row.dialect.clone(),
        search: Search {
            access,
            ..Search::default()
        },
        ..Settings::default()
    })
    .await;
    let before = row.rechecked || row.others_before;
    if before {
        let first = usize::from(row.others_before);
        world.configure(&[row.job(&due, format, first)]);
        world.once().exits(0);
    }
    if row.rechecked {
        world.make_ledger_older("shop", &due);
    }
    row.goes_wrong(&world, lasts);
    world.configure(&[row.job(&due, format, 0)]);
    let mut ran = world.once();
    if ran.code != Some(0) {
        // What has passed is made good by then, and what was noticed is not forgotten.
        ran = world.once();
    }
    let exit = world.run(&["status"]).code;
    let folders = newest(&world);
    let of = |status: &str| {
        let is_it = |folder: &&Folder| folder.manifest["status"] == status;
        folders.iter().filter(is_it).collect::<Vec<_>>()
    };
    let (complete, unproven) = (of("complete"), of("unproven"));
    let is_wrong = |folder: &&&Folder| !is_exact(&world, folder);
    let wrong: Vec<Span> = complete
        .iter()
        .filter(is_wrong)
        .map(|it| it.window)
        .collect();
    let how = format!(
        "{:?}, {}, search {access:?}, {format}: status exits {exit:?}, of {} windows {} complete, {} of them \
         inexact, {} unproven",
        row.wrong,
        if lasts { "always" } else { "once" },
        due.windows.len(),
        complete.len(),
        wrong.len(),
        unproven.len()
    );
    tell(&how);
    let is_green = exit == Some(0);
    let is_all = complete.len() == due.windows.len();
    let is_right = wrong.is_empty() && (is_all || !is_green);
    (is_right == (row.beyond_proof)(variant)).then(|| format!("{how}: {wrong:?}\n{}", ran.stderr))
}

/// Tries a row in all its variants.
#[track_caller]
fn assert_found_out(row: Row) {
    let mut tried = Vec::new();
    for lasts in [false, true] {
        for access in [SearchAccess::Permitted, SearchAccess::Denied] {
            for &format in row.formats {
                let (row, variant) = (
                    row.clone(),
                    Variant {
                        format,
                        access,
                        lasts,
                    },
                );
                tried.push(thread::spawn(move || {
                    let runtime = tokio::runtime::Runtime::new().unwrap();
                    runtime.block_on(archived(&row, variant))
                }));
            }
        }
    }
    let faults: Vec<_> = tried
        .into_iter()
        .filter_map(|one| one.join().unwrap())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn in_pages() -> Dialect {
    Dialect {
        json: JsonLayout::Pages,
        csv: CsvLayout::Pages,
        ..Dialect::default()
    }
}

/// Guarantee: Confirmed
#[test]
fn an_error_before_the_end_of_an_empty_zip_is_never_taken_for_an_empty_window() {
    // It is asked for again and again, with pauses.
    assert_found_out(Row {
        windows: 1,
        ..flaw(Flaw::ErrorBeforeEnd)
    });
}

/// Guarantee: Confirmed
#[test]
fn an_error_in_place_of_the_second_half_is_found_out() {
    assert_found_out(flaw(Flaw::ErrorAtEnd));
    // As many cells as the error has commas.
    assert_found_out(Row {
        settings: &[("include_fields", "[\"logTime\", \"seq\"]")],
        ..flaw(Flaw::ErrorAtEnd)
    });
}

/// Guarantee: Confirmed
#[test]
fn a_last_line_that_says_that_it_was_cut_is_found_out() {
    assert_found_out(flaw(Flaw::MarkAtEnd));
    assert_found_out(Row {
        settings: &[("include_fields", "[\"seq\"]")],
        ..flaw(Flaw::MarkAtEnd)
    });
}

/// Guarantee: Confirmed
#[test]
fn a_wrapper_with_a_time_of_its_own_is_found_out() {
    assert_found_out(Row {
        formats: &["json"],
        windows: 1,
        ..flaw(Flaw::Wrapped)
    });
}

/// Guarantee: Confirmed
#[test]
fn records_without_any_field_are_found_out() {
    assert_found_out(flaw(Flaw::Hollow));
    assert_found_out(Row {
        settings: &[("include_fields", "[\"seq\", \"body\"]")],
        ..flaw(Flaw::Hollow)
    });
}

/// Guarantee: Confirmed
#[test]
fn a_header_that_comes_again_and_one_with_two_times_are_found_out() {
    for wrong in [Flaw::HeaderAgain, Flaw::TwoTimes] {
        assert_found_out(Row {
            formats: &["csv"],
            ..flaw(wrong)
        });
    }
}

/// Guarantee: Confirmed
#[test]
fn a_page_that_is_missing_is_found_out() {
    for wrong in [Flaw::PageMissing, Flaw::LastPageMissing] {
        assert_found_out(Row {
            dialect: in_pages(),
            ..flaw(wrong)
        });
    }
}

/// Guarantee: Confirmed
#[test]
fn a_short_page_in_the_middle_and_one_that_comes_twice_are_found_out() {
    for wrong in [Flaw::PageShort, Flaw::PageTwice] {
        assert_found_out(Row {
            dialect: in_pages(),
            ..flaw(wrong)
        });
    }
}

fn other_day(time: TimeStyle, beyond_proof: fn(Variant) -> bool) -> Row {
    Row {
        dialect: Dialect {
            time,
            ..Dialect::default()
        },
        beyond_proof,
        ..flaw(Flaw::OtherDay)
    }
}

/// Guarantee: Confirmed
#[test]
fn records_of_another_day_are_found_out_where_their_times_can_be_read() {
    for time in [TimeStyle::Number, TimeStyle::Micros, TimeStyle::Exponent] {
        assert_found_out(other_day(time, |_| false));
    }
    assert_found_out(Row {
        settings: &[("time_zone_of_records", "\"UTC\"")],
        ..other_day(TimeStyle::Civil, |_| false)
    });
}

/// Guarantee: Confirmed
#[test]
fn records_of_another_day_whose_times_can_t_be_read_are_found_out_by_their_number() {
    // Without search each download says the same.
    let each_download_lies =
        |variant: Variant| variant.lasts && variant.access == SearchAccess::Denied;
    for time in [TimeStyle::Civil, TimeStyle::Null] {
        assert_found_out(other_day(time, each_download_lies));
    }
}

/// Guarantee: Confirmed
#[test]
fn a_cap_that_bites_a_little_early_is_found_out() {
    assert_found_out(Row {
        settings: &[("count", "500"), ("cross_check", "\"some\"")],
        ..row(Wrong::Lie(LieKind::CapRecords(495)))
    });
}

/// Guarantee: Confirmed
#[test]
fn a_recheck_with_others_or_with_a_page_twice_is_found_out() {
    for kind in [LieKind::RepeatedPage, LieKind::DoubledPage] {
        assert_found_out(Row {
            rechecked: true,
            ..row(Wrong::Lie(kind))
        });
    }
}

/// Guarantee: Confirmed
#[test]
fn pieces_that_come_back_empty_are_found_out() {
    for (kind, others_before) in [
        (LieKind::Empty, true),
        (LieKind::EmptyBelow(Millis::from_mins(59)), true),
        (LieKind::EmptyBelow(Millis::from_mins(59)), false),
    ] {
        assert_found_out(Row {
            settings: &[("count", "200")],
            others_before,
            // Without search, and always: nothing is ever handed out.
            beyond_proof: match kind {
                LieKind::Empty => |variant| variant.lasts && variant.access == SearchAccess::Denied,
                _ => |_| false,
            },
            ..row(Wrong::Lie(kind))
        });
    }
}

/// Guarantee: Confirmed
/// Guarantee: Candid
#[test]
fn a_window_without_logs_that_is_refused_is_empty_by_search_and_due_without() {
    for empty in [
        EmptyAnswer::NotFound,
        EmptyAnswer::NoContent,
        EmptyAnswer::NotFoundIn200,
    ] {
        assert_found_out(Row {
            dialect: Dialect {
                empty,
                ..Dialect::default()
            },
            first_is_empty: true,
            others_before: true,
            ..row(Wrong::Nothing)
        });
    }
}

/// Guarantee: Confirmed
/// Guarantee: Candid
#[test]
fn a_window_with_logs_that_is_refused_is_never_taken_for_an_empty_one() {
    assert_found_out(Row {
        others_before: true,
        ..row(Wrong::Refused)
    });
    assert_found_out(row(Wrong::Refused));
}
