//! What is known of search for one job: whether it is believed, and how an answer with a record is
//! told from one without, whatever its form. Carries *Confirmed*.

use super::Verdict;
use crate::domain::span::{Millis, UtcMs};

/// So many windows must have agreed before search is believed.
const CALIBRATION: u64 = 3;

/// How long search is not asked after it failed.
const REST: Millis = Millis::from_mins(10);

/// An answer of search, as far as it is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How many objects it holds, at any depth.
    pub objects: u64,
    /// Its keys outside lists: an error has others than an answer.
    pub shape: String,
}

/// What is known of search for one job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calibration {
    /// Windows with records on which search has agreed with the download.
    pub agreed: u64,
    /// An answer without a record, if known.
    pub nothing: Option<Found>,
    /// When it failed, by this machine's clock, and was not asked since.
    failed_at: Option<UtcMs>,
}

impl Calibration {
    /// What the ledger shows.
    #[must_use]
    pub fn of(agreed: u64) -> Self {
        Self {
            agreed,
            ..Self::default()
        }
    }

    /// Whether search alone confirms or contradicts a count.
    #[must_use]
    pub const fn is_believed(&self) -> bool {
        self.agreed >= CALIBRATION
    }

    /// Whether search failed so short a time ago that it is not asked at `now`. What is refused or
    /// throttled must not cost each window a request, or the account its time.
    pub(crate) fn rests(&self, now: UtcMs) -> bool {
        self.failed_at
            .is_some_and(|at| at <= now && now < at.plus(REST))
    }

    /// Search has failed at `now`.
    pub(crate) fn failed(self, now: UtcMs) -> Self {
        Self {
            failed_at: Some(now),
            ..self
        }
    }

    /// What is known after other windows, which may have ended meanwhile, have learnt `other`.
    pub fn learn(&mut self, other: &Self) {
        self.agreed = self.agreed.max(other.agreed);
        self.failed_at = self.failed_at.max(other.failed_at);
        if other.nothing.is_some() {
            self.nothing.clone_from(&other.nothing);
        }
    }

    /// What is known of search, for people.
    #[must_use]
    pub fn words(&self) -> String {
        format!(
            "search has agreed on {} of {CALIBRATION} windows that it takes to believe it",
            self.agreed.min(CALIBRATION)
        )
    }

    /// Whether an answer seems to hold a record.
    pub(crate) fn is_more(&self, at: &Found) -> bool {
        let nothing = self.nothing.as_ref();
        nothing.is_some_and(|nothing| at.objects > nothing.objects)
    }

    /// What the answers to a piece mean: `before` to `offset` n - 1 (`None` for an empty piece, where
    /// nothing is asked), `at` to `offset` n, `far` to the largest offset, where there may be more.
    ///
    /// # Errors
    /// Says why they can't be told apart.
    pub(crate) fn judge(
        &self,
        before: Option<&Found>,
        at: &Found,
        far: Option<&Found>,
    ) -> Result<Verdict, &'static str> {
        const FORM: &str = "the answers of search can't be told apart";
        let Some(nothing) = &self.nothing else {
            return match before {
                Some(before) if before.objects > at.objects => Ok(Verdict::Same),
                _ => Err(FORM),
            };
        };
        if at.objects > nothing.objects {
            // Whatever its form, an answer far beyond holds less.
            return match far {
                Some(far) if far.objects >= at.objects => Err(FORM),
                _ => Ok(Verdict::More),
            };
        }
        if at != nothing {
            return Err(FORM);
        }
        Ok(match before {
            Some(before) if before.objects <= nothing.objects => Verdict::Fewer,
            _ => Verdict::Same,
        })
    }
}
