//! Folders that a ledger lacks: which of them it takes over, and which stay in the way.

use super::*;

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
    assert_eq!(ledger.replay(), &shown);
}

/// Guarantee: Exactly once
#[test]
fn a_folder_that_does_not_continue_the_chain_is_not_adopted() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..2);
    // Follows nothing: as if another program, or another state directory, had written it.
    published(&world.store(), span(5 * HOUR, 6 * HOUR), None).unwrap();
    let why = world.adopt(&mut ledger);
    assert_eq!(why.len(), 1);
    assert!(why[0].contains("does not continue the chain"), "{why:?}");
    assert_eq!(ledger.replay().lines, 2);
}

/// Guarantee: Self-healing
#[test]
fn a_folder_that_can_t_be_read_just_now_stops_the_job_and_is_adopted_later() {
    let world = World::new();
    let mut ledger = world.open();
    published(&world.store(), span(0, HOUR), None).unwrap();
    let too_many_open_files = |step, _: &Path| match step {
        Step::ReadPublished => Err(rustix::io::Errno::MFILE.into()),
        _ => Ok(()),
    };
    let root = world.dir.path().join("archive");
    let store = Store::new(root, 0, Disk::gated(too_many_open_files));
    let job = crate::domain::plan::tests::job();
    let known = Known {
        coverage: &ledger.replay().coverage,
        revisions: &ledger.replay().revisions,
        last_manifest: None,
    };
    let error = adopt(&store, &job, known).unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with("can't read ") && error.contains("manifest.json"),
        "{error}"
    );
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
    assert_eq!(ledger.replay(), &shown);
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
