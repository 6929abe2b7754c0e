//! The metrics as a file, for node_exporter's textfile collector. Carries *Isolated*: a disk that is slow or full there
//! holds no cycle up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::metrics::metrics;
use super::watch::Watch;
use crate::durable::replace_readable;

/// How long the file stays as it is while no cycle ends.
const LONGEST: Duration = Duration::from_secs(60);
/// How long it stays as it is when many do.
const SHORTEST: Duration = Duration::from_secs(1);

/// Writes the file after each cycle, and each minute.
pub(super) async fn keep(path: PathBuf, watch: Arc<Watch>) {
    let mut is_told = false;
    loop {
        let (to, seen) = (path.clone(), Arc::clone(&watch));
        let write = spawn_blocking(move || replace_readable(&to, &metrics(&seen.facts())));
        match write.await {
            Ok(Ok(())) => is_told = false,
            Ok(Err(error)) if !is_told => {
                tracing::warn!(
                    "can't write {} (observe.textfile): {error}; the folder must be there, and this user, and \
                     ReadWritePaths= of the unit, must let it be written",
                    path.display()
                );
                is_told = true;
            }
            Ok(Err(_)) | Err(_) => {}
        }
        sleep(SHORTEST).await;
        let _ = timeout(LONGEST, watch.looked.notified()).await;
    }
}
