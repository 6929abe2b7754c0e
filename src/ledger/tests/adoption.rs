//! Folders that a ledger lacks: which of them it takes over, and which stay in the way.

use super::*;
use crate::archive::storage::Local;
use crate::archive::verify::{Depth, Known as Told, Owner, against, copy};
use crate::domain::recheck::Recheckable;

/// What lines show, wherever they lie.
fn facts(replay: &Replay) -> Replay {
    let mut facts = replay.clone();
    (facts.lines, facts.end, facts.last_line) = (0, 0, None);
    facts.recheckable = Recheckable::default();
    facts
}

/// The breaks that a ledger says, by their windows.
fn breaks(world: &World) -> Vec<Span> {
    let mut breaks = Vec::new();
    Ledger::read(world.dir.path(), &world.job, |line| {
        if let Event::Rebuilt(rebuilt) = &line.event {
            let windows = rebuilt.breaks.iter();
            breaks.extend(windows.map(|found| Span::new(found.from_ms, found.to_ms).unwrap()));
        }
    })
    .unwrap();
    breaks
}

/// Guarantee: Self-healing
#[test]
fn a_lost_ledger_is_made_anew_from_the_manifests() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..5);
    let shown = ledger.replay().clone();
    drop(ledger);
    fs::remove_file(world.path()).unwrap();
    let mut ledger = world.open();
    assert_eq!(ledger.replay().lines, 0);
    assert_eq!(world.adopt(&mut ledger), [""; 0]);
    assert_eq!(facts(ledger.replay()), facts(&shown));
    assert_eq!(breaks(&world), []);
}

/// Guarantee: Self-healing
#[test]
fn a_folder_that_does_not_continue_the_chain_is_adopted_and_the_break_told() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..2);
    // Follows nothing: as if another state directory had been used for a while.
    published(&world.store(), span(5 * HOUR, 6 * HOUR), None).unwrap();
    assert_eq!(world.adopt(&mut ledger), [""; 0]);
    assert_eq!(ledger.replay().lines, 4);
    assert_eq!(breaks(&world), [span(5 * HOUR, 6 * HOUR)]);
    world.archive(&mut ledger, 2..3);
    assert_eq!(world.adopt(&mut ledger), [""; 0]);
}

/// Guarantee: Exactly once
#[test]
fn a_folder_that_holds_instants_of_another_one_is_not_adopted() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..2);
    let end = ledger.replay().last_manifest;
    published(&world.store(), span(HOUR, 3 * HOUR), end).unwrap();
    let why = world.adopt(&mut ledger);
    assert!(why[0].contains("holds instants of its window"), "{why:?}");
    assert_eq!(ledger.replay().lines, 2);
}

/// Guarantee: Exactly once
#[test]
fn bytes_that_were_changed_are_not_adopted_after_a_crash_and_hold_nothing_back() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..5);
    drop(ledger);
    fs::remove_file(world.path()).unwrap();
    let second = world.store().published(&world.job).unwrap().remove(1).1;
    let data = world
        .store()
        .root()
        .join(second)
        .join("part-0001/logs.json");
    let length = fs::metadata(&data).unwrap().len();
    fs::write(&data, vec![b' '; usize::try_from(length).unwrap()]).unwrap();
    let mut ledger = world.open();
    let why = world.adopt(&mut ledger);
    assert_eq!(why, ["part-0001/logs.json: was changed"]);
    assert_eq!(ledger.replay().records, 4);
    assert_eq!(breaks(&world), [span(2 * HOUR, 3 * HOUR)]);
}

/// Guarantee: Self-healing
#[test]
fn a_folder_that_can_t_be_read_just_now_stops_the_job_and_is_adopted_later() {
    let world = World::new();
    let mut ledger = world.open();
    published(&world.store(), span(0, HOUR), None).unwrap();
    let job = crate::domain::plan::tests::job();
    let faults: [fn() -> io::Error; 2] = [
        || rustix::io::Errno::MFILE.into(),
        // Object storage that does not answer: no number of the system's tells it.
        || io::Error::new(io::ErrorKind::HostUnreachable, "no answer"),
    ];
    for fault in faults {
        for file in ["manifest.json", "SHA256SUMS", "logs.json"] {
            let fails = move |step, path: &Path| match step {
                Step::ReadPublished if path.ends_with(file) => Err(fault()),
                _ => Ok(()),
            };
            let root = world.dir.path().join("archive");
            let store = Store::new(root, 0, Disk::gated(fails));
            let known = Known {
                coverage: &ledger.replay().coverage,
                revisions: &ledger.replay().revisions,
                last_manifest: None,
            };
            let error = adopt(&store, &job.name, Some(job.project_id), known).unwrap_err();
            let error = error.to_string();
            assert!(
                error.starts_with("can't read ") && error.contains(file),
                "{error}"
            );
        }
    }
    assert_eq!(world.adopt(&mut ledger), [""; 0]);
    assert_eq!(ledger.replay().lines, 1);
}

/// Guarantee: Self-healing
#[test]
fn a_folder_with_a_missing_or_cut_file_is_not_adopted() {
    let world = World::new();
    let window = span(0, HOUR);
    published(&world.store(), window, None).unwrap();
    let folder = world.store().published(&world.job).unwrap().remove(0).1;
    let file = world
        .store()
        .root()
        .join(folder)
        .join("part-0001/logs.json");
    fs::write(&file, "[").unwrap();
    let mut ledger = world.open();
    assert!(world.adopt(&mut ledger)[0].contains("another length"));
    fs::remove_file(&file).unwrap();
    assert!(world.adopt(&mut ledger)[0].contains("is missing"));
    assert_eq!(ledger.replay().lines, 0);
}

/// Guarantee: Self-healing
#[test]
fn a_lost_ledger_is_made_anew_also_where_the_oldest_folders_were_taken_away() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..5);
    drop(ledger);
    fs::remove_file(world.path()).unwrap();
    let oldest = world.store().published(&world.job).unwrap().remove(0).1;
    fs::remove_dir_all(world.store().root().join(oldest)).unwrap();
    let mut ledger = world.open();
    assert_eq!(world.adopt(&mut ledger), [""; 0]);
    assert_eq!(
        ledger.replay().coverage.spans().collect::<Vec<_>>(),
        [span(HOUR, 5 * HOUR)]
    );
}

/// Guarantee: Self-healing
#[test]
fn a_lost_ledger_says_each_break_in_as_many_lines_as_it_takes() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..400);
    drop(ledger);
    fs::remove_file(world.path()).unwrap();
    let folders = world.store().published(&world.job).unwrap();
    for (_, folder) in folders.iter().step_by(2) {
        fs::remove_dir_all(world.store().root().join(folder)).unwrap();
    }
    let mut ledger = world.open();
    assert_eq!(world.adopt(&mut ledger), [""; 0]);
    let shown = ledger.replay().clone();
    assert_eq!((shown.records, shown.lines), (200, 202));
    assert_eq!(breaks(&world).len(), 200);
    drop(ledger);
    assert_eq!(world.open().replay(), &shown);
}

/// Guarantee: Self-healing
#[test]
fn a_revision_that_the_ledger_lacks_is_adopted_and_so_are_all_when_it_was_lost() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..3);
    drop(world.revise(&ledger, 1));
    assert_eq!(world.adopt(&mut ledger), [""; 0]);
    assert_eq!(ledger.replay().records, 4);
    world.archive(&mut ledger, 3..4);
    ledger.record(world.revise(&ledger, 1)).unwrap();
    let shown = ledger.replay().clone();
    // Nothing is left to be adopted, and nothing is in the way.
    assert_eq!(world.adopt(&mut ledger), [""; 0]);
    assert_eq!(ledger.replay(), &shown);
    drop(ledger);
    fs::remove_file(world.path()).unwrap();
    let mut ledger = world.open();
    assert_eq!(world.adopt(&mut ledger), [""; 0]);
    assert_eq!(facts(ledger.replay()), facts(&shown));
}

/// Guarantee: Exactly once
#[test]
fn a_revision_behind_a_hole_takes_the_place_of_the_newest_that_is_there() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..3);
    for _ in 0..2 {
        let again = world.revise(&ledger, 1);
        ledger.record(again).unwrap();
        let hours = ledger.replay().coverage.end().unwrap().0 / HOUR;
        world.archive(&mut ledger, hours..hours + 1);
    }
    let shown = ledger.replay().clone();
    drop(ledger);
    fs::remove_file(world.path()).unwrap();
    let root = world.store().root().to_owned();
    let second = world.store().published(&world.job).unwrap().remove(2).1;
    assert!(second.ends_with(".r2"), "{second}");
    fs::remove_dir_all(root.join(second)).unwrap();

    let mut ledger = world.open();
    assert_eq!(world.adopt(&mut ledger), [""; 0]);
    let rebuilt = ledger.replay();
    assert_eq!(rebuilt.revisions, shown.revisions);
    assert_eq!(
        (rebuilt.records, rebuilt.bytes),
        (shown.records, shown.bytes)
    );
    assert_eq!(breaks(&world), [span(3 * HOUR, 4 * HOUR)]);
    // And proven so, with the ledger and without.
    let job = crate::domain::plan::tests::job();
    let mut folders = Folders::default();
    Ledger::read(world.dir.path(), &world.job, |line| folders.take(line)).unwrap();
    let told = Told {
        recorded: folders.recorded(),
        breaks: folders.breaks(),
        coverage: &rebuilt.coverage,
    };
    let owner = Owner {
        job: job.name.as_str(),
        project_id: Some(job.project_id),
    };
    let report = against::verify(
        &world.store(),
        (owner, job.since),
        &[],
        told,
        Depth::Stored,
        (std::num::NonZeroUsize::MIN, &|_| {}),
    );
    assert!(report.is_proven(), "{report:?}");
    assert_eq!((report.superseded, report.records), (1, shown.records));
    let folders = copy::folders(&Local::at(&root)).unwrap();
    let report = copy::verify(
        &Local::at(&root),
        &folders,
        Depth::Stored,
        (std::num::NonZeroUsize::MIN, &|| {}),
    )
    .remove(0);
    assert_eq!((report.superseded, report.records), (1, shown.records));
    // Nothing was published since that could name the break.
    assert_eq!(report.findings.len(), 1, "{report:?}");
}

#[test]
fn a_revision_whose_first_folder_was_taken_away_is_all_there_is_of_its_window() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..1);
    ledger.record(world.revise(&ledger, 0)).unwrap();
    drop(ledger);
    fs::remove_file(world.path()).unwrap();
    let first = world.store().published(&world.job).unwrap().remove(0).1;
    fs::remove_dir_all(world.store().root().join(first)).unwrap();
    let mut ledger = world.open();
    assert_eq!(world.adopt(&mut ledger), [""; 0]);
    let shown = ledger.replay();
    assert_eq!((shown.records, shown.lateness.rechecked), (2, 0));
    assert!(shown.coverage.covers(span(0, HOUR)));
}

#[test]
fn a_folder_called_a_revision_that_supersedes_nothing_is_not_adopted() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..1);
    let end = ledger.replay().last_manifest;
    let next = published(&world.store(), span(HOUR, 2 * HOUR), end).unwrap();
    let folder = world.store().root().join(&next.archived().folder);
    fs::rename(&folder, format!("{}.r2", folder.display())).unwrap();
    let why = world.adopt(&mut ledger);
    assert!(why[0].contains("is another window's"), "{why:?}");
}
