//! The heads of what is verified, and one that was kept elsewhere. Carries *Evident*.

use std::path::Path;

use serde::Serialize;

use super::Verdict;
use crate::archive::identity::{self, of_root, of_storage, read};
use crate::archive::storage::{Local, Storage, says_nothing};
use crate::archive::verify::{Finding, JobReport};
use crate::cli::exit::Stop;
use crate::cli::print::count;
use crate::config::Config;
use crate::digest::Digest;
use crate::domain::signing::PublicKey;
use crate::domain::span::UtcMs;
use crate::evidence::against::against_copy;
use crate::evidence::head::Head;
use crate::evidence::heads::{self, Place, relative};
use crate::evidence::named::Heads;
use crate::evidence::signers::Signed;
use crate::printable;

/// What was found of heads.
#[derive(Debug, Serialize)]
pub(super) struct OfHeads {
    /// How many there are.
    count: usize,
    /// The newest one.
    newest: Option<OfHead>,
    /// When an authority timestamped one last, UTC milliseconds; left out where none has.
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamped_ms: Option<UtcMs>,
    /// By whom they are signed, key by key; left out where none is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signed: Vec<Signed>,
    /// How many are not signed though one before them is; left out while there are none.
    #[serde(skip_serializing_if = "is_zero")]
    unsigned_after_signed: u64,
    /// The same, and when they are timestamped, in words.
    #[serde(skip)]
    proven: Vec<String>,
    /// The one that was given, and that the archive holds to; left out where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    given: Option<String>,
    /// Those before the newest one that are not here; left out while there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
    /// What is wrong with heads themselves. What they name and a job lacks is found with that job.
    findings: Vec<Finding>,
}

/// A head.
#[derive(Debug, Serialize)]
struct OfHead {
    number: u64,
    /// When it was made, UTC milliseconds.
    at_ms: UtcMs,
    sha256: Digest,
    /// The fingerprint of the key that has signed it; null where none has.
    signed_by: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl OfHeads {
    /// What there is to tell of these; `None` where there is none.
    pub(super) fn of(heads: Heads) -> Option<Self> {
        let newest = heads.all.last().map(|&(number, sha256, at_ms)| OfHead {
            number,
            at_ms,
            sha256,
            signed_by: heads.signers.newest().map(PublicKey::fingerprint),
        });
        let mut proven = match newest.is_some() {
            true => heads.signers.told(),
            false => Vec::new(),
        };
        if let Some((number, at)) = heads.stamps.newest {
            let name = relative(number);
            proven.push(format!(
                "timestamped last {name}, at {at}; `openssl ts -verify` proves by whom"
            ));
        }
        let is_told = newest.is_some() || !heads.findings.is_empty() || heads.given.is_some();
        is_told.then_some(Self {
            count: heads.all.len(),
            newest,
            unsigned_after_signed: heads.signers.unsigned,
            signed: heads.signers.signed,
            timestamped_ms: heads.stamps.newest.map(|(_, at)| at),
            proven,
            given: heads.given,
            missing: heads.missing,
            findings: heads.findings,
        })
    }

    /// What they add to the verdict on all.
    pub(super) fn verdict(&self) -> Verdict {
        let alone = JobReport {
            findings: self.findings.clone(),
            ..JobReport::default()
        };
        match (alone.is_damaged(), self.findings.is_empty()) {
            (true, _) => Verdict::Damaged,
            (false, false) => Verdict::Incomplete,
            (false, true) => Verdict::Intact,
        }
    }

    /// What was found of them, in lines.
    pub(super) fn listing(&self) -> String {
        let mut text = format!(
            "heads: {}: {}\n",
            self.verdict().words(),
            count(self.count as u64, "head")
        );
        if let Some(newest) = &self.newest {
            text += &format!(
                "  newest {}, made {}, SHA-256 {}\n",
                relative(newest.number),
                newest.at_ms,
                newest.sha256
            );
        }
        for proven in &self.proven {
            text += &format!("  {proven}\n");
        }
        if let Some(given) = &self.given {
            text += &format!("  held against the head {}\n", printable::whole(given));
        }
        for missing in &self.missing {
            text += &format!("  {missing} is not here; a copy may have it\n");
        }
        for finding in &self.findings {
            text += &format!("  {finding}\n");
        }
        text
    }
}

/// The heads of the archive, and the one that was given.
///
/// # Errors
/// When what was given is no head of this archive.
pub(super) fn of_archive(config: &Config, given: Option<&str>) -> Result<Heads, Stop> {
    let root = &config.archive.root;
    let id = read(&of_root(root)).map_err(|error| Stop::failed(error.to_string()))?;
    let place = Place {
        root,
        state_dir: &config.state_dir,
    };
    // What the state directory keeps is read first: the archive's newest is that one, or newer.
    let newest = id.as_ref().map(|id| heads::newest(place, id, None));
    let storage = Local::at(root);
    let mut all = Heads::read(&storage, id.as_ref());
    match newest {
        Some(Ok(newest)) => all.hold_against(&newest),
        Some(Err(error)) => all.doubt(&error.to_string()),
        None => {}
    }
    give(&mut all, &storage, given)?;
    Ok(all)
}

/// The heads of a copy, and the one that was given.
///
/// # Errors
/// When what was given is no head, or of another archive.
pub(super) fn of_copy(copy: &dyn Storage, given: Option<&str>) -> Result<Heads, Stop> {
    // One that can't be read is told by what needs it.
    let id = of_storage(copy).ok().flatten();
    let mut all = Heads::read(copy, id.as_ref());
    give(&mut all, copy, given)?;
    Ok(all)
}

/// Adds the head that was given: as a file, or as the digest of one that is here.
fn give(all: &mut Heads, storage: &dyn Storage, given: Option<&str>) -> Result<(), Stop> {
    let Some(given) = given else { return Ok(()) };
    if let Ok(digest) = given.parse::<Digest>() {
        all.give_digest(storage, digest);
        return Ok(());
    }
    let refused = |why: &str| {
        Stop::usage(&format!(
            "--head {}: {}",
            printable::whole(given),
            printable::whole(why)
        ))
    };
    let text = heads::text_at(Path::new(given)).map_err(|error| {
        refused(&format!(
            "it is no SHA-256 of a head, and no file that can be read: {error}"
        ))
    })?;
    let head = Head::parse(&text).map_err(|why| refused(&why))?;
    let id = of_storage(storage).ok().flatten();
    if let Some(id) = id.filter(|id| *id != head.archive) {
        return Err(refused(&format!(
            "it is of the archive {}, and this is {id}",
            head.archive
        )));
    }
    all.give(&head, given, is_whole(storage));
    Ok(())
}

/// Holds what was found in a copy against what heads name. A job of which a whole copy has nothing is found so.
pub(super) fn hold_copy_against(copy: &dyn Storage, heads: &Heads, reports: &mut Vec<JobReport>) {
    // A copy that lacks the archive's own folder is no part for that.
    // What can't be looked at excuses nothing.
    let is_job = |report: &JobReport| match copy.is_folder(&report.job) {
        Ok(is_folder) => is_folder,
        Err(error) => says_nothing(&error),
    };
    let is_whole = is_whole(copy) || reports.iter().any(is_job);
    for name in heads.jobs() {
        let named = heads.of(name.as_str());
        let here = reports
            .iter_mut()
            .find(|report| report.job == name.as_str());
        match here {
            Some(report) => against_copy(&named, report),
            None if is_whole => {
                let mut report = JobReport {
                    job: name.to_string(),
                    ..JobReport::default()
                };
                against_copy(&named, &mut report);
                if !report.findings.is_empty() {
                    reports.push(report);
                }
            }
            // A part of a copy says nothing of other jobs.
            None => {}
        }
    }
}

/// Whether what lies there is all of an archive, and not a part of one.
fn is_whole(storage: &dyn Storage) -> bool {
    !matches!(storage.length(&identity::relative()), Ok(None))
}
