//! What happens when …: each row plays one situation with the real binary, and asserts what is printed, the exit
//! code and what is on the disk after it: nothing written, or an archive that is the truth, exactly. Where what is
//! printed says what to do, the row does it. `docs/life.md` is written from the rows: `UPDATE_DOCS=1` writes
//! it, otherwise it is compared.

mod adoption;
mod check;
mod clock;
mod evidence;
mod file_systems;
mod identity;
mod ledger;
mod lineage;
mod lost;
mod outage;
mod red_has_a_cure;
mod repair;
mod stage;
mod users;
mod verify;

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};

use stage::{Row, Stage};

const PAGE: &str = "docs/life.md";
const FEWEST_ROWS: usize = 50;
const HEAD: &str = "\
# What happens when …

Disks come and go, configurations change, services fail. Each row was played with the real program: in this
situation (*before*) this command prints that and ends with that exit code. `ROOT` is the archive's root,
`STATE` the state directory, … stands for what is left out.

*On disk after* is one of these. *Nothing written*: root and state directory are the same, byte for byte. *Exact*:
each log that the service handed out is in the archive exactly once. *Exact after A, B*: so it is once
that was done, and what is printed says to do it.

Written by the tests in `tests/it/life`: `UPDATE_DOCS=1 cargo test --test it life`. More on each:
[operations](operations.md).
";

/// Plays a situation; no rows where this machine lacks what it takes.
type Scene = fn() -> Vec<Row>;

/// The chapters of the page, in their order.
const CHAPTERS: [(&str, &[Scene]); 14] = [
    ("The disk, and whose archive it is", identity::SCENES),
    ("The state directory and its ledgers", ledger::SCENES),
    ("Folders that the ledger lacks", adoption::SCENES),
    ("Missing and damaged folders", repair::SCENES),
    ("What verify says", verify::SCENES),
    ("Heads, receipts, and what is let go of", evidence::SCENES),
    ("Windows that are not certain", red_has_a_cure::SCENES),
    ("What the service forgets", lost::SCENES),
    ("Jobs that change, go and come back", lineage::SCENES),
    ("A configuration that can't be right", check::SCENES),
    ("The wrong user", users::SCENES),
    ("A service that fails", outage::SCENES),
    ("Clocks", clock::SCENES),
    ("File systems and limits", file_systems::SCENES),
];

/// Held while the page is read and written.
static WRITING: Mutex<()> = Mutex::new(());

fn read() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    fs::read_to_string(page).unwrap_or_default()
}

/// A chapter of the page as it is, without its title; empty where it has none.
fn section(page: &str, title: &str) -> String {
    let chapters = page.split("\n## ").skip(1);
    let mut found = chapters.filter_map(|chapter| chapter.strip_prefix(title)?.strip_prefix('\n'));
    found
        .next()
        .map_or_else(String::new, |text| format!("{}\n", text.trim_end()))
}

/// Plays a chapter, and compares it with the page.
#[track_caller]
fn is_as_the_page_says(title: &str) {
    let (_, scenes) = CHAPTERS.iter().find(|(found, _)| *found == title).unwrap();
    // What is played waits for its commands, and the service answers meanwhile.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    // All of them, so that one look shows each that is wrong, and at once, since some of them wait.
    let played: Vec<_> = thread::scope(|scope| {
        let play = |scene: &'static Scene| {
            let handle = runtime.handle();
            scope.spawn(move || {
                let _entered = handle.enter();
                scene()
            })
        };
        let playing: Vec<_> = scenes.iter().map(play).collect();
        playing.into_iter().map(ScopedJoinHandle::join).collect()
    });
    let wrong = played.iter().filter(|played| played.is_err()).count();
    assert_eq!(wrong, 0, "rows that are not so, see above");
    let is_whole = played.iter().flatten().all(|rows| !rows.is_empty());
    let rows = played.into_iter().flatten().flatten();
    let rows: Vec<String> = rows.map(|row| row.to_string()).collect();
    let text = format!(
        "\n| before | command | printed | exit | on disk after |\n|---|---|---|---|---|\n{}\n",
        rows.join("\n")
    );

    let _held = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    if is_whole && std::env::var_os("UPDATE_DOCS").is_some() {
        let before = read();
        let mut page = HEAD.to_owned();
        for (other, _) in &CHAPTERS {
            let text = match *other == title {
                true => text.clone(),
                false => section(&before, other),
            };
            page += &format!("\n## {other}\n{text}");
        }
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE), page).unwrap();
    }
    let known = section(&read(), title);
    let stale = format!("{PAGE} is stale; run UPDATE_DOCS=1 cargo test --test it life");
    match is_whole {
        true => assert_eq!(known, text, "{stale}"),
        false => {
            let mut known = known.lines();
            assert!(
                rows.iter().all(|row| known.any(|line| line == row)),
                "{stale}"
            );
        }
    }
}

/// Guarantee: Its own
#[test]
fn an_archive_and_its_state_are_told_apart_from_others() {
    is_as_the_page_says("The disk, and whose archive it is");
}

/// Guarantee: Self-healing
#[test]
fn a_state_directory_that_is_lost_or_damaged_is_made_good() {
    is_as_the_page_says("The state directory and its ledgers");
}

/// Guarantee: Exactly once
#[test]
fn a_folder_is_taken_only_for_what_it_can_be() {
    is_as_the_page_says("Folders that the ledger lacks");
}

/// Guarantee: Curable
#[test]
fn what_is_missing_or_damaged_has_a_cure() {
    is_as_the_page_says("Missing and damaged folders");
}

/// Guarantee: Evident
#[test]
fn verify_says_what_it_knows() {
    is_as_the_page_says("What verify says");
}

/// Guarantee: Evident
/// Guarantee: Candid
#[test]
fn what_proves_the_archive_is_missed_when_it_is_gone() {
    is_as_the_page_says("Heads, receipts, and what is let go of");
}

/// Guarantee: Curable
#[test]
fn what_is_not_certain_can_be_asked_for_again_or_be_known() {
    is_as_the_page_says("Windows that are not certain");
}

/// Guarantee: Candid
#[test]
fn nothing_is_lost_unasked() {
    is_as_the_page_says("What the service forgets");
}

/// Guarantee: Its own
/// Guarantee: Exactly once
#[test]
fn a_job_is_one_project() {
    is_as_the_page_says("Jobs that change, go and come back");
}

/// Guarantee: Its own
#[test]
fn what_can_t_be_right_is_refused() {
    is_as_the_page_says("A configuration that can't be right");
}

/// Guarantee: Its own
/// Guarantee: Curable
#[test]
fn another_user_s_archive_is_left_alone() {
    is_as_the_page_says("The wrong user");
}

/// Guarantee: Self-healing
/// Guarantee: Bounded
#[test]
fn a_service_that_fails_costs_time_alone() {
    is_as_the_page_says("A service that fails");
}

/// Guarantee: Self-healing
/// Guarantee: Candid
#[test]
fn a_clock_costs_and_doubles_nothing() {
    is_as_the_page_says("Clocks");
}

/// Guarantee: Ordered
/// Guarantee: Candid
#[test]
fn what_a_machine_lacks_is_said() {
    is_as_the_page_says("File systems and limits");
}

#[test]
fn the_page_has_a_row_for_each_kind_of_change() {
    let page = read();
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| before "));
    let rows = rows.count();
    assert!(rows >= FEWEST_ROWS, "{rows}");
    let titles: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert_eq!(titles, CHAPTERS.map(|(title, _)| title));
}
