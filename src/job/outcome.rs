//! What a cycle came to, for the exit code, the summary and systemd. Carries *Candid*.

use crate::archive::publish::Archived;
use crate::domain::split::Status;

/// What a cycle came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Windows archived, whatever their status.
    pub archived: u64,
    /// Records in them, as far as they can be counted.
    pub records: u64,
    /// Those recorded `truncated`.
    pub truncated: u64,
    /// Those recorded `unproven`.
    pub unproven: u64,
    /// Spans that are lost and not acknowledged.
    pub lost: u64,
    /// Windows that were due and are not archived.
    pub left: u64,
    /// Archived windows that were requested again.
    pub rechecked: u64,
    /// Those of them that were published again.
    pub revised: u64,
    /// Archived windows whose recheck failed.
    pub unchecked: u64,
    /// The last reason for a failure.
    pub error: Option<String>,
}

impl Outcome {
    /// Whether everything that was due is archived and known to be complete.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.left == 0
            && self.unchecked == 0
            && self.lost == 0
            && self.truncated == 0
            && self.unproven == 0
            && self.error.is_none()
    }

    /// A window is archived and recorded.
    pub(super) fn archived(&mut self, archived: &Archived) {
        self.archived += 1;
        self.left -= 1;
        self.records = self.records.saturating_add(archived.records.unwrap_or(0));
        self.note_status(archived.status);
    }

    /// A window was asked for again, and was published anew where there is `revision`.
    pub(super) fn rechecked(&mut self, revision: Option<&Archived>) {
        self.rechecked += 1;
        self.unchecked -= 1;
        if let Some(archived) = revision {
            self.revised += 1;
            self.note_status(archived.status);
        }
    }

    /// This cycle and a `later` one of the same job.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        Self {
            archived: self.archived + later.archived,
            records: self.records.saturating_add(later.records),
            truncated: self.truncated + later.truncated,
            unproven: self.unproven + later.unproven,
            rechecked: self.rechecked + later.rechecked,
            revised: self.revised + later.revised,
            ..later
        }
    }

    const fn note_status(&mut self, status: Status) {
        match status {
            Status::Complete => {}
            Status::Truncated => self.truncated += 1,
            Status::Unproven => self.unproven += 1,
        }
    }
}
