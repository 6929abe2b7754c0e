//! A year with its operator: disks, names, keys and state directories come and go, the service is away for
//! longer than it remembers, and each time what the program says is what the operator does.
//!
//! The real binary runs by libfaketime's clock and the simulator by the same one; both stand still while a
//! command runs. `--nocapture` shows the diary.

use std::collections::BTreeSet;
use std::fs;

use elsa_archiver::domain::span::Span;
use elsa_archiver::simulator::Settings;
use elsa_archiver::simulator::truth::{Difference, seqs_in};
use jiff::civil::Date;

use crate::clock::library;
use crate::harness::{World, files_below, tell};

use audit::Audit;
use operator::{Operator, copy, damage, midnight};
use places::{PROJECTS, job, projects};

mod audit;
mod operator;
mod places;

/// The day whose folder is set aside when the service has forgotten it.
const SET_ASIDE: (&str, Date) = ("Pb_site", date(4, 25));

/// A day of the year.
const fn date(month: i8, day: i8) -> Date {
    jiff::civil::date(2025, month, day)
}

/// The days that are lost for good.
fn lost() -> Vec<(&'static str, Date)> {
    let outage = |key| (5..20).map(move |day| (key, date(6, day)));
    let keys = PROJECTS.into_iter().map(|(_, key, _)| key);
    keys.flat_map(outage).chain([SET_ASIDE]).collect()
}

/// Guarantee: Curable
/// Guarantee: Exactly once
/// Guarantee: Candid
/// Guarantee: Self-healing
/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn a_year_with_its_operator_ends_exact_and_green() {
    let Some(library) = library() else { return };
    let world = World::start(Settings {
        projects: projects(),
        ..Settings::default()
    })
    .await;
    let mut year = Operator::new(&world, library, date(1, 2));

    a_beginning(&mut year);
    a_damaged_folder(&mut year);
    another_disk(&mut year);
    another_name(&mut year);
    another_key_and_old_damage(&mut year);
    a_long_outage(&mut year);
    a_lost_state(&mut year);
    an_old_state(&mut year);
    a_last_doubt(&mut year);
    year.live_until(13, 1);
    year.month_ends();
    audit(&mut year);
}

/// January: what was logged before `since` is wanted too.
fn a_beginning(year: &mut Operator<'_>) {
    year.happens("the first start");
    let table = job("table", "Pb_table").with("format", "\"csv\"");
    year.configure(&[&job("shop", "Pb_shop"), &job("site", "Pb_site"), &table]);
    year.run(&["check"]).exits(0);
    year.live_until(1, 5);
    year.run(&[
        "backfill",
        "--job",
        "site",
        "--from",
        "2024-12-10",
        "--to",
        "2025-01-01",
    ])
    .exits(0);
    year.live_until(1, 31);
    year.month_ends();
}

/// February: a byte of a young folder changes.
fn a_damaged_folder(year: &mut Operator<'_>) {
    year.live_until(2, 14);
    year.happens("a byte of shop's folder of the 10th changes");
    damage(&year.folder("shop", 2, 10));
    year.run(&["verify"]).exits(4);
    year.run(&["repair"]).exits(1);
    year.run(&["repair", "--confirm"]).exits(0);
    year.run(&["status"]).exits(1);
    year.run(&["once"]).exits(0);
    year.run(&["verify"]).exits(0);
    year.only_asked_again([("Pb_shop", date(2, 10))]);
    year.live_until(2, 20);
    year.happens("the state directory is copied");
    copy(&year.state(), &year.world.path("old-state"));
    year.live_until(2, 28);
    year.month_ends();
}

/// March: the archive moves to another disk, which is mounted before anything was copied to it.
fn another_disk(year: &mut Operator<'_>) {
    year.live_until(3, 10);
    year.happens("an empty disk is mounted in place of the old one");
    let (root, old) = (year.root(), year.world.path("old-disk"));
    fs::rename(&root, &old).unwrap();
    fs::create_dir(&root).unwrap();
    for _ in 0..3 {
        year.next_day();
        for command in ["once", "status", "verify", "check"] {
            let ran = year.run(&[command]).exits(1);
            let told = ran.stdout + &ran.stderr;
            assert!(told.contains("put back what copies there are"), "{told}");
        }
        assert!(year.world.service.journal().is_empty());
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    }
    year.happens("the old disk is copied to it");
    copy(&old.join("."), &root);
    year.run(&["check"]).exits(0);
    year.live_until(3, 31);
    year.month_ends();
}

/// April: a job gets another name.
fn another_name(year: &mut Operator<'_>) {
    year.live_until(4, 5);
    year.happens("shop is called store");
    let [_, site, table] = &year.jobs[..] else {
        panic!()
    };
    let (site, table) = (site.clone(), table.clone());
    let store = job("store", "Pb_shop");
    year.configure(&[&store, &site, &table]);
    year.next_day();
    year.run(&["check"]).exits(2).says("succeeds = \"shop\"");
    year.run(&["once"]).exits(1).says("succeeds = \"shop\"");
    let store = store.with("succeeds", "\"shop\"");
    year.configure(&[&store, &site, &table]);
    year.run(&["check"]).exits(0);
    year.live_until(4, 20);
    year.happens("the archive is copied to a tape");
    copy(&year.root(), &year.world.path("tape"));
    year.live_until(4, 30);
    year.month_ends();
}

/// May: the project's key is rotated, and damage is found that is older than the service remembers.
fn another_key_and_old_damage(year: &mut Operator<'_>) {
    year.live_until(5, 10);
    year.happens("the key of site is rotated");
    year.key_is_revoked("Pb_site");
    year.next_day();
    year.run(&["once"]).exits(1);
    year.run(&["status"]).exits(1);
    let rotated = year.jobs[1]
        .clone()
        .with("project_key", "\"Pb_site_rotated\"");
    let (store, table) = (year.jobs[0].clone(), year.jobs[2].clone());
    year.configure(&[&store, &rotated, &table]);
    year.run(&["check"]).exits(0);
    year.run(&["once"]).exits(0).says("project_key was");
    year.live_until(5, 28);

    year.happens(
        "bytes of April change, of which the tape has a copy, and of the 25th, which it has not",
    );
    let (kept, gone) = (
        year.folder("store", 4, 12),
        year.folder("site", SET_ASIDE.1.month(), SET_ASIDE.1.day()),
    );
    damage(&kept);
    damage(&gone);
    year.run(&["verify"]).exits(4);
    year.run(&["repair"])
        .exits(1)
        .shows("a copy's folder is the better cure");
    year.happens("the tape's folder is put in its place");
    fs::rename(&kept, year.world.path("damaged-april")).unwrap();
    let on_tape = year
        .world
        .path("tape")
        .join(kept.strip_prefix(year.root()).unwrap());
    copy(&on_tape, &kept);
    year.run(&["repair"]).exits(1);
    year.run(&["repair", "--confirm"]).exits(0);
    year.run(&["once"]).exits(1).shows("1 span lost");
    year.only_asked_again([SET_ASIDE]);
    year.run(&["status"]).exits(1);
    year.run(&["verify"]).exits(1);
    year.acknowledges(&["site"]);
    year.live_until(5, 31);
    year.month_ends();
}

/// June and July: the service is away for longer than it remembers.
fn a_long_outage(year: &mut Operator<'_>) {
    year.live_until(6, 5);
    year.happens("the service is down for 45 days");
    year.service_is_down(true);
    for (month, day) in [(6, 6), (6, 20), (7, 4), (7, 18)] {
        year.wait_until(month, day);
        year.run_in_fast_time(&["once"])
            .exits(1)
            .says("asked by one request");
        year.run(&["status"]).exits(1).shows("the service is down");
        year.run(&["verify"]).exits(1);
    }
    year.wait_until(7, 20);
    year.happens("it is back");
    year.service_is_down(false);
    year.run(&["once"]).exits(1).shows(" lost");
    year.run(&["status"]).exits(1);
    year.run(&["verify"]).exits(1);
    year.acknowledges(&["store", "site", "table"]);
    year.live_until(7, 31);
    year.month_ends();
}

/// August: the state directory is lost.
fn a_lost_state(year: &mut Operator<'_>) {
    year.live_until(8, 10);
    year.happens("the state directory is lost");
    fs::remove_dir_all(year.state()).unwrap();
    year.next_day();
    year.run(&["status"]).exits(1);
    year.run(&["once"]).exits(1);
    // Nobody knows any more that they were asked for.
    year.rechecks_are_forgotten();
    year.only_asked_again(lost());
    year.run(&["status"]).exits(1);
    year.acknowledges(&["store", "site", "table"]);
    year.live_until(8, 31);
    year.month_ends();
}

/// September and October: `succeeds` is no longer needed, or so it seems; then February's state comes back.
fn an_old_state(year: &mut Operator<'_>) {
    let with_it = year.jobs.clone();
    let store = job("store", "Pb_shop");
    year.configure(&[&store, &with_it[1], &with_it[2]]);
    year.run(&["check"]).exits(0);
    year.live_until(9, 30);
    year.month_ends();
    year.live_until(10, 10);
    year.happens("the state directory of February is brought back");
    fs::remove_dir_all(year.state()).unwrap();
    copy(&year.world.path("old-state"), &year.state());
    year.next_day();
    year.run(&["check"]).exits(2).says("succeeds = \"shop\"");
    year.run(&["once"]).exits(1).says("succeeds = \"shop\"");
    year.configure(&[&with_it[0], &with_it[1], &with_it[2]]);
    year.run(&["check"]).exits(0);
    year.run(&["once"]).exits(1);
    year.rechecks_are_forgotten();
    year.only_asked_again(lost());
    year.acknowledges(&["store", "site", "table"]);
    year.live_until(10, 31);
    year.month_ends();
}

/// November: a folder is gone, and somebody asks once more.
fn a_last_doubt(year: &mut Operator<'_>) {
    year.live_until(11, 15);
    year.happens("table's folder of the 12th is gone");
    fs::remove_dir_all(year.folder("table", 11, 12)).unwrap();
    year.run(&["verify"]).exits(4);
    year.run(&["repair", "--confirm"]).exits(0);
    year.run(&["once"]).exits(0);
    year.run(&[
        "backfill",
        "--again",
        "--job",
        "site",
        "--from",
        "2025-11-01",
        "--to",
        "2025-11-08",
    ])
    .exits(0);
    let again = (1..8).map(|day| ("Pb_site", date(11, day)));
    year.only_asked_again(again.chain([("Pb_table", date(11, 12))]));
    year.live_until(11, 30);
    year.month_ends();
}

/// What the service handed out is in the archive once, and the rest is lost and known.
fn audit(year: &mut Operator<'_>) {
    let status = year.run(&["status", "--json"]).exits(0).json();
    let end = midnight(year.today);
    let since = midnight(date(1, 1));
    for ((_, key, _), (jobs, from)) in PROJECTS.into_iter().zip([
        (&["shop", "store"][..], since),
        (&["site"], midnight(Date::new(2024, 12, 10).unwrap())),
        (&["table"], since),
    ]) {
        let audit = Audit::of(year.world, jobs, &status);
        let whole = Span::new(from, end).unwrap();
        audit.assert_makes_up(whole);
        let forgotten = lost().into_iter().filter(|(of, _)| *of == key);
        let lost: BTreeSet<Date> = forgotten.map(|(_, day)| day).collect();
        assert_eq!(audit.lost_days(), lost, "{key}");
        // Of the day in the middle of which the service's memory begins, only the end is left.
        assert_eq!(
            audit.not_complete_days(),
            BTreeSet::from([date(6, 20)]),
            "{key}"
        );
        let project = year.world.service.project(key).unwrap();
        let of_that_day = Span::new(midnight(date(4, 25)), midnight(date(4, 26))).unwrap();
        let mut expected = year.handed_out[key].clone();
        if key == SET_ASIDE.0 {
            let gone = seqs_in(project, of_that_day);
            expected.retain(|seq| !gone.contains(seq));
        }
        let difference =
            Difference::between(expected.iter().copied(), audit.archived.iter().copied());
        assert!(difference.is_none(), "{key}: {difference}");
        let records = audit.archived.len();
        let forgotten = seqs_in(project, whole).len() - records;
        tell(format!(
            "{key}: {records} records archived once, {forgotten} on the {} lost days",
            lost.len()
        ));
    }
    assert!(files_below(&year.root().join(".staging")).is_empty());
}
