//! The answer to an accepted request, as the service gives it at one moment.

use std::io;

use tokio_util::sync::CancellationToken;

use super::call::Call;
use super::dialect::{Dialect, EmptyAnswer};
use super::download;
use super::gateway_error::GatewayError;
use super::lie::{self, Standing};
use super::reply::Reply;
use super::request::{Download, Lookup, Request};
use super::results;
use super::search::Search;
use super::world::{Project, Visible};

/// What an answer depends on besides the request.
#[derive(Debug)]
pub(super) struct Service<'a> {
    pub(super) project: &'a Project,
    pub(super) dialect: &'a Dialect,
    pub(super) search: &'a Search,
    pub(super) lies: &'a [Standing],
    /// Which records are there to be found.
    pub(super) visible: Visible,
    /// Cancelled when the simulator ends.
    pub(super) stop: &'a CancellationToken,
}

impl Service<'_> {
    /// Answers with the project's own records, or those of them that a lie leaves. Blocks.
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
        let project = self.project.made_up(self.dialect.span(from, to), count);
        let inventing = Service {
            project: &project,
            lies: &[],
            ..*self
        };
        inventing.answer(request)
    }

    fn download(&self, download: &Download) -> io::Result<Reply> {
        let Self {
            project,
            dialect,
            visible,
            stop,
            ..
        } = *self;
        let (seqs, lied) = lie::tell(self.lies, Call::Download, |kinds| {
            download::select(project, download, dialect, visible, kinds, stop)
        })?;
        let reply = if seqs.is_empty() && dialect.empty == EmptyAnswer::NotFound {
            Reply::refusal(&GatewayError::not_found())
        } else {
            let zip = download::write(project, &seqs, download, dialect, stop)?;
            Reply::zip(zip, seqs.len() as u64, dialect.framing)
        };
        Ok(reply.told_with(lied))
    }

    fn search(&self, lookup: &Lookup) -> io::Result<Reply> {
        let Self {
            project,
            dialect,
            search,
            visible,
            ..
        } = *self;
        let (page, lied) = lie::tell(self.lies, Call::Search, |kinds| {
            let page = results::select(project, lookup, dialect, search, visible, kinds);
            Ok::<_, io::Error>(page)
        })?;
        let json = results::write(project, &page, dialect, search.form)?;
        let reply = Reply::json(json, page.seqs.len() as u64, dialect.framing);
        Ok(reply.told_with(lied))
    }
}
