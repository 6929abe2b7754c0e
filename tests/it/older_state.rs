//! An older copy of the state directory comes back: what was cured since is known from the archive, and nothing is
//! asked for again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use elsa_archiver::domain::span::Span;

use crate::harness::{Due, Folder, Job, World, files_below};

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

/// The newest folder of each window.
fn newest(world: &World) -> BTreeMap<Span, Folder> {
    let mut folders = world.folders("shop");
    folders.sort_by_key(|folder| folder.name.clone());
    let folders = folders.into_iter().map(|folder| (folder.window, folder));
    folders.collect()
}

/// Guarantee: Self-healing
/// Guarantee: Curable
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn what_was_repaired_since_is_taken_over_and_not_asked_for_again() {
    for (at, is_set_aside) in [(1, true), (3, true), (1, false), (3, false)] {
        let due = Due::hours(6);
        let world = World::of([due.project("shop")]).await;
        world.configure(&[Job::new("shop", &due)]);
        let (from, to) = (due.since().to_string(), due.windows[3].to().to_string());
        let backfill = ["backfill", "--job", "shop", "--from", &from, "--to", &to];
        world.run(&backfill).exits(0);
        copy(&world.path("state"), &world.path("old-state"));
        // The folder is damaged, or gone, and cured; in one case it is the newest.
        let folder = world.folders("shop").swap_remove(at).path;
        if is_set_aside {
            fs::write(files_below(&folder.join("part-0001")).remove(0), "[]").unwrap();
        } else {
            fs::remove_dir_all(&folder).unwrap();
        }
        world.run(&["repair", "--confirm"]).exits(0);
        world.once().exits(0);
        world.run(&["verify"]).exits(0);
        world.service.clear_journal();

        fs::remove_dir_all(world.path("state")).unwrap();
        fs::rename(world.path("old-state"), world.path("state")).unwrap();
        let once = world.once();
        if once.code != Some(0) {
            once.says("elsa-archiver repair");
        }
        if world.run(&["verify"]).code != Some(0) {
            world.run(&["repair", "--confirm"]).exits(0);
            world.once().exits(0);
        }
        let asked = world.requests("shop");
        assert!(asked.is_empty(), "{at} {is_set_aside}: {asked:#?}");
        world.run(&["verify"]).exits(0);
        world.run(&["status"]).exits(0);
        let newest = newest(&world);
        assert!(newest.keys().eq(&due.windows), "{at} {is_set_aside}");
        for folder in newest.values() {
            world.assert_holds_the_truth("shop", folder);
        }
        let copied = world.root().display().to_string();
        world.run(&["verify", &copied]).exits(0);
        world.assert_nothing_left_to_do();
    }
}
