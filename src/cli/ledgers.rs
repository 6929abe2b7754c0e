//! The ledgers of many jobs, looked at side by side.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `each` for all `jobs`, on as many threads as there are cores, and returns what came of it in their order.
/// What a ledger shows should not leave `each`: those of a thousand jobs take memory.
pub(super) fn side_by_side<J: Sync, T: Send>(jobs: &[J], each: impl Fn(&J) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(jobs.len()));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores.min(jobs.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(at) else { break };
                    let came = each(job);
                    let mut done = done.lock().unwrap_or_else(|error| error.into_inner());
                    done.push((at, came));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(|error| error.into_inner());
    done.sort_by_key(|&(at, _)| at);
    done.into_iter().map(|(_, came)| came).collect()
}
