//! The operator's orders about holds: `hold` and `release` leave each as a file beside the ledger, since the ledger
//! itself belongs to whoever holds the lock. They count at once, and the next cycle, or prune, records them. The same file
//! stays in the archive too, so that no hold is lost with the state directory. Carries *Atomic*: a hold that was left in
//! time is seen by whoever lets go of data.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::replay::Replay;
use super::{LedgerError, unreadable};
use crate::archive::identity;
use crate::domain::hold::{Hold, HoldOrder, Holds, check_reason};
use crate::domain::span::{Span, UtcMs};
use crate::durable::{Disk, DiskError, letting_go, off_the_runtime};

/// An order as it lies beside the ledger.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    order: Kind,
    from_ms: UtcMs,
    to_ms: UtcMs,
    reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Hold,
    Release,
}

/// An order that was left, and the file that it is in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// The order.
    pub(crate) order: HoldOrder,
    /// Its file.
    pub(crate) path: PathBuf,
}

/// Where the archive keeps all orders that were ever given, below `_archive`.
const FOLDER: &str = "holds";

/// Orders as files, one each, numbered.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    folder: PathBuf,
    /// What their names begin with.
    prefix: String,
}

impl Orders {
    /// Those beside a ledger, which it does not have yet.
    pub(crate) fn beside(ledger: &Path) -> Self {
        let path = ledger.with_extension("order-");
        let name = path.file_name().unwrap_or_default();
        Self {
            folder: ledger.parent().unwrap_or(Path::new("")).to_owned(),
            prefix: name.to_string_lossy().into_owned(),
        }
    }

    /// All that were ever given for an ELSA project, in the archive at `root`: a job can have another name by now.
    pub(crate) fn of_project(root: &Path, project_id: i64) -> Self {
        Self {
            folder: root.join(identity::FOLDER).join(FOLDER),
            prefix: format!("{project_id}.order-"),
        }
    }

    /// Leaves an order. It is durable when this returns.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn leave(&self, order: &HoldOrder, disk: &Disk) -> Result<(), LedgerError> {
        let (kind, hold) = match order {
            HoldOrder::Hold(hold) => (Kind::Hold, hold),
            HoldOrder::Release(hold) => (Kind::Release, hold),
        };
        let stored = Stored {
            order: kind,
            from_ms: hold.span.from(),
            to_ms: hold.span.to(),
            reason: hold.reason.clone(),
        };
        let text = serde_json::to_string(&stored).map_err(|error| LedgerError::Line {
            path: self.folder.clone(),
            what: error.to_string(),
        })?;
        disk.make_durable_folder(&self.folder)?;
        let mut number = self.numbers()?.last().map_or(1, |last| last + 1);
        loop {
            let path = self.path(number);
            match letting_go::leave_order(disk, &path, &format!("{text}\n")) {
                // Another one was left meanwhile.
                Err(error) if error.name_is_taken() => number += 1,
                left => return Ok(left?),
            }
        }
    }

    /// The orders that are there, in the order in which they were given.
    ///
    /// # Errors
    /// When one of them can't be read: nothing may be let go of then.
    pub(crate) fn left(&self) -> Result<Vec<Left>, LedgerError> {
        let mut orders = Vec::new();
        for path in self.numbers()?.into_iter().map(|number| self.path(number)) {
            match off_the_runtime(|| fs::read_to_string(&path)) {
                Ok(text) => orders.push(Left {
                    order: parse(&text).map_err(|what| LedgerError::Order {
                        path: path.clone(),
                        what,
                    })?,
                    path,
                }),
                // Whoever has the lock has recorded it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable(&path, error)),
            }
        }
        Ok(orders)
    }

    /// What they come to, one after another.
    ///
    /// # Errors
    /// As [`Orders::left`].
    pub(crate) fn holds(&self) -> Result<Holds, LedgerError> {
        let mut holds = Holds::default();
        self.left()?.iter().for_each(|left| holds.take(&left.order));
        Ok(holds)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{}{number:06}", self.prefix))
    }

    /// The numbers of those that are there, in order.
    fn numbers(&self) -> Result<Vec<u64>, LedgerError> {
        let list = || -> io::Result<Vec<u64>> {
            let mut numbers = Vec::new();
            let listing = match fs::read_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(numbers),
                listing => listing?,
            };
            for entry in listing {
                let name = entry?.file_name();
                let number = name
                    .to_str()
                    .and_then(|name| name.strip_prefix(&self.prefix));
                numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
            }
            numbers.sort_unstable();
            Ok(numbers)
        };
        off_the_runtime(list).map_err(|error| unreadable(&self.folder, error))
    }
}

fn parse(text: &str) -> Result<HoldOrder, String> {
    let stored: Stored = serde_json::from_str(text).map_err(|error| error.to_string())?;
    check_reason(&stored.reason).map_err(|why| format!("its reason: {why}"))?;
    let span = Span::new(stored.from_ms, stored.to_ms).ok_or("it ends before it begins")?;
    let hold = Hold {
        span,
        reason: stored.reason,
    };
    Ok(match stored.order {
        Kind::Hold => HoldOrder::Hold(hold),
        Kind::Release => HoldOrder::Release(hold),
    })
}

/// Takes orders that are not recorded yet into `replay`, what the ledger of a job shows, and those that the archive at
/// `root` has of its project: a ledger that was made anew lacks them. `project_id` is what the config says.
///
/// # Errors
/// As [`Orders::left`].
pub(crate) fn count_at_once(
    ledger: &Path,
    (root, project_id): (&Path, Option<i64>),
    replay: &mut Replay,
) -> Result<(), LedgerError> {
    for left in Orders::beside(ledger).left()? {
        replay.holds.take(&left.order);
    }
    let settings = replay.settings.as_ref();
    let project = settings.map(|settings| settings.project_id).or(project_id);
    let Some(project) = project else {
        return Ok(());
    };
    let kept = Orders::of_project(root, project).holds()?;
    for hold in kept.all() {
        replay.holds.take(&HoldOrder::Hold(hold.clone()));
    }
    Ok(())
}

/// Removes an order that is recorded.
///
/// # Errors
/// When it can't be removed: it is recorded once more later, which changes nothing.
pub(super) fn remove(left: &Left, disk: &Disk) -> Result<(), DiskError> {
    disk.remove(&left.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(from: i64, to: i64) -> Hold {
        Hold {
            span: Span::new(UtcMs(from), UtcMs(to)).unwrap(),
            reason: "case 7".into(),
        }
    }

    /// Guarantee: Atomic
    #[test]
    fn orders_are_read_as_they_were_left_and_one_that_can_t_be_is_no_missing_one() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("shop.ledger.jsonl");
        // Another job's, and one that is being written.
        fs::write(dir.path().join("shop2.ledger.order-000001"), "x").unwrap();
        fs::write(dir.path().join("shop.ledger.order-000001.new"), "x").unwrap();
        let beside = Orders::beside(&ledger);
        assert_eq!(beside.left().unwrap(), []);
        let orders = [
            HoldOrder::Hold(hold(0, 10)),
            HoldOrder::Release(hold(0, 10)),
            HoldOrder::Hold(hold(5, 6)),
        ];
        for order in &orders {
            beside.leave(order, &Disk::default()).unwrap();
        }
        let left = beside.left().unwrap().into_iter();
        let found: Vec<HoldOrder> = left.map(|left| left.order).collect();
        assert_eq!(found, orders);
        let mut replay = Replay::default();
        let root = dir.path().join("root");
        count_at_once(&ledger, (&root, Some(7)), &mut replay).unwrap();
        assert_eq!(replay.holds.all().collect::<Vec<_>>(), [&hold(5, 6)]);
        // What the archive has counts for a ledger that lost it, and what is released there does not.
        let kept = Orders::of_project(&root, 7);
        for order in [
            HoldOrder::Hold(hold(7, 8)),
            HoldOrder::Hold(hold(8, 9)),
            HoldOrder::Release(hold(7, 8)),
        ] {
            kept.leave(&order, &Disk::default()).unwrap();
        }
        let mut anew = Replay::default();
        count_at_once(&dir.path().join("other"), (&root, Some(7)), &mut anew).unwrap();
        assert_eq!(anew.holds.all().collect::<Vec<_>>(), [&hold(8, 9)]);
        let wrong = ledger.with_extension("order-000002");
        for text in [
            "",
            "{}",
            "{\"order\":\"hold\",\"from_ms\":9,\"to_ms\":1,\"reason\":\"x\"}",
        ] {
            fs::write(&wrong, text).unwrap();
            let why = beside.left().unwrap_err().to_string();
            assert!(why.contains("order-000002"), "{why}");
        }
    }
}
