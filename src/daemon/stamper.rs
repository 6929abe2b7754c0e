//! The daemon's timestamps: of one head a day an authority says when it was. Carries *Evident* and *Isolated*: an authority
//! that is down or silent delays nothing, and is asked again.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::archive::store::Store;
use crate::clock::Clock;
use crate::domain::backoff::Backoff;
use crate::domain::identity::ArchiveId;
use crate::domain::span::UtcMs;
use crate::domain::window::Zone;
use crate::durable::{Disk, off_the_runtime};
use crate::evidence::authority::Authority;
use crate::evidence::heads::Place;
use crate::evidence::stamping::{Unstamped, due, keep};

/// How long it waits for another head where nothing is to be done.
const LOOK: Duration = Duration::from_secs(3600);

/// Who timestamps now: a configuration that was read anew may name another authority.
#[derive(Debug, Default)]
pub(crate) struct StampsNow {
    authority: Mutex<Option<Arc<Authority>>>,
    /// That there is another head, or another authority.
    changed: Notify,
}

impl StampsNow {
    /// From here on this one is asked.
    pub(crate) fn goes_by(&self, authority: Option<Authority>) {
        *self
            .authority
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = authority.map(Arc::new);
        self.changed.notify_one();
    }

    /// There is another head.
    pub(crate) fn look(&self) {
        self.changed.notify_one();
    }

    fn get(&self) -> Option<Arc<Authority>> {
        let authority = self.authority.lock();
        authority.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Has the archive's heads timestamped. The locks must be held.
pub(crate) struct Stamper {
    /// Who is asked.
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

impl Stamper {
    /// Has heads timestamped until it is to `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.stamp_for_good()).await;
    }

    async fn stamp_for_good(self) {
        let mut failures = 0;
        loop {
            // What was told until here is looked at now.
            let _ = timeout(Duration::ZERO, self.stamps.changed.notified()).await;
            let wait = match self.stamp().await {
                Ok(()) => {
                    failures = 0;
                    LOOK
                }
                Err(why) => {
                    failures += 1;
                    let none = UtcMs(0);
                    let wait = Backoff::WINDOW.next_try(failures, none).since(none);
                    tracing::warn!(
                        "no head is timestamped (evidence.timestamp); it is tried again in {} min: {why}",
                        wait.as_secs() / 60
                    );
                    Duration::from_millis(wait.0.unsigned_abs())
                }
            };
            tokio::select! {
                // Another head, or another authority: what went wrong before says nothing of it.
                () = self.stamps.changed.notified() => failures = 0,
                () = sleep(wait) => {}
            }
        }
    }

    /// Has the newest head timestamped, where it is to be.
    ///
    /// # Errors
    /// When that can't be done now; why, in words.
    pub(crate) async fn stamp(&self) -> Result<(), String> {
        let Some(authority) = self.stamps.get() else {
            return Ok(());
        };
        let Some(mut unstamped) = self.due()? else {
            return Ok(());
        };
        let (answer, at, asked) = loop {
            let (answer, at) = authority.stamp(&unstamped.digest).await?;
            let asked = self.clock.now();
            // A head that was made meanwhile does not name the answer.
            match self.due()? {
                Some(now) if now == unstamped => break (answer, at, asked),
                Some(newer) => unstamped = newer,
                None => return Ok(()),
            }
        };
        let kept = off_the_runtime(|| keep(self.store.root(), &unstamped, &answer, &self.disk));
        kept.map_err(|error| error.to_string())?;
        let behind = asked.since(at);
        tracing::info!(number = unstamped.number, %at, "a head of the archive was timestamped");
        if behind.0.abs() > MOST_APART {
            tracing::warn!(
                "the authority's clock and this machine's are {} s apart; one of them is wrong",
                behind.0.abs() / 1000
            );
        }
        Ok(())
    }
}

impl Stamper {
    /// The head that is to be timestamped now.
    fn due(&self) -> Result<Option<Unstamped>, String> {
        off_the_runtime(|| {
            // Its disk may have gone.
            let is_there = self.store.check_identity();
            is_there.map_err(|error| error.to_string())?;
            let place = Place {
                root: self.store.root(),
                state_dir: &self.state_dir,
            };
            due(place, &self.id, &self.zone).map_err(|error| error.to_string())
        })
    }
}

/// How far the authority's clock may be from this one's, in milliseconds.
const MOST_APART: i64 = 5 * 60 * 1000;
