//! The fields of a ledger's line, as the contract names them and in the order in which they are written.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Fault, Line};
use crate::archive::manifest::{ChainBreak, ConfirmedSpan, Supersedes};
use crate::archive::publish::Archived;
use crate::digest::Digest;
use crate::domain::job::ToBound;
use crate::domain::second_opinion::{SecondOpinion, Way};
use crate::domain::span::{Span, UtcMs};
use crate::domain::split::Status;
use crate::domain::window::Window;

/// A line's fields in the order in which they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields<'a> {
    pub(super) seq: u64,
    #[serde(borrow)]
    pub(super) at: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) event: Cow<'a, str>,
    pub(super) prev: Option<Digest>,
    pub(super) from_ms: UtcMs,
    pub(super) to_ms: UtcMs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) records: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) folder: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) manifest_sha256: Option<Digest>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) needs_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) supersedes: Option<Box<Supersedes>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) asked_ms: Option<UtcMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) confirmed: Option<Way>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) search_agrees: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) contradicts: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) retry: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) cut: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) spans: Vec<ConfirmedSpan>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) to_bound: Option<ToBound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) windows: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) breaks: Vec<ChainBreak>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) opinion_requests: u64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) pruned: bool,
}

/// In the form that serde wants.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl<'a> Fields<'a> {
    /// A line's fields that hold nothing yet but what every line has.
    pub(super) fn of(line: &Line, span: Span) -> Self {
        Self {
            seq: line.seq,
            at: line.at.timestamp().to_string().into(),
            event: Cow::Borrowed(""),
            prev: line.prev,
            from_ms: span.from(),
            to_ms: span.to(),
            status: None,
            records: None,
            bytes: None,
            folder: None,
            manifest_sha256: None,
            message: None,
            needs_bytes: None,
            supersedes: None,
            asked_ms: None,
            confirmed: None,
            search_agrees: false,
            contradicts: false,
            retry: false,
            cut: false,
            spans: Vec::new(),
            to_bound: None,
            windows: None,
            breaks: Vec::new(),
            opinion_requests: line.opinion_requests,
            reason: None,
            pruned: false,
        }
    }

    /// Sets what is said of a folder.
    pub(super) fn set_archived(&mut self, archived: &'a Archived) {
        self.status = Some(archived.status);
        self.records = archived.records;
        self.bytes = Some(archived.bytes);
        self.folder = Some(archived.folder.as_str().into());
        self.manifest_sha256 = Some(archived.manifest_sha256);
        self.supersedes.clone_from(&archived.supersedes);
        self.asked_ms = archived.asked;
        self.confirmed = archived.opinion.by;
        self.search_agrees = archived.opinion.search_agrees;
        self.retry = archived.opinion.retry;
        self.cut = archived.opinion.cut;
        self.to_bound = archived.is_inclusive.then_some(ToBound::Inclusive);
        self.pruned = archived.is_pruned;
    }

    /// What is said of a folder that holds `window`.
    pub(super) fn archived(&mut self, window: Window) -> Result<Archived, Fault> {
        let folder = self.folder.take().ok_or("it has no `folder`")?;
        Ok(Archived {
            window,
            status: self.status.ok_or("it has no `status`")?,
            records: self.records,
            bytes: self.bytes.ok_or("it has no `bytes`")?,
            folder: folder.into_owned(),
            manifest_sha256: self.manifest_sha256.ok_or("it has no `manifest_sha256`")?,
            supersedes: self.supersedes.take(),
            asked: self.asked_ms,
            opinion: SecondOpinion {
                by: self.confirmed,
                search_agrees: self.search_agrees,
                retry: self.retry,
                cut: self.cut,
            },
            is_inclusive: self.to_bound == Some(ToBound::Inclusive),
            is_pruned: self.pruned,
        })
    }
}
