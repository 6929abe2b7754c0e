//! SIGTERM and SIGINT end the program in good order. SIGHUP has the daemon read its configuration anew.

use std::io;

use tokio::select;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Cancels `stop` at the first SIGTERM or SIGINT.
///
/// # Errors
/// When the signals can't be listened for.
pub(crate) fn stop_on_signal(stop: &CancellationToken) -> io::Result<JoinHandle<()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = stop.clone();
    Ok(tokio::spawn(async move {
        select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    }))
}

/// The SIGHUPs from now on; several at once count as one. They no longer end the process.
///
/// # Errors
/// When they can't be listened for.
pub(crate) fn hangups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}
