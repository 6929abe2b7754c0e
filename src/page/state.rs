//! What a window is, and what that makes of a day: the worst of its windows. Pure. Carries *Candid*.

use crate::domain::second_opinion::Way;
use crate::domain::split::Status;

/// What a window, or a day, is; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// The service has forgotten it, and the operator has not said that this is known.
    Lost,
    /// It is due, and something newer is archived.
    Gap,
    /// It is due, and nothing newer is archived.
    Late,
    /// It is archived, and the service may have had more.
    Truncated,
    /// It is archived, and how complete it is can't be told.
    Unproven,
    /// The service has forgotten it, or it is truncated or unproven, and the operator knows.
    Acknowledged,
    /// It has not ended, or not settled.
    Pending,
    /// It is archived, and nothing has confirmed its count.
    Complete,
    /// It is archived, and a second ask agrees.
    Confirmed,
    /// It is archived, and holds no record, and a second ask agrees.
    Empty,
    /// The job did not archive any more.
    Ended,
    /// It lies before the job's `since`.
    Before,
}

impl State {
    /// All of them, the worst first.
    pub(crate) const ALL: [Self; 12] = [
        Self::Lost,
        Self::Gap,
        Self::Late,
        Self::Truncated,
        Self::Unproven,
        Self::Acknowledged,
        Self::Pending,
        Self::Complete,
        Self::Confirmed,
        Self::Empty,
        Self::Ended,
        Self::Before,
    ];

    /// That of an archived window.
    pub(crate) fn of(status: Status, records: Option<u64>, by: Way) -> Self {
        match (status, records, by) {
            (Status::Truncated, ..) => Self::Truncated,
            (Status::Unproven, ..) => Self::Unproven,
            // That nothing is there is doubted most, until a second ask agrees.
            (Status::Complete, _, Way::None) => Self::Complete,
            (Status::Complete, Some(0), Way::Search | Way::Download) => Self::Empty,
            (Status::Complete, _, Way::Search | Way::Download) => Self::Confirmed,
        }
    }

    /// A letter of its own: nobody has to tell colours apart.
    pub(crate) const fn letter(self) -> &'static str {
        match self {
            Self::Lost => "X",
            Self::Gap => "G",
            Self::Late => "L",
            Self::Truncated => "T",
            Self::Unproven => "U",
            Self::Acknowledged => "x",
            Self::Pending => "…",
            Self::Complete => "C",
            Self::Confirmed => "✓",
            Self::Empty => "0",
            Self::Ended => "=",
            Self::Before => "–",
        }
    }

    /// Its class in the style.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Gap => "gap",
            Self::Late => "late",
            Self::Truncated => "truncated",
            Self::Unproven => "unproven",
            Self::Acknowledged => "known",
            Self::Pending => "pending",
            Self::Complete => "complete",
            Self::Confirmed => "confirmed",
            Self::Empty => "empty",
            Self::Ended => "ended",
            Self::Before => "before",
        }
    }
}

/// How many windows of each state, and what they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    windows: [u32; State::ALL.len()],
    /// Records, as far as they can be counted.
    pub(crate) records: u64,
    /// Bytes of data files.
    pub(crate) bytes: u64,
}

impl Tally {
    /// One more window.
    pub(crate) fn add(&mut self, state: State) {
        let place = self.windows.get_mut(state as usize);
        place
            .into_iter()
            .for_each(|windows| *windows = windows.saturating_add(1));
    }

    /// One more archived window, and what it holds.
    pub(crate) fn hold(&mut self, state: State, records: Option<u64>, bytes: u64) {
        self.add(state);
        self.records = self.records.saturating_add(records.unwrap_or(0));
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// The windows of a state.
    pub(crate) fn of(&self, state: State) -> u32 {
        self.windows.get(state as usize).copied().unwrap_or(0)
    }

    /// All windows.
    pub(crate) fn all(&self) -> u32 {
        self.windows.iter().sum()
    }

    /// The worst state of a window; `None` where there is none.
    pub(crate) fn worst(&self) -> Option<State> {
        State::ALL.into_iter().find(|&state| self.of(state) > 0)
    }
}
