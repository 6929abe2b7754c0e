//! The page, made for whoever asks: the ledgers are read from the disk, in a task that may block, one page at a time.
//! What a year of days comes to is kept until a ledger changes. Carries *Isolated* (no lock is held while the disk is
//! read, and no cycle waits for a page) and *Bounded*.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use jiff::civil::Date;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::facts::{Facts, JobFacts};
use super::watch::Watch;
use crate::domain::job::JobName;
use crate::domain::plan::deadline_of;
use crate::domain::span::Span;
use crate::domain::window::Zone;
use crate::job::outage;
use crate::ledger::{Ledger, LedgerError, acknowledgement};
use crate::page::calendar::{Block, by_day, date_of, span_of};
use crate::page::html::{self, DayPage, WindowPage};
use crate::page::lang::Lang;
use crate::page::manifest;
use crate::page::openings::{Openings, Terms};
use crate::page::route::Asked;
use crate::page::sheet::{Body, Breaker, JobSheet, Sheet, Standing, Summary, rows};
use crate::page::shown::{Shown, Wanted};

/// How many pages are waited for at once: connections stay free for metrics and health.
const MOST: usize = 4;
/// How long a page waits for those before it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a page may take; a disk that hangs does not say.
const LONGEST: Duration = Duration::from_secs(12);

/// Where pages are made.
#[derive(Debug)]
pub(super) struct Desk {
    watch: Arc<Watch>,
    root: PathBuf,
    state_dir: PathBuf,
    kept: Mutex<BTreeMap<JobName, Kept>>,
    turn: Arc<Semaphore>,
    places: Semaphore,
}

/// What a ledger has shown, and when it holds no longer.
#[derive(Debug)]
struct Kept {
    stamps: [Option<Stamp>; 2],
    span: Span,
    summary: Summary,
}

/// Which file it is, how long, and when it was written.
type Stamp = (u64, u64, i64, i64);

/// A page, and how its request has ended.
pub(super) type Made = (StatusCode, String);

impl Desk {
    /// For the jobs that are watched; their archive and state are there.
    pub(super) fn new(watch: Arc<Watch>, root: PathBuf, state_dir: PathBuf) -> Self {
        Self {
            watch,
            root,
            state_dir,
            kept: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
            places: Semaphore::new(MOST),
        }
    }

    /// The page that is asked for.
    pub(super) async fn page(self: &Arc<Self>, asked: Option<Asked>, lang: Lang) -> Made {
        let Some(asked) = asked else {
            return (StatusCode::NOT_FOUND, html::not_found(lang));
        };
        let busy = || (StatusCode::SERVICE_UNAVAILABLE, html::busy(lang));
        let Ok(_place) = self.places.try_acquire() else {
            return busy();
        };
        // Whoever gives up leaves no turn taken, but the one that the disk holds up.
        let Ok(Ok(turn)) = timeout(PATIENCE, Arc::clone(&self.turn).acquire_owned()).await else {
            return busy();
        };
        let desk = Arc::clone(self);
        let made = spawn_blocking(move || {
            let _turn = turn;
            desk.make(&asked, lang)
        });
        match timeout(LONGEST, made).await {
            Ok(Ok(made)) => made,
            Ok(Err(_)) | Err(_) => busy(),
        }
    }

    fn make(&self, asked: &Asked, lang: Lang) -> Made {
        let facts = self.watch.facts();
        let made = match asked {
            Asked::All(until) => Some((StatusCode::OK, self.all(&facts, *until, lang))),
            Asked::Day(job, date) => {
                of(&facts, job).and_then(|job| self.day(job, (*date, None), lang))
            }
            Asked::Window(job, date, name) => {
                of(&facts, job).and_then(|job| self.day(job, (*date, Some(name)), lang))
            }
        };
        made.unwrap_or_else(|| (StatusCode::NOT_FOUND, html::not_found(lang)))
    }

    fn all(&self, facts: &Facts, until: Option<Date>, lang: Lang) -> String {
        let first = facts.jobs.first();
        let sheet = Sheet {
            now: facts.now,
            zone: first.map_or_else(Zone::utc, |facts| facts.job.zone.clone()),
            jobs: facts
                .jobs
                .iter()
                .map(|facts| self.job(facts, until))
                .collect(),
        };
        html::all(lang, &sheet, until)
    }

    fn job(&self, facts: &JobFacts, until: Option<Date>) -> JobSheet {
        let job = &facts.job;
        let today = date_of(facts.now, &job.zone);
        let block = Block::until(until.map_or(today, |until| until.min(today)));
        let terms = Terms::of(job);
        let read = block.span(&job.zone).map(|span| self.summary(&terms, span));
        let breaker = match (outage::read(&self.state_dir, &job.account), facts.is_open) {
            (Some(down), _) => Breaker::Down {
                since: down.since_ms,
                next: down.next_ms,
                message: down.message,
            },
            (None, true) => Breaker::Open,
            (None, false) => Breaker::Closed,
        };
        let (summary, unread) = match read {
            Some(Ok(summary)) => (Some(summary), None),
            Some(Err(error)) => (None, Some(error.to_string())),
            None => (None, None),
        };
        JobSheet {
            name: job.name.clone(),
            standing: Standing::AtWork,
            problem: facts.why.as_deref().map(str::to_owned).or(unread),
            breaker,
            body: summary.map(|summary| Body::of(terms, summary, facts.now, &[block])),
        }
    }

    /// What a ledger shows, as it is kept or anew.
    fn summary(&self, terms: &Terms, span: Span) -> Result<Summary, LedgerError> {
        let ledger = Ledger::path(&self.state_dir, &terms.name);
        // Before it is read: what comes meanwhile is read the next time.
        let stamps = [stamp(&ledger), stamp(&acknowledgement::path(&ledger))];
        let is_same = |kept: &&Kept| (kept.stamps, kept.span) == (stamps, span);
        if let Some(kept) = self.kept().get(&terms.name).filter(is_same) {
            return Ok(kept.summary.clone());
        }
        let wanted = Wanted {
            span: Some(span),
            places: false,
        };
        let shown = Shown::read(&self.state_dir, &terms.name, wanted)?;
        let archived = by_day(&shown.windows, &terms.zone);
        let summary = Summary::of(shown.outline, archived, &shown.failures);
        let kept = Kept {
            stamps,
            span,
            summary: summary.clone(),
        };
        self.kept().insert(terms.name.clone(), kept);
        Ok(summary)
    }

    /// A day of a job, or one of its windows; `None` where there is none.
    fn day(
        &self,
        facts: &JobFacts,
        (date, name): (Date, Option<&String>),
        lang: Lang,
    ) -> Option<Made> {
        let job = &facts.job;
        if date > date_of(facts.now, &job.zone) {
            return None;
        }
        let span = span_of(date, &job.zone);
        let terms = Terms::of(job);
        let read = span.map(|span| {
            let wanted = Wanted {
                span: Some(span),
                places: true,
            };
            Shown::read(&self.state_dir, &job.name, wanted)
        });
        let shown = match read.transpose() {
            Ok(shown) => shown,
            Err(error) => {
                let page = html::broken(lang, &job.name, &error.to_string());
                return Some((StatusCode::INTERNAL_SERVER_ERROR, page));
            }
        };
        let rows = span
            .zip(shown.as_ref())
            .map_or_else(Vec::new, |(span, shown)| {
                let openings = Openings::of(&terms, &shown.outline, facts.now);
                rows(&terms, &openings, &shown.windows, span)
            });
        let Some(name) = name else {
            let page = DayPage {
                job: &job.name,
                zone: &job.zone,
                date,
                span,
                rows,
                problem: facts.why.as_deref(),
            };
            return Some((StatusCode::OK, html::day(lang, &page)));
        };
        let row = rows.iter().find(|row| row.name(&job.zone) == *name)?;
        let place = row.held.and_then(|held| held.place.as_ref());
        let page = WindowPage {
            job: &job.name,
            zone: &job.zone,
            date,
            row,
            deadline: deadline_of(row.window, job),
            failed: shown
                .as_ref()
                .and_then(|shown| shown.failures.get(&row.window)),
            manifest: place.map(|place| manifest::read(&self.root, place)),
        };
        Some((StatusCode::OK, html::window(lang, &page)))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<JobName, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of<'a>(facts: &'a Facts, name: &JobName) -> Option<&'a JobFacts> {
    facts.jobs.iter().find(|facts| facts.job.name == *name)
}

/// That of a file; `None` where there is none.
fn stamp(path: &Path) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    Some((file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::domain::plan::tests::job;
    use crate::domain::span::{Millis, UtcMs};

    /// Guarantee: Isolated
    #[tokio::test(start_paused = true)]
    async fn while_the_disk_hangs_a_page_says_so_and_nobody_waits_for_long() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::new(|| UtcMs(1_000_000_000_000));
        let watch = Arc::new(Watch::new(&[job()], Millis::from_hours(3), clock));
        let place = dir.path().to_owned();
        let desk = Arc::new(Desk::new(watch, place.clone(), place));
        let page = || desk.page(Some(Asked::All(None)), Lang::En);
        assert_eq!(page().await.0, StatusCode::OK);
        let hangs = desk.turn.acquire().await.unwrap();
        let (status, text) = page().await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("the disk does not answer"), "{text}");
        // Those that find no place do not wait.
        let waiting: Vec<_> = (0..MOST)
            .map(|_| desk.places.try_acquire().unwrap())
            .collect();
        let began = tokio::time::Instant::now();
        assert_eq!(page().await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(began.elapsed(), Duration::ZERO);
        drop((hangs, waiting));
        assert_eq!(page().await.0, StatusCode::OK);
    }

    /// Guarantee: Bounded
    #[tokio::test]
    async fn what_is_kept_of_a_ledger_is_its_days_and_holds_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::new(|| UtcMs(1_000_000_000_000));
        let watch = Arc::new(Watch::new(&[job()], Millis::from_hours(3), clock));
        let place = dir.path().to_owned();
        let desk = Arc::new(Desk::new(watch, place.clone(), place));
        let page = || desk.page(Some(Asked::All(None)), Lang::En);
        page().await;
        let stamps = |desk: &Desk| desk.kept().values().next().map(|kept| kept.stamps);
        assert_eq!(stamps(&desk), Some([None, None]));
        fs::write(Ledger::path(dir.path(), &job().name), "").unwrap();
        page().await;
        assert!(stamps(&desk).unwrap()[0].is_some());
        assert_eq!(desk.kept().len(), 1);
    }
}
