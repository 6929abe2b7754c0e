//! Makes the answer of one search: which records, in which order, in which form. *Bounded*: a page
//! has a thousand records at most.

use std::io::{self, Write as _};

use crate::domain::span::Millis;

use super::dialect::Dialect;
use super::lie::{self, LieKind};
use super::render::Rendering;
use super::request::Lookup;
use super::search::{Search, SearchForm};
use super::world::{Project, Visible};

/// A page of what a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// The numbers of its records, in the order in which they are written.
    pub(super) seqs: Vec<u64>,
    /// How many records there are on all pages, where the answer tells it.
    total: Option<u64>,
}

/// The page that answers a search, as `lies` leave it. `visible` decides, with the search's
/// lag, which records are there.
pub(super) fn select(
    project: &Project,
    lookup: &Lookup,
    dialect: &Dialect,
    search: &Search,
    visible: Visible,
    lies: &[LieKind],
) -> Page {
    let is_found = |seq: u64| {
        let indexed_at = project.indexed_at(seq)?.plus(search.lag);
        // Ahead of the download, but not of the record itself.
        let exists_at = (search.lag < Millis::ZERO).then(|| project.log_time(seq as usize));
        let found_at = exists_at
            .flatten()
            .map_or(indexed_at, |at| at.max(indexed_at));
        Some(found_at <= visible.at && project.keeps(seq, visible.kept_from))
    };
    let mut seqs: Vec<u64> = project
        .found(lookup.from, lookup.to, dialect.to_bound)
        .map(|index| index as u64)
        .filter(|&seq| is_found(seq) == Some(true))
        .collect();
    dialect.order.arrange(&mut seqs);
    let span = dialect.span(lookup.from, lookup.to);
    for lie in lies {
        lie.hide(project, span, &mut seqs);
    }
    // Numbers are in order of time.
    seqs.sort_unstable();
    if lookup.newest_first {
        seqs.reverse();
    }
    if lies.contains(&LieKind::LostPage) {
        lie::lose_page(&mut seqs, lookup.limit);
    }
    let tells_total = search.with_total && search.form == SearchForm::Hits;
    Page {
        total: tells_total.then_some(seqs.len() as u64),
        seqs: seqs
            .into_iter()
            .skip(lookup.offset as usize)
            .take(lookup.limit as usize)
            .collect(),
    }
}

/// The page as JSON, each record as a download would write it.
pub(super) fn write(
    project: &Project,
    page: &Page,
    dialect: &Dialect,
    form: SearchForm,
) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    match (form, page.total) {
        (SearchForm::Logs, _) => out.extend_from_slice(b"{\"logs\":["),
        (SearchForm::ResultList, _) => out.extend_from_slice(b"{\"result\":{\"list\":["),
        (SearchForm::Hits, Some(total)) => {
            write!(out, "{{\"hits\":{{\"total\":{total},\"hits\":[")?
        }
        (SearchForm::Hits, None) => out.extend_from_slice(b"{\"hits\":{\"hits\":["),
    }
    let rendering = Rendering::new(&[], dialect.time);
    let records = page.seqs.iter().filter_map(|&seq| project.record(seq));
    for (place, record) in records.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        if form == SearchForm::Hits {
            out.extend_from_slice(b"{\"_source\":");
            rendering.json(&record, &mut out)?;
            out.push(b'}');
        } else {
            rendering.json(&record, &mut out)?;
        }
    }
    out.extend_from_slice(match form {
        SearchForm::Logs => b"]}",
        SearchForm::ResultList | SearchForm::Hits => b"]}}",
    });
    Ok(out)
}
