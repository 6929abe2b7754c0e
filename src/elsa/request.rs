//! The bodies of the download call and of the search call.

use serde::Serialize;

use crate::domain::job::{Job, JobName, ToBound};
use crate::domain::span::{Span, UtcMs};

/// What one download asks for, as `ELSA-API.md` names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// Whose request it is; it is not sent.
    #[serde(skip)]
    job: &'a JobName,
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
    /// Asks for the logs of `job` in `span`, where the service takes `to` as `to_bound` says. `to` is always sent: it is fixed before the first
    /// attempt, where the service would take the moment at which each attempt arrives.
    #[must_use]
    pub fn new(job: &'a Job, to_bound: ToBound, span: Span) -> Self {
        Self::between(job, span.from(), to_bound.wire_to(span))
    }

    /// Asks with this very `from` and `to`, whatever the service means by them.
    #[must_use]
    pub fn between(job: &'a Job, from: UtcMs, to: UtcMs) -> Self {
        Self {
            job: &job.name,
            project_key: &job.project_key,
            project_id: job.project_id,
            from: from.0,
            to: to.0,
            format: job.format.wire_name(),
            limit: job.limit,
            count: job.count,
            include_fields: &job.include_fields,
        }
    }

    /// The job whose request it is.
    pub(super) const fn job(&self) -> &JobName {
        self.job
    }

    /// The same request for at most so many records, at least 1.
    #[must_use]
    pub fn for_at_most(mut self, records: u32) -> Self {
        self.count = self.count.min(records.max(1));
        self.limit = self.limit.min(self.count);
        self
    }
}

/// Before any log of the service. Not 0, which may be taken for a value left out.
const YEAR_2000: UtcMs = UtcMs(946_684_800_000);

/// What one search asks for: at most one record, the one that comes after `offset` others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Search<'a> {
    /// Whose request it is; it is not sent.
    #[serde(skip)]
    job: &'a JobName,
    project_key: &'a str,
    project_id: i64,
    from: i64,
    to: i64,
    offset: u64,
    limit: u32,
}

impl<'a> Search<'a> {
    /// The job whose request it is.
    pub(super) const fn job(&self) -> &JobName {
        self.job
    }

    /// Asks for the record of `job` in `span` that has `offset` others before it; 0 to 9,999.
    #[must_use]
    pub fn at(job: &'a Job, to_bound: ToBound, span: Span, offset: u64) -> Self {
        Self {
            job: &job.name,
            project_key: &job.project_key,
            project_id: job.project_id,
            from: span.from().0,
            to: to_bound.wire_to(span).0,
            offset,
            limit: 1,
        }
    }

    /// Asks for what no project holds: a record of the first millisecond of 2000.
    #[must_use]
    pub fn of_nothing(job: &'a Job) -> Self {
        Self {
            job: &job.name,
            project_key: &job.project_key,
            project_id: job.project_id,
            from: YEAR_2000.0,
            to: YEAR_2000.0 + 1,
            offset: 0,
            limit: 1,
        }
    }
}
