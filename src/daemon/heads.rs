//! The daemon's heads: one a day, and one whenever `head now` asks for it. Carries *Evident*. A head that can't be made
//! holds up no job.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::stamper::StampsNow;
use crate::archive::store::Store;
use crate::clock::Clock;
use crate::domain::backoff::is_over;
use crate::domain::identity::ArchiveId;
use crate::domain::job::{Job, JobName};
use crate::domain::signing::Signer;
use crate::domain::span::{Millis, UtcMs};
use crate::domain::window::Zone;
use crate::durable::{Disk, off_the_runtime};
use crate::evidence::head::OfJob;
use crate::evidence::heads::{HeadError, Place, newest};
use crate::evidence::making::{Making, When, is_due, make};
use crate::evidence::request::{end_request, is_requested};
use crate::job::Progress;
use crate::ledger::replay::Replay;

/// How often it is looked whether one is due or asked for.
const LOOK: Duration = Duration::from_secs(2);

/// How long one that could not be made waits for the next try.
const PAUSE: Millis = Millis::from_hours(1);

/// What the jobs at work have shown last: their own tasks write their ledgers, and what they show is durable.
#[derive(Debug, Default)]
pub(crate) struct Shown(Mutex<BTreeMap<JobName, OfJob>>);

impl Shown {
    /// At how many places their chains may break.
    fn holes(&self) -> u64 {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holes = jobs.values().map(|of_job| of_job.holes);
        holes.fold(0, u64::saturating_add)
    }

    /// What they are.
    pub(crate) fn jobs(&self) -> BTreeMap<JobName, OfJob> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Progress for Shown {
    fn shows(&self, job: &Arc<Job>, replay: &Replay, _is_open: bool) {
        self.holds(job, replay);
    }

    fn holds(&self, job: &Job, replay: &Replay) {
        if let Some(of_job) = OfJob::of(replay) {
            let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            jobs.insert(job.name.clone(), of_job);
        }
    }
}

/// What signs now: a configuration that was read anew may name another key.
#[derive(Debug, Default)]
pub(crate) struct SignsNow(Mutex<Arc<Signer>>);

impl SignsNow {
    /// From here on this one signs.
    pub(crate) fn goes_by(&self, signer: Signer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(signer);
    }

    fn get(&self) -> Arc<Signer> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Makes the archive's heads. The locks must be held.
pub(crate) struct Maker {
    /// What the jobs show.
    pub(crate) shown: Arc<Shown>,
    /// What signs.
    pub(crate) signs: Arc<SignsNow>,
    /// Who is told of another head.
    pub(crate) stamps: Arc<StampsNow>,
    /// The archive, bound to `id`.
    pub(crate) store: Store,
    /// Its id.
    pub(crate) id: ArchiveId,
    /// The state directory.
    pub(crate) state_dir: PathBuf,
    /// The disk.
    pub(crate) disk: Disk,
    /// The clock.
    pub(crate) clock: Clock,
    /// Whose days count.
    pub(crate) zone: Zone,
}

/// What is known of the last head.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// When it was made.
    made: Option<UtcMs>,
    /// When one could not be made.
    failed: Option<UtcMs>,
    /// At how many places the chains could break then.
    holes: u64,
}

impl Maker {
    /// Makes heads until it is to `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known = Known::default();
        while stop.run_until_cancelled(look.tick()).await.is_some() {
            known = off_the_runtime(|| self.look(known));
        }
    }

    /// Makes one where it is due or asked for. Returns what is known then.
    fn look(&self, known: Known) -> Known {
        let (now, is_asked) = (self.clock.now(), is_requested(&self.state_dir));
        let is_early = |at: UtcMs| !is_over(at.plus(PAUSE), now, PAUSE);
        let waits = match known {
            Known {
                failed: Some(at), ..
            } => is_early(at),
            Known { made: None, .. } => false,
            Known { holes, .. } if self.shown.holes() > holes => false,
            Known { made, .. } => !is_due(made, now, &self.zone),
        };
        let holes = self.shown.holes();
        if waits && !is_asked {
            return known;
        }
        let made = self.make(now, if is_asked { When::Now } else { When::Due });
        if is_asked && let Err(error) = end_request(&self.state_dir, &self.disk) {
            tracing::error!("{error}");
        }
        match made {
            Ok(at) => Known {
                made: Some(at),
                failed: None,
                holes,
            },
            Err(why) => {
                tracing::error!(
                    "no head of the archive was made; it is tried again in an hour: {why}"
                );
                Known {
                    failed: Some(now),
                    ..known
                }
            }
        }
    }

    /// Returns when the newest head was made.
    fn make(&self, now: UtcMs, when: When) -> Result<UtcMs, String> {
        self.store
            .check_identity()
            .map_err(|error| error.to_string())?;
        let shown = self.shown.jobs();
        let place = Place {
            root: self.store.root(),
            state_dir: &self.state_dir,
        };
        let signer = self.signs.get();
        let with = Making {
            id: &self.id,
            now,
            zone: &self.zone,
            signer: &signer,
            disk: &self.disk,
        };
        let text = |error: HeadError| error.to_string();
        match make(place, with, &shown, when).map_err(text)? {
            Some(head) => {
                self.stamps.look();
                Ok(head.at)
            }
            None => {
                let newest = newest(place, &self.id, signer.public()).map_err(text)?;
                Ok(newest.head.map_or(now, |head| head.at))
            }
        }
    }
}
