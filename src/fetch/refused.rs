//! A window that the service answers with an error while it answers others: perhaps that is how it says
//! that there are no logs (`ELSA-API.md`, *Unknown*). Search tells, or a day of the same. Carries
//! *Confirmed* and *Candid*.

use std::path::Path;

use super::learnt::{Learnt, ToBoundKnown};
use super::{Fetched, Source, Wanted, confirm, staging};
use crate::archive::manifest::Confirmed;
use crate::domain::recheck::Content;
use crate::domain::records_digest::RecordsDigest;
use crate::domain::second_opinion::CrossCheck;
use crate::domain::split::Status;
use crate::domain::window_error::WindowError;

/// What is known of a window that the service refuses.
pub(super) struct Opinion {
    content: Content,
    unproven_reason: Option<String>,
    confirmed: Confirmed,
    to_bound: ToBoundKnown,
}

/// What search says of a window that the service refuses with `message`.
///
/// # Errors
/// When it stays due: search does not show that it is empty, and it has not been refused for a day.
pub(super) async fn opinion(
    source: &Source,
    wanted: Wanted,
    message: String,
    learnt: &mut Learnt,
) -> Result<Opinion, WindowError> {
    let now = source.shared.clock.now();
    let to_bound = ToBoundKnown::of(learnt.to_bound(&source.job, now));
    let window = wanted.window.span();
    let may_ask = wanted.cross_check != CrossCheck::Off && learnt.search.is_believed();
    if may_ask {
        let empty = confirm::is_empty(source, window, to_bound.bound, &mut learnt.search).await?;
        match empty {
            Some(Ok(confirmed)) => {
                return Ok(Opinion {
                    content: Content {
                        status: Status::Complete,
                        records: Some(0),
                        digest: Some(RecordsDigest::default()),
                    },
                    unproven_reason: None,
                    confirmed: Confirmed {
                        reason: Some(format!("the download is refused: {message}")),
                        ..confirmed
                    },
                    to_bound,
                });
            }
            Some(Err(why)) => return Err(WindowError::Rejected(format!("{message}; {why}"))),
            None => {}
        }
    }
    if !wanted.is_left_alone {
        return Err(WindowError::Rejected(message));
    }
    let reason = format!(
        "the service has refused it for a day while it answers others before and after it, perhaps because \
         it holds no logs: {message}"
    );
    Ok(Opinion {
        content: Content {
            status: Status::Unproven,
            records: None,
            digest: None,
        },
        confirmed: Confirmed::not(reason.clone()),
        unproven_reason: Some(reason),
        to_bound,
    })
}

/// Makes the window's folder, which holds no part.
pub(super) async fn place(
    source: &Source,
    staged: &Path,
    answers: &Path,
    opinion: Opinion,
) -> Result<Fetched, WindowError> {
    let moves = Vec::new();
    staging::place(&source.shared, staged.to_owned(), moves, answers.to_owned()).await?;
    Ok(Fetched {
        staged: staged.to_owned(),
        parts: Vec::new(),
        content: opinion.content,
        unproven_reason: opinion.unproven_reason,
        confirmed: opinion.confirmed,
        doubt: None,
        to_bound: opinion.to_bound,
    })
}
