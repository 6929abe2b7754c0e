//! *Suspicious* and *Bounded*: zips that are made to hurt. Each is served to the real binary,
//! which is watched: it refuses every hostile one, keeps it aside whole with the reason, touches
//! nothing outside its own folders, and reads every odd one byte for byte.
//!
//! `cargo test --test hostile -- --nocapture` prints what happened to each.

mod cases;
mod echo;
mod forge;
mod lies;
mod readers;
mod service;
mod watch;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use crate::harness::{Due, Job, World, left_out, project_key, zip_of};
use cases::{Case, Fate, Ground, Group};
use elsa_archiver::simulator::{Fault, FaultPlan};
use serde_json::Value;

const CANARY: &str = "nobody else's business";

const NO_STRACE: &str = "there is no strace that may trace";

/// A zip that is kept, with the reason.
struct Kept {
    name: String,
    zip: Vec<u8>,
    reason: Value,
}

/// What is in the quarantine; asserts that each zip has a reason, and that there is nothing else.
fn quarantine(world: &World) -> Vec<Kept> {
    let folder = world.path("state/quarantine");
    let Ok(listing) = fs::read_dir(&folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = listing
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let zips: Vec<Kept> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".zip"))
        .map(|stem| Kept {
            name: stem.to_owned(),
            zip: fs::read(folder.join(format!("{stem}.zip"))).unwrap(),
            reason: serde_json::from_slice(&fs::read(folder.join(format!("{stem}.json"))).unwrap())
                .unwrap(),
        })
        .collect();
    assert_eq!(names.len(), 2 * zips.len(), "{names:?}");
    zips
}

/// Serves each zip of a group to a job of its name, and says what happened to each.
async fn archive(group: impl FnOnce(&Ground) -> Group) -> Vec<String> {
    let due = Due::hours(1);
    let world = World::of([]).await;
    let canary = world.path("canary");
    let ground = Ground {
        log: format!("{{\"logTime\":{},\"body\":\"a log\"}}\n", due.since().0).into_bytes(),
        canary: canary.display().to_string(),
    };
    let cases = group(&ground);
    tokio::task::spawn_blocking(move || {
        let jobs: Vec<Job> = cases
            .iter()
            .map(|case| Job::new(&case.name, &due))
            .collect();
        world.configure(&jobs);
        let zips: HashMap<_, _> = cases
            .iter()
            .map(|case| (project_key(&case.name), case.zip.clone()))
            .collect();
        let endpoint = service::serve(zips);
        let config = world.config().replace(&world.service.endpoint(), &endpoint);
        world.write_config(&config);
        fs::write(&canary, CANARY).unwrap();
        fs::create_dir(world.root()).unwrap();
        fs::write(world.root().join("canary"), CANARY).unwrap();

        let ours = [world.root(), world.path("state")];
        let before = watch::snapshot(&world.path(""), &ours);
        let watched = watch::once(&world);
        let trace = [world.path("trace")]
            .into_iter()
            .chain(ours)
            .collect::<Vec<_>>();
        assert_eq!(watch::snapshot(&world.path(""), &trace), before);
        for place in [canary, world.root().join("canary")] {
            assert_eq!(fs::read_to_string(place).unwrap(), CANARY);
        }
        match &watched.touched {
            Some(touched) => assert_touched_ours_alone(&world, &cases, touched),
            None => left_out("a watch on what is touched", NO_STRACE),
        }
        let controls = |c: char| c.is_control() && c != '\n';
        for printed in [&watched.log, &watched.results] {
            assert!(!printed.contains(controls), "{printed}");
            assert!(!printed.contains("CANARY"), "a key was printed");
        }
        let kept = quarantine(&world);
        let told = cases
            .iter()
            .map(|case| what_happened(&world, case, &kept, &watched.log));
        let told = told.collect();
        let refused = cases
            .iter()
            .filter(|case| matches!(case.fate, Fate::Refused(_)))
            .count();
        assert_eq!(kept.len(), refused);
        // Something is refused in each group, or of unknown worth.
        assert_eq!(watched.code, Some(1), "{}", watched.log);
        assert!(world.staged().is_empty(), "{:?}", world.staged());
        told
    })
    .await
    .unwrap()
}

/// Asserts that everything that was touched is a window's folder, in staging or in its place, or
/// the program's own.
fn assert_touched_ours_alone(
    world: &World,
    cases: &[Case],
    touched: &std::collections::BTreeSet<PathBuf>,
) {
    let mut folders = vec![
        world.path("state"),
        world.root().join("_archive"),
        PathBuf::from("/dev/null"),
    ];
    for case in cases {
        folders.push(world.root().join(".staging").join(&case.name));
        folders.push(world.root().join(&case.name));
    }
    let themselves = [
        world.root(),
        world.root().join(".staging"),
        world.root().join(".lock"),
        // A rename is tried there at the start.
        world.root().join(".staging/.asked"),
        world.root().join(".staging/.answered"),
    ];
    assert!(
        touched.len() > cases.len(),
        "too little was seen: {touched:#?}"
    );
    for path in touched {
        let ours = watch::is_within(path, &folders) || themselves.contains(path);
        assert!(ours, "{} was touched", path.display());
    }
}

fn what_happened(world: &World, case: &Case, kept: &[Kept], log: &str) -> String {
    let name = &case.name;
    let folders = world.folders(name);
    let mut of_job = kept
        .iter()
        .filter(|kept| kept.reason["job"] == name.as_str());
    match &case.fate {
        Fate::Refused(why) => {
            assert!(folders.is_empty(), "{name} was archived");
            assert!(!world.root().join(name).exists(), "{name}");
            let kept = of_job.next();
            let Some(kept) = kept else {
                panic!("{name} is not kept: {log}")
            };
            let reason = kept.reason["reason"].as_str().unwrap();
            assert!(reason.contains(why), "{name}: {reason}");
            assert!(kept.zip == case.zip, "{name} was not kept whole");
            assert!(of_job.next().is_none(), "{name} is kept twice");
            assert!(
                log.contains(&kept.name),
                "the log does not name {}",
                kept.name
            );
            format!("{name:36} refused, kept aside: {reason}")
        }
        Fate::Read(files) => {
            assert!(of_job.next().is_none(), "{name} was refused");
            let [folder] = &folders[..] else {
                panic!("{name} was not read: {log}")
            };
            let mut found = files_of(&folder.path.join("part-0001"));
            found.sort();
            let mut expected = files.clone();
            expected.sort();
            assert!(
                found == expected,
                "{name}: {:?}",
                found.iter().map(|(name, _)| name)
            );
            folder.assert_sums_pass();
            let (status, count) = (&folder.manifest["status"], files.len());
            format!(
                "{name:36} read, {count} files as they were, {}",
                status.as_str().unwrap()
            )
        }
    }
}

/// Every file below a folder, by its path in it.
fn files_of(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    if !folder.exists() {
        return Vec::new();
    }
    let all = watch::snapshot(folder, &[]);
    let paths = all.keys().filter(|path| !path.is_dir());
    let relative = |path: &PathBuf| path.strip_prefix(folder).unwrap().display().to_string();
    paths
        .map(|path| (relative(path), fs::read(path).unwrap()))
        .collect()
}

/// What is not seen could not be found out of place.
#[test]
fn the_watch_sees_whatever_is_made_written_moved_or_removed() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "mkdir made; : > made/written; ln -s x linked; ln made/written again; mv again moved; \
         mkfifo pipe; rm moved; cat made/written",
    ]);
    let before = watch::snapshot(dir.path(), &[]);
    let watched = watch::watch(&command, dir.path());
    assert_eq!(watched.code, Some(0), "{}", watched.log);
    assert_ne!(
        watch::snapshot(dir.path(), &[dir.path().join("trace")]),
        before
    );
    let Some(touched) = watched.touched else {
        left_out("a watch on what is touched", NO_STRACE);
        return;
    };
    for name in ["made", "made/written", "linked", "again", "moved", "pipe"] {
        assert!(
            touched.contains(&dir.path().join(name)),
            "{name}: {touched:#?}"
        );
    }
    let ours = [dir.path().join("made")];
    assert!(watch::is_within(&dir.path().join("made/written"), &ours));
    for escaped in ["made/../linked", "linked", "made-too"] {
        assert!(!watch::is_within(&dir.path().join(escaped), &ours));
    }
}

/// Guarantee: Bounded
/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn each_hostile_zip_is_refused_and_kept_and_each_odd_one_is_read() {
    // Side by side, since what takes the time is waiting between attempts.
    let (names, kinds, lies, floods, foreign, odd) = tokio::join!(
        tokio::spawn(archive(Ground::names)),
        tokio::spawn(archive(Ground::kinds)),
        tokio::spawn(archive(Ground::lies)),
        tokio::spawn(archive(Ground::floods)),
        tokio::spawn(archive(Ground::foreign)),
        tokio::spawn(archive(Ground::odd)),
    );
    for group in [names, kinds, lies, floods, foreign, odd] {
        println!("{}\n", group.unwrap().join("\n"));
    }
}

/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn a_zip_that_was_damaged_once_is_kept_and_its_window_archived_all_the_same() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world
        .service
        .set_faults(FaultPlan::script([Fault::CorruptZip(200)]));
    world.configure(&[Job::new("shop", &due)]);
    world
        .once()
        .exits(0)
        .says("it is kept as")
        .says("state/quarantine/shop-");
    world.assert_archived("shop", &due.windows);
    let kept = quarantine(&world);
    assert_eq!(kept.len(), 1);
    let reason = &kept[0].reason;
    assert_eq!(reason["from_ms"], due.windows[0].from().0);
    assert_eq!(reason["to_ms"], due.windows[0].to().0);
    assert_eq!(reason["endpoint"], world.service.endpoint());
    assert_eq!(reason["http_status"], 200);
    assert_eq!(reason["zip"]["bytes"], kept[0].zip.len());
}

/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn what_broke_off_on_its_way_is_no_refused_zip() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    let faults = [Fault::CutAfter(100), Fault::Html200];
    world.service.set_faults(FaultPlan::script(faults));
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    assert!(quarantine(&world).is_empty());
}

/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread")]
async fn a_quarantine_that_can_t_be_written_is_only_a_warning() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world
        .service
        .set_faults(FaultPlan::script([Fault::CorruptZip(200)]));
    world.configure(&[Job::new("shop", &due)]);
    fs::create_dir(world.path("state")).unwrap();
    fs::write(world.path("state/quarantine"), "a plain file").unwrap();
    world.once().exits(0).says("the refused zip is not kept");
    world.assert_archived("shop", &due.windows);
}

/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_config_decide_what_is_too_much() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    let much = format!(
        "{{\"logTime\":{},\"body\":\"{}\"}}\n",
        due.since().0,
        "x".repeat(1 << 20)
    );
    let faults = FaultPlan::script([Fault::Body(zip_of("a.json", &much))]);
    world.service.set_faults(faults);
    world.configure(&[Job::new("shop", &due)]);
    let config = world.config();
    world.write_config(&config.replace("[archive]\n", "[archive]\nmax_unpacked = \"1MiB\"\n"));
    world.once().exits(0).says("more bytes than are allowed");
    assert_eq!(quarantine(&world).len(), 1);
}
