//! *Atomic* and *Evident* where data are let go of: by rule, shown first, never what is held or not proven elsewhere; and
//! what stays proves what was there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use elsa_archiver::digest::Digest;
use elsa_archiver::domain::span::Span;

use crate::harness::{Due, Folder, Job, Ran, World, files_below};

/// A world with an archive of all that is due.
async fn archived(due: &Due, zips: bool) -> World {
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", due)]);
    world.keep_zips(zips);
    world.once().exits(0);
    world
}

/// Copies what is in a folder over what is in another; nothing is removed there.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let copied = Command::new("cp")
        .args(["-a", "--"])
        .arg(from.join("."))
        .arg(to)
        .status();
    assert!(copied.unwrap().success());
}

/// Copies the archive to another place, as a collector does: without what begins with a dot, and nothing is removed.
pub(crate) fn collect(world: &World, place: &str) -> PathBuf {
    let to = world.path(place);
    for entry in fs::read_dir(world.root()).unwrap() {
        let name = entry.unwrap().file_name();
        if !name.to_string_lossy().starts_with('.') {
            copy(&world.root().join(&name), &to.join(&name));
        }
    }
    to
}

/// Has a copy verified where it lies, and takes its receipt into the archive.
pub(crate) fn receipt(world: &World, place: &str) {
    let (dir, file) = (
        world.path(place).display().to_string(),
        world.path(format!("{place}.receipt")).display().to_string(),
    );
    let verify = ["verify", &dir, "--receipt", place, "--out", &file];
    world.run(&verify).exits(0);
    world
        .run(&["receipt", "add", &file])
        .exits(0)
        .shows("taken");
}

/// Leaves the mark of a prune of these windows, as a kill would.
fn mark(world: &World, windows: &[Span]) {
    let lines = windows
        .iter()
        .map(|window| format!("{} {}\n", window.from().0, window.to().0));
    let mark = world.path("state/shop.ledger.pruning");
    fs::write(mark, lines.collect::<String>()).unwrap();
}

/// `prune` of windows that end by the end of one.
fn prune(world: &World, until: Span, more: &[&str]) -> Ran {
    let before = until.to().to_string();
    world.run(&[&["prune", "--before", &before], more].concat())
}

/// Every file below archive and state with its bytes.
fn all(world: &World) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = files_below(&world.root());
    files.extend(files_below(&world.path("state")));
    let read = |file: PathBuf| (file.clone(), fs::read(file).unwrap());
    files.into_iter().map(read).collect()
}

/// Whether a folder has no data, and what proves them.
pub(crate) fn is_pruned(folder: &Folder) -> bool {
    let names: Vec<_> = files_below(&folder.path)
        .into_iter()
        .map(|file| file.strip_prefix(&folder.path).unwrap().to_owned())
        .collect();
    names == ["SHA256SUMS.pruned", "manifest.json"].map(PathBuf::from)
}

/// How many folders are pruned; of those `sha256sum` proves what stays.
pub(crate) fn pruned(world: &World) -> usize {
    let folders = world.folders("shop");
    for folder in &folders {
        let sums = if is_pruned(folder) {
            "SHA256SUMS.pruned"
        } else {
            "SHA256SUMS"
        };
        let checked = Command::new("sha256sum")
            .args(["--quiet", "--strict", "--ignore-missing", "-c", sums])
            .current_dir(&folder.path)
            .status();
        assert!(checked.unwrap().success(), "{}", folder.name);
    }
    folders.iter().filter(|folder| is_pruned(folder)).count()
}

fn verify_both(world: &World, says: &str) {
    world.run(&["verify"]).exits(0).shows("INTACT").shows(says);
    let root = world.root().display().to_string();
    world
        .run(&["verify", &root])
        .exits(0)
        .shows("INTACT")
        .shows(says);
}

/// Guarantee: Atomic
/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn old_data_go_by_rule_once_it_was_shown_and_what_stays_proves_them() {
    for zips in [false, true] {
        let due = Due::hours(6);
        let world = archived(&due, zips).await;
        let old = due.windows[3];
        let manifests: Vec<Vec<u8>> = world
            .folders("shop")
            .iter()
            .map(|folder| fs::read(folder.path.join("manifest.json")).unwrap())
            .collect();
        // Nobody has proven a copy.
        prune(&world, old, &["--confirm"])
            .exits(0)
            .shows("nothing was let go of");
        let place = collect(&world, "vault");
        receipt(&world, "vault");
        let before = all(&world);
        prune(&world, old, &[])
            .exits(0)
            .shows("4 windows would go")
            .shows("proven at vault")
            .shows("Nothing was changed");
        prune(&world, old, &["--need", "2"])
            .exits(0)
            .shows("1 of 2 that are needed");
        assert_eq!(all(&world), before);
        prune(&world, old, &["--confirm"])
            .exits(0)
            .shows("let go of the data of 4 windows");
        assert_eq!(pruned(&world), 4);
        let after: Vec<Vec<u8>> = world
            .folders("shop")
            .iter()
            .map(|folder| fs::read(folder.path.join("manifest.json")).unwrap())
            .collect();
        assert_eq!(after, manifests);
        verify_both(&world, "the data of 4 of these folders were let go of");
        world.run(&["verify", "--deep"]).exits(0).shows("INTACT");
        world.run(&["repair"]).exits(0);
        world.run(&["status"]).exits(0).shows("4 windows");
        assert_eq!(world.status("shop")["pruned"]["windows"], 4);
        world.assert_nothing_left_to_do();
        prune(&world, old, &["--confirm"])
            .exits(0)
            .shows("nothing was let go of");

        // What is read says what is not there any more; the copy has it.
        let (from, to) = (due.since().to_string(), due.whole().to().to_string());
        let span = ["--job", "shop", "--from", &from, "--to", &to];
        let here = world.run(&[&["cat"], &span[..]].concat());
        let here = here.exits(1).says("let go of").says("cat --dir COPY");
        let dir = place.display().to_string();
        let there = world.run(&[&["cat", "--dir", &dir], &span[..]].concat());
        let there = there.exits(0);
        assert!(there.stdout.len() > here.stdout.len());
        world.run(&[&["files"], &span[..]].concat()).exits(1);
        world
            .run(&[&["backfill", "--again"], &span[..]].concat())
            .exits(0);
        assert_eq!(world.folders("shop").len(), 6);

        // A copy from which nothing is ever removed proves everything still.
        collect(&world, "vault");
        world.run(&["verify", &dir]).exits(0).shows("INTACT");
        receipt(&world, "vault");
        world
            .run(&["receipt", "list"])
            .exits(0)
            .shows("vault: number 2")
            .shows("6 folders");
    }
}

/// Guarantee: Atomic
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_beats_every_rule_until_it_is_released() {
    let due = Due::hours(5);
    let world = archived(&due, false).await;
    let all = due.windows[4];
    let bounds = [due.windows[1].from(), due.windows[1].to()].map(|at| at.to_string());
    let span = ["--job", "shop", "--from", &bounds[0], "--to", &bounds[1]];
    let hold = |reason: &str| world.run(&[&["hold"], &span[..], &["--reason", reason]].concat());
    hold("case 7").exits(0).shows("held from");
    hold("audit").exits(0);
    hold("audit").exits(0).shows("was held already");
    hold("a\nb").exits(2).says("control character");
    // It counts before anybody has recorded it.
    world.run(&["status"]).exits(0).shows("case 7");
    prune(&world, all, &["--need", "0"])
        .exits(0)
        .shows("held: audit");
    prune(&world, all, &["--need", "0", "--confirm"])
        .exits(0)
        .shows("3 windows");
    let held = || {
        world
            .folders("shop")
            .iter()
            .map(is_pruned)
            .collect::<Vec<_>>()
    };
    // The newest stays too.
    assert_eq!(held(), [true, false, true, true, false]);
    let events: Vec<String> = world
        .ledger_lines("shop")
        .iter()
        .map(|line| line["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(&events[5..], ["held", "held", "pruned", "pruned", "pruned"]);
    let release = |more: &[&str]| world.run(&[&["release"], &span[..], more].concat());
    release(&[]).exits(2).says("several holds");
    release(&["--reason", "case 8"])
        .exits(2)
        .says("no hold of shop");
    release(&["--reason", "case 7"]).exits(0);
    world.once().exits(0);
    prune(&world, all, &["--need", "0", "--confirm"])
        .exits(0)
        .shows("nothing was let go of");
    release(&[]).exits(0).shows("audit");
    // Half of an order is no order, and none is let go of for it.
    let order = world.path("state/shop.ledger.order-000009");
    fs::write(&order, "{\"order\":").unwrap();
    prune(&world, all, &["--need", "0", "--confirm"])
        .exits(1)
        .shows("order-000009");
    world.run(&["status"]).exits(1).shows("order-000009");
    assert!(!held()[1]);
    fs::remove_file(order).unwrap();
    prune(&world, all, &["--need", "0", "--confirm"])
        .exits(0)
        .shows("1 window");
    // A hold that comes too late is told.
    hold("late").exits(0).shows("were let go of before");
    verify_both(&world, "4 of these folders");
}

/// Guarantee: Atomic
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_outlives_the_state_a_renamed_job_and_a_prune_that_was_killed() {
    let due = Due::hours(5);
    let world = archived(&due, false).await;
    let held = Span::new(due.windows[1].from(), due.windows[2].to()).unwrap();
    let bounds = [held.from(), held.to()].map(|at| at.to_string());
    let span = ["--from", &bounds[0], "--to", &bounds[1]];
    let all = due.windows[4];
    let is = |world: &World| {
        world
            .folders("shop")
            .iter()
            .map(is_pruned)
            .collect::<Vec<_>>()
    };
    // Announced, and killed before the first file went: what is held by then stays.
    let whole = collect(&world, "whole");
    prune(&world, due.windows[1], &["--need", "0", "--confirm"]).exits(0);
    assert_eq!(is(&world), [true, true, false, false, false]);
    for folder in &world.folders("shop")[..2] {
        let name = folder.path.strip_prefix(world.root()).unwrap();
        fs::remove_dir_all(&folder.path).unwrap();
        copy(&whole.join(name), &folder.path);
    }
    mark(&world, &due.windows[..2]);
    let hold = ["hold", "--job", "shop", "--reason", "case 7"];
    world
        .run(&[&hold[..], &span].concat())
        .exits(0)
        .shows("a prune of shop is under way");
    world.once().exits(0);
    assert_eq!(is(&world), [true, false, false, false, false]);
    verify_both(&world, "1 of these folders");

    // The state is lost, and the job goes on under another name.
    fs::remove_dir_all(world.path("state")).unwrap();
    world.once().exits(0);
    prune(&world, all, &["--need", "0"])
        .exits(0)
        .shows("held: case 7");
    let heir = Job::new("shop", &due)
        .with("name", "\"heir\"")
        .with("succeeds", "\"shop\"");
    world.configure(&[heir]);
    world.once().exits(0);
    prune(&world, all, &["--need", "0", "--confirm"]).exits(0);
    assert_eq!(is(&world), [true, false, false, true, false]);
    // Nobody but the folders knows by now whose project that was.
    fs::remove_dir_all(world.path("state")).unwrap();
    world.once().exits(0);
    prune(&world, all, &["--need", "0", "--confirm"])
        .exits(0)
        .shows("held: case 7");
    assert_eq!(is(&world), [true, false, false, true, false]);
    // Its hold is that of the project, whichever name it was given.
    let release = ["release", "--job", "heir"];
    world.run(&[&release[..], &span].concat()).exits(0);
    prune(&world, all, &["--need", "0", "--confirm"]).exits(0);
    assert_eq!(is(&world), [true, true, true, true, false]);
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_is_forged_older_or_of_another_archive_is_refused_with_the_reason() {
    let due = Due::hours(3);
    let world = archived(&due, false).await;
    let other = archived(&due, false).await;
    collect(&world, "vault");
    receipt(&world, "vault");
    let file = |name: &str| world.path(name).display().to_string();
    let add = |name: &str| world.run(&["receipt", "add", &file(name)]);
    add("vault.receipt").exits(1).says("here already");
    let text = fs::read_to_string(file("vault.receipt")).unwrap();
    fs::write(file("forged"), text.replace("windows: 3", "windows: 4")).unwrap();
    add("forged").exits(1).says("changed after it was made");
    other
        .run(&["receipt", "add", &file("vault.receipt")])
        .exits(1)
        .says("it is of the archive");
    // The next one follows the last; the copy lacks it.
    let dir = file("vault");
    let again = |name: &str, more: &[&str]| {
        let path = file(name);
        let args = ["verify", &dir, "--receipt", "vault", "--out", &path];
        world.run(&[&args, more].concat()).exits(0)
    };
    again("first-again", &[]);
    add("first-again")
        .exits(1)
        .says("make it again, with `--after`");
    again("second", &["--after", &file("vault.receipt")]);
    again("third", &["--after", &file("second")]);
    add("third").exits(1).says("does not follow number 1");
    add("second").exits(0);
    add("third").exits(0);
    // To stdout, where the listing goes to stderr.
    let ran = world
        .run(&["verify", &dir, "--receipt", "tape-1"])
        .exits(0)
        .says("INTACT");
    assert!(
        ran.stdout.starts_with("elsa-archiver-receipt: 1\n"),
        "{ran:?}"
    );
    fs::write(file("tape"), &ran.stdout).unwrap();
    // Put there by hand it counts as well.
    fs::copy(
        file("tape"),
        world.root().join("_archive/receipts/by-hand.receipt"),
    )
    .unwrap();
    world.run(&["receipt", "list"]).exits(0).shows("tape-1");
    fs::copy(
        file("forged"),
        world.root().join("_archive/receipts/forged.receipt"),
    )
    .unwrap();
    world
        .run(&["receipt", "list"])
        .exits(1)
        .shows("forged.receipt: does not count");
    // Of a copy with damage it names what is whole.
    let data = &world.folders("shop")[1].data_files()[0].0;
    let data = data.strip_prefix(world.root()).unwrap();
    fs::write(Path::new(&dir).join(data), "x").unwrap();
    let args = [
        "verify",
        &dir,
        "--receipt",
        "vault",
        "--after",
        &file("third"),
    ];
    let ran = world
        .run(&args)
        .exits(4)
        .says("2 folders; 1 folder without whole data left out");
    assert_eq!(ran.stdout.matches("\nrun: ").count(), 2);
    // The archive is no copy of itself.
    let root = world.root().display().to_string();
    world
        .run(&["verify", &root, "--receipt", "vault"])
        .exits(1)
        .says("is the archive itself");
    world
        .run(&["verify", &file("nowhere"), "--receipt", "vault"])
        .exits(1)
        .says("No such file");
    let to_come = text.replace("at: 2", "at: 9");
    let body = to_come.rsplit_once("sha256: ").unwrap().0;
    let digest = Digest::of(body.as_bytes());
    fs::write(file("ahead"), format!("{body}sha256: {digest}\n")).unwrap();
    add("ahead").exits(1).says("which is to come");
    let job = format!("{dir}/shop");
    world
        .run(&["verify", &job, "--receipt", "vault"])
        .exits(1)
        .says("_archive");
    world
        .run(&["verify", &dir, "--receipt", "a b"])
        .exits(2)
        .says("place's name");
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_prune_that_was_killed_is_finished_and_one_that_was_not_announced_is_not() {
    let due = Due::hours(4);
    let world = archived(&due, false).await;
    let whole = collect(&world, "whole");
    let marked = world.path("state/shop.ledger.pruning");
    // Killed before anything was announced.
    mark(&world, &due.windows[..2]);
    world.once().exits(0);
    assert!(!marked.exists());
    assert_eq!(pruned(&world), 0);
    prune(&world, due.windows[1], &["--need", "0", "--confirm"]).exits(0);
    assert_eq!(pruned(&world), 2);
    // Killed after it was announced: one folder is untouched, of the other some is gone.
    let folders = world.folders("shop");
    for folder in &folders[..2] {
        copy(
            &whole.join(folder.path.strip_prefix(world.root()).unwrap()),
            &folder.path,
        );
    }
    fs::remove_file(folders[0].path.join("SHA256SUMS.pruned")).unwrap();
    fs::remove_file(folders[1].path.join("SHA256SUMS")).unwrap();
    verify_both(&world, "1 of these folders");
    fs::write(&marked, "not a number").unwrap();
    world.once().exits(0).says("Remove that file");
    assert!(!world.folders("shop").iter().any(is_pruned));
    mark(&world, &due.windows[..2]);
    world.once().exits(0);
    assert_eq!(pruned(&world), 2);
    assert!(!marked.exists());
    // What was brought back stays until it is asked for, also where a mark is left.
    let folder = &folders[0];
    copy(
        &whole.join(folder.path.strip_prefix(world.root()).unwrap()),
        &folder.path,
    );
    mark(&world, &due.windows[..2]);
    world.once().exits(0);
    verify_both(&world, "1 of these folders");
    let bounds = [folder.window.from(), folder.window.to()].map(|at| at.to_string());
    let span = ["--job", "shop", "--from", &bounds[0], "--to", &bounds[1]];
    world.run(&[&["cat"], &span[..]].concat()).exits(0);
    prune(&world, due.windows[1], &["--need", "0", "--confirm"])
        .exits(0)
        .shows("1 window");
    assert_eq!(pruned(&world), 2);

    // A ledger that is lost is rebuilt, and knows what was let go of.
    fs::remove_file(world.ledger("shop")).unwrap();
    let _ = fs::remove_file(world.ledger("shop").with_extension("checkpoint"));
    world.once().exits(0);
    assert_eq!(world.status("shop")["pruned"]["windows"], 2);
    verify_both(&world, "2 of these folders");
    world.assert_nothing_left_to_do();
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn data_that_somebody_else_has_removed_are_not_taken_for_let_go_of() {
    let due = Due::hours(4);
    let world = archived(&due, false).await;
    prune(&world, due.windows[0], &["--need", "0", "--confirm"]).exits(0);
    let folder = &world.folders("shop")[1];
    fs::rename(
        folder.path.join("SHA256SUMS"),
        folder.path.join("SHA256SUMS.pruned"),
    )
    .unwrap();
    for (file, _) in folder.data_files() {
        fs::remove_file(file).unwrap();
    }
    world
        .run(&["verify"])
        .exits(4)
        .shows("the ledger does not: somebody else has removed them");
    // A prune does not make that good.
    prune(&world, due.windows[1], &["--need", "0", "--confirm"])
        .exits(1)
        .shows("somebody else has removed its data");
    world.run(&["verify"]).exits(4);
    world.run(&["repair"]).exits(1).shows("without data");
    world
        .run(&["repair", "--confirm"])
        .exits(0)
        .shows("recorded that its data are gone");
    verify_both(&world, "of these folders");
    // Where the service still has it, it is due again.
    let job = Job::new("shop", &due).with("retention", "\"30d\"");
    world.configure(&[job]);
    let second = &world.folders("shop")[2];
    for (file, _) in second.data_files() {
        fs::remove_file(file).unwrap();
    }
    let sums = second.path.join("SHA256SUMS");
    fs::rename(&sums, second.path.join("SHA256SUMS.pruned")).unwrap();
    world
        .run(&["repair", "--confirm"])
        .exits(0)
        .shows("recorded missing");
    world.once().exits(0);
    verify_both(&world, "2 of these folders");
    // Sums that were renamed, and nothing else, get their name back.
    let newest = world.folders("shop").pop().unwrap();
    let sums = newest.path.join("SHA256SUMS");
    fs::rename(&sums, newest.path.join("SHA256SUMS.pruned")).unwrap();
    world
        .run(&["verify"])
        .exits(4)
        .shows("SHA256SUMS: is missing");
    world.run(&["repair", "--confirm"]).exits(0);
    assert!(sums.exists());
    verify_both(&world, "2 of these folders");
    // Sums of a pruned folder that are gone or changed are damage, and are written again.
    let gone = &world.folders("shop")[0].path.join("SHA256SUMS.pruned");
    let sums = fs::read(gone).unwrap();
    for spoil in [true, false] {
        let says = match spoil {
            true => {
                fs::write(gone, "x").unwrap();
                "SHA256SUMS.pruned: was changed"
            }
            false => {
                fs::remove_file(gone).unwrap();
                "SHA256SUMS.pruned: is missing"
            }
        };
        world.run(&["verify"]).exits(4).shows(says);
        world.run(&["repair", "--confirm"]).exits(0);
        assert_eq!(fs::read(gone).unwrap(), sums);
        verify_both(&world, "of these folders");
    }
    // Beside good data they are only in the way.
    let newest = &world.folders("shop").pop().unwrap();
    fs::write(newest.path.join("SHA256SUMS.pruned"), "x").unwrap();
    world.run(&["verify"]).exits(4).shows("was added");
    world.run(&["repair", "--confirm"]).exits(0);
    world.assert_holds_the_truth("shop", newest);
    verify_both(&world, "of these folders");
}

/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn what_lies_behind_a_link_is_not_let_go_of_and_what_was_announced_shows() {
    let due = Due::hours(4);
    let world = archived(&due, false).await;
    // A link on the way is not followed, and what is behind it stays.
    let window = &world.folders("shop")[2];
    let (part, elsewhere) = (window.path.join("part-0001"), world.path("elsewhere"));
    fs::rename(&part, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &part).unwrap();
    prune(&world, due.windows[3], &["--need", "0", "--confirm"])
        .exits(1)
        .shows("no folder");
    assert!(fs::read_dir(&elsewhere).unwrap().count() > 0);
    let mark = world.path("state/shop.ledger.pruning");
    assert!(mark.exists());
    world.run(&["status"]).exits(0);
    let old = fs::File::options().write(true).open(&mark).unwrap();
    let hours_ago = SystemTime::now() - Duration::from_secs(7200);
    old.set_modified(hours_ago).unwrap();
    world
        .run(&["status"])
        .exits(1)
        .shows("began more than an hour ago and is not done");
    // It archives all the same, and finishes once it can.
    world.once().exits(0).says("no folder");
    fs::remove_file(&part).unwrap();
    fs::rename(&elsewhere, &part).unwrap();
    world.once().exits(0);
    assert!(!mark.exists());
    assert_eq!(pruned(&world), 3);
    world.run(&["status"]).exits(0);
    verify_both(&world, "3 of these folders");
}

/// Guarantee: Atomic
#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_follows_keep_only_where_a_receipt_proves_a_copy() {
    let due = Due::days(6);
    let world = World::of([due.project("shop")]).await;
    let later = |days: i64, keep: bool| {
        let job = Job::new("shop", &due)
            .with("settle", &format!("\"{}s\"", due.settle_s + days * 86_400));
        let job = match keep {
            true => job.with("keep", "\"2d\""),
            false => job,
        };
        world.configure(std::slice::from_ref(&job));
        job
    };
    later(2, false);
    world.once().exits(0);
    later(1, true);
    world
        .once()
        .exits(0)
        .says("since no receipt proves a copy of them");
    assert_eq!(pruned(&world), 0);
    collect(&world, "vault");
    receipt(&world, "vault");
    // Nobody has asked the service what time it is: our clock alone lets go of nothing.
    world.once().exits(0);
    assert_eq!(pruned(&world), 0);
    let job = later(0, true);
    let mut daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("data older than `keep` were let go of");
    daemon.terminate();
    daemon.wait().exits(0);
    // `keep` alone decides of what the receipt names: it has five of the six.
    let now = jiff::Timestamp::now().as_millisecond();
    let is_old = |window: &Span| window.to().0 <= now - 2 * 86_400_000;
    let left: Vec<bool> = world.folders("shop").iter().map(is_pruned).collect();
    let wanted: Vec<bool> = due
        .windows
        .iter()
        .enumerate()
        .map(|(at, window)| at < 5 && is_old(window))
        .collect();
    assert_eq!(left, wanted);
    verify_both(&world, "of these folders were let go of");
    let wrong = job.with("keep", "\"3h\"");
    world.configure(std::slice::from_ref(&wrong));
    world.run(&["check"]).exits(2).says("shorter than a day");
}
