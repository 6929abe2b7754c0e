//! One attempt at one span: the answer streams to `.staging` while it is hashed, and is unpacked
//! there as it comes. A zip that is refused is kept in the quarantine.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use tracing::Instrument as _;

use super::asked::{Asked, Attempt};
use super::download::{Received, download};
use super::local::{no_room, panicked, stopped};
use super::staging::{self, Place};
use super::{Shared, Source};
use crate::archive::manifest::{Zip, local_time, tool};
use crate::archive::quarantine::Refusal;
use crate::archive::unpack::{Arriving, UnpackError, Unpacked};
use crate::domain::retry::Failure;
use crate::domain::span::{Span, UtcMs};
use crate::elsa::client::{Client, ZIP_STATUS};
use crate::elsa::error_response::CallError;
use crate::elsa::request::Request;

/// An answer of which what is kept lies durable below `.staging`.
#[derive(Debug)]
pub(super) struct Answered {
    /// The zip as it came. Unless it is kept, it is already removed.
    pub(super) zip: Zip,
    /// What it became.
    pub(super) unpacked: Unpacked,
    /// When it had come in full.
    pub(super) received_at: UtcMs,
}

/// Asks once for a span.
///
/// # Errors
/// When there is no answer that could be unpacked; [`Failure::Stopped`] when the program is being
/// stopped.
pub(super) async fn attempt(
    source: &Source,
    asked: Asked,
    place: &Place,
) -> Result<Answered, CallError> {
    let Asked { span, to_bound, .. } = asked;
    let request = Request::new(&source.job, to_bound, span);
    let attempt = Attempt {
        source: source.clone(),
        asked,
        place: place.clone(),
    };
    let received = download(&source.client, &request, &attempt)
        .instrument(tracing::debug_span!("download", job = %source.job.name, %span));
    let Received { zip, at, arrived } = received.await?;
    let unpacked = unpack(attempt, arrived).await?;
    let mut unpacked = match unpacked {
        Ok(unpacked) => unpacked,
        Err(UnpackError::Stopped) => return Err(stopped()),
        Err(error) if error.is_refusal() => {
            let reason = source.client.printable(&error.to_string());
            // The quarantine may need the room.
            let removed = staging::remove(&source.shared, &place.folder).await;
            removed.map_err(|error| CallError::new(Failure::Local, error.to_string()))?;
            let told = quarantine(source, span, place, zip, reason).await;
            return Err(CallError::new(Failure::BadAnswer, told));
        }
        Err(error) => return Err(local_fault(&error, place, zip.bytes, &source.client)),
    };
    // It holds a file name from the zip.
    unpacked.uncountable = unpacked
        .uncountable
        .map(|why| source.client.printable(&why));
    Ok(Answered {
        zip,
        unpacked,
        received_at: at,
    })
}

/// Unpacks what is left of the zip, and removes it unless it is kept.
async fn unpack(
    attempt: Attempt,
    arrived: Option<Arriving>,
) -> Result<Result<Unpacked, UnpackError>, CallError> {
    let unpacked = spawn_blocking(move || {
        let stop = &attempt.source.stop;
        let zip = &attempt.place.zip;
        let unpacked = attempt
            .unpacking()
            .finish(arrived, zip, &|| stop.is_cancelled())?;
        if !attempt.place.keeps_zip() {
            attempt.source.shared.store.disk().remove(zip)?;
        }
        Ok(unpacked)
    });
    unpacked.await.map_err(|error| panicked(&error))
}

/// Keeps a refused zip in the quarantine. Returns why it was refused and where it is kept; that
/// it can't be kept is only a warning.
async fn quarantine(
    source: &Source,
    span: Span,
    place: &Place,
    zip: Zip,
    reason: String,
) -> String {
    let job = &source.job;
    let refusal = Refusal {
        reason: reason.clone(),
        refused_at: local_time(source.shared.clock.now(), &job.zone),
        job: job.name.clone(),
        project_key: job.project_key.clone(),
        project_id: job.project_id,
        from_ms: span.from(),
        to_ms: span.to(),
        endpoint: source.client.endpoint().to_string(),
        http_status: ZIP_STATUS,
        zip,
        tool: tool(),
    };
    let (shared, path) = (Arc::<Shared>::clone(&source.shared), place.zip.clone());
    let kept = spawn_blocking(move || shared.quarantine.keep(&path, &refusal)).await;
    let why_not = match kept {
        Ok(Ok(place)) => return format!("{reason}; it is kept as {}", place.display()),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(job = %job.name, "the refused zip is not kept: {why_not}");
    reason
}

/// A fault of this machine while unpacking.
fn local_fault(error: &UnpackError, place: &Place, zip_bytes: u64, client: &Client) -> CallError {
    match error {
        UnpackError::NoRoom { declared, .. } => no_room(error, zip_bytes.saturating_add(*declared)),
        UnpackError::Unreadable(_) => {
            let what = format!("{}: {error}", place.zip.display());
            CallError::new(Failure::Local, what)
        }
        // It may hold a file name from the zip.
        _ => CallError::new(Failure::Local, client.without_keys(&error.to_string())),
    }
}
