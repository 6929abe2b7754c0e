//! Verifying a copy of an archive from its manifests alone: no config, no ledger, no network.
//!
//! What the chain can't show: that folders are missing after the newest one that is here. The
//! ledger, or the digest of the newest manifest noted elsewhere, does.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::num::NonZeroUsize;

use super::runs::{Looked, Run, runs};
use super::{Break, Depth, Finding, JobReport, Problem, folder, parallel};
use crate::archive::fits::Unfit;
use crate::archive::identity;
use crate::archive::manifest::{ChainBreak, MANIFEST};
use crate::archive::storage::{self, Entry, Storage, says_nothing};
use crate::digest::Digest;
use crate::domain::coverage::Coverage;
use crate::domain::span::Span;
use crate::domain::split::Status;
use crate::domain::window::FolderName;

/// Folders between what was given and a window's folder, at most: root, job, date, window.
const DEEPEST: usize = 3;

/// The window folders in and below a storage, in order of their names. It may be a whole archive, a job's folder, a
/// date's, or a single window's.
///
/// # Errors
/// When it is no folder, or a folder below it can't be listed.
pub(crate) fn folders(storage: &dyn Storage) -> io::Result<Vec<String>> {
    if !storage.is_folder("")? {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let mut found = Vec::new();
    let mut below = vec![(String::new(), 0)];
    while let Some((at, depth)) = below.pop() {
        // By its name or by what is in it: a window whose manifest is gone is one all the same.
        let named = at.rsplit('/').next().and_then(FolderName::parse);
        let is_window = named.is_some()
            || match storage.length(&storage::below(&at, MANIFEST)) {
                Ok(length) => length.is_some(),
                Err(error) if says_nothing(&error) => return Err(error),
                // Something has its name.
                Err(_) => true,
            };
        if is_window {
            found.push(at);
            continue;
        }
        if depth == DEEPEST {
            continue;
        }
        for Entry { name, is_folder } in storage.list(&at)? {
            // Dot names are staging areas, ours or a collector's.
            let is_ours = depth == 0 && name == identity::FOLDER;
            if is_folder && !name.starts_with('.') && !is_ours {
                below.push((storage::below(&at, &name), depth + 1));
            }
        }
    }
    found.sort();
    Ok(found)
}

struct Link {
    is_pruned: bool,
    folder: String,
    span: Span,
    project_id: i64,
    status: Status,
    records: Option<u64>,
    previous: Option<Digest>,
    breaks: Vec<ChainBreak>,
    supersedes: Option<Digest>,
    /// Bytes of its data files; `None` where it is not whole.
    whole: Option<u64>,
    /// Whether what it supersedes was gone when it was published.
    supersedes_missing: bool,
    revision: Option<u32>,
    digest: Digest,
}

/// Verifies the folders that [`folders`] has found in a storage, by so many `threads`; one report a job. `seen` is
/// called after each folder.
pub(crate) fn verify(
    storage: &dyn Storage,
    folders: &[String],
    depth: Depth,
    (threads, seen): (NonZeroUsize, &(dyn Fn() + Sync)),
) -> Vec<JobReport> {
    // A job's folder, a date's or a window's. What has the archive's own folder is all of it.
    let own = storage.is_folder(identity::FOLDER);
    let is_part = own.is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    let is_date = is_part && folders.iter().all(|folder| !folder.contains('/'));
    let mut jobs: BTreeMap<String, (JobReport, Vec<Link>)> = BTreeMap::new();
    let look = |at: usize| {
        let mut report = JobReport::default();
        let verified = folder::verify(storage, &folders[at], None, None, depth, &mut report);
        seen();
        (report, verified)
    };
    parallel::in_order(threads, folders.len(), look, |at, (report, verified)| {
        let folder = &folders[at];
        // A folder whose manifest can't be read belongs to the job that its path names.
        let job = match &verified {
            Some((manifest, _)) => manifest.job.clone(),
            None => folder.split('/').next().unwrap_or_default().to_owned(),
        };
        let (total, links) = jobs
            .entry(job.clone())
            .or_insert_with(|| (JobReport::new(&job.escape_debug().to_string()), Vec::new()));
        let is_pruned = report.pruned > 0;
        let is_whole = report.findings.is_empty() && !is_pruned;
        let is_unread = |found: &Finding| matches!(found.problem, Problem::Unreachable(_));
        total.is_unread |= verified.is_none() && report.findings.iter().any(is_unread);
        total.absorb(report);
        if let Some((manifest, digest)) = verified
            && let Some(span) = manifest.window.span()
        {
            links.push(Link {
                is_pruned,
                whole: is_whole.then(|| manifest.bytes()),
                folder: folder.clone(),
                span,
                project_id: manifest.project_id,
                status: manifest.status,
                records: manifest.records,
                previous: manifest.previous,
                supersedes_missing: manifest
                    .supersedes
                    .as_ref()
                    .is_some_and(|before| before.missing),
                revision: manifest.revision(),
                breaks: manifest.breaks,
                supersedes: manifest.supersedes.map(|before| before.manifest_sha256),
                digest,
            });
        }
    });
    jobs.into_values()
        .map(|(mut report, links)| {
            check_project(&links, &mut report);
            let extent = match (is_part, is_date) {
                (false, _) => Extent::Whole,
                (true, false) => Extent::Job,
                (true, true) => Extent::Date,
            };
            check_chain(&links, extent, &mut report);
            report.runs = whole_runs(&links);
            let chain = links.iter().map(|link| (link.digest, link.previous));
            report.chain = chain.collect();
            let pruned = links.iter().filter(|link| link.is_pruned);
            let pruned: HashSet<Span> = pruned.map(|link| link.span).collect();
            report.pruned_windows = pruned.len() as u64;
            let newest = without_superseded(links, &mut report);
            check_time(newest, &mut report);
            report
        })
        .collect()
}

/// A job is one project: that of most of its folders.
fn check_project(links: &[Link], report: &mut JobReport) {
    let mut folders: BTreeMap<i64, u64> = BTreeMap::new();
    for link in links {
        *folders.entry(link.project_id).or_default() += 1;
    }
    let Some((&wanted, _)) = folders.iter().max_by_key(|(_, folders)| **folders) else {
        return;
    };
    for link in links.iter().filter(|link| link.project_id != wanted) {
        let found = link.project_id;
        let unfit = Unfit::Project { found, wanted };
        report.find(&link.folder, None, Problem::Unfit(unfit.to_string()));
    }
}

fn whole_runs(links: &[Link]) -> Vec<Run> {
    let looked: Vec<Looked> = links
        .iter()
        .map(|link| Looked {
            digest: link.digest,
            previous: link.previous,
            whole: link.whole,
        })
        .collect();
    runs(&looked)
}

/// What a copy is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// An archive.
    Whole,
    /// A job, or some dates of it: it may begin elsewhere, and nothing within is.
    Job,
    /// A date, or a window. The chain is in the order of archiving: several of its windows may follow one that is
    /// elsewhere. That none of its own is missing, their times show.
    Date,
}

/// Whether the spans of folders leave nothing out between the first and the last.
fn is_without_gaps(links: &[Link]) -> bool {
    let mut coverage = Coverage::new();
    links.iter().for_each(|link| coverage.add(link.span));
    coverage.spans().count() == 1
}

fn check_chain(links: &[Link], extent: Extent, report: &mut JobReport) {
    note_extent(links, report);
    let is_all_of_date = extent == Extent::Date && is_without_gaps(links);
    let here = links.iter().map(|link| link.digest);
    // What the owner knows to be gone, and has archived again.
    let gone = links.iter().filter(|link| link.supersedes_missing);
    let here: HashSet<Digest> = here
        .chain(gone.filter_map(|link| link.supersedes))
        .collect();
    let named = links.iter().flat_map(|link| &link.breaks);
    let named: HashSet<_> = named
        .map(|one| (one.manifest_sha256, one.previous))
        .collect();
    let mut followed: HashMap<Option<Digest>, u32> = HashMap::new();
    for link in links {
        *followed.entry(link.previous).or_default() += 1;
    }
    for link in links {
        let is_gone = |previous| !here.contains(&previous);
        let problems = [
            (link.previous.is_some_and(is_gone), Problem::PreviousMissing),
            (
                followed.get(&link.previous).is_some_and(|&times| times > 1),
                Problem::Forked,
            ),
        ];
        let mut problems = problems.into_iter().filter(|(is_so, _)| *is_so).peekable();
        if problems.peek().is_some() && named.contains(&(link.digest, link.previous)) {
            report.breaks.push(Break {
                folder: link.folder.clone(),
                previous: link.previous,
            });
            continue;
        }
        // It may be the one that could not be read, which is told.
        let problems = problems
            .filter(|(_, problem)| !(report.is_unread && *problem == Problem::PreviousMissing));
        for (_, problem) in problems.collect::<Vec<_>>() {
            let begins = problem == Problem::PreviousMissing && extent != Extent::Whole;
            let is_first = report.begins_elsewhere.as_ref() == Some(&link.folder);
            if begins && (is_first || is_all_of_date) {
                report.begins_elsewhere.get_or_insert(link.folder.clone());
                continue;
            }
            report.find(&link.folder, None, problem);
        }
    }
}

/// From when until when the folders reach, which manifest is the last, and where a part begins.
fn note_extent(links: &[Link], report: &mut JobReport) {
    links.iter().for_each(|link| report.note_span(link.span));
    let followed: HashSet<Digest> = links.iter().filter_map(|link| link.previous).collect();
    let mut last = links.iter().filter(|link| !followed.contains(&link.digest));
    report.newest_manifest = match (last.next(), last.next()) {
        (Some(last), None) => Some(last.digest),
        _ => None,
    };
    let here: HashSet<Digest> = links.iter().map(|link| link.digest).collect();
    let first = links.iter().min_by_key(|link| (link.span, link.revision));
    let begins = first.filter(|first| {
        let is_gone = |previous| !here.contains(&previous);
        first.previous.is_some_and(is_gone)
    });
    report.begins_elsewhere = begins.map(|first| first.folder.clone());
}

/// Those that no later one of the same window supersedes.
fn without_superseded(links: Vec<Link>, report: &mut JobReport) -> Vec<Link> {
    let superseded: HashSet<(Digest, Span)> = links
        .iter()
        .filter_map(|link| Some((link.supersedes?, link.span)))
        .collect();
    let here: HashSet<(Span, Option<u32>)> = links
        .iter()
        .map(|link| (link.span, link.revision))
        .collect();
    // Where the revision before it is gone, it supersedes those before that one.
    let mut alone: BTreeMap<Span, Option<u32>> = BTreeMap::new();
    for link in &links {
        let before = link.revision.and_then(|revision| revision.checked_sub(1));
        if link.supersedes.is_some() && !here.contains(&(link.span, before)) {
            let newest = alone.entry(link.span).or_default();
            *newest = (*newest).max(link.revision);
        }
    }
    let is_superseded = |link: &Link| {
        let newest = alone.get(&link.span);
        superseded.contains(&(link.digest, link.span))
            || newest.is_some_and(|newest| link.revision < *newest)
    };
    let all = links.len();
    let newest: Vec<Link> = links
        .into_iter()
        .filter(|link| !is_superseded(link))
        .collect();
    report.superseded += (all - newest.len()) as u64;
    for link in &newest {
        report.note_content(&link.folder, link.status, link.records);
    }
    newest
}

fn check_time(mut links: Vec<Link>, report: &mut JobReport) {
    links.sort_by_key(|link| link.span);
    let mut coverage = Coverage::new();
    for link in &links {
        if coverage.missing_in(link.span) != [link.span] {
            report.find(&link.folder, None, Problem::Overlaps);
        }
        coverage.add(link.span);
    }
    if let Some(first) = links.first() {
        report.gaps = coverage
            .gaps(first.span.from())
            .into_iter()
            .map(Into::into)
            .collect();
    }
}

impl JobReport {
    /// Adds what was found of one folder.
    pub(super) fn absorb(&mut self, other: Self) {
        self.windows += other.windows;
        self.pruned += other.pruned;
        self.files += other.files;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.entries += other.entries;
        self.findings.extend(other.findings);
        self.added.extend(other.added);
    }
}
