//! What heads name of a job, held against its ledger, line by line, or against the manifests of a copy. Pure. Carries
//! *Evident*: what a head names must be there unchanged, and what came after must continue it.

use std::collections::HashMap;

use super::head::OfJob;
use super::named::{Named, finding};
use crate::archive::recorded::Recorded;
use crate::archive::verify::{Finding, JobReport, Problem};
use crate::digest::Digest;
use crate::domain::span::UtcMs;
use crate::ledger::line::{Event, Line};
use crate::ledger::replay::Replay;

/// A ledger that is read, held against what heads say of its lines.
#[derive(Debug)]
pub(crate) struct AgainstLedger<'a> {
    /// What heads say, by lines.
    named: Vec<&'a Named>,
    /// How many of these are behind the line that is read.
    at: usize,
    /// Those whose line is another one.
    differ: Vec<&'a Named>,
    /// Those that were given from outside.
    given: Vec<&'a Named>,
    /// When the ledger was made anew last.
    rebuilt: Option<UtcMs>,
}

impl<'a> AgainstLedger<'a> {
    /// Before the first line.
    pub(crate) fn new(named: Vec<&'a Named>) -> Self {
        let given = named.iter().filter(|named| named.is_given);
        Self {
            given: given.copied().collect(),
            named,
            at: 0,
            differ: Vec::new(),
            rebuilt: None,
        }
    }

    /// Takes the next line.
    pub(crate) fn take(&mut self, line: &Line) {
        self.reach(line.seq - 1, line.prev);
        if matches!(line.event, Event::Rebuilt(_)) {
            self.rebuilt = Some(line.at);
        }
    }

    /// So many lines end with this one.
    fn reach(&mut self, lines: u64, last: Option<Digest>) {
        while let Some(named) = self.named.get(self.at)
            && named.of_job.lines <= lines
        {
            if named.of_job.lines != lines || named.of_job.ledger != last {
                self.differ.push(named);
            }
            self.at += 1;
        }
    }

    /// What heads name that is not in the ledger, after its last line; and whether it was made anew since.
    pub(crate) fn end(mut self, replay: &Replay, recorded: &[Recorded], report: &mut JobReport) {
        self.reach(replay.lines, replay.last_line);
        self.differ.extend(self.named.drain(self.at..));
        let folders: HashMap<Digest, u64> = (1..)
            .zip(recorded)
            .map(|(at, known)| (known.archived.manifest_sha256, at))
            .collect();
        let (mut told, mut excused) = (Told::default(), None);
        for named in self.differ {
            let OfJob {
                lines,
                newest,
                windows,
                ..
            } = &named.of_job;
            let is_anew = self.rebuilt.filter(|rebuilt| named.at <= *rebuilt);
            let has_folders = newest.is_none_or(|newest| folders.get(&newest) == Some(windows));
            let why = match is_anew {
                Some(rebuilt) => format!(
                    "it names line {lines} of the ledger, which was rebuilt at {rebuilt}: lines before that carry no \
                     original times{}",
                    match has_folders {
                        true => "; the folders that it names are here, unchanged",
                        false => "; the folders that it names are not here as they were",
                    }
                ),
                None => format!("the ledger does not have line {lines} as it names it"),
            };
            match is_anew.is_some() && has_folders && !named.is_given {
                true => excused = Some(format!("{}: {why}", named.head)),
                false => told.add(named, Problem::Contradicted(why)),
            }
        }
        report.rebuilt = excused;
        let pruned = replay.pruned.amount().windows;
        self.given
            .iter()
            .for_each(|named| told.let_go(named, pruned));
        told.into(report);
    }
}

/// Holds the manifests of a copy against what heads say of a job.
pub(crate) fn against_copy(named: &[&Named], report: &mut JobReport) {
    let chain: HashMap<Digest, Option<Digest>> = report.chain.iter().copied().collect();
    let folders = report.chain.len() as u64;
    let mut told = Told::default();
    let mut depths = HashMap::new();
    for named in named {
        let OfJob {
            newest, windows, ..
        } = &named.of_job;
        let Some(newest) = newest else { continue };
        if !chain.contains_key(newest) {
            let problem = match folders < *windows {
                true => Problem::NamesMore(format!(
                    "it names {windows} folders, the newest with the manifest {newest}, and {folders} are here: this \
                     copy is older than it, or folders were removed"
                )),
                false => Problem::Contradicted(format!(
                    "it names the manifest {newest}, which is not here: the folders were made anew, or the newest ones \
                     were removed"
                )),
            };
            told.add(named, problem);
            continue;
        }
        // Where the chain breaks, that is told.
        if let Some(depth) = depth(*newest, &chain, &mut depths)
            && depth != *windows
        {
            told.add(
                named,
                Problem::Contradicted(format!(
                    "it names {windows} folders until the manifest {newest}, and {depth} are here"
                )),
            );
        }
    }
    for named in named.iter().filter(|named| named.is_given) {
        told.let_go(named, report.pruned_windows);
    }
    told.into(report);
}

/// How many folders the chain has until one; `None` where it does not reach its beginning.
fn depth(
    of: Digest,
    chain: &HashMap<Digest, Option<Digest>>,
    known: &mut HashMap<Digest, u64>,
) -> Option<u64> {
    let mut way = Vec::new();
    let mut at = Some(of);
    let mut depth = 0;
    while let Some(digest) = at {
        if let Some(known) = known.get(&digest) {
            depth = *known;
            break;
        }
        // One that follows itself is no chain.
        if way.len() > chain.len() {
            return None;
        }
        way.push(digest);
        at = *chain.get(&digest)?;
    }
    for digest in way.into_iter().rev() {
        depth += 1;
        known.insert(digest, depth);
    }
    Some(depth)
}

/// The oldest head that names what is not there, and how many more do.
#[derive(Default)]
struct Told {
    /// Of those that were given, and of those that lie in the archive.
    first: [Option<Finding>; 2],
    more: [u64; 2],
}

impl Told {
    fn add(&mut self, named: &Named, problem: Problem) {
        let of = usize::from(named.is_given);
        match self.first[of] {
            None => self.first[of] = Some(finding(named.head.clone(), problem)),
            Some(_) => self.more[of] += 1,
        }
    }

    /// Where more windows than a head names have no data any more. A head that lies in the archive is older than what was
    /// let go of since.
    fn let_go(&mut self, named: &Named, pruned: u64) {
        let known = named.of_job.pruned;
        if pruned > known && named.is_given {
            let why = format!(
                "it names {known} windows whose data were let go of, and now it is {pruned}: a head made since says \
                 whether that was in order"
            );
            self.add(named, Problem::NamesMore(why));
        }
    }

    fn into(self, report: &mut JobReport) {
        for (first, more) in self.first.into_iter().zip(self.more) {
            let Some(mut first) = first else { continue };
            if let (1.., Problem::Contradicted(why) | Problem::NamesMore(why)) =
                (more, &mut first.problem)
            {
                *why += &format!("; so do {more} later heads");
            }
            report.findings.push(first);
        }
    }
}

#[cfg(test)]
mod tests;
