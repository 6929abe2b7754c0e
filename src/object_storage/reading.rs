//! Reading an object from its begin to its end, over as many answers as it takes. Carries *Self-healing* and *Complete*: what is
//! torn goes on behind what came, of the same object, and is never taken for its end.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use reqwest::Response;
use reqwest::header::CONTENT_RANGE;
use tokio::time::{Instant, timeout};

use super::client::{ATTEMPTS, IDLE, length_of, pause, tag_of};
use super::storage::Asking;

/// So many bytes must come in so long.
const LEAST_BYTES: u64 = 1024;
const SLOWEST: Duration = Duration::from_secs(120);

/// An object that is being read.
pub(super) struct Reading {
    asking: Arc<Asking>,
    key: String,
    /// What tells it from another under the same key.
    tag: Option<String>,
    answer: Response,
    /// Bytes that came and are not read yet.
    piece: Bytes,
    /// Bytes that are to come.
    left: u64,
    /// Bytes that came.
    came: u64,
    /// When so many had come.
    noted: (Instant, u64),
    /// Attempts since then.
    attempt: u32,
}

impl Reading {
    /// Begins.
    ///
    /// # Errors
    /// When there is no such object, or it can't be read.
    pub(super) fn begin(asking: &Arc<Asking>, key: String) -> io::Result<Self> {
        let answer = asking.wait(asking.client.get(&key, None))?;
        let left = length_of(&answer).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::HostUnreachable,
                "object storage does not tell how long it is",
            )
        })?;
        Ok(Self {
            tag: tag_of(&answer),
            asking: Arc::clone(asking),
            key,
            answer,
            piece: Bytes::new(),
            left,
            came: 0,
            noted: (Instant::now(), 0),
            attempt: 1,
        })
    }

    /// Gets the next piece, which is empty only at the end.
    async fn next(&mut self) -> io::Result<()> {
        while self.piece.is_empty() && self.left > 0 {
            let why = match timeout(IDLE, self.answer.chunk()).await {
                Ok(Ok(Some(piece))) => {
                    let piece = piece.slice(
                        ..piece
                            .len()
                            .min(usize::try_from(self.left).unwrap_or(usize::MAX)),
                    );
                    self.left -= piece.len() as u64;
                    self.came += piece.len() as u64;
                    self.piece = piece;
                    self.take_note()?;
                    continue;
                }
                Ok(Ok(None)) => {
                    "object storage ended its answer before the end of the file".to_owned()
                }
                Ok(Err(error)) => self.asking.client.why(error),
                Err(_) => format!("object storage sent nothing more for {} s", IDLE.as_secs()),
            };
            self.go_on(why).await?;
        }
        Ok(())
    }

    /// Takes note of how fast it comes.
    fn take_note(&mut self) -> io::Result<()> {
        let (since, then) = self.noted;
        let (elapsed, came) = (since.elapsed(), self.came - then);
        if came >= LEAST_BYTES {
            (self.noted, self.attempt) = ((Instant::now(), self.came), 1);
        } else if elapsed > SLOWEST {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!(
                    "object storage sent {came} bytes in {} s",
                    elapsed.as_secs()
                ),
            ));
        }
        Ok(())
    }

    /// Bytes that are to come.
    pub(super) const fn left(&self) -> u64 {
        self.left
    }

    /// Asks for the rest.
    async fn go_on(&mut self, why: String) -> io::Result<()> {
        let failed = || io::Error::new(io::ErrorKind::HostUnreachable, why.clone());
        // Without a tag another file could be behind what came.
        let tag = self.tag.clone().ok_or_else(failed)?;
        if self.attempt == ATTEMPTS {
            return Err(failed());
        }
        if self.attempt > 1 {
            pause(self.attempt - 1).await;
        }
        self.attempt += 1;
        let client = &self.asking.client;
        let answer = client.get(&self.key, Some((self.came, &tag))).await?;
        let range = answer.headers().get(CONTENT_RANGE);
        let range = range
            .and_then(|range| range.to_str().ok())
            .unwrap_or_default();
        let is_rest = range.starts_with(&format!("bytes {}-", self.came))
            && tag_of(&answer).is_some_and(|found| found == tag);
        if length_of(&answer) != Some(self.left) || !is_rest {
            return Err(io::Error::new(
                io::ErrorKind::HostUnreachable,
                "object storage does not give the rest of the file",
            ));
        }
        self.answer = answer;
        Ok(())
    }
}

impl Read for Reading {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            let asking = Arc::clone(&self.asking);
            asking.wait(self.next())?;
        }
        let length = bytes.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut bytes[..length]);
        Ok(length)
    }
}
