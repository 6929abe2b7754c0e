//! The answer to an accepted request, as the service gives it at one moment.

use std::io;

use tokio_util::sync::CancellationToken;

use crate::domain::span::Millis;

use super::call::Call;
use super::dialect::{Dialect, EmptyAnswer};
use super::download;
use super::fault::Flaw;
use super::flaw;
use super::gateway_error::GatewayError;
use super::lie::{self, Standing};
use super::reply::Reply;
use super::request::{Download, Lookup, Request};
use super::results;
use super::search::Search;
use super::world::{Project, Visible};

const DAY: Millis = Millis::from_days(1);

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

    /// Answers a download with the project's own records and a flaw. Blocks.
    pub(super) fn answer_with(&self, flaw: Flaw, request: &Request) -> io::Result<Reply> {
        let Request::Download(download) = request else {
            return self.answer(request);
        };
        let Self {
            project,
            dialect,
            visible,
            stop,
            ..
        } = *self;
        let mut asked = download.clone();
        if flaw == Flaw::OtherDay {
            asked.from = asked.from.minus(DAY);
            asked.to = asked.to.minus(DAY);
        }
        let seqs = download::select(project, &asked, dialect, visible, &[], stop)?;
        let body = flaw::body(project, &seqs, download, dialect, flaw)?;
        Ok(Reply::zip_bytes(body, seqs.len() as u64))
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
        let refusal = match dialect.empty {
            EmptyAnswer::NotFound => Some(Reply::refusal(&GatewayError::not_found())),
            EmptyAnswer::NoContent => Some(Reply::no_content()),
            EmptyAnswer::NotFoundIn200 => Some(Reply::not_found_in_200()),
            EmptyAnswer::NoEntry | EmptyAnswer::EmptyFile | EmptyAnswer::EmptyList => None,
        };
        let reply = if let Some(refusal) = refusal.filter(|_| seqs.is_empty()) {
            refusal
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
