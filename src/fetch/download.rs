//! The bytes of one answer into a file, hashed on their way. Carries *Bounded*: a few pieces of the
//! answer are in memory at once, and free space is looked at as it comes.

use std::path::Path;

use tokio::sync::mpsc;
use tokio::task::{JoinError, spawn, spawn_blocking};

use super::Shared;
use super::staging::Place;
use crate::archive::manifest::Zip;
use crate::archive::store::Store;
use crate::digest::Hasher;
use crate::domain::retry::Failure;
use crate::durable::{DiskError, Output, Step, off_the_runtime};
use crate::elsa::client::{Client, Download, MOST_BYTES};
use crate::elsa::error_response::CallError;
use crate::elsa::request::Request;

/// Pieces of the answer that may wait for the disk; hyper's are at most some 400 KiB each.
const PIECES_WAITING: usize = 4;

/// Bytes between two checks of free space.
const LOOK_BYTES: u64 = 4 * 1024 * 1024;

/// Makes one request and writes what it answers to the zip of `place`.
///
/// # Errors
/// When no whole answer comes, or the disk can't take it.
pub(super) async fn download(
    client: &Client,
    request: &Request<'_>,
    shared: &Shared,
    place: &Place,
) -> Result<Zip, CallError> {
    // First of all: without a place to write, nothing is requested.
    let opened = spawn_blocking({
        let (store, path) = (shared.store.clone(), place.zip.clone());
        move || open(&store, &path)
    });
    let out = opened.await.map_err(|error| panicked(&error))?;
    let out = out.map_err(|error| local(&error))?;
    let mut answer = client.ask(request).await?;
    if let Some(bytes) = answer.announced() {
        if bytes > MOST_BYTES {
            let what = format!("the answer announces {} MiB", bytes >> 20);
            return Err(CallError::new(Failure::BadAnswer, what));
        }
        // There was space before; this answer is too big.
        let space = shared.store.check_space(bytes);
        space.map_err(|error| no_room(&error, bytes))?;
    }
    let (pieces, waiting) = mpsc::channel(PIECES_WAITING);
    // No thread waits for the network: there are only so many, and an answer may be slow.
    let writing = spawn(write(shared.store.clone(), out, waiting));
    let sent = send(&mut answer, pieces).await;
    // The connection is free for others while this zip is unpacked.
    drop(answer);
    let written = writing.await.map_err(|error| panicked(&error))?;
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
        store.make_staging(above)?;
    }
    store.disk().create(Step::StageZip, path)
}

async fn write(
    store: Store,
    mut out: Output,
    mut waiting: mpsc::Receiver<Vec<u8>>,
) -> Result<Zip, CallError> {
    let mut hasher = Hasher::default();
    let (mut bytes, mut looked_at) = (0u64, 0u64);
    while let Some(piece) = waiting.recv().await {
        bytes += piece.len() as u64;
        if bytes - looked_at >= LOOK_BYTES {
            looked_at = bytes;
            // The rest has no announced length.
            let space = store.check_space(0);
            space.map_err(|error| no_room(&error, bytes + LOOK_BYTES))?;
        }
        off_the_runtime(|| {
            hasher.update(&piece);
            out.write(&piece)
        })
        .map_err(|error| local(&error))?;
    }
    Ok(Zip {
        bytes,
        sha256: hasher.finish(),
    })
}

fn local(error: &dyn std::error::Error) -> CallError {
    CallError::new(Failure::Local, error.to_string())
}

/// The answer, or what it becomes, takes so many bytes, and there is no space for them.
pub(super) fn no_room(error: &dyn std::error::Error, bytes: u64) -> CallError {
    CallError::new(Failure::NoRoom { bytes }, error.to_string())
}

/// A task of the program's own has panicked.
pub(super) fn panicked(error: &JoinError) -> CallError {
    let what = format!("the program failed within itself: {error}");
    CallError::new(Failure::BadAnswer, what)
}
