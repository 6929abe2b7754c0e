//! An answer that is unpacked while it arrives: one task inflates, one hashes, counts and writes, one makes
//! durable what is written. Carries *Bounded*: what waits between them is bounded in number. No thread waits for
//! the network: there are few threads.

use bytes::Bytes;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{JoinHandle, spawn};

use super::asked::Attempt;
use crate::archive::unpack::{Arriving, Found, Halt, LocalReader, PIECE_BYTES, UnpackError};
use crate::domain::open_files::FLUSHED_AT_ONCE;
use crate::durable::{DiskError, Flush, Step, off_the_runtime};

/// Pieces of the answer that may wait to be inflated.
const PIECES_WAITING: usize = 1;
/// Pieces of files that are filled, wait, or are written at the same time.
const OUTPUTS: usize = 4;
/// Findings that may wait: a small file makes three, that it begins, its output, and that it ends.
const FINDINGS_WAITING: usize = 16;

/// What was found, with the output that belongs to it.
type Finding = (Found, Vec<u8>);

/// An answer on its way to becoming files.
pub(super) struct Pipeline {
    attempt: Attempt,
    pieces: Sender<Bytes>,
    inflating: JoinHandle<()>,
    writing: JoinHandle<Result<Arriving, Halt>>,
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
            pieces,
            inflating: spawn(inflate(arrived, spare, findings)),
            writing: spawn(write(attempt.clone(), found, outputs, flushes)),
            flushing: spawn(flush(unflushed)),
            attempt,
        }
    }

    /// Takes the next piece of the answer. Returns whether more is wanted: what is unusual is unpacked once it is
    /// whole, or the disk has failed, which [`Pipeline::end`] tells.
    pub(super) async fn take(&self, piece: Bytes) -> bool {
        self.pieces.send(piece).await.is_ok()
    }

    /// What has become of the answer, which is durable then. Where that is no use, it is `None`, and nothing of it
    /// is left. Nothing is being written any more in any case.
    ///
    /// # Errors
    /// When the disk has failed.
    pub(super) async fn end(self) -> Result<Option<Arriving>, UnpackError> {
        drop(self.pieces);
        let inflated = self.inflating.await;
        let (written, flushed) = (self.writing.await, self.flushing.await);
        let became = match (inflated, written, flushed) {
            (Ok(()), Ok(written), Ok(flushed)) => usable(flushed.map_err(Halt::from).and(written))?,
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                tracing::error!("unpacking failed within itself, and is done anew: {error}");
                None
            }
        };
        let became = became.filter(Arriving::is_whole);
        if became.is_none() {
            off_the_runtime(|| self.attempt.remove_files())?;
        }
        Ok(became)
    }
}

/// What is left to the reader of whole zips is no error.
fn usable(became: Result<Arriving, Halt>) -> Result<Option<Arriving>, UnpackError> {
    match became {
        Ok(arriving) => Ok(Some(arriving)),
        Err(Halt::Unusual) => Ok(None),
        Err(Halt::Failed(error)) => Err(error),
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

/// Hashes, counts and writes what was inflated.
async fn write(
    attempt: Attempt,
    mut findings: Receiver<Finding>,
    outputs: Sender<Vec<u8>>,
    flushes: Sender<(Flush, Step)>,
) -> Result<Arriving, Halt> {
    let mut arriving = Arriving::new(attempt.asked.window);
    while let Some((found, mut output)) = findings.recv().await {
        let unpacking = attempt.unpacking();
        let flush = off_the_runtime(|| arriving.take(&unpacking, found, &output))?;
        if output.capacity() > 0 {
            output.clear();
            let _ = outputs.try_send(output);
        }
        if let Some(flush) = flush
            && flushes.send(flush).await.is_err()
        {
            // It has failed, and says why itself.
            return Err(Halt::Unusual);
        }
    }
    Ok(arriving)
}

/// Makes files durable, several together, or a part of a large one: the disk begins with all of them before any
/// is waited for, so that one commit of a journalling file system does for all.
async fn flush(mut flushes: Receiver<(Flush, Step)>) -> Result<(), DiskError> {
    let mut waiting = Vec::with_capacity(FLUSHED_AT_ONCE);
    loop {
        let next = flushes.recv().await;
        let is_over = next.is_none();
        let is_part = matches!(next, Some((_, Step::FlushData)));
        waiting.extend(next);
        if is_part || is_over || waiting.len() == FLUSHED_AT_ONCE {
            off_the_runtime(|| {
                waiting.iter().for_each(|(flush, _)| flush.begin());
                let mut flushed = waiting.drain(..);
                flushed.try_for_each(|(flush, step)| flush.sync(step))
            })?;
        }
        if is_over {
            return Ok(());
        }
    }
}
