//! An answer that is unpacked while it arrives: one task inflates, one hashes, counts and writes, one makes
//! durable what is written. Carries *Bounded*: what waits between them is bounded in number, and no thread waits
//! for the network, of which there are only so many.

use bytes::Bytes;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{JoinHandle, spawn};

use super::asked::Attempt;
use super::local::{local, panicked};
use crate::archive::unpack::{Arriving, Found, Halt, LocalReader, PIECE_BYTES, UnpackError};
use crate::domain::open_files::FLUSHED_AT_ONCE;
use crate::durable::{DiskError, Flush, Step, off_the_runtime};
use crate::elsa::error_response::CallError;

/// Pieces of the answer that may wait to be inflated.
const PIECES_WAITING: usize = 1;
/// Pieces of files that are filled, wait, or are written at the same time.
const OUTPUTS: usize = 4;
/// Findings that may wait: a small file is three.
const FINDINGS_WAITING: usize = 16;

/// What was found, with the output that belongs to it.
type Finding = (Found, Vec<u8>);

/// An answer on its way to becoming files.
pub(super) struct Pipeline {
    attempt: Attempt,
    /// `None` once nothing more is wanted.
    pieces: Option<Sender<Bytes>>,
    inflating: JoinHandle<()>,
    writing: JoinHandle<Result<Option<Arriving>, UnpackError>>,
    flushing: JoinHandle<Result<(), DiskError>>,
}

impl Pipeline {
    /// Begins with nothing.
    pub(super) fn begin(attempt: Attempt) -> Self {
        let (pieces, arrived) = mpsc::channel(PIECES_WAITING);
        let (outputs, spare) = mpsc::channel(OUTPUTS);
        let (findings, found) = mpsc::channel(FINDINGS_WAITING);
        let (flushes, unflushed) = mpsc::channel(FLUSHED_AT_ONCE);
        for _ in 0..OUTPUTS {
            // It takes memory only where it is written.
            let _ = outputs.try_send(Vec::with_capacity(PIECE_BYTES));
        }
        Self {
            pieces: Some(pieces),
            inflating: spawn(inflate(arrived, spare, findings)),
            writing: spawn(write(attempt.clone(), found, outputs, flushes)),
            flushing: spawn(flush(unflushed)),
            attempt,
        }
    }

    /// Takes the next piece of the answer.
    pub(super) async fn take(&mut self, piece: Bytes) {
        if let Some(pieces) = &self.pieces
            && pieces.send(piece).await.is_err()
        {
            // The answer is unpacked once it is whole, or can't be.
            self.pieces = None;
        }
    }

    /// What has become of the answer, once all of it was taken, and is durable. `None` where that is no use.
    ///
    /// # Errors
    /// When the disk has failed.
    pub(super) async fn end(self) -> Result<Result<Option<Arriving>, UnpackError>, CallError> {
        drop(self.pieces);
        let inflated = self.inflating.await;
        let (written, flushed) = (self.writing.await, self.flushing.await);
        inflated.map_err(|error| panicked(&error))?;
        let written = written.map_err(|error| panicked(&error))?;
        let flushed = flushed.map_err(|error| panicked(&error))?;
        Ok(flushed.map_err(UnpackError::Disk).and(written))
    }

    /// Removes what has become of the answer: there is no room for both.
    ///
    /// # Errors
    /// When it can't be removed.
    pub(super) async fn give_up(self) -> Result<(), CallError> {
        let attempt = self.attempt.clone();
        let _ = self.end().await?;
        let removed = off_the_runtime(|| attempt.remove_files());
        removed.map_err(|error| local(&error))
    }
}

/// Inflates the pieces of an answer, until what comes is no entry.
async fn inflate(
    mut pieces: Receiver<Bytes>,
    mut spare: Receiver<Vec<u8>>,
    findings: Sender<Finding>,
) {
    let mut reader = LocalReader::default();
    let Some(mut output) = spare.recv().await else {
        return;
    };
    while let Some(piece) = pieces.recv().await {
        let mut input = &piece[..];
        loop {
            let found = reader.next(&mut input, &mut output);
            let is_last = matches!(found, Found::Directory | Found::Unusual);
            let handed_on = match found {
                Found::NeedsInput => break,
                Found::Output { .. } => {
                    let Some(empty) = spare.recv().await else {
                        return;
                    };
                    std::mem::replace(&mut output, empty)
                }
                _ => Vec::new(),
            };
            if findings.send((found, handed_on)).await.is_err() || is_last {
                return;
            }
        }
    }
}

/// Hashes, counts and writes what was inflated. Where there is something that only the reader of whole zips
/// understands, what was written is removed: it may need the room.
async fn write(
    attempt: Attempt,
    mut findings: Receiver<Finding>,
    outputs: Sender<Vec<u8>>,
    flushes: Sender<(Flush, Step)>,
) -> Result<Option<Arriving>, UnpackError> {
    let mut arriving = Arriving::new(attempt.asked.window);
    while let Some((found, mut output)) = findings.recv().await {
        let unpacking = attempt.unpacking();
        let taken = off_the_runtime(|| arriving.take(&unpacking, found, &output));
        let flush = match taken {
            Ok(flush) => flush,
            Err(Halt::Failed(error)) => return Err(error),
            Err(Halt::Unusual) => {
                drop(arriving);
                off_the_runtime(|| attempt.remove_files())?;
                return Ok(None);
            }
        };
        if output.capacity() > 0 {
            output.clear();
            let _ = outputs.try_send(output);
        }
        if let Some(flush) = flush
            && flushes.send(flush).await.is_err()
        {
            // It has failed, and says why itself.
            return Ok(None);
        }
    }
    Ok(Some(arriving))
}

/// Makes files durable, as many together as wait: the disk begins with all of them before any is waited for,
/// so that one commit of a journalling file system does for all.
async fn flush(mut flushes: Receiver<(Flush, Step)>) -> Result<(), DiskError> {
    let mut waiting = Vec::with_capacity(FLUSHED_AT_ONCE);
    while flushes.recv_many(&mut waiting, FLUSHED_AT_ONCE).await > 0 {
        off_the_runtime(|| {
            if waiting.len() > 1 {
                waiting.iter().for_each(|(flush, _)| flush.begin());
            }
            waiting
                .drain(..)
                .try_for_each(|(flush, step)| flush.sync(step))
        })?;
    }
    Ok(())
}
