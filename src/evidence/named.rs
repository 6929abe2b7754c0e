//! The heads of an archive, and one that was kept elsewhere: what is wrong with them, and what they name of each job.
//! Carries *Evident*: none can be left out, changed or put in another's place.

use std::collections::BTreeMap;

use super::head::{Head, OfJob};
use super::heads::{Newest, numbers, relative, relative_signature, signature, text};
use super::signers::Signers;
use super::stamping::{Stamps, stamp};
use crate::archive::storage::Storage;
use crate::archive::verify::{Finding, Problem, reading};
use crate::digest::Digest;
use crate::domain::identity::ArchiveId;
use crate::domain::job::JobName;
use crate::domain::span::UtcMs;

/// What a head says of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// The head's file, or what was given.
    pub(crate) head: String,
    /// When it was made.
    pub(crate) at: UtcMs,
    /// Whether it was given from outside: then nothing excuses what it does not find.
    pub(crate) is_given: bool,
    /// Whether it is the archive's newest.
    pub(crate) is_newest: bool,
    /// What it says.
    pub(crate) of_job: OfJob,
}

/// The heads of an archive, and what they name.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// Of each head its number, its digest and when it was made; in the order of their numbers.
    pub(crate) all: Vec<(u64, Digest, UtcMs)>,
    /// What was kept elsewhere and is held against them; fit for the operator.
    pub(crate) given: Option<String>,
    /// Heads before the newest one that are not here.
    pub(crate) missing: Vec<String>,
    /// What is wrong with heads themselves.
    pub(crate) findings: Vec<Finding>,
    /// Who has signed them.
    pub(crate) signers: Signers,
    /// When they were timestamped.
    pub(crate) stamps: Stamps,
    /// What they say of each job.
    named: BTreeMap<JobName, Vec<Named>>,
}

impl Heads {
    /// Reads the heads of the archive `id`, where that is known.
    pub(crate) fn read(storage: &dyn Storage, id: Option<&ArchiveId>) -> Self {
        let mut heads = Self::default();
        let numbers = match numbers(storage) {
            Ok(numbers) => numbers,
            Err(error) => {
                let folder = super::heads::folder(&storage.place(""));
                heads.find(folder.display().to_string(), reading(&error));
                return heads;
            }
        };
        let mut before: Option<Head> = None;
        let mut expected = 1;
        for number in numbers {
            // A copy may have them, and so did the one that keeps heads elsewhere.
            let missing = (expected..number).take(MOST_MISSING);
            heads.missing.extend(missing.map(relative));
            expected = number.saturating_add(1);
            let head = match text(storage, number) {
                Ok(text) => Head::parse(&text).map_err(Problem::Unreadable),
                Err(error) => Err(reading(&error)),
            };
            let head = match head {
                Ok(head) => head,
                Err(problem) => {
                    heads.find(relative(number), problem);
                    continue;
                }
            };
            if let Some(why) = heads.wrong(&head, number, before.as_ref(), id) {
                heads.find(relative(number), Problem::Contradicted(why));
            }
            heads.prove(storage, &head);
            heads.all.push((number, head.digest(), head.at));
            heads.take(&head, relative(number), false);
            before = Some(head);
        }
        // Whoever has no key can add a head, and can't have it weigh more than the last one that is signed.
        let newest = before.map(|newest| newest.number);
        for number in newest.into_iter().chain(heads.signers.last_signed) {
            heads.weighs(number);
        }
        heads
    }

    /// Nothing but what is kept elsewhere weighs more than this head.
    fn weighs(&mut self, number: u64) {
        let called = relative(number);
        for named in self.named.values_mut().flatten() {
            named.is_newest |= named.head == called;
        }
    }

    /// Why a head can't be the one of this number, after `before`.
    fn wrong(
        &self,
        head: &Head,
        number: u64,
        before: Option<&Head>,
        id: Option<&ArchiveId>,
    ) -> Option<String> {
        if head.number != number {
            return Some(format!("it says that its number is {}", head.number));
        }
        if let Some(id) = id.filter(|id| **id != head.archive) {
            return Some(format!(
                "it is of the archive {}, and this is {id}",
                head.archive
            ));
        }
        // Where the head before is gone, or is none, that is told.
        match before {
            Some(before)
                if number.checked_sub(1) == Some(before.number) && !head.follows(before) =>
            {
                Some("it does not name the head before it as that is now".to_owned())
            }
            None if number == 1 && head.previous.is_some() => {
                Some("it follows a head, and is the first".to_owned())
            }
            _ => None,
        }
    }

    /// Holds a head against what lies beside it.
    fn prove(&mut self, storage: &dyn Storage, head: &Head) {
        let (signature, unread) = match signature(storage, head.number) {
            Ok(signature) => (signature, None),
            Err(error) => (None, Some(reading(&error))),
        };
        let signature = signature.as_deref();
        let wrong = self.signers.take(head, signature);
        let unread = unread.map(|problem| (relative_signature(head.number), problem));
        let mut wrong = Vec::from_iter(unread.or(wrong));
        let stamp = stamp(storage, head.number);
        wrong.extend(self.stamps.take(head, signature, stamp));
        for (file, problem) in wrong {
            self.find(file, problem);
        }
    }

    fn take(&mut self, head: &Head, called: String, is_given: bool) {
        for (job, of_job) in &head.jobs {
            self.named.entry(job.clone()).or_default().push(Named {
                head: called.clone(),
                at: head.at,
                is_given,
                is_newest: false,
                of_job: of_job.clone(),
            });
        }
    }

    fn find(&mut self, file: String, problem: Problem) {
        self.findings.push(finding(file, problem));
    }

    /// Tells why it is not known which head is the newest.
    pub(crate) fn doubt(&mut self, why: &str) {
        self.find(
            "the newest head".to_owned(),
            Problem::Unreachable(why.to_owned()),
        );
    }

    /// Holds the newest head that the state directory knows against those of the archive.
    pub(crate) fn hold_against(&mut self, newest: &Newest) {
        let kept = newest.head.as_ref();
        kept.into_iter().for_each(|kept| self.weighs(kept.number));
        let is_here = |kept: &&Head| self.all.contains(&(kept.number, kept.digest(), kept.at));
        match (kept.filter(|kept| !is_here(kept)), &newest.doubt) {
            (Some(kept), _) => {
                let why = Problem::Contradicted(AS_KEPT.to_owned());
                self.find(relative(kept.number), why);
            }
            (None, Some(why)) => self.doubt(why),
            (None, None) => {}
        }
    }

    /// Adds a head that was kept elsewhere: what it names must be here, and where all heads are, it too.
    pub(crate) fn give(&mut self, head: &Head, called: &str, is_whole: bool) {
        let here = self
            .all
            .iter()
            .find(|(number, _, _)| *number == head.number);
        match here {
            Some((_, digest, _)) if *digest == head.digest() => {}
            Some(_) => {
                let why = format!("it is not the one that {called} is");
                self.find(relative(head.number), Problem::Contradicted(why));
            }
            None if is_whole => self.find(relative(head.number), Problem::Missing),
            None => {}
        }
        self.take(head, called.to_owned(), true);
        self.given = Some(called.to_owned());
    }

    /// Adds the head of the archive whose digest was kept elsewhere: it must be here, and what it names.
    pub(crate) fn give_digest(&mut self, storage: &dyn Storage, digest: Digest) {
        let mut all = self.all.iter();
        let found = all.find(|(_, found, _)| *found == digest);
        let number = found.map(|&(number, _, _)| number);
        let head = number.and_then(|number| Head::parse(&text(storage, number).ok()?).ok());
        match head.filter(|head| head.digest() == digest) {
            Some(head) => self.give(&head, &relative(head.number), true),
            None => {
                let why = "no head here has this SHA-256: it was removed or changed".to_owned();
                self.find(digest.to_string(), Problem::Contradicted(why));
            }
        }
        self.given = Some(digest.to_string());
    }

    /// The jobs that they name.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &JobName> {
        self.named.keys()
    }

    /// What they say of a job, by lines of its ledger.
    pub(crate) fn of(&self, job: &str) -> Vec<&Named> {
        let named = self.named.iter().find(|(name, _)| name.as_str() == job);
        let mut named: Vec<&Named> =
            named.map_or_else(Vec::new, |(_, named)| named.iter().collect());
        named.sort_by_key(|named| (named.of_job.lines, named.at));
        named
    }
}

/// How many missing heads are told one by one.
const MOST_MISSING: usize = 20;

const AS_KEPT: &str = "it is not here as it was made, as the state directory knows; bring the archive's heads back from a copy";

pub(super) fn finding(file: String, problem: Problem) -> Finding {
    Finding {
        folder: String::new(),
        file: Some(file),
        problem,
    }
}
