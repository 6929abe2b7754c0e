//! The ways in which the search call may behave. The pages show neither the form of its answer
//! nor how soon it finds a record, and its permission may be granted apart from the download's.

use crate::domain::span::Millis;

use super::gateway_error::GatewayError;

/// How the search call behaves. The default: permitted, [`SearchForm::Logs`], without a total, in
/// step with the download.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Whether it is answered at all.
    pub access: SearchAccess,
    /// Under which name the list of logs stands.
    pub form: SearchForm,
    /// Whether the answer tells how many records there are, in a form that has a place for it.
    pub with_total: bool,
    /// How much later than by the download a record is found by search. Negative for earlier,
    /// though never before its log time.
    pub lag: Millis,
}

/// Whether an account that may download may search too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SearchAccess {
    /// It may.
    #[default]
    Permitted,
    /// It may not: HTTP 401 with error code 210.
    Denied,
    /// It may not: HTTP 403 with error code 210.
    Forbidden,
    /// There is no such call: HTTP 404 with error code 300.
    NotFound,
}

impl SearchAccess {
    /// The answer to whoever may not search.
    pub(super) fn refusal(self) -> Option<GatewayError> {
        match self {
            Self::Permitted => None,
            Self::Denied => Some(GatewayError::denied()),
            Self::Forbidden => Some(GatewayError::forbidden()),
            Self::NotFound => Some(GatewayError::not_found()),
        }
    }
}

/// The form of a search's answer, which is JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SearchForm {
    /// `{"logs": []}`.
    #[default]
    Logs,
    /// `{"result": {"list": []}}`.
    ResultList,
    /// `{"hits": {"total": 1, "hits": [{"_source": {}}]}}`, with a total only when one is told.
    Hits,
}
