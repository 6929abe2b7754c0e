//! A folder that the ledger lacks is taken over where it can be what it is called.

use std::fs;
use std::path::Path;

use elsa_archiver::digest::Digest;
use serde_json::{Value, json};

use super::{Row, Scene, Stage};

pub const SCENES: &[Scene] = &[
    without_parts,
    of_another_project,
    of_another_span,
    changed_bytes,
    of_somebody_else,
];

/// An archive whose ledger lacks its newest folder.
fn forgotten() -> Stage {
    let stage = Stage::archived(3);
    let ledger = fs::read_to_string(stage.world.ledger("shop")).unwrap();
    let lines: Vec<&str> = ledger.split_inclusive('\n').collect();
    fs::write(
        stage.world.ledger("shop"),
        lines[..lines.len() - 1].concat(),
    )
    .unwrap();
    stage
}

fn newest(stage: &Stage) -> std::path::PathBuf {
    stage.folders().pop().unwrap().path
}

/// Changes a manifest, and its line in the sums.
fn rewrite(folder: &Path, change: impl FnOnce(&mut Value)) {
    let (manifest, sums) = (folder.join("manifest.json"), folder.join("SHA256SUMS"));
    let before = fs::read(&manifest).unwrap();
    let mut value: Value = serde_json::from_slice(&before).unwrap();
    change(&mut value);
    let now = serde_json::to_vec_pretty(&value).unwrap();
    let [old, new] = [&before, &now].map(|json| Digest::of(json).to_string());
    let text = fs::read_to_string(&sums).unwrap().replace(&old, &new);
    fs::write(manifest, now).unwrap();
    fs::write(sums, text).unwrap();
}

fn is_refused(stage: &Stage, before: &str, why: &str) -> Vec<Row> {
    let played = stage.when(before, &["once"]);
    played
        .exits(1)
        .prints(&format!("… is in the way: the ledger lacks it and it can't be adopted ({why}…); `elsa-archiver repair` moves it aside"))
        .asking(0)
        .after_running(&["repair", "--confirm"])
        .after_pasting("archived by the next cycle, or by `")
        .exact()
        .green()
        .row()
}

fn without_parts() -> Vec<Row> {
    let stage = forgotten();
    let folder = newest(&stage);
    fs::remove_dir_all(folder.join("part-0001")).unwrap();
    rewrite(&folder, |manifest| manifest["parts"] = json!([]));
    is_refused(
        &stage,
        "The ledger lacks a folder whose manifest has no parts",
        "its parts don't make up its window",
    )
}

fn of_another_project() -> Vec<Row> {
    let stage = forgotten();
    rewrite(&newest(&stage), |manifest| {
        manifest["project_id"] = json!(5)
    });
    is_refused(
        &stage,
        "It lacks a folder of another project",
        "its manifest is of the project 5, and the job's is 16706",
    )
}

fn of_another_span() -> Vec<Row> {
    let stage = forgotten();
    rewrite(&newest(&stage), |manifest| {
        for bound in ["from_ms", "to_ms"] {
            let at = &mut manifest["parts"][0][bound];
            *at = json!(at.as_i64().unwrap() - 3_600_000);
        }
    });
    is_refused(
        &stage,
        "It lacks a folder with parts of another span",
        "its parts don't make up its window",
    )
}

fn changed_bytes() -> Vec<Row> {
    let stage = forgotten();
    let data = newest(&stage).join("part-0001/logs-0001.json");
    let bytes = fs::read(&data).unwrap();
    fs::write(&data, vec![b' '; bytes.len()]).unwrap();
    is_refused(
        &stage,
        "It lacks a folder whose data was changed",
        "part-0001/logs-0001.json: was changed",
    )
}

fn of_somebody_else() -> Vec<Row> {
    let stage = Stage::archived(3);
    let ledger = fs::read_to_string(stage.world.ledger("shop")).unwrap();
    let lines: Vec<&str> = ledger.split_inclusive('\n').collect();
    fs::write(
        stage.world.ledger("shop"),
        lines[..lines.len() - 1].concat(),
    )
    .unwrap();
    let folder = newest(&stage);
    fs::remove_dir_all(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    is_refused(
        &stage,
        "Somebody made a folder of a window's name",
        "it has no manifest.json",
    )
}
