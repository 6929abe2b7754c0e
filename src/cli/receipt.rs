//! `receipt`: what other places have proven of this archive, and taking in what they send. Carries *Evident*.

use std::io::{self, Read as _};
use std::path::Path;

use super::Context;
use super::exit::Stop;
use super::given::Given;
use super::identity;
use super::print::{bytes, count, print, print_fitted};
use super::prune::receipts;
use super::session::{ROOT_LOCK, disk};
use super::user::refuse_another;
use crate::archive::identity::{of_root, of_storage, read};
use crate::archive::store::STAGING;
use crate::archive::verify::JobReport;
use crate::config::Config;
use crate::domain::job::JobName;
use crate::domain::span::{Millis, UtcMs};
use crate::durable::AskedFor;
use crate::evidence::chain::Chain;
use crate::evidence::receipt::{OfJob, Place, Receipt};
use crate::evidence::receipts::{LONGEST, Receipts, keep, text, text_of};
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

/// What lies at the top of an archive, and of no copy: collectors skip it.
const OF_ARCHIVE: [&str; 2] = [STAGING, ROOT_LOCK];

/// How far a receipt's time may be ahead of this machine's clock.
const MOST_AHEAD: Millis = Millis::from_days(1);

/// A receipt that is yet to be written, of a copy.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    output: Option<(&'a Path, AskedFor)>,
    receipt: Receipt,
}

impl<'a> Draft<'a> {
    /// Begins a receipt of a copy.
    ///
    /// # Errors
    /// When the place's name is none, or it is no copy, or does not say which archive it is of, or which receipt was the
    /// last; or when the receipt's file can't be written.
    pub(super) fn begin(copy: &Given, wanted: Wanted<'a>, now: UtcMs) -> Result<Self, Stop> {
        let Given { storage, shown, .. } = copy;
        let storage = storage.as_ref();
        let place: Place = wanted
            .place
            .parse()
            .map_err(|why: String| Stop::usage(&format!("--receipt {:?}: {why}", wanted.place)))?;
        let there = match storage.is_folder("") {
            Ok(false) => Err(io::ErrorKind::NotADirectory.into()),
            Ok(true) => storage.list(""),
            Err(error) => Err(error),
        };
        let there = there.map_err(|error| copy.cant_read(&error))?;
        let is_there = |name: &&str| there.iter().any(|entry| entry.name == **name);
        if let Some(name) = OF_ARCHIVE.iter().find(|name| is_there(name)) {
            return Err(Stop::failed(format!(
                "{shown} is the archive itself, and no copy: {name} lies in it. A receipt of it would let the only data go. If \
                 it is a copy, it was made without leaving out what begins with a dot: remove that there"
            )));
        }
        let id = of_storage(storage).map_err(|error| Stop::failed(error.to_string()))?;
        let id = id.ok_or_else(|| {
            Stop::failed(format!(
                "{shown} does not say which archive it is a copy of. A receipt is of a whole copy: give its root, and copy \
                 the archive's folder _archive too"
            ))
        })?;
        let before = match wanted.after {
            Some(file) => Some(parsed(file)?),
            None => {
                let here = Receipts::read(storage, &id).map_err(|error| {
                    Stop::failed(format!("can't read the receipts in {shown}: {error}"))
                })?;
                here.last_of(&place).cloned()
            }
        };
        let before = before.as_ref();
        if before.is_some_and(|before| before.place != place || before.archive != id) {
            return Err(Stop::usage(
                &"--after: that receipt is of another place, or of another archive",
            ));
        }
        let number = before.map_or(Some(1), |before| before.number.checked_add(1));
        let output = wanted.output.map(|path| match AskedFor::open(path) {
            Ok(file) => Ok((path, file)),
            Err(error) => Err(unwritable(path, &error)),
        });
        Ok(Self {
            output: output.transpose()?,
            receipt: Receipt {
                archive: id,
                place,
                number: number
                    .ok_or_else(|| Stop::failed("the receipt before has no next number"))?,
                // This clock may be behind the one that made the receipt before.
                at: before.map_or(now, |before| now.max(before.at)),
                previous: before.map(Receipt::digest),
                jobs: Vec::new(),
            },
        })
    }

    /// Whether stdout is for the receipt.
    pub(super) const fn takes_stdout(&self) -> bool {
        self.output.is_none()
    }

    /// Writes what was proven of the copy. Returns what to tell of it.
    ///
    /// # Errors
    /// When nothing was proven, or it can't be written.
    pub(super) fn write<'r>(
        mut self,
        found: impl Iterator<Item = &'r JobReport>,
    ) -> Result<String, Stop> {
        let mut folders = 0_u64;
        for report in found.filter(|report| JobName::parse(&report.job).is_ok()) {
            folders = folders.saturating_add(report.windows);
            self.receipt.jobs.push(OfJob {
                job: report.job.clone(),
                newest: report.newest_manifest,
                runs: report.runs.clone(),
            });
        }
        let named = self.receipt.jobs.iter().map(OfJob::windows);
        let named = named.fold(0, u64::saturating_add);
        if named == 0 {
            return Err(Stop::failed(
                "no receipt: not one window of the copy has all its data",
            ));
        }
        let text = self.receipt.to_text();
        let place = match &mut self.output {
            None => {
                print(&text)?;
                "to stdout".to_owned()
            }
            Some((path, file)) => {
                let written = file
                    .write_all(text.as_bytes())
                    .and_then(|()| file.for_everybody())
                    .and_then(|()| file.close());
                written.map_err(|error| unwritable(path, &error))?;
                format!("to {}", path.display())
            }
        };
        let left_out = match folders.saturating_sub(named) {
            0 => String::new(),
            left => format!("; {} without whole data left out", count(left, "folder")),
        };
        Ok(format!(
            "receipt {} of {} written {place}: {}{left_out}. On the archive's machine: `elsa-archiver receipt add`\n",
            self.receipt.number,
            self.receipt.place,
            count(named, "folder")
        ))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Stop {
    Stop::failed(format!("can't write {}: {error}", path.display()))
}

/// A receipt in a file; `-` is stdin.
fn parsed(file: &Path) -> Result<Receipt, Stop> {
    let refused = |why: &str| Stop::failed(format!("{}: {why}", file.display()));
    let text = match file.as_os_str() == "-" {
        true => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().take(LONGEST + 1).read_to_end(&mut bytes);
            read.and_then(|_| text_of(bytes))
        }
        false => text(file),
    };
    let text = text.map_err(|error| refused(&format!("can't be read: {error}")))?;
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
    if receipt.at > context.clock.now().plus(MOST_AHEAD) {
        return Err(refused(format!(
            "it says that it was made {}, which is to come: set the clock of its place, and make it again",
            receipt.at
        )));
    }
    let root = &config.archive.root;
    let id = read(&of_root(root)).map_err(|error| Stop::failed(error.to_string()))?;
    let id = id.ok_or_else(|| refused("the archive has no id yet; run it first".to_owned()))?;
    known.add(receipt.clone(), &id).map_err(refused)?;
    let Compared {
        told,
        problems,
        named,
    } = Compared::of(&config, &receipt)?;
    if named == 0 {
        let why = problems.into_iter().next();
        return Err(refused(why.unwrap_or_else(|| {
            "it names no folder of this archive".to_owned()
        })));
    }
    let path =
        keep(root, &receipt, &disk(&config)).map_err(|error| Stop::failed(error.to_string()))?;
    let mut text = format!("{}: taken\n{told}", path.display());
    for problem in &problems {
        text += &format!("  does not count: {}\n", printable::whole(problem));
    }
    print_fitted(&text, 4)
}

/// Lists the receipts that count, and those that don't.
pub(super) fn list(context: &Context<'_>) -> Result<(), Stop> {
    let config = context.config()?;
    if let Some(why) = identity::refusal(&config) {
        return Err(Stop::failed(why));
    }
    let all = receipts(&config)?;
    let (mut text, mut is_well) = (String::new(), all.refused.is_empty());
    for receipt in all.newest() {
        let Compared { told, problems, .. } = Compared::of(&config, receipt)?;
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
        text += &format!("{name}: does not count: {why}\n");
    }
    if !all.refused.is_empty() {
        let folder = crate::evidence::receipts::folder(&config.archive.root);
        text += &format!(
            "What does not count may be removed from {}\n",
            folder.display()
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

/// What a receipt proves here.
struct Compared {
    /// Of each job, in lines.
    told: String,
    /// What of it is none here.
    problems: Vec<String>,
    /// Folders that it names.
    named: u64,
}

impl Compared {
    fn of(config: &Config, receipt: &Receipt) -> Result<Self, Stop> {
        let mut all = Self {
            told: String::new(),
            problems: Vec::new(),
            named: 0,
        };
        for of_job in &receipt.jobs {
            let Ok(name) = JobName::parse(&of_job.job) else {
                continue;
            };
            let mut folders = Folders::default();
            Ledger::read(&config.state_dir, &name, |line| folders.take(line))
                .map_err(|error| Stop::failed(error.to_string()))?;
            let recorded = folders.recorded();
            let (named, problems) = Chain::of(recorded).named(of_job);
            let proven = recorded
                .iter()
                .filter(|known| named.contains(&known.archived.manifest_sha256));
            let stored = proven.map(|known| known.archived.bytes);
            all.told += &format!(
                "  {name}: {}, {}\n",
                count(named.len() as u64, "folder"),
                bytes(stored.fold(0, u64::saturating_add))
            );
            all.named = all.named.saturating_add(named.len() as u64);
            all.problems.extend(problems);
        }
        Ok(all)
    }
}
