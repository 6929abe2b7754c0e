//! The answer to an accepted request, as the service gives it at one moment.

use std::io;

use tokio_util::sync::CancellationToken;

use crate::domain::span::UtcMs;

use super::dialect::{Dialect, EmptyAnswer};
use super::download;
use super::gateway_error::GatewayError;
use super::reply::Reply;
use super::request::{Download, Lookup, Request};
use super::results;
use super::search::Search;
use super::world::Project;

/// What an answer depends on besides the request.
#[derive(Debug)]
pub(super) struct Service<'a> {
    pub(super) project: &'a Project,
    pub(super) dialect: &'a Dialect,
    pub(super) search: &'a Search,
    /// The instant that decides which records are indexed.
    pub(super) visible_at: UtcMs,
    /// Cancelled when the simulator ends.
    pub(super) stop: &'a CancellationToken,
}

impl Service<'_> {
    /// Answers with the project's own records. Blocks.
    pub(super) fn answer(&self, request: &Request) -> io::Result<Reply> {
        match request {
            Request::Download(download) => self.download(download),
            Request::Search(lookup) => self.search(lookup),
        }
    }

    /// Answers with as many records as were asked for, made up for the occasion. Blocks.
    pub(super) fn answer_with_inventions(&self, request: &Request) -> io::Result<Reply> {
        let (from, to, count) = match request {
            Request::Download(download) => (download.from, download.to, download.count),
            Request::Search(lookup) => (lookup.from, lookup.to, lookup.offset + lookup.limit),
        };
        let project = self.project.made_up(from, to, self.dialect.to_bound, count);
        let inventing = Service {
            project: &project,
            ..*self
        };
        inventing.answer(request)
    }

    fn download(&self, download: &Download) -> io::Result<Reply> {
        let seqs = download::select(self.project, download, self.dialect, self.visible_at);
        if seqs.is_empty() && self.dialect.empty == EmptyAnswer::NotFound {
            return Ok(Reply::refusal(&GatewayError::not_found()));
        }
        let zip = download::write(self.project, &seqs, download, self.dialect, self.stop)?;
        Ok(Reply::zip(zip, seqs.len() as u64, self.dialect.framing))
    }

    fn search(&self, lookup: &Lookup) -> io::Result<Reply> {
        let page = results::select(
            self.project,
            lookup,
            self.dialect,
            self.search,
            self.visible_at,
        );
        let json = results::write(self.project, &page, self.dialect, self.search.form)?;
        let records = page.seqs.len() as u64;
        Ok(Reply::json(json, records, self.dialect.framing))
    }
}
