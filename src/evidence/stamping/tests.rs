//! Which head is to be timestamped, and what a broken disk leaves of an answer.

use std::collections::BTreeMap;
use std::fs;

use super::super::head::tests::head;
use super::super::making::{Making, When, make};
use super::super::timestamp::tests::answer;
use super::*;
use crate::archive::storage::Local;
use crate::domain::signing::{Signer, SigningKey};

const DAY: i64 = 86_400_000;

struct Rig {
    dir: tempfile::TempDir,
    signer: Signer,
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("state")).unwrap();
        let (text, _) = SigningKey::generate().unwrap();
        let key = Some(SigningKey::parse(&text).unwrap());
        let signer = Signer { key, next: None };
        Self { dir, signer }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn place<R>(&self, of: impl FnOnce(Place<'_>) -> R) -> R {
        let (root, state) = (self.root(), self.dir.path().join("state"));
        of(Place {
            root: &root,
            state_dir: &state,
        })
    }

    fn make(&self, now: i64) -> Head {
        let with = Making {
            id: &ArchiveId::of(7),
            now: UtcMs(now),
            zone: &Zone::utc(),
            signer: &self.signer,
            disk: &Disk::default(),
        };
        let jobs = BTreeMap::clone(&head(None, 1, 3).jobs);
        self.place(|place| make(place, with, &jobs, When::Now))
            .unwrap()
            .unwrap()
    }

    fn due(&self) -> Result<Option<Unstamped>, HeadError> {
        self.place(|place| due(place, &ArchiveId::of(7), &Zone::utc()))
    }

    fn keep(&self, of: &Unstamped, disk: &Disk) -> Result<(), HeadError> {
        keep(&self.root(), of, &answer(&of.digest, "0101"), disk)
    }

    /// Puts something into the archive's folder of heads.
    fn plant(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = folder(&self.root()).join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn signature(&self, number: u64) -> PathBuf {
        super::super::heads::signature_path(&folder(&self.root()), number)
    }
}

/// Guarantee: Evident
#[test]
fn the_newest_head_is_due_where_none_of_its_day_is_timestamped() {
    let rig = Rig::new();
    let disk = Disk::default();
    assert!(rig.due().unwrap().is_none());
    rig.make(1_000);
    let second = rig.make(2_000);
    let due = rig.due().unwrap().unwrap();
    let signed = fs::read_to_string(rig.signature(2)).unwrap();
    let whole = Digest::of((second.to_text() + &signed).as_bytes());
    assert_eq!((due.number, due.digest), (2, whole));
    rig.keep(&due, &disk).unwrap();
    assert!(rig.due().unwrap().is_none());
    // Another head of that day names the answer, and needs none.
    let third = rig.make(DAY - 1);
    let stamp = answer(&due.digest, "0101");
    assert_eq!(third.previous_timestamp, Some(Digest::of(&stamp)));
    assert!(rig.due().unwrap().is_none());
    // What is no head stands in the way of none.
    let junk = folder(&rig.root()).join("000009.head");
    fs::write(&junk, "x").unwrap();
    fs::write(path(&rig.root(), 9), "x").unwrap();
    let fourth = rig.make(DAY);
    assert_eq!(fourth.previous_timestamp, None);
    assert_eq!(rig.due().unwrap().unwrap().number, 4);
    // One whose signature is not its own is not vouched for.
    fs::write(rig.signature(4), "x").unwrap();
    rig.due().unwrap_err();
    // Nor one that somebody has put there.
    let fifth = head(Some(&fourth), 2 * DAY, 9);
    fs::write(folder(&rig.root()).join(fifth.file_name()), fifth.to_text()).unwrap();
    fs::write(rig.signature(4), "x").unwrap();
    rig.due().unwrap_err();
}

/// Guarantee: Atomic
#[test]
fn an_answer_is_kept_whole_or_not_at_all_and_never_replaced() {
    let disk = Disk::default();
    for broken in [Step::WriteTimestamp, Step::SyncHeads] {
        let rig = Rig::new();
        rig.make(1_000);
        let failing = Disk::gated(move |step, _| match step == broken {
            true => Err(io::Error::other("broken")),
            false => Ok(()),
        });
        let due = rig.due().unwrap().unwrap();
        rig.keep(&due, &failing).unwrap_err();
        let kept = stamp(&Local::at(&rig.root()), 1).unwrap();
        let whole = answer(&due.digest, "0101");
        assert!(kept.is_none_or(|kept| kept == whole), "{broken:?}");
    }
    let rig = Rig::new();
    rig.make(1_000);
    let due = rig.due().unwrap().unwrap();
    rig.keep(&due, &disk).unwrap();
    rig.keep(&due, &disk).unwrap_err();
}

/// Guarantee: Self-healing
#[test]
fn nothing_that_lies_beside_older_heads_and_no_clock_that_was_ahead_holds_up_the_next_timestamp() {
    let rig = Rig::new();
    let disk = Disk::default();
    // A clock that was years ahead for a while.
    rig.make(1500 * DAY);
    rig.keep(&rig.due().unwrap().unwrap(), &disk).unwrap();
    rig.make(DAY);
    let due = rig.due().unwrap().unwrap();
    assert_eq!(due.number, 2);
    rig.keep(&due, &disk).unwrap();
    // The answer of a day can't be read any more.
    rig.make(2 * DAY);
    fs::create_dir(path(&rig.root(), 3)).unwrap();
    rig.due().unwrap_err();
    let fourth = rig.make(3 * DAY);
    assert_eq!(fourth.previous_timestamp, None);
    assert_eq!(rig.due().unwrap().unwrap().number, 4);
    // Somebody puts a head of another archive there, or one with another number, and says that it is timestamped.
    let mut other = head(None, 1_000_000 * DAY, 9);
    other.number = 999;
    rig.plant("000999.head", other.to_text());
    rig.plant("000999.head.tsr", "x");
    rig.plant("000001.head.tsr", "x");
    let why = rig.due().unwrap_err().to_string();
    assert!(why.contains("not the newest head"), "{why}");
    fs::remove_file(folder(&rig.root()).join("000999.head")).unwrap();
    assert_eq!(rig.due().unwrap().unwrap().number, 4);
}

/// Guarantee: Evident
#[test]
fn a_timestamp_that_is_none_is_told_and_named_by_no_head() {
    let rig = Rig::new();
    rig.make(DAY);
    let planted = rig.plant("000001.head.tsr", "x");
    let why = rig.due().unwrap_err().to_string();
    assert!(why.contains("move it away"), "{why}");
    assert_eq!(rig.make(2 * DAY).previous_timestamp, None);
    // What lies where one is to come may be of a head that was taken away: it stays, and the number with it.
    let planted = planted.with_file_name("000003.head.tsr");
    fs::write(&planted, "x").unwrap();
    assert_eq!(rig.make(3 * DAY).number, 4);
    assert!(planted.exists());
    assert_eq!(rig.due().unwrap().unwrap().number, 4);
}

/// Guarantee: Suspicious
#[test]
fn a_link_in_the_place_of_a_half_file_leads_nowhere() {
    let rig = Rig::new();
    rig.make(1_000);
    let ledger = rig.dir.path().join("state/shop.ledger.jsonl");
    fs::write(&ledger, "mine").unwrap();
    let half = folder(&rig.root()).join(".new-000001.head.tsr");
    std::os::unix::fs::symlink(&ledger, &half).unwrap();
    let due = rig.due().unwrap().unwrap();
    rig.keep(&due, &Disk::default()).unwrap();
    assert_eq!(fs::read(&ledger).unwrap(), b"mine");
    assert!(stamp(&Local::at(&rig.root()), 1).unwrap().is_some());
}
