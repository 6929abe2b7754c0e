//! The state directory and its ledgers: lost, older, torn, damaged, newer.

use std::fs;

use elsa_archiver::digest::Digest;

use super::{Row, Scene, Stage};

pub const SCENES: &[Scene] = &[
    state_lost,
    both_lost,
    state_lost_and_looked_at,
    state_of_an_older_time,
    last_line_lost,
    ledger_lost_and_a_hole,
    torn,
    zeros,
    damaged,
    newer,
];

fn lines(stage: &Stage) -> Vec<String> {
    let text = fs::read_to_string(stage.world.ledger("shop")).unwrap();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

fn write(stage: &Stage, lines: &[String]) {
    fs::write(stage.world.ledger("shop"), lines.concat()).unwrap();
}

fn state_lost() -> Vec<Row> {
    let stage = Stage::archived(3);
    fs::remove_dir_all(stage.state()).unwrap();
    let played = stage.when("STATE was lost", &["once"]);
    played
        .exits(0)
        .prints("the state directory STATE has no id, so it is new or was lost; it takes over the archive's, and ledgers that it lacks are rebuilt from the folders")
        .asking(0)
        .exact()
        .green()
        .row()
}

fn both_lost() -> Vec<Row> {
    let stage = Stage::archived(3);
    fs::remove_dir_all(stage.state()).unwrap();
    fs::remove_dir_all(stage.world.root()).unwrap();
    let played = stage.when("STATE and ROOT were lost", &["once"]);
    played
        .exits(0)
        .prints("root and state directory are bound to each other")
        .asking(3)
        .exact()
        .green()
        .row()
}

fn state_lost_and_looked_at() -> Vec<Row> {
    let stage = Stage::archived(3);
    fs::remove_dir_all(stage.state()).unwrap();
    let played = stage.when("The same", &["plan"]);
    played
        .exits(0)
        .prints("… not there, and is rebuilt at the next start from the job's folders; less is due then")
        .unwritten()
        .after_running(&["once"])
        .exact()
        .row()
}

fn state_of_an_older_time() -> Vec<Row> {
    let stage = Stage::archived(4);
    write(&stage, &lines(&stage)[..3]);
    let played = stage.when("STATE was restored from an older copy", &["once"]);
    played
        .exits(0)
        .prints("folders are adopted that the ledger lacks: what it says of them is rebuilt from their manifests …")
        .asking(0)
        .exact()
        .green()
        .row()
}

fn last_line_lost() -> Vec<Row> {
    let stage = Stage::archived(3);
    let before = lines(&stage);
    write(&stage, &before[..before.len() - 1]);
    let played = stage.when(
        "The power went between the newest folder and its line in the ledger",
        &["once"],
    );
    played
        .exits(0)
        .prints("adopted a folder that the ledger lacked …")
        .asking(0)
        .exact()
        .green()
        .row()
}

fn ledger_lost_and_a_hole() -> Vec<Row> {
    let stage = Stage::archived(5);
    fs::remove_dir_all(&stage.folders()[2].path).unwrap();
    fs::remove_file(stage.world.ledger("shop")).unwrap();
    let played = stage.when("A ledger was lost, and a folder in the middle", &["once"]);
    played
        .exits(0)
        .prints("folders are adopted that the ledger lacks: what it says of them is rebuilt from their manifests …")
        .asking(1)
        .exact()
        .green()
        .row()
}

fn torn() -> Vec<Row> {
    let stage = Stage::archived(3);
    let mut torn = lines(&stage);
    let last = torn.len() - 1;
    torn[last].truncate(40);
    write(&stage, &torn);
    let played = stage.when("The ledger's last line is torn", &["once"]);
    played
        .exits(0)
        .prints("torn")
        .asking(0)
        .exact()
        .green()
        .row()
}

fn zeros() -> Vec<Row> {
    let stage = Stage::archived(3);
    let mut zeros = lines(&stage);
    zeros.push("\0".repeat(100));
    write(&stage, &zeros);
    let played = stage.when("The ledger ends with zeros", &["once"]);
    played
        .exits(0)
        .prints("torn")
        .asking(0)
        .exact()
        .green()
        .row()
}

fn damaged() -> Vec<Row> {
    let stage = Stage::archived(3);
    let mut damaged = lines(&stage);
    damaged[1] = damaged[1].replacen("\"records\"", "\"recorts\"", 1);
    write(&stage, &damaged);
    let ledger = stage.world.ledger("shop");
    let played = stage.when("A line in the middle of the ledger was changed", &["once"]);
    played
        .exits(1)
        .prints("the ledger STATE/shop.ledger.jsonl is damaged: line 2: … Bring the file back from a copy of the state directory, an older one too. Where there is none, rename it and keep it … or run `elsa-archiver once --job shop` … the ledger is rebuilt from the manifests")
        .unwritten()
        .after("renaming it", |stage| fs::rename(&ledger, stage.world.path("old")).unwrap())
        .after_running(&["once", "--job", "shop"])
        .asking(0)
        .exact()
        .green()
        .row()
}

fn newer() -> Vec<Row> {
    let stage = Stage::archived(2);
    let before = lines(&stage);
    let mut newer = before.clone();
    let prev = Digest::of(newer[newer.len() - 1].trim_end().as_bytes());
    newer.push(format!(
        "{{\"seq\":4,\"at\":\"2026-11-20T00:00:00Z\",\"event\":\"moved\",\"prev\":\"{prev}\"}}\n"
    ));
    write(&stage, &newer);
    let played = stage.when("A newer version has written to the ledger", &["once"]);
    played
        .exits(1)
        .prints("a newer version of elsa-archiver wrote the ledger STATE/shop.ledger.jsonl: … the job is stopped, nothing is changed. Install that version again; leave the ledger where it is")
        .unwritten()
        .row()
}
