//! What is kept, what goes, what a crash leaves, and what a full disk does.

use std::time::Duration;

use super::*;
use crate::digest::Digest;

struct World {
    dir: tempfile::TempDir,
    quarantine: Quarantine,
}

impl World {
    fn new() -> Self {
        Self::on(Disk::default())
    }

    fn on(disk: Disk) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine {
            most_zips: 3,
            most_bytes: 100,
            ..Quarantine::new(dir.path(), 0, disk)
        };
        Self { dir, quarantine }
    }

    fn keep(&self, from_ms: i64, content: &str) -> Result<PathBuf, NotKept> {
        let zip = self.dir.path().join("answer.zip");
        fs::write(&zip, content).unwrap();
        self.quarantine.keep(&zip, &refusal(from_ms, content))
    }

    /// Keeps it as if the zip had come at that second.
    fn keep_at(&self, second: u64, content: &str) {
        let place = self.keep(second as i64, content).unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        File::open(place).unwrap().set_modified(at).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.quarantine.names().unwrap();
        names.sort();
        names
    }

    /// The contents of the zips that are kept.
    fn contents(&self) -> Vec<String> {
        let names = self.names().into_iter();
        let zips = names.filter(|name| name.ends_with(".zip"));
        zips.map(|zip| fs::read_to_string(self.quarantine.folder.join(zip)).unwrap())
            .collect()
    }
}

fn refusal(from_ms: i64, content: &str) -> Refusal {
    Refusal {
        reason: "entries overlap".into(),
        refused_at: "2026-11-22T21:00:00+09:00".into(),
        job: JobName::parse("shop").unwrap(),
        project_key: "Pb".into(),
        project_id: 7,
        from_ms: UtcMs(from_ms),
        to_ms: UtcMs(from_ms + 1000),
        endpoint: "https://elsa.apigw.ntruss.com".into(),
        http_status: 200,
        zip: Zip {
            bytes: content.len() as u64,
            sha256: Digest::of(content.as_bytes()),
            path: None,
        },
        tool: "test".into(),
    }
}

/// Guarantee: Candid
#[test]
fn a_refused_zip_is_kept_whole_with_its_reason() {
    let world = World::new();
    let place = world.keep(5, "the zip").unwrap();
    assert_eq!(fs::read_to_string(&place).unwrap(), "the zip");
    let name = place.file_name().unwrap().to_str().unwrap();
    let digest = Digest::of(b"the zip").to_string();
    assert_eq!(name, format!("shop-5-1005-{}.zip", &digest[..16]));
    let reason = fs::read(place.with_extension("json")).unwrap();
    let reason: serde_json::Value = serde_json::from_slice(&reason).unwrap();
    assert_eq!(reason["reason"], "entries overlap");
    assert_eq!(reason["zip"]["sha256"], digest);
    assert_eq!(world.names().len(), 2);
}

/// Guarantee: Bounded
#[test]
fn the_same_zip_is_kept_once() {
    let world = World::new();
    let first = world.keep(1, "the zip").unwrap();
    assert_eq!(world.keep(2, "the zip").unwrap(), first);
    assert_eq!(world.contents(), ["the zip"]);
}

/// Guarantee: Atomic
#[test]
fn half_a_zip_that_could_not_be_removed_is_not_taken_for_it() {
    let world = World::new();
    for (from_ms, half) in [(1, "the"), (2, "the z")] {
        let kept = world.keep(from_ms, "the zip").unwrap();
        let name = kept.file_name().unwrap().to_str().unwrap();
        let unfinished = kept.with_file_name(unfinished(name));
        fs::rename(&kept, &unfinished).unwrap();
        fs::write(unfinished, half).unwrap();
    }
    let kept = world.keep(1, "the zip").unwrap();
    assert_eq!(fs::read_to_string(&kept).unwrap(), "the zip");
    assert_eq!(world.keep(2, "the zip").unwrap(), kept);
}

/// Guarantee: Bounded
#[test]
fn the_oldest_go_when_there_are_too_many_or_too_much() {
    let world = World::new();
    for (second, content) in [(4, "d"), (1, "a"), (3, "c"), (5, "e")] {
        world.keep_at(second, content);
    }
    // `a` was the oldest when `e` came, though not the first to come.
    assert_eq!(world.contents(), ["c", "d", "e"]);
    world.keep_at(6, &"f".repeat(99));
    assert_eq!(world.contents(), ["e".to_owned(), "f".repeat(99)]);
    let too_large = world.keep(7, &"g".repeat(101));
    assert!(matches!(too_large, Err(NotKept::TooLarge { .. })));
    assert_eq!(world.names().len(), 4);
}

#[test]
fn what_others_have_put_there_is_left_alone() {
    let world = World::new();
    world.keep_at(9, "a");
    let notes = ["notes.zip", "notes.json", "shop-1-2-0123456789abcdeX.zip"];
    for name in notes {
        fs::write(world.quarantine.folder.join(name), "x".repeat(200)).unwrap();
    }
    world.quarantine.prepare().unwrap();
    world.keep_at(10, "b");
    assert_eq!(world.names().len(), 4 + notes.len());
}

/// Guarantee: Atomic
#[test]
fn a_failure_of_any_step_leaves_nothing_half_done() {
    for failing in [
        Step::MakeParent,
        Step::SyncGrandparent,
        Step::StageRefused,
        Step::SyncRefused,
        Step::KeepRefused,
        Step::SyncQuarantine,
    ] {
        for ending in ["json", "zip", "quarantine", ""] {
            let world = World::on(Disk::gated(move |step, path| {
                match step == failing && path.to_string_lossy().ends_with(ending) {
                    true => Err(io::ErrorKind::StorageFull.into()),
                    false => Ok(()),
                }
            }));
            match world.keep(1, "the zip") {
                Ok(_) => assert_eq!(world.names().len(), 2),
                Err(error) => {
                    assert!(matches!(error, NotKept::Disk(_)), "{error}");
                    assert_eq!(world.names(), [""; 0], "{failing:?} {ending}");
                }
            }
        }
    }
}

/// Guarantee: Atomic
#[test]
fn what_a_crash_leaves_is_removed_at_the_next_start() {
    // A crash: from some step on, nothing is done any more.
    for steps in 0..20 {
        let left = Arc::new(Mutex::new(steps));
        let world = World::on(Disk::gated(move |_, _| {
            let mut left = left.lock().unwrap();
            *left -= 1;
            match *left < 0 {
                true => Err(io::ErrorKind::Other.into()),
                false => Ok(()),
            }
        }));
        let _ = world.keep(1, "the zip");
        let again = Quarantine::new(world.dir.path(), 0, Disk::default());
        again.prepare().unwrap();
        let names = world.names();
        assert!(names.is_empty() || names.len() == 2, "{steps}: {names:?}");
        assert!(world.contents().iter().all(|zip| zip == "the zip"));
        let zip = world.dir.path().join("answer.zip");
        again.keep(&zip, &refusal(1, "the zip")).unwrap();
        assert_eq!(world.contents(), ["the zip"]);
    }
}

/// Guarantee: Bounded
#[test]
fn nothing_is_kept_where_space_must_stay_free_and_nothing_goes_for_it() {
    let world = World::new();
    world.keep_at(1, "a");
    let full = Quarantine {
        min_free_space: u64::MAX,
        most_zips: 1,
        ..world.quarantine.clone()
    };
    let zip = world.dir.path().join("answer.zip");
    fs::write(&zip, "b").unwrap();
    let error = full.keep(&zip, &refusal(2, "b")).unwrap_err();
    assert!(error.to_string().contains("min_free_space"), "{error}");
    assert_eq!(world.contents(), ["a"]);
}

#[test]
fn a_zip_that_is_not_what_was_refused_is_not_kept() {
    let world = World::new();
    let zip = world.dir.path().join("answer.zip");
    fs::write(&zip, "another").unwrap();
    let error = world.quarantine.keep(&zip, &refusal(1, "the zip"));
    assert!(matches!(error, Err(NotKept::Changed)));
    assert_eq!(world.names(), [""; 0]);
}
