//! One line of a ledger: its fields as the contract names them, and what they must fulfil.

use std::borrow::Cow;

use thiserror::Error;

use super::newer;
use super::rebuilt::Rebuilt;
use super::settings;
use crate::archive::manifest::ConfirmedSpan;
use crate::archive::publish::Archived;
use crate::digest::Digest;
use crate::domain::failures::Failed;
use crate::domain::hold::{Hold, HoldOrder};
use crate::domain::second_opinion::Way;
use crate::domain::settings::Settings;
use crate::domain::span::{Span, UtcMs};
use crate::domain::window::Window;
use fields::Fields;

mod fields;

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A window is archived: its folder is published and durable.
    Archived(Archived),
    /// A window could not be archived; it stays due.
    Failed(Failed),
    /// A span was not archived before the service forgot it; it is not asked for any more.
    Lost(Span),
    /// The operator has acknowledged what was lost in a span.
    Acknowledged(Span),
    /// An archived window was requested again, and holds the same.
    Rechecked(Window),
    /// A second, independent ask agrees with an archived window: its count was not confirmed before.
    Confirmed(Agreement),
    /// A recheck of an archived window failed; it stays due.
    RecheckFailed(Failed),
    /// An archived folder is gone, or was set aside: its window is due again.
    Missing(MissingFolder),
    /// Under which settings the job archives from here on.
    Job(Box<Settings>),
    /// The folders that are archived next were lacking here: their lines are made from manifests.
    Rebuilt(Rebuilt),
    /// The data of a window are let go of; what proves them stays.
    Pruned(Pruned),
    /// The operator has said that a span is held, or is not any more.
    Hold(HoldOrder),
}

/// A window whose data are let go of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// The window, with all its revisions.
    pub window: Window,
    /// Bytes of their data files.
    pub bytes: u64,
    /// By which rule, in words.
    pub reason: String,
}

/// An archived folder that is not in its place any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingFolder {
    /// What was archived there; it never says what it superseded.
    pub archived: Archived,
    /// What became of it.
    pub message: String,
}

/// Why a line can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// It is whole, and holds what this version does not know: a newer one wrote it.
    #[error("{0}")]
    Newer(String),
    /// Something is wrong with it.
    #[error("{0}")]
    Wrong(String),
}

impl From<&str> for Fault {
    fn from(what: &str) -> Self {
        Self::Wrong(what.to_owned())
    }
}

/// What a second, independent ask has shown of a window that was archived before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The window.
    pub window: Window,
    /// Its records.
    pub records: u64,
    /// Which way it was asked.
    pub by: Way,
    /// What was asked for.
    pub spans: Vec<ConfirmedSpan>,
}

/// A line with its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// 1 for the first line, then one more each.
    pub seq: u64,
    /// When it was written.
    pub at: UtcMs,
    /// What it says.
    pub event: Event,
    /// Digest of the line before (without its newline); `None` on the first.
    pub prev: Option<Digest>,
    /// Requests for second opinions since the line before.
    pub opinion_requests: u64,
}

const ARCHIVED: &str = "archived";
const FAILED: &str = "failed";
const LOST: &str = "lost";
const ACKNOWLEDGED: &str = "acknowledged";
const RECHECKED: &str = "rechecked";
const CONFIRMED: &str = "confirmed";
const RECHECK_FAILED: &str = "recheck_failed";
const MISSING: &str = "missing";
const REBUILT: &str = "rebuilt";
const PRUNED: &str = "pruned";
const HELD: &str = "held";
const RELEASED: &str = "released";

/// The events that this version knows.
pub(super) const EVENTS: &[&str] = &[
    ARCHIVED,
    FAILED,
    LOST,
    ACKNOWLEDGED,
    RECHECKED,
    CONFIRMED,
    RECHECK_FAILED,
    REBUILT,
    MISSING,
    PRUNED,
    HELD,
    RELEASED,
    settings::JOB,
];

impl Line {
    /// The line as JSON, without its newline.
    ///
    /// # Errors
    /// Never with these types; the serializer's signature has one.
    pub fn to_json(&self) -> serde_json::Result<String> {
        let span = match &self.event {
            Event::Archived(archived) => archived.window.span(),
            Event::Failed(failed) | Event::RecheckFailed(failed) => failed.window.span(),
            Event::Rechecked(window) => window.span(),
            Event::Confirmed(agreement) => agreement.window.span(),
            Event::Lost(span) | Event::Acknowledged(span) => *span,
            Event::Missing(missing) => missing.archived.window.span(),
            Event::Rebuilt(rebuilt) => rebuilt.span,
            Event::Pruned(pruned) => pruned.window.span(),
            Event::Hold(HoldOrder::Hold(hold) | HoldOrder::Release(hold)) => hold.span,
            Event::Job(settings) => return settings::to_json(self, settings),
        };
        let mut fields = Fields::of(self, span);
        match &self.event {
            Event::Archived(archived) => {
                fields.event = ARCHIVED.into();
                fields.set_archived(archived);
            }
            Event::Missing(missing) => {
                fields.event = MISSING.into();
                fields.set_archived(&missing.archived);
                fields.message = Some(missing.message.as_str().into());
            }
            Event::Failed(failed) => {
                fields.event = FAILED.into();
                fields.message = Some(failed.message.as_str().into());
                fields.needs_bytes = failed.needs_bytes;
                fields.contradicts = failed.contradicts;
            }
            Event::Lost(_) => fields.event = LOST.into(),
            Event::Acknowledged(_) => fields.event = ACKNOWLEDGED.into(),
            Event::Rechecked(_) => fields.event = RECHECKED.into(),
            Event::Confirmed(agreement) => {
                fields.event = CONFIRMED.into();
                fields.records = Some(agreement.records);
                fields.confirmed = Some(agreement.by);
                fields.spans.clone_from(&agreement.spans);
            }
            Event::RecheckFailed(failed) => {
                fields.event = RECHECK_FAILED.into();
                fields.message = Some(failed.message.as_str().into());
                fields.needs_bytes = failed.needs_bytes;
                fields.contradicts = failed.contradicts;
            }
            Event::Rebuilt(rebuilt) => {
                fields.event = REBUILT.into();
                fields.windows = Some(rebuilt.windows);
                fields.breaks.clone_from(&rebuilt.breaks);
            }
            Event::Pruned(pruned) => {
                fields.event = PRUNED.into();
                fields.bytes = Some(pruned.bytes);
                fields.reason = Some(pruned.reason.as_str().into());
            }
            Event::Hold(order) => {
                let (event, hold) = match order {
                    HoldOrder::Hold(hold) => (HELD, hold),
                    HoldOrder::Release(hold) => (RELEASED, hold),
                };
                fields.event = event.into();
                fields.reason = Some(hold.reason.as_str().into());
            }
            Event::Job(_) => {}
        }
        serde_json::to_string(&fields)
    }

    /// Reads a line without its newline.
    ///
    /// # Errors
    /// Says in words what is wrong with it.
    pub fn parse(json: &[u8]) -> Result<Self, Fault> {
        let mut fields: Fields<'_> = match serde_json::from_slice(json) {
            Ok(fields) => fields,
            // One such line comes in a thousand, so it is looked for last.
            Err(error) => {
                return settings::parse(json).unwrap_or_else(|| Err(newer::fault(json, &error)));
            }
        };
        let at: jiff::Timestamp = fields
            .at
            .parse()
            .map_err(|_| "its field `at` is no RFC 3339 time")?;
        let span =
            Span::new(fields.from_ms, fields.to_ms).ok_or("its window ends before it begins")?;
        let window = Window::of(span);
        let event = match &*fields.event {
            ARCHIVED => Event::Archived(fields.archived(window)?),
            MISSING => Event::Missing(MissingFolder {
                message: fields
                    .message
                    .take()
                    .ok_or("it has no `message`")?
                    .into_owned(),
                archived: fields.archived(window)?,
            }),
            FAILED => Event::Failed(Failed {
                window,
                message: fields.message.ok_or("it has no `message`")?.into_owned(),
                needs_bytes: fields.needs_bytes,
                contradicts: fields.contradicts,
            }),
            LOST => Event::Lost(span),
            ACKNOWLEDGED => Event::Acknowledged(span),
            RECHECKED => Event::Rechecked(window),
            CONFIRMED => Event::Confirmed(Agreement {
                window,
                records: fields.records.ok_or("it has no `records`")?,
                by: fields.confirmed.ok_or("it has no `confirmed`")?,
                spans: fields.spans,
            }),
            RECHECK_FAILED => Event::RecheckFailed(Failed {
                window,
                message: fields.message.ok_or("it has no `message`")?.into_owned(),
                needs_bytes: fields.needs_bytes,
                contradicts: fields.contradicts,
            }),
            REBUILT => Event::Rebuilt(Rebuilt {
                span,
                windows: fields.windows.ok_or("it has no `windows`")?,
                breaks: fields.breaks,
            }),
            PRUNED => Event::Pruned(Pruned {
                window,
                bytes: fields.bytes.ok_or("it has no `bytes`")?,
                reason: reason(fields.reason)?,
            }),
            HELD => Event::Hold(HoldOrder::Hold(Hold {
                span,
                reason: reason(fields.reason)?,
            })),
            RELEASED => Event::Hold(HoldOrder::Release(Hold {
                span,
                reason: reason(fields.reason)?,
            })),
            other => return Err(Fault::Newer(newer::unknown_event(other))),
        };
        Ok(Self {
            seq: fields.seq,
            at: at.into(),
            event,
            prev: fields.prev,
            opinion_requests: fields.opinion_requests,
        })
    }
}

fn reason(field: Option<Cow<'_, str>>) -> Result<String, Fault> {
    Ok(field.ok_or("it has no `reason`")?.into_owned())
}

#[cfg(test)]
mod tests;
