//! What search is good for, as far as two small requests about a record that was downloaded can tell. Carries
//! *Candid*: it is no error of the check, since a second download confirms counts too.

use crate::domain::job::{Job, ToBound};
use crate::domain::second_opinion::{Calibration, CrossCheck, MOST_BY_SEARCH};
use crate::domain::span::{Millis, Span, UtcMs};
use crate::elsa::client::Client;
use crate::elsa::error_response::CallError;
use crate::elsa::request::Search;

/// What was found out about search.
pub(in crate::cli) enum Searching {
    /// Its answer with a record can be told from one without.
    Tells,
    /// It answers both alike.
    TellsNothing,
    /// It does not answer: why.
    Refused(CallError),
    /// No record is known that it could be asked for.
    NoRecord,
}

impl Searching {
    /// Searches for the record at `known`, which was downloaded, and for one behind all of its
    /// millisecond, which is not there.
    pub(super) async fn of(job: &Job, client: &Client, known: UtcMs) -> Self {
        let Some(span) = Span::new(known, known.plus(Millis(1))) else {
            return Self::NoRecord;
        };
        // Whatever `to` means, the record is asked for.
        let request = |offset| Search::at(job, ToBound::Exclusive, span, offset);
        let record = match client.search(&request(0)).await {
            Ok(found) => found,
            Err(error) => return Self::Refused(error),
        };
        let nothing = match client.search(&request(MOST_BY_SEARCH)).await {
            Ok(found) => found,
            Err(error) => return Self::Refused(error),
        };
        let judged = Calibration::default().judge(Some(&record), &nothing, None);
        judged.map_or(Self::TellsNothing, |_| Self::Tells)
    }

    /// For people; `cross_check` is the job's.
    #[must_use]
    pub(in crate::cli) fn words(&self, cross_check: CrossCheck) -> String {
        let by_download =
            "counts are confirmed by a second download of a piece, some 7 % more bytes";
        let text = match self {
            Self::Tells => "permitted; counts can be confirmed by it once it has agreed on three \
                            windows"
                .to_owned(),
            Self::TellsNothing => {
                format!("answers, but does not tell a record from none: {by_download}")
            }
            Self::Refused(error) if error.failure.is_answer() => {
                format!("refused ({error}): {by_download}")
            }
            Self::Refused(error) => format!("does not answer ({error}): {by_download} meanwhile"),
            Self::NoRecord => "not asked, since no record is known to ask it for".to_owned(),
        };
        match cross_check {
            CrossCheck::Off => {
                format!("search: {text}; cross_check = \"off\" asks for no second opinion")
            }
            CrossCheck::All | CrossCheck::Some => format!("search: {text}"),
        }
    }
}
