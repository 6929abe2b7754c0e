//! Proving the ledgers behind the jobs that go on from their checkpoints: one after the other, on a thread of low
//! priority. Carries *Evident* and *Candid* (what is found is logged, and stops its job).

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::setpriority_process;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Proof;
use crate::clock::Clock;

/// The lowest priority.
const NICE: i32 = 19;

/// How much of a core it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A tenth: thirty megabytes of lines, ten years of hours, take three seconds.
    Slowly,
    /// All that nobody else wants.
    AtOnce,
}

/// Proves those of the ledgers that are due for it. `found` is told of each that is damaged, by its place among
/// them. Returns how many are damaged.
pub(crate) async fn prove(
    proofs: Vec<Proof>,
    clock: Clock,
    pace: Pace,
    stop: CancellationToken,
    found: impl Fn(usize) + Send + 'static,
) -> usize {
    let (tell, told) = oneshot::channel();
    let work = move || {
        // On Linux of this thread alone. Without it, it is only less polite.
        let _ = setpriority_process(None, NICE);
        let mut due: Vec<_> = proofs.iter().enumerate().collect();
        due.retain(|(_, proof)| proof.is_due(clock.now()));
        if !due.is_empty() {
            let ledgers = due.len();
            tracing::info!(
                ledgers,
                "proving what this start has not read of the ledgers"
            );
        }
        let mut damaged = 0;
        for (at, proof) in due {
            if stop.is_cancelled() {
                break;
            }
            if !is_whole(proof, &clock, pace, &stop) {
                damaged += 1;
                found(at);
            }
        }
        let _ = tell.send(damaged);
    };
    if let Err(error) = thread::Builder::new().name("proof".into()).spawn(work) {
        tracing::warn!("no thread to prove ledgers: {error}; it is tried again later");
    }
    told.await.unwrap_or(0)
}

/// Whether nothing is wrong with a ledger, as far as it could be read.
fn is_whole(proof: &Proof, clock: &Clock, pace: Pace, stop: &CancellationToken) -> bool {
    let mut began = Instant::now();
    let made = proof.make(clock.now(), |_| {
        if stop.is_cancelled() {
            return Err(io::Error::other("the program is being stopped"));
        }
        if pace == Pace::Slowly {
            thread::sleep(rest(began.elapsed()));
            began = Instant::now();
        }
        Ok(())
    });
    let Err(error) = made else {
        return true;
    };
    if !stop.is_cancelled() {
        let job = proof.job();
        tracing::error!(%job, "{error}");
    }
    proof.holds().is_ok()
}

/// How long it rests after so much work.
fn rest(worked: Duration) -> Duration {
    worked.saturating_mul(9).min(Duration::from_secs(1))
}
