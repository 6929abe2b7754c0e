//! `receipt`: what other places have proven of this archive, and taking in what they send. Carries *Evident*.

use std::fs;
use std::path::Path;

use super::Context;
use super::exit::Stop;
use super::identity;
use super::print::{bytes, count, print, print_fitted};
use super::prune::receipts;
use super::user::refuse_another;
use crate::archive::identity::{of_root, read};
use crate::archive::verify::JobReport;
use crate::config::Config;
use crate::domain::job::JobName;
use crate::domain::span::UtcMs;
use crate::durable::{Disk, write_asked_for};
use crate::evidence::chain::Chain;
use crate::evidence::receipt::{OfJob, Place, Receipt};
use crate::evidence::receipts::{Receipts, keep, text};
use crate::ledger::Ledger;
use crate::ledger::folders::Folders;
use crate::printable;

/// Where the receipt of a copy is written, and what it follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// The place, as its keeper calls it.
    pub(super) place: &'a str,
    /// The file; stdout where none is given.
    pub(super) output: Option<&'a Path>,
    /// The place's receipt before, where it is not in the copy.
    pub(super) after: Option<&'a Path>,
}

/// A receipt that is yet to be written, of a copy.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    wanted: Wanted<'a>,
    receipt: Receipt,
}

impl<'a> Draft<'a> {
    /// Begins a receipt of the copy in `dir`.
    ///
    /// # Errors
    /// When the place's name is none, or the copy does not say which archive it is of, or which receipt was the last.
    pub(super) fn begin(dir: &Path, wanted: Wanted<'a>, now: UtcMs) -> Result<Self, Stop> {
        let place: Place = wanted
            .place
            .parse()
            .map_err(|why: String| Stop::usage(&format!("--receipt {:?}: {why}", wanted.place)))?;
        let id = read(&of_root(dir)).map_err(|error| Stop::failed(error.to_string()))?;
        let id = id.ok_or_else(|| {
            Stop::failed(format!(
                "{} does not say which archive it is a copy of: copy the archive's folder _archive too, and give \
                 the copy's root",
                dir.display()
            ))
        })?;
        let before = match wanted.after {
            Some(file) => Some(parsed(file)?),
            None => {
                let here = Receipts::read(dir, &id).map_err(|error| {
                    Stop::failed(format!(
                        "can't read the receipts in {}: {error}",
                        dir.display()
                    ))
                })?;
                here.last_of(&place).cloned()
            }
        };
        if let Some(before) = &before
            && (before.place != place || before.archive != id)
        {
            return Err(Stop::usage(
                &"--after: that receipt is of another place, or of another archive",
            ));
        }
        Ok(Self {
            wanted,
            receipt: Receipt {
                archive: id,
                place,
                number: before.as_ref().map_or(1, |before| before.number + 1),
                at: now,
                previous: before.as_ref().map(Receipt::digest),
                jobs: Vec::new(),
            },
        })
    }

    /// Whether stdout is for the receipt.
    pub(super) const fn takes_stdout(&self) -> bool {
        self.wanted.output.is_none()
    }

    /// Writes what was proven of the copy.
    ///
    /// # Errors
    /// When nothing was proven, or it can't be written.
    pub(super) fn write<'r>(
        mut self,
        found: impl Iterator<Item = &'r JobReport>,
    ) -> Result<(), Stop> {
        for report in found.filter(|report| JobName::parse(&report.job).is_ok()) {
            self.receipt.jobs.push(OfJob {
                job: report.job.clone(),
                newest: report.newest_manifest,
                runs: report.runs.clone(),
            });
        }
        if self.receipt.jobs.iter().all(|job| job.runs.is_empty()) {
            return Err(Stop::failed(
                "no receipt: not one window of the copy has all its data",
            ));
        }
        let text = self.receipt.to_text();
        match self.wanted.output {
            None => print(&text),
            Some(path) => write_asked_for(path, &text)
                .map_err(|error| Stop::failed(format!("can't write {}: {error}", path.display()))),
        }
    }
}

/// A receipt in a file.
fn parsed(file: &Path) -> Result<Receipt, Stop> {
    let refused = |why: &str| Stop::failed(format!("{}: {why}", file.display()));
    let text = fs::symlink_metadata(file)
        .and_then(|_| text(file))
        .map_err(|error| refused(&format!("can't be read: {error}")))?;
    let text = text.ok_or_else(|| refused("is no receipt"))?;
    Receipt::parse(&text).map_err(|why| refused(&printable::whole(&why)))
}

/// Takes a receipt into the archive.
pub(super) fn add(context: &Context<'_>, file: &Path) -> Result<(), Stop> {
    let config = context.config()?;
    refuse_another(context, &config)?;
    if let Some(why) = identity::refusal(&config) {
        return Err(Stop::failed(why));
    }
    let receipt = parsed(file)?;
    let mut known = receipts(&config)?;
    let refused = |why: String| {
        Stop::failed(format!(
            "{}: refused: {}",
            file.display(),
            printable::whole(&why)
        ))
    };
    let root = &config.archive.root;
    let id = read(&of_root(root)).map_err(|error| Stop::failed(error.to_string()))?;
    let id = id.ok_or_else(|| refused("the archive has no id yet; run it first".to_owned()))?;
    known.add(receipt.clone(), &id).map_err(refused)?;
    let (told, problems) = compared(&config, &receipt)?;
    if let Some(why) = problems.first() {
        return Err(refused(format!(
            "it names what this archive does not have: {why}"
        )));
    }
    let path =
        keep(root, &receipt, &Disk::default()).map_err(|error| Stop::failed(error.to_string()))?;
    print_fitted(&format!("{}: taken\n{told}", path.display()), 4)
}

/// Lists the receipts that count, and those that don't.
pub(super) fn list(context: &Context<'_>) -> Result<(), Stop> {
    let config = context.config()?;
    let all = receipts(&config)?;
    let (mut text, mut is_well) = (String::new(), all.refused.is_empty());
    for receipt in all.newest() {
        let (told, problems) = compared(&config, receipt)?;
        text += &format!(
            "{}: number {}, made {}\n{told}",
            receipt.place, receipt.number, receipt.at
        );
        for problem in &problems {
            text += &format!("  does not count: {}\n", printable::whole(problem));
        }
        is_well &= problems.is_empty();
    }
    for (name, why) in &all.refused {
        text += &format!(
            "{}: does not count: {}\n",
            printable::whole(name),
            printable::whole(why)
        );
    }
    if text.is_empty() {
        text = "no place has sent a receipt; `verify DIR --receipt PLACE` makes one where a copy lies\n".into();
    }
    print_fitted(&text, 4)?;
    match is_well {
        true => Ok(()),
        false => Err(Stop::told()),
    }
}

/// What a receipt proves of each job here, in lines; and what of it is none here.
fn compared(config: &Config, receipt: &Receipt) -> Result<(String, Vec<String>), Stop> {
    let (mut text, mut problems) = (String::new(), Vec::new());
    for of_job in &receipt.jobs {
        let Ok(name) = JobName::parse(&of_job.job) else {
            continue;
        };
        let mut folders = Folders::default();
        Ledger::read(&config.state_dir, &name, |line| folders.take(line))
            .map_err(|error| Stop::failed(error.to_string()))?;
        let (_, wrong) = Chain::of(folders.recorded()).named(of_job);
        problems.extend(wrong);
        text += &format!(
            "  {name}: {}, {}\n",
            count(of_job.windows(), "window"),
            bytes(of_job.bytes())
        );
    }
    Ok((text, problems))
}
