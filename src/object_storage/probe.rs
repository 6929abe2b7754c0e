//! Whether a store keeps its word on conditional writes, found out by writing: many at once race for a key under which nothing is.
//! `domain::conditional_writes` says what that shows.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::StatusCode;
use tokio::task::JoinSet;

use super::client::pause;
use super::failure::Failure;
use super::storage::{Asking, Bucket};
use crate::archive::storage::{self, Storage as _};
use crate::domain::conditional_writes::{Answer, Content, Race, Verdict};

/// How many write at once.
pub(crate) const WRITERS: usize = 16;

/// How often they race: a store that does not keep its word may have luck. The first race opens the connections.
pub(crate) const RACES: u32 = 4;

/// How many races may be torn.
const MOST_TORN: u32 = 3;

/// What lies under these names is removed.
const FOLDER: &str = "_probe";

/// The longest content of a probe.
const MOST_BYTES: u64 = 1024;

/// What was found out.
#[derive(Debug)]
pub(crate) struct Probed {
    /// What the store is.
    pub(crate) verdict: Verdict,
    /// What could not be removed, and why.
    pub(crate) left: Vec<(String, io::Error)>,
}

/// Finds it out. Nothing but its own keys is touched, and they are removed.
pub(crate) fn probe(bucket: &Bucket) -> Probed {
    let (mut left, mut torn, mut kept) = (Vec::new(), 0, 0);
    // Whoever can't be asked is written nothing.
    if let Err(error) = bucket.list(FOLDER) {
        return Probed {
            verdict: Verdict::Unknown(error.to_string()),
            left,
        };
    }
    let verdict = loop {
        let name = format!("{:016x}", fastrand::u64(..));
        let verdict = match race(bucket, &name) {
            Ok(race) => race.verdict(),
            Err(error) => Verdict::Unknown(error.to_string()),
        };
        let path = storage::below(FOLDER, &name);
        if let Err(error) = bucket.remove(&path) {
            left.push((bucket.place(&path).display().to_string(), error));
        }
        match verdict {
            Verdict::Kept => kept += 1,
            Verdict::Broken(_) => break verdict,
            Verdict::Unknown(_) => {
                torn += 1;
                if torn == MOST_TORN {
                    break verdict;
                }
                bucket.asking().wait(pause(torn));
            }
        }
        if kept == RACES {
            break Verdict::Kept;
        }
    };
    Probed { verdict, left }
}

/// One race, and what is seen after it.
fn race(bucket: &Bucket, name: &str) -> io::Result<Race> {
    let path = storage::below(FOLDER, name);
    let key = bucket.address().key(&path);
    let asking = bucket.asking();
    let (answers, late) = asking.wait(async {
        let answers = at_once(asking, &key).await;
        (answers, written(asking, &key, WRITERS).await)
    });
    let read = match storage::read(bucket, &path, MOST_BYTES) {
        Ok(bytes) => (0..WRITERS)
            .find(|writer| content(*writer) == bytes)
            .map_or(Content::Strange, Content::Of),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Content::Nothing,
        Err(error) => return Err(error),
    };
    let listed = bucket.list(FOLDER)?;
    Ok(Race {
        answers,
        late,
        read,
        is_listed: listed.iter().any(|entry| entry.name == name),
    })
}

/// What all writers are answered, in their order.
async fn at_once(asking: &Arc<Asking>, key: &str) -> Vec<Answer> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (asking, key) = (Arc::clone(asking), key.to_owned());
        writers.spawn(async move { (writer, written(&asking, &key, writer).await) });
    }
    let mut answers = vec![Answer::Unknown("it was not asked".to_owned()); WRITERS];
    while let Some(ended) = writers.join_next().await {
        if let Ok((writer, answer)) = ended
            && let Some(place) = answers.get_mut(writer)
        {
            *place = answer;
        }
    }
    answers
}

/// What a writer is answered.
async fn written(asking: &Asking, key: &str, writer: usize) -> Answer {
    match asking.client.write_new(key, content(writer)).await {
        Ok(()) => Answer::Written,
        Err(failure) => answer_of(failure),
    }
}

/// What a refusal means (S3's *Conditional writes*: 412 where an object is, 409 where another writes it meanwhile).
fn answer_of(failure: Failure) -> Answer {
    match failure.status {
        Some(StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT) => Answer::Refused,
        Some(StatusCode::NOT_IMPLEMENTED) => Answer::Unsupported,
        _ => Answer::Unknown(failure.error.to_string()),
    }
}

/// What a writer writes.
fn content(writer: usize) -> Bytes {
    Bytes::from(format!("elsa-archiver check: writer {writer}\n"))
}
