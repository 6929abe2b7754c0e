//! When a head is made, what it says, and what a kill or a taken name leaves behind.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::super::head::tests::head;
use super::*;
use crate::archive::storage::Local;
use crate::digest::Digest;
use crate::domain::signing::SigningKey;
use crate::evidence::heads::{numbers, signature, text};
use crate::evidence::signers::Signers;

const DAY: i64 = 86_400_000;

/// Guarantee: Evident
#[test]
fn a_head_is_due_once_a_day_of_the_archive_s_zone_and_a_clock_set_back_holds_up_none() {
    let seoul = Zone::new(jiff::tz::TimeZone::get("Asia/Seoul").unwrap());
    // Midnight there is 15:00 UTC.
    let midnight = 15 * 3_600_000;
    for (last, now, due) in [
        (None, 0, true),
        (Some(midnight), midnight, false),
        (Some(midnight), midnight + DAY - 1, false),
        (Some(midnight), midnight + DAY, true),
        (Some(midnight - 1), midnight, true),
        (Some(9 * DAY), 8 * DAY, false),
        (Some(9 * DAY), 8 * DAY - 1, true),
    ] {
        assert_eq!(
            is_due(last.map(UtcMs), UtcMs(now), &seoul),
            due,
            "{last:?} {now}"
        );
    }
}

struct Rig {
    dir: tempfile::TempDir,
    zone: Zone,
    signer: Signer,
}

impl Rig {
    /// With a key of its own.
    fn signed(next: Option<PublicKey>) -> Self {
        let (text, _) = SigningKey::generate().unwrap();
        let key = Some(SigningKey::parse(&text).unwrap());
        let signer = Signer { key, next };
        Self { signer, ..rig() }
    }

    /// Whether each head that names a key has its signature, and who has signed.
    fn signers(&self) -> Signers {
        let root = Local::at(&self.dir.path().join("root"));
        let mut signers = Signers::default();
        for number in self.numbers() {
            let head = Head::parse(&text(&root, number).unwrap()).unwrap();
            let signature = signature(&root, number).unwrap();
            assert_eq!(signers.take(&head, signature.as_deref()), None);
        }
        signers
    }

    fn make(&self, now: i64, lines: u64, disk: &Disk) -> Result<Option<Head>, HeadError> {
        let jobs = head(None, 1, lines).jobs;
        let (root, state_dir) = (self.dir.path().join("root"), self.dir.path().join("state"));
        fs::create_dir_all(&state_dir).unwrap();
        let place = Place {
            root: &root,
            state_dir: &state_dir,
        };
        let with = Making {
            id: &ArchiveId::of(7),
            now: UtcMs(now),
            zone: &self.zone,
            signer: &self.signer,
            disk,
        };
        make(place, with, &jobs, When::Changed)
    }

    fn numbers(&self) -> Vec<u64> {
        numbers(&Local::at(&self.dir.path().join("root"))).unwrap()
    }
}

fn rig() -> Rig {
    Rig {
        dir: tempfile::tempdir().unwrap(),
        zone: Zone::utc(),
        signer: Signer::default(),
    }
}

/// Guarantee: Evident
#[test]
fn heads_follow_each_other_and_no_job_ever_drops_out() {
    let rig = rig();
    let disk = Disk::default();
    let first = rig.make(1_000, 3, &disk).unwrap().unwrap();
    assert_eq!((first.number, first.previous), (1, None));
    // Nothing has changed, and it is the same day.
    assert_eq!(rig.make(2_000, 3, &disk).unwrap(), None);
    let second = rig.make(3_000, 4, &disk).unwrap().unwrap();
    assert!(second.follows(&first));
    let third = rig.make(DAY, 4, &disk).unwrap().unwrap();
    assert!(third.follows(&second));
    // A job of which nothing is known any more: what the head before said of it.
    let root = rig.dir.path().join("root");
    let state = rig.dir.path().join("state");
    let place = Place {
        root: &root,
        state_dir: &state,
    };
    let with = Making {
        id: &ArchiveId::of(7),
        now: UtcMs(2 * DAY),
        zone: &rig.zone,
        signer: &rig.signer,
        disk: &disk,
    };
    let fourth = make(place, with, &BTreeMap::new(), When::Now);
    assert_eq!(fourth.unwrap().unwrap().jobs, third.jobs);
    // A file that is no head keeps its name, and half of one goes.
    fs::write(folder(&root).join("000005.head"), "x").unwrap();
    fs::write(folder(&root).join(".new-half"), "x").unwrap();
    let sixth = rig.make(3 * DAY, 5, &disk).unwrap().unwrap();
    assert_eq!((sixth.number, rig.numbers()), (6, vec![1, 2, 3, 4, 5, 6]));
    assert!(!folder(&root).join(".new-half").exists());
}

/// Guarantee: Curable
#[test]
fn an_older_state_goes_on_behind_the_archive_s_heads_where_they_lead_on_from_its_own() {
    let rig = rig();
    let disk = Disk::default();
    let kept = rig.dir.path().join("state").join(KEPT);
    rig.make(1_000, 1, &disk).unwrap().unwrap();
    let older = fs::read(&kept).unwrap();
    for lines in 2..=4 {
        rig.make(1_000, lines, &disk).unwrap().unwrap();
    }
    fs::write(&kept, &older).unwrap();
    let fifth = rig.make(1_000, 5, &disk).unwrap().unwrap();
    assert_eq!(fifth.number, 5);
    let folder = folder(&rig.dir.path().join("root"));
    let fourth = fs::read_to_string(folder.join("000004.head")).unwrap();
    assert!(fifth.follows(&Head::parse(&fourth).unwrap()));
    // Where they don't, its own is what counts.
    fs::remove_file(folder.join("000003.head")).unwrap();
    fs::write(&kept, &older).unwrap();
    let sixth = rig.make(1_000, 6, &disk).unwrap().unwrap();
    // Its number is not the next one: it does not go on from the fifth.
    assert_eq!(sixth.number, 7);
    assert_eq!(sixth.previous, Some(Digest::of(&older)));
}

/// Guarantee: Atomic
/// Guarantee: Ordered
#[test]
fn a_head_is_made_step_by_step_and_a_step_that_fails_leaves_nothing_that_hinders_the_next() {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let disk = Disk::gated(move |step, _| {
        seen.lock().unwrap().push(step);
        Ok(())
    });
    rig().make(1_000, 3, &disk).unwrap().unwrap();
    let steps = steps.lock().unwrap().clone();
    assert!(steps.ends_with(&[
        Step::WriteHead,
        Step::SyncHeads,
        Step::NoteHead,
        Step::SyncState
    ]));
    for at in 0..steps.len() {
        let (rig, so_far) = (rig(), AtomicUsize::new(0));
        let failing = Disk::gated(
            move |_, _| match so_far.fetch_add(1, Ordering::Relaxed) == at {
                true => Err(io::Error::other("broken")),
                false => Ok(()),
            },
        );
        rig.make(1_000, 3, &failing).unwrap_err();
        let there = rig.numbers();
        let next = rig.make(2_000, 4, &Disk::default()).unwrap().unwrap();
        assert_eq!(next.number, there.len() as u64 + 1, "{at}");
        assert_eq!(rig.numbers(), Vec::from_iter(1..=next.number), "{at}");
    }
}

/// Guarantee: Evident
/// Guarantee: Atomic
#[test]
fn a_head_that_names_a_key_has_its_signature_whatever_breaks() {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let disk = Disk::gated({
        let steps = Arc::clone(&steps);
        move |step, _| {
            steps.lock().unwrap().push(step);
            Ok(())
        }
    });
    let rig = Rig::signed(None);
    rig.make(1_000, 3, &disk).unwrap().unwrap();
    assert_eq!(
        rig.signers().newest(),
        rig.signer.key.as_ref().map(SigningKey::public)
    );
    let steps = steps.lock().unwrap().clone();
    assert!(steps.ends_with(&[
        Step::WriteSignature,
        Step::SyncHeads,
        Step::WriteHead,
        Step::SyncHeads,
        Step::NoteHead,
        Step::SyncState
    ]));
    for at in 0..steps.len() {
        let (rig, so_far) = (Rig::signed(None), AtomicUsize::new(0));
        let failing = Disk::gated(
            move |_, _| match so_far.fetch_add(1, Ordering::Relaxed) == at {
                true => Err(io::Error::other("broken")),
                false => Ok(()),
            },
        );
        rig.make(1_000, 3, &failing).unwrap_err();
        rig.signers();
        // The signature that was there first is of a head that never was.
        rig.make(2_000, 4, &Disk::default()).unwrap().unwrap();
        assert!(rig.signers().is_newest_signed, "{at}");
    }
}

/// Guarantee: Evident
#[test]
fn a_key_that_a_signed_head_has_named_may_follow_and_any_other_is_told() {
    let (text, public) = SigningKey::generate().unwrap();
    let mut rig = Rig::signed(Some(public));
    let disk = Disk::default();
    rig.make(1_000, 1, &disk).unwrap();
    let next = |text: &_, next| Signer {
        key: Some(SigningKey::parse(text).unwrap()),
        next,
    };
    // It is named no more once it signs.
    rig.signer = next(&text, rig.signer.next.clone());
    assert_eq!(rig.make(2_000, 2, &disk).unwrap().unwrap().next_key, None);
    let (text, _) = SigningKey::generate().unwrap();
    rig.signer = next(&text, None);
    rig.make(3_000, 3, &disk).unwrap();
    let signers = rig.signers();
    let named: Vec<_> = signers
        .signed
        .iter()
        .map(|signed| (signed.since, signed.is_named))
        .collect();
    assert_eq!(named, [(1, true), (2, true), (3, false)]);
    let told = signers.told().concat();
    assert_eq!(
        told.matches("A KEY THAT NO HEAD BEFORE NAMES").count(),
        1,
        "{told}"
    );
    // Nobody signs any more.
    rig.signer = Signer::default();
    rig.make(4_000, 4, &disk).unwrap();
    let told = rig.signers().told().concat();
    assert!(
        told.contains("not signed, after those that are: 1"),
        "{told}"
    );
    assert!(told.contains("the newest head is not signed"), "{told}");
}

/// Guarantee: Evident
#[test]
fn a_head_that_somebody_without_the_key_has_put_there_is_not_gone_on_from() {
    let rig = Rig::signed(None);
    let disk = Disk::default();
    let first = rig.make(1_000, 1, &disk).unwrap().unwrap();
    let folder = folder(&rig.dir.path().join("root"));
    let invented = head(Some(&first), 2_000, 9);
    fs::write(folder.join(invented.file_name()), invented.to_text()).unwrap();
    let third = rig.make(3_000, 2, &disk).unwrap().unwrap();
    assert_eq!((third.number, third.previous), (4, Some(first.digest())));
    // With the key it goes on: a kill came before the state directory knew.
    let kept = rig.dir.path().join("state").join(KEPT);
    let older = fs::read(&kept).unwrap();
    let fourth = rig.make(4_000, 3, &disk).unwrap().unwrap();
    fs::write(&kept, older).unwrap();
    assert!(rig.make(5_000, 4, &disk).unwrap().unwrap().follows(&fourth));
}

/// Guarantee: Self-healing
#[test]
fn whoever_signs_now_or_no_more_is_gone_on_from_after_a_kill_before_the_state_directory_knew() {
    let (text, _) = SigningKey::generate().unwrap();
    let another = || Signer {
        key: Some(SigningKey::parse(&text).unwrap()),
        next: None,
    };
    for after in [another(), Signer::default()] {
        let mut rig = Rig::signed(None);
        let disk = Disk::default();
        rig.make(1_000, 1, &disk).unwrap().unwrap();
        rig.signer = after;
        let is_coming = AtomicUsize::new(0);
        let killed = Disk::gated(move |step, _| match step {
            // The first one is of the head that comes.
            Step::NoteHead if is_coming.fetch_add(1, Ordering::Relaxed) == 1 => {
                Err(io::Error::other("killed"))
            }
            _ => Ok(()),
        });
        rig.make(2_000, 2, &killed).unwrap_err();
        assert_eq!(rig.numbers(), [1, 2]);
        let second = text_of(&rig, 2);
        let third = rig.make(3_000, 3, &disk).unwrap().unwrap();
        assert!(third.follows(&second));
    }
}

fn text_of(rig: &Rig, number: u64) -> Head {
    let root = Local::at(&rig.dir.path().join("root"));
    Head::parse(&text(&root, number).unwrap()).unwrap()
}

/// Guarantee: Curable
#[test]
fn an_older_state_goes_on_behind_heads_that_its_own_key_has_signed_whatever_key_was_before() {
    let mut rig = Rig::signed(None);
    let disk = Disk::default();
    rig.make(1_000, 1, &disk).unwrap().unwrap();
    let state = rig.dir.path().join("state");
    let older = fs::read(state.join(KEPT)).unwrap();
    let (text, _) = SigningKey::generate().unwrap();
    rig.signer.key = Some(SigningKey::parse(&text).unwrap());
    rig.make(2_000, 2, &disk).unwrap().unwrap();
    let third = rig.make(3_000, 3, &disk).unwrap().unwrap();
    fs::write(state.join(KEPT), &older).unwrap();
    fs::remove_file(state.join("coming.head")).unwrap();
    assert!(rig.make(4_000, 4, &disk).unwrap().unwrap().follows(&third));
}

/// Guarantee: Candid
#[test]
fn the_first_key_is_the_archive_s_own_only_where_no_head_before_it_is_gone() {
    let rig = Rig::signed(None);
    let disk = Disk::default();
    for lines in 1..=3 {
        rig.make(lines * 1_000, lines as u64, &disk).unwrap();
    }
    assert!(rig.signers().signed[0].is_named);
    let folder = folder(&rig.dir.path().join("root"));
    fs::remove_file(folder.join("000001.head")).unwrap();
    assert!(!rig.signers().signed[0].is_named);
    // Beside a head that names no key lies no signature.
    let unsigned = head(None, 1_000, 1);
    let found = Signers::default().take(&unsigned, Some("x"));
    assert!(found.is_some());
}
