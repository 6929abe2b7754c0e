//! What has halted may have left folders that the ledger lacks. Nothing is published on top of them, and the next
//! cycle adopts them.

use std::io::{self, Write};

use super::side_by_side::{assert_one_chain, recorded};
use super::*;
use crate::domain::failures::Failed;

/// A disk on which the ledger can't be written, once, when so many folders are in place.
fn losing_the_line_of(folder: i64) -> Disk {
    let (published, failed) = (AtomicI64::new(0), AtomicBool::new(false));
    Disk::gated(move |step, _| {
        if step == Step::Publish {
            published.fetch_add(1, Ordering::Relaxed);
        }
        let is_it = step == Step::Append && published.load(Ordering::Relaxed) == folder;
        match is_it && !failed.swap(true, Ordering::Relaxed) {
            true => Err(rustix::io::Errno::IO.into()),
            false => Ok(()),
        }
    })
}

/// Guarantee: Ordered
/// Guarantee: Evident
#[tokio::test]
async fn a_line_that_can_t_be_written_ends_the_cycle_also_for_the_windows_that_paused() {
    let now = 4 * HOUR + HOUR / 2;
    let mut rig = Rig::at(now).await;
    rig.disk = losing_the_line_of(2);
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    for hour in [2, 3] {
        let failed = Failed {
            window: window(hour),
            message: "no".into(),
            needs_bytes: None,
            contradicts: false,
        };
        runner.recorder.ledger.record_failure(failed).unwrap();
    }
    // After a start one window that is archived has those tried too that wait for their pauses.
    let outcome = cycle(&mut runner).await;
    assert_eq!((outcome.archived, outcome.left), (1, 3));
    assert!(outcome.error.is_some());
    assert_eq!(rig.service.journal().len(), 2);
    let stop = CancellationToken::new();
    let outcome = runner.cycle(plan, Mode::Once, &stop).await;
    assert_eq!((outcome.archived, outcome.left), (2, 0));
    assert_eq!(hours(&runner), 4);
    assert_one_chain(&rig);
}

/// Where the program is wrong while a group is published.
#[derive(Clone, Copy, Debug)]
enum Panics {
    /// In the thread that renames: when the names of that many groups are to be flushed.
    Thread(i64),
    /// In the task that publishes: when that many folders are said to be archived.
    Task(i64),
}

impl Panics {
    fn disk(self) -> Disk {
        let flushed = AtomicI64::new(0);
        Disk::gated(move |step, _| {
            if let Self::Thread(nth) = self
                && step == Step::SyncParent
                && flushed.fetch_add(1, Ordering::Relaxed) + 1 == nth
            {
                panic!("a bug, made for the test");
            }
            Ok(())
        })
    }

    fn log(self) -> Log {
        let left = match self {
            Self::Thread(_) => 0,
            Self::Task(nth) => nth,
        };
        Log(Arc::new(AtomicI64::new(left)))
    }
}

/// A log that panics when it is told of so many windows that they are archived.
#[derive(Clone)]
struct Log(Arc<AtomicI64>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if String::from_utf8_lossy(bytes).contains("publish: archived job=") {
            let left = self.0.fetch_sub(1, Ordering::Relaxed);
            assert_ne!(left, 1, "a bug, made for the test");
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Guarantee: Self-healing
/// Guarantee: Exactly once
/// Guarantee: Ordered
#[tokio::test]
async fn what_was_published_when_the_program_went_wrong_is_adopted_by_the_next_cycle() {
    for panics in [
        Panics::Thread(2),
        Panics::Thread(3),
        Panics::Task(1),
        Panics::Task(2),
        Panics::Task(11),
    ] {
        let mut rig = Rig::at(DAY + HOUR / 2).await;
        rig.disk = panics.disk();
        rig.max_in_flight = 8;
        let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
        let log = panics.log();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish();
        let logged = tracing::subscriber::set_default(subscriber);
        let outcome = cycle(&mut runner).await;
        drop(logged);
        assert!(outcome.error.is_some(), "{panics:?}");
        let known = recorded(&rig).0.len() as u64;
        assert_eq!((outcome.archived, outcome.left), (known, 24 - known));
        // It is the same program that goes on: a start looks at the archive in any case.
        let outcome = cycle(&mut runner).await;
        assert_eq!((outcome.error, outcome.left), (None, 0), "{panics:?}");
        // What was adopted is not counted as archived now.
        assert!(known + outcome.archived < 24, "{panics:?}");
        assert_eq!(hours(&runner), 24);
        assert_one_chain(&rig);
    }
}
