//! What heads name of a job, held against its ledger, line by line, or against the manifests of a copy. Pure. Carries
//! *Evident*: what a head names must be there unchanged, and what came after must continue it.

use std::collections::{HashMap, HashSet};

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
    /// Those that were given from outside; and how many folders were let go of, and found missing, behind the lines that
    /// they name.
    given: Vec<(&'a Named, [u64; 2])>,
    /// When the ledger was made anew last.
    rebuilt: Option<UtcMs>,
}

impl<'a> AgainstLedger<'a> {
    /// Before the first line.
    pub(crate) fn new(named: Vec<&'a Named>) -> Self {
        let given = named.iter().filter(|named| named.is_given);
        Self {
            given: given.map(|named| (*named, [0, 0])).collect(),
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
        for (named, since) in &mut self.given {
            if line.seq > named.of_job.lines {
                since[0] += u64::from(matches!(line.event, Event::Pruned(_)));
                since[1] += u64::from(matches!(line.event, Event::Missing(_)));
            }
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
        let is_orphan = |found: &Finding| matches!(found.problem, Problem::NotInLedger);
        let has_orphans = report.findings.iter().any(is_orphan);
        let mut told = Told::default();
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
                        true => "; the folders that it names are recorded as it names them",
                        false => "; the folders that it names are not recorded as it names them",
                    }
                ),
                None if replay.lines == 0 => {
                    format!("it names line {lines} of the ledger, which is lost")
                }
                None => format!("the ledger does not have line {lines} as it names it"),
            };
            // A ledger is rebuilt at the next start where folders are here to rebuild it of.
            let problem = match replay.lines {
                0 if has_orphans || *windows == 0 => Problem::NamesMore(why),
                _ => Problem::Contradicted(why),
            };
            let weight = match is_anew {
                Some(_) if !named.is_given => Weight::Note,
                _ => Weight::of(named),
            };
            told.add(named, weight, problem);
        }
        for (named, [pruned, missing]) in self.given {
            let what = [
                (pruned, "windows' data were let go of"),
                (missing, "folders were recorded as missing"),
            ];
            for (number, what) in what.into_iter().filter(|(number, _)| *number > 0) {
                let why = format!(
                    "{number} {what} since it was made: a head made after that says whether it was in order"
                );
                told.add(named, Weight::Given, Problem::NamesMore(why));
            }
        }
        told.into(report);
    }
}

/// Holds the manifests of a copy against what heads say of a job.
pub(crate) fn against_copy(named: &[&Named], report: &mut JobReport) {
    let chain: HashMap<Digest, Option<Digest>> = report.chain.iter().copied().collect();
    let mut told = Told::default();
    for named in named {
        let weight = match Weight::of(named) {
            // The folder that is named may have been set aside.
            Weight::Newest if named.of_job.holes > 0 => Weight::Note,
            weight => weight,
        };
        let lacked = lacks(&named.of_job, &chain).map(|problem| match problem {
            // It may be in a manifest that could not be read, which is told.
            Problem::Contradicted(why) if report.is_unread => Problem::NamesMore(why),
            problem => problem,
        });
        if let Some(problem) = lacked {
            told.add(named, weight, problem);
        }
        let (known, pruned) = (named.of_job.pruned, report.pruned_windows);
        if pruned > known && named.is_given {
            let why = format!(
                "it names {known} windows whose data were let go of, and here they are {pruned}: a head made after that says \
                 whether it was in order"
            );
            told.add(named, Weight::Given, Problem::NamesMore(why));
        }
    }
    told.into(report);
}

/// What a copy with these manifests, each with the one that it follows, lacks of what a head names.
fn lacks(of_job: &OfJob, chain: &HashMap<Digest, Option<Digest>>) -> Option<Problem> {
    let OfJob {
        newest,
        windows,
        holes,
        ..
    } = of_job;
    let newest = (*newest)?;
    let folders = chain.len() as u64;
    if !chain.contains_key(&newest) {
        return Some(match folders.saturating_add(*holes) < *windows {
            true => Problem::NamesMore(format!(
                "it names {windows} folders, the newest with the manifest {newest}, and {folders} are here: this copy is \
                 older than it, or folders were removed"
            )),
            false => Problem::Contradicted(format!(
                "it names the manifest {newest}, which is not here: the folders were made anew, or the newest ones were \
                 removed"
            )),
        });
    }
    let after = descendants(newest, chain);
    let before = || chain.iter().filter(|(digest, _)| !after.contains(*digest));
    let breaks = before()
        .filter(|(_, previous)| previous.is_some_and(|previous| !chain.contains_key(&previous)));
    let (found, breaks) = (before().count() as u64, breaks.count() as u64);
    // A copy may have more: what the archive has lost since it was copied.
    (breaks > *holes || found.saturating_add(*holes) < *windows).then(|| {
        Problem::Contradicted(format!(
            "it names {windows} folders until the manifest {newest}, whose chain breaks at {holes} places at most; here are \
             {found}, and it breaks at {breaks}"
        ))
    })
}

/// The manifests that follow one, however far.
fn descendants(of: Digest, chain: &HashMap<Digest, Option<Digest>>) -> HashSet<Digest> {
    let mut followers: HashMap<Digest, Vec<Digest>> = HashMap::new();
    for (digest, previous) in chain {
        if let Some(previous) = previous {
            followers.entry(*previous).or_default().push(*digest);
        }
    }
    let (mut found, mut waiting) = (HashSet::new(), vec![of]);
    while let Some(digest) = waiting.pop() {
        // Each is taken once: one that follows itself is no endless loop.
        let next = followers.remove(&digest).unwrap_or_default();
        found.extend(&next);
        waiting.extend(next);
    }
    found
}

/// What it counts for that a head names what is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// The head was kept elsewhere: nothing excuses it.
    Given,
    /// It is the archive's newest.
    Newest,
    /// It is told. What an operator has repaired, or has brought back from an older state, older heads still name, and a newer
    /// one does not; and whoever may rewrite heads may add one. That is what heads elsewhere are for.
    Note,
}

impl Weight {
    const fn of(named: &Named) -> Self {
        match (named.is_given, named.is_newest) {
            (true, _) => Self::Given,
            (false, true) => Self::Newest,
            (false, false) => Self::Note,
        }
    }
}

/// Of each weight the oldest head that names what is not there, and how many more do.
#[derive(Default)]
struct Told {
    found: Vec<(Weight, Finding, u64)>,
}

impl Told {
    fn add(&mut self, named: &Named, weight: Weight, problem: Problem) {
        match self.found.iter_mut().find(|(known, _, _)| *known == weight) {
            Some((_, _, more)) => *more += 1,
            None => {
                let first = finding(named.head.clone(), problem);
                self.found.push((weight, first, 0));
            }
        }
    }

    fn into(self, report: &mut JobReport) {
        for (weight, mut first, more) in self.found {
            if let (1.., Problem::Contradicted(why) | Problem::NamesMore(why)) =
                (more, &mut first.problem)
            {
                *why += &format!("; so do {more} later heads");
            }
            match weight {
                Weight::Given | Weight::Newest => report.findings.push(first),
                Weight::Note => report.older_heads = Some(first.to_string()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
