//! The calls that are answered here, told apart by their paths.

use crate::elsa::signature::{DOWNLOAD_PATH, SEARCH_PATH};

/// One of the service's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// All logs of a span, in a zip.
    Download,
    /// A page of the logs of a span.
    Search,
}

impl Call {
    /// The call with that path; a query string, which is signed too, makes no other call of it.
    pub(super) fn at(target: &str) -> Option<Self> {
        match target.split('?').next()? {
            DOWNLOAD_PATH => Some(Self::Download),
            SEARCH_PATH => Some(Self::Search),
            _ => None,
        }
    }
}
