//! One attempt at one span: the answer streams to `.staging` while it is hashed, and is unpacked
//! there. Carries *Bounded*: a few pieces of the answer are in memory at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::select;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::collect::Missed;
use crate::archive::manifest::{Zip, local_time, tool};
use crate::archive::quarantine::Refusal;
use crate::archive::store::Store;
use crate::archive::unpack::{UnpackError, Unpacked, Unpacking};
use crate::digest::Hasher;
use crate::domain::job::Job;
use crate::domain::retry::Failure;
use crate::domain::span::{Span, UtcMs};
use crate::durable::{DiskError, Output, Step};
use crate::elsa::client::{Client, Download, MOST_BYTES, ZIP_STATUS};
use crate::elsa::error_response::CallError;
use crate::elsa::request::Request;

/// Pieces of the answer that may wait for the disk; hyper's are at most some 400 KiB each.
const PIECES_WAITING: usize = 4;

/// Bytes between two looks at free space.
const LOOK_BYTES: u64 = 4 * 1024 * 1024;

/// Where an attempt puts its bytes.
#[derive(Clone, Debug)]
pub struct Place {
    /// The answer's own folder.
    pub folder: PathBuf,
    /// The zip, beside it.
    pub zip: PathBuf,
}

impl Place {
    /// The place of an answer that is unpacked into `folder`.
    pub fn new(folder: PathBuf) -> Self {
        let zip = folder.with_extension("zip");
        Self { folder, zip }
    }
}

/// An answer that lies unpacked and durable below `.staging`.
#[derive(Debug)]
pub struct Answered {
    /// The zip as it came; it is removed already.
    pub zip: Zip,
    /// What it became.
    pub unpacked: Unpacked,
    /// When it had come in full.
    pub received_at: UtcMs,
}

/// Asks once for `span`.
pub async fn attempt(
    job: &Arc<Job>,
    client: &Client,
    shared: &Arc<Shared>,
    span: Span,
    place: &Place,
    stop: &CancellationToken,
) -> Result<Answered, Missed> {
    let request = Request::new(job, span);
    let zip = select! {
        () = stop.cancelled() => return Err(Missed::Stopped),
        received = download(client, &request, shared, place) => received?,
    };
    let received_at = shared.clock.now();
    let unpacked = spawn_blocking({
        let (shared, place) = (Arc::clone(shared), place.clone());
        let (job, stop) = (Arc::clone(job), stop.clone());
        move || {
            let unpacking = Unpacking {
                store: &shared.store,
                folder: &place.folder,
                span,
                format: job.format,
                include_fields: &job.include_fields,
                limits: shared.limits.for_pages(job.count, job.limit),
            };
            let unpacked = unpacking.run(&place.zip, &|| stop.is_cancelled())?;
            shared.store.disk().remove(&place.zip)?;
            Ok::<_, UnpackError>(unpacked)
        }
    });
    let mut unpacked = match unpacked.await.map_err(|error| within(&error))? {
        Ok(unpacked) => unpacked,
        Err(error) if error.is_refusal() => {
            let refusal = Refusal {
                reason: client.fit_to_show(&error.to_string()),
                refused_at: local_time(shared.clock.now(), &job.zone),
                job: job.name.clone(),
                project_key: job.project_key.clone(),
                project_id: job.project_id,
                from_ms: span.from(),
                to_ms: span.to(),
                endpoint: client.endpoint().to_string(),
                http_status: ZIP_STATUS,
                zip,
                tool: tool(),
            };
            let told = keep_aside(shared, place, refusal).await;
            return Err(Missed::Failed(CallError::new(Failure::BadAnswer, told)));
        }
        Err(error) => return Err(missed(&error, place, zip.bytes, client)),
    };
    // It names a file of the zip's.
    unpacked.uncountable = unpacked.uncountable.map(|why| client.fit_to_show(&why));
    Ok(Answered {
        zip,
        unpacked,
        received_at,
    })
}

/// Keeps a refused zip in the quarantine. Returns why it was refused and where it is kept; that
/// it can't be kept is only a warning.
async fn keep_aside(shared: &Arc<Shared>, place: &Place, refusal: Refusal) -> String {
    let (job, reason) = (refusal.job.clone(), refusal.reason.clone());
    let (shared, zip) = (Arc::clone(shared), place.zip.clone());
    let kept = spawn_blocking(move || shared.quarantine.keep(&zip, &refusal)).await;
    let why_not = match kept {
        Ok(Ok(place)) => return format!("{reason}; it is kept as {}", place.display()),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(job = %job, "the refused zip is not kept: {why_not}");
    reason
}

async fn download(
    client: &Client,
    request: &Request<'_>,
    shared: &Shared,
    place: &Place,
) -> Result<Zip, Missed> {
    // First of all: what could not be put anywhere is not asked for.
    let opened = spawn_blocking({
        let (store, path) = (shared.store.clone(), place.zip.clone());
        move || open(&store, &path)
    });
    let out = opened.await.map_err(|error| within(&error))?;
    let out = out.map_err(|error| local(&error))?;
    let mut answer = client.ask(request).await?;
    if let Some(bytes) = answer.announced() {
        if bytes > MOST_BYTES {
            let what = format!("the answer announces {} MiB", bytes >> 20);
            return Err(Missed::Failed(CallError::new(Failure::BadAnswer, what)));
        }
        // Whether there is space at all was looked at before; now it is this answer that is too big.
        shared
            .store
            .check_space(bytes)
            .map_err(|error| no_room(&error, bytes))?;
    }
    let (pieces, waiting) = mpsc::channel(PIECES_WAITING);
    let store = shared.store.clone();
    let writing = spawn_blocking(move || write(&store, out, waiting));
    let sent = send(&mut answer, pieces).await;
    // The connection is free for others while this zip is unpacked.
    drop(answer);
    let written = writing.await.map_err(|error| within(&error))?;
    sent?;
    written
}

async fn send(answer: &mut Download<'_>, pieces: mpsc::Sender<Vec<u8>>) -> Result<(), CallError> {
    while let Some(piece) = answer.chunk().await? {
        if pieces.send(piece).await.is_err() {
            // The writer has failed and says why itself.
            break;
        }
    }
    Ok(())
}

fn open(store: &Store, path: &Path) -> Result<Output, DiskError> {
    if let Some(above) = path.parent() {
        store.disk().make_folders(Step::StageFolder, above)?;
    }
    store.disk().create(Step::StageZip, path)
}

fn write(
    store: &Store,
    mut out: Output,
    mut waiting: mpsc::Receiver<Vec<u8>>,
) -> Result<Zip, Missed> {
    let mut hasher = Hasher::default();
    let (mut bytes, mut looked_at) = (0u64, 0u64);
    while let Some(piece) = waiting.blocking_recv() {
        bytes += piece.len() as u64;
        if bytes - looked_at >= LOOK_BYTES {
            looked_at = bytes;
            // How much more is to come, nobody has said.
            let needs = bytes + LOOK_BYTES;
            store
                .check_space(0)
                .map_err(|error| no_room(&error, needs))?;
        }
        out.write(&piece).map_err(|error| local(&error))?;
        hasher.update(&piece);
    }
    Ok(Zip {
        bytes,
        sha256: hasher.finish(),
    })
}

fn missed(error: &UnpackError, place: &Place, zip_bytes: u64, client: &Client) -> Missed {
    match error {
        UnpackError::Stopped => Missed::Stopped,
        UnpackError::NoRoom { declared, .. } => no_room(error, zip_bytes.saturating_add(*declared)),
        UnpackError::Unreadable(_) => {
            let what = format!("{}: {error}", place.zip.display());
            Missed::Failed(CallError::new(Failure::Local, what))
        }
        // It may name a file of the zip's.
        _ => {
            let what = client.without_keys(&error.to_string());
            Missed::Failed(CallError::new(Failure::Local, what))
        }
    }
}

fn local(error: &dyn std::error::Error) -> Missed {
    Missed::Failed(CallError::new(Failure::Local, error.to_string()))
}

fn no_room(error: &dyn std::error::Error, bytes: u64) -> Missed {
    Missed::Failed(CallError::new(Failure::NoRoom { bytes }, error.to_string()))
}

fn within(error: &tokio::task::JoinError) -> Missed {
    let what = format!("the program failed within itself: {error}");
    Missed::Failed(CallError::new(Failure::BadAnswer, what))
}
