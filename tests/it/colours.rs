//! What an operator looks at, in each state of an archive, on a terminal of 80 columns: `status`, `verify`
//! and `check`. `--nocapture` shows it.

use std::fs;

use elsa_archiver::simulator::{Lie, LieKind, LyingCalls, Search};

use crate::harness::{Due, World, files_below, tell};
use crate::loss::job as with_retention;
use crate::second_opinion::{job, world};

const COLUMNS: u16 = 80;

/// What each of the three commands ends with, and what one of them says.
struct Colour {
    name: &'static str,
    codes: [i32; 3],
    says: &'static [&'static str],
}

impl Colour {
    /// Asserts that the world is in this state, and that what is told of it can be read.
    #[track_caller]
    fn is_shown(&self, world: &World) {
        let mut all = String::new();
        for (command, code) in ["status", "verify", "check"].into_iter().zip(self.codes) {
            let ran = world.run_on_terminal(&[command], COLUMNS).exits(code);
            // Without the progress bars.
            let log = ran.stderr.rsplit('\r').next().unwrap_or_default();
            let log = log.trim_start_matches("\x1b[2K");
            let name = self.name;
            tell(format!(
                "== {name}\n$ elsa-archiver {command}\n{}{log}exit code {code}\n",
                ran.stdout
            ));
            all += &(ran.stdout + log);
        }
        for says in self.says {
            // Wherever the lines are broken.
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words(&all).contains(says), "{says}: {all}");
        }
        let too_long = |line: &&str| line.chars().count() > COLUMNS.into() && !is_one_piece(line);
        let long: Vec<&str> = all.lines().filter(too_long).collect();
        assert!(long.is_empty(), "{}: {long:#?}", self.name);
    }
}

/// A path or a command alone, that must be pasted as it is.
fn is_one_piece(line: &str) -> bool {
    let line = line.trim().trim_end_matches(['.', ',', ';', ')']);
    !line.contains(' ') || (line.starts_with('`') && line.matches('`').count() == 2)
}

/// Asserts that the state `name` is shown so.
#[track_caller]
pub(crate) fn shown(
    name: &'static str,
    codes: [i32; 3],
    says: &'static [&'static str],
    world: &World,
) {
    Colour { name, codes, says }.is_shown(world);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn green_and_what_the_service_and_the_disk_make_of_it_fit_80_columns() {
    let due = Due::hours(6);
    let world = world(due.project("shop"), Search::default()).await;
    world.configure(&[with_retention(&due)]);
    shown("before the first start", [1, 1, 0], &["due"], &world);

    world.service.forget_before(due.windows[2].from());
    world.once().exits(1);
    shown(
        "lost",
        [1, 1, 0],
        &["lost", "`elsa-archiver status --ack shop`"],
        &world,
    );
    world.run(&["status", "--ack", "shop"]).exits(0);
    shown(
        "lost, and known",
        [0, 0, 0],
        &["(acknowledged)", "shop: INTACT"],
        &world,
    );

    let folder = world.folders("shop").remove(2);
    let data = files_below(&folder.path.join("part-0001")).remove(0);
    fs::write(data, "[]").unwrap();
    shown(
        "damaged",
        [0, 4, 0],
        &["shop: DAMAGED", "`elsa-archiver repair`"],
        &world,
    );
    world.run(&["repair", "--confirm"]).exits(0);
    shown(
        "repaired, and due again",
        [1, 1, 0],
        &["1 window due", "shop: INCOMPLETE"],
        &world,
    );
    world.once().exits(0);
    shown(
        "green",
        [0, 0, 0],
        &["shop: ok", "shop: INTACT", "is valid"],
        &world,
    );

    fs::write(world.ledger("shop"), "nonsense\n").unwrap();
    shown(
        "a damaged ledger",
        [1, 4, 0],
        &["shop.ledger.jsonl"],
        &world,
    );
    fs::remove_dir_all(world.path("state")).unwrap();
    shown(
        "a lost state",
        [1, 1, 0],
        &["rebuilt at the next start"],
        &world,
    );
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_proven_and_what_the_operator_changes_fit_80_columns() {
    let due = Due::hours(6);
    let world = world(due.project("shop"), Search::default()).await;
    let since = |at: usize| job(&due).with("since", &format!("\"{}\"", due.windows[at].from()));
    world.configure(&[since(1)]);
    world.once().exits(0);
    world.service.set_lies(vec![Lie {
        kind: LieKind::OneIn(10),
        times: None,
        calls: LyingCalls::Download,
    }]);
    world.configure(&[since(0)]);
    world.once().exits(1);
    shown(
        "unproven",
        [1, 1, 0],
        &["unproven", "`elsa-archiver backfill --again --job shop"],
        &world,
    );
    world.run(&["status", "--ack", "shop"]).exits(0);
    shown(
        "unproven, and known",
        [0, 0, 0],
        &["(acknowledged)"],
        &world,
    );

    world.configure(&[since(0).with("enabled", "false")]);
    shown("not enabled", [0, 0, 0], &["shop: not enabled"], &world);
    world.configure(&[since(0).with("project_id", "4711")]);
    shown(
        "another project",
        [1, 0, 2],
        &["a job of another name"],
        &world,
    );
    world.configure(&[since(0).with("name", "\"web\"")]);
    shown(
        "a new name without succeeds",
        [1, 1, 2],
        &["succeeds = \"shop\"", "shop: retired"],
        &world,
    );
    let web = since(0)
        .with("name", "\"web\"")
        .with("succeeds", "\"shop\"");
    world.configure(&[web]);
    shown(
        "a new name with succeeds",
        [0, 0, 0],
        &["shop: retired", "unproven 1 window (acknowledged)"],
        &world,
    );

    fs::rename(world.root(), world.path("away")).unwrap();
    fs::create_dir(world.root()).unwrap();
    shown("not mounted", [1, 1, 1], &["Mount the disk"], &world);
}
