//! The body of the download call.

use serde::Serialize;

use crate::domain::job::Job;
use crate::domain::span::Span;

/// What one download asks for, as `ELSA-API.md` names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    project_key: &'a str,
    project_id: i64,
    from: i64,
    to: i64,
    format: &'static str,
    limit: u32,
    count: u32,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    include_fields: &'a [String],
}

impl<'a> Request<'a> {
    /// Asks for the logs of `job` in `span`. `to` is always sent: it is fixed before the first
    /// attempt, where the service would take the moment at which each attempt arrives.
    #[must_use]
    pub fn new(job: &'a Job, span: Span) -> Self {
        Self {
            project_key: &job.project_key,
            project_id: job.project_id,
            from: span.from().0,
            to: job.to_bound.wire_to(span).0,
            format: job.format.wire_name(),
            limit: job.limit,
            count: job.count,
            include_fields: &job.include_fields,
        }
    }

    /// The same request for at most one record: enough to see that key and project work.
    #[must_use]
    pub const fn for_one_record(mut self) -> Self {
        self.count = 1;
        self.limit = 1;
        self
    }
}
