//! What is archived: four projects that go on being logged to while the soak runs, each with a
//! backlog, at a service that spoils a third of its answers.

use std::time::Duration;

use elsa_archiver::domain::job::ToBound;
use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::simulator::{
    CsvLayout, Dialect, Fault, Framing, JsonLayout, Newline, Order, Project,
};

use crate::dice::Dice;
use crate::harness::{Due, Job, PROJECT_ID, project_key, zip_of};

pub const MINUTE_MS: i64 = 60_000;

/// How long after its end a window is left alone, in seconds.
pub const SETTLE_S: i64 = 3;

/// What is logged and archived.
pub struct Load {
    pub name: &'static str,
    /// Archived windows before the first whole minute, and how many minutes go on being logged.
    pub due: Due,
    pub project: Project,
    pub job: Job,
}

/// How much of it there is.
#[derive(Clone, Copy)]
pub struct Size {
    /// Minutes that are due at the start.
    pub backlog: i64,
    /// The same, of the job whose windows are cut into pieces.
    pub dense_backlog: i64,
    /// Minutes that are logged while it runs.
    pub future: i64,
    /// How long after they were logged late logs can be found, in milliseconds.
    pub late_ms: i64,
}

/// Four jobs, the last of which asks for its windows again.
pub fn loads(size: Size, dialect: &Dialect, dice: &mut Dice) -> Vec<Load> {
    let now = jiff::Timestamp::now().as_millisecond();
    let start = now - now.rem_euclid(MINUTE_MS);
    // The last minutes have no late logs, nor any others: all are due for their recheck in time.
    let late_until = size.future - 4;
    let jobs = [
        ("plain", size.backlog, size.future + 10, 12, "json"),
        ("table", size.backlog, size.future + 10, 12, "csv"),
        ("dense", size.dense_backlog, size.future + 10, 150, "json"),
        ("late", 20, late_until, 25, "csv"),
    ];
    jobs.into_iter()
        .map(|(name, backlog, future, a_minute, format)| {
            let minute = |at: i64| UtcMs(start + at * MINUTE_MS);
            let window = |at| Span::new(minute(at), minute(at + 1)).unwrap();
            let due = Due {
                windows: (-backlog..0).map(window).collect(),
                window: "1m",
                settle_s: SETTLE_S,
            };
            let times = (-backlog..future)
                .map(window)
                .flat_map(|window| logged(window, a_minute, dice))
                .collect();
            let project = Project::from_times(&project_key(name), PROJECT_ID, dice.next(), times);
            let bound = match dialect.to_bound {
                ToBound::Inclusive => "\"inclusive\"",
                ToBound::Exclusive => "\"exclusive\"",
            };
            let job = Job::new(name, &due)
                .with("format", &format!("{format:?}"))
                .with("to_bound", bound)
                .with("limit", "25");
            let (project, job) = match name {
                "dense" => (project, job.with("count", "60")),
                "late" => (
                    project.with_late(4, Millis(size.late_ms)),
                    job.with("recheck", "\"2m\""),
                ),
                _ => (project, job),
            };
            Load {
                name,
                due,
                project,
                job,
            }
        })
        .collect()
}

/// About so many logs in a minute, the first and the last millisecond among them; in some minutes
/// none at all, and in some most of them within a second.
fn logged(minute: Span, about: u64, dice: &mut Dice) -> Vec<UtcMs> {
    let (count, within) = match dice.below(10) {
        0 => return Vec::new(),
        1 => (about, 1000),
        _ => (about / 2 + dice.below(about), minute.length().0),
    };
    let first = dice.below((minute.length().0 - within + 1).cast_unsigned());
    let mut anywhere = || first + dice.below(within.cast_unsigned());
    (0..count)
        .map(|_| anywhere())
        .chain([0, 0, minute.length().0.cast_unsigned() - 1])
        .map(|after| minute.from().plus(Millis(after.cast_signed())))
        .collect()
}

/// One of the ways in which a service may answer.
pub fn dialect(dice: &mut Dice) -> Dialect {
    let seed = dice.next();
    Dialect {
        to_bound: dice.pick(&[ToBound::Inclusive, ToBound::Exclusive]),
        order: dice.pick(&[
            Order::Ascending,
            Order::Descending,
            Order::Shuffled { seed },
        ]),
        json: dice.pick(&[
            JsonLayout::Array,
            JsonLayout::Lines,
            JsonLayout::Concatenated,
            JsonLayout::Pages,
        ]),
        csv: dice.pick(&[CsvLayout::Whole, CsvLayout::Pages]),
        newline: dice.pick(&[Newline::Crlf, Newline::Lf]),
        framing: dice.pick(&[Framing::ContentLength, Framing::Chunked]),
        ..Dialect::default()
    }
}

/// What goes wrong, each as often as the others. A stall ends with the program.
pub fn faults() -> Vec<Fault> {
    let status = |http, error_code: &str, retry_after: Option<&str>| Fault::Status {
        http,
        error_code: error_code.to_owned(),
        message: "spoilt".to_owned(),
        retry_after: retry_after.map(str::to_owned),
    };
    let passing = [
        status(429, "410", Some("1")),
        status(500, "900", None),
        status(503, "500", None),
        status(503, "500", Some("1")),
        status(504, "510", None),
        Fault::Html200,
        Fault::ErrorIn200,
        Fault::EmptyBody200,
        Fault::CutAfter(0),
        Fault::CutAfter(300),
        Fault::CutAfter(1 << 40),
        Fault::Reset,
        Fault::LyingLength(9),
        Fault::LyingLength(-9),
        Fault::ChunkedWithoutEnd,
        Fault::CorruptZip(10),
        Fault::CorruptZip(99),
        Fault::CorruptZip(12_345),
        Fault::HugeHeaders,
        Fault::Redirect("http://127.0.0.1:9/".to_owned()),
        Fault::Body(b"PK\x03\x04 and nothing more".to_vec()),
        Fault::Body(zip_of("../../../outside.json", "[]")),
    ];
    // Seldom, since each takes a job out of the soak until the next signal.
    let lasting = [
        Fault::StallBeforeHeaders,
        Fault::StallInBody(200),
        Fault::Drip {
            pause: Duration::from_millis(5),
        },
    ];
    let often = std::iter::repeat_n(passing, 3).flatten();
    often.chain(lasting).collect()
}
