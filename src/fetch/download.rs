//! The bytes of one answer into a file, hashed on their way, and unpacked as they come. Carries *Bounded*: a few
//! pieces of the answer are in memory at once, and free space is looked at as it comes.

use std::path::Path;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{spawn, spawn_blocking};
use tokio::time::Instant;

use super::Source;
use super::arriving::Pipeline;
use super::asked::Attempt;
use super::local::{local, no_room, panicked, stopped};
use crate::archive::manifest::Zip;
use crate::archive::store::Store;
use crate::archive::unpack::Arriving;
use crate::digest::Hasher;
use crate::domain::retry::Failure;
use crate::domain::span::UtcMs;
use crate::durable::{DiskError, Output, Step, off_the_runtime};
use crate::elsa::client::{Client, Download, MOST_BYTES};
use crate::elsa::error_response::CallError;
use crate::elsa::request::Request;

/// Pieces of the answer that may wait for the disk; hyper's are at most some 400 KiB each.
const PIECES_WAITING: usize = 1;

/// Bytes between two checks of free space.
const LOOK_BYTES: u64 = 4 * 1024 * 1024;

/// An answer that has come in full.
pub(super) struct Received {
    /// The zip, as it lies in its place; durable where it is kept.
    pub(super) zip: Zip,
    /// When its last byte had come.
    pub(super) at: UtcMs,
    /// What became of it while it came; `None` where it is to be unpacked now.
    pub(super) arrived: Option<Arriving>,
}

/// Makes one request, writes what it answers to the zip of its place, and unpacks it meanwhile. Nothing is being
/// written any more when this ends, so it must not be dropped before.
///
/// # Errors
/// When no whole answer comes, or the disk can't take it; [`Failure::Stopped`] when the program is being stopped.
pub(super) async fn download(
    client: &Client,
    request: &Request<'_>,
    attempt: &Attempt,
) -> Result<Received, CallError> {
    let Source { shared, stop, .. } = &attempt.source;
    let store = &shared.store;
    // First of all: without a place to write, nothing is requested.
    let opened = spawn_blocking({
        let (store, path) = (store.clone(), attempt.place.zip.clone());
        move || open(&store, &path)
    });
    let out = opened.await.map_err(|error| panicked(&error))?;
    let out = out.map_err(|error| local(&error))?;
    let answer = stop.run_until_cancelled(client.ask(request)).await;
    let mut answer = answer.ok_or_else(stopped)??;
    if let Some(bytes) = answer.announced() {
        if bytes > MOST_BYTES {
            let what = format!("the answer announces {} MiB", bytes >> 20);
            return Err(CallError::new(Failure::BadAnswer, what));
        }
        // There was space before; this answer is too big.
        let space = store.check_space(bytes);
        space.map_err(|error| no_room(&error, bytes))?;
    }
    let (pieces, waiting) = mpsc::channel(PIECES_WAITING);
    // No thread waits for the network: there are only so many, and an answer may be slow.
    let writing = spawn(write(attempt.clone(), out, waiting));
    let sent = stop.run_until_cancelled(send(&mut answer, pieces)).await;
    let at = shared.clock.now();
    // The connection is free for others while what is left of this zip is unpacked.
    drop(answer);
    let written = writing.await.map_err(|error| panicked(&error))?;
    sent.ok_or_else(stopped)??;
    let (out, zip, arrived) = written?;
    if attempt.place.keeps_zip() {
        let synced = out.sync(Step::SyncZip);
        synced.map_err(|error| local(&error))?;
    }
    Ok(Received { zip, at, arrived })
}

async fn send(answer: &mut Download<'_>, pieces: mpsc::Sender<Bytes>) -> Result<(), CallError> {
    while let Some(piece) = answer.chunk().await? {
        let begun = Instant::now();
        if pieces.send(piece).await.is_err() {
            // The writer has failed and says why itself.
            break;
        }
        answer.was_held_up(begun.elapsed());
    }
    Ok(())
}

fn open(store: &Store, path: &Path) -> Result<Output, DiskError> {
    if let Some(above) = path.parent() {
        store.make_staging(above)?;
    }
    store.disk().create(Step::StageZip, path)
}

/// Writes the zip, and hands its pieces on to be unpacked.
async fn write(
    attempt: Attempt,
    mut out: Output,
    mut waiting: mpsc::Receiver<Bytes>,
) -> Result<(Output, Zip, Option<Arriving>), CallError> {
    let mut pipeline = Some(Pipeline::begin(attempt.clone()));
    let mut arrived = None;
    let zip = write_zip(
        &attempt,
        &mut out,
        &mut waiting,
        (&mut pipeline, &mut arrived),
    )
    .await;
    if zip.is_ok() && attempt.place.keeps_zip() {
        // What is left of it goes to the disk while the last of its files are counted.
        out.flush().begin();
    }
    if pipeline.is_some() {
        arrived = end(&attempt, &mut pipeline).await?;
    }
    Ok((out, zip?, arrived))
}

/// Ends what is being unpacked, if anything is.
async fn end(
    attempt: &Attempt,
    pipeline: &mut Option<Pipeline>,
) -> Result<Option<Arriving>, CallError> {
    let Some(pipeline) = pipeline.take() else {
        return Ok(None);
    };
    pipeline.end().await.map_err(|error| {
        // It may hold a file name from the zip.
        let what = attempt.source.client.without_keys(&error.to_string());
        CallError::new(Failure::Local, what)
    })
}

async fn write_zip(
    attempt: &Attempt,
    out: &mut Output,
    waiting: &mut mpsc::Receiver<Bytes>,
    (pipeline, arrived): (&mut Option<Pipeline>, &mut Option<Arriving>),
) -> Result<Zip, CallError> {
    let store = &attempt.source.shared.store;
    let mut hasher = Hasher::default();
    let (mut bytes, mut looked_at) = (0u64, 0u64);
    while let Some(piece) = waiting.recv().await {
        bytes += piece.len() as u64;
        if bytes - looked_at >= LOOK_BYTES {
            looked_at = bytes;
            // The rest has no announced length.
            let mut space = store.check_space(0);
            let has_files = attempt.place.files().is_some();
            if space.is_err() && has_files && (pipeline.is_some() || arrived.is_some()) {
                // The zip tells how much its files need, once it is whole.
                end(attempt, pipeline).await?;
                *arrived = None;
                off_the_runtime(|| attempt.remove_files()).map_err(|error| local(&error))?;
                space = store.check_space(0);
            }
            space.map_err(|error| no_room(&error, bytes + LOOK_BYTES))?;
            if attempt.place.keeps_zip() {
                out.flush().begin();
            }
        }
        off_the_runtime(|| {
            hasher.update(&piece);
            out.write(&piece)
        })
        .map_err(|error| local(&error))?;
        if let Some(open) = pipeline
            && !open.take(piece).await
        {
            // The entries are over, or something is unusual.
            *arrived = end(attempt, pipeline).await?;
        }
    }
    Ok(Zip {
        bytes,
        sha256: hasher.finish(),
        path: None,
    })
}
