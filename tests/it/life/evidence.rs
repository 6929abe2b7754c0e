//! Heads and the keys that sign them, receipts, holds, and what was let go of.

use std::fs;

use super::{Row, Scene, Stage};

pub const SCENES: &[Scene] = &[
    key_gone,
    heads_gone,
    kept_head_damaged,
    no_receipt,
    held,
    pruned,
    no_bucket,
];

fn key_gone() -> Vec<Row> {
    let stage = Stage::due(2);
    stage.world.sign_heads();
    stage.world.once().exits(0);
    let (key, away) = (stage.world.path("keys/signing"), stage.world.path("away"));
    fs::rename(&key, &away).unwrap();
    let told = stage
        .when("The key that signs heads is gone", &["head", "now"])
        .exits(1)
        .prints("heads can't be signed: … the daemon makes and signs one when it runs")
        .exact()
        .row();
    let made = stage
        .when_running("The same", &[], |daemon| {
            // `head now` has asked for it.
            daemon.wait_until_it_says("a head of the archive was made");
        })
        .exits(0)
        .prints("heads are made, and not signed: …")
        .exact()
        .row();
    let seen = stage
        .when("The same, and `run` has made a head", &["status"])
        .exits(1)
        .prints("evidence: needs attention")
        .prints("evidence.key is set, and this head is not signed by it")
        .unwritten()
        .after("putting the key back", |_| {
            fs::rename(&away, &key).unwrap();
        })
        .after_running(&["head", "now"])
        .exact()
        .green()
        .row();
    [told, made, seen].into_iter().flatten().collect()
}

fn heads_gone() -> Vec<Row> {
    let stage = Stage::archived(2);
    let (heads, away) = (
        stage.world.root().join("_archive/heads"),
        stage.world.path("away"),
    );
    fs::rename(&heads, &away).unwrap();
    let played = stage.when("The heads were removed", &["verify"]);
    played
        .exits(4)
        .prints("heads: DAMAGED")
        .prints("it is not here as it was made, as the state directory knows; bring the archive's heads back from a copy")
        .unwritten()
        .after("bringing them back", |_| fs::rename(&away, &heads).unwrap())
        .exact()
        .green()
        .row()
}

fn kept_head_damaged() -> Vec<Row> {
    let stage = Stage::archived(2);
    fs::write(stage.state().join("newest.head"), "x").unwrap();
    let played = stage.when_each("STATE/newest.head is damaged", &[&["status"], &["verify"]]);
    played
        .exits(1)
        .prints("can't read STATE/newest.head: it is no head; hold the archive against a head that was kept elsewhere (`elsa-archiver verify --head`), then `elsa-archiver head now` writes it anew")
        .unwritten()
        .after_running(&["head", "now"])
        .exact()
        .green()
        .row()
}

fn no_receipt() -> Vec<Row> {
    let stage = Stage::archived(2);
    let file = stage.world.path("vault.receipt");
    fs::write(&file, "proven\n").unwrap();
    let played = stage.when(
        "A file that is no receipt",
        &["receipt", "add", file.to_str().unwrap()],
    );
    played
        .exits(1)
        .prints("vault.receipt: it is no receipt")
        .unwritten()
        .exact()
        .row()
}

fn held() -> Vec<Row> {
    let stage = Stage::archived(3);
    let (from, to) = bounds(&stage);
    let span = ["--job", "shop", "--from", &from, "--to", &to];
    let hold = [&["hold"], &span[..], &["--reason", "audit"]].concat();
    stage.world.run(&hold).exits(0);
    let args = ["prune", "--before", &to, "--need", "0", "--confirm"];
    let refused = stage
        .when("Windows are held", &args)
        .exits(0)
        .prints("shop: 3 windows that old stay")
        .prints("3 windows, … held: audit")
        .exact()
        .row();
    let release = [&["release"], &span[..]].concat();
    let released = stage
        .when("The same", &release)
        .exits(0)
        .prints("released")
        .exact()
        .green()
        .row();
    [refused, released].into_iter().flatten().collect()
}

fn pruned() -> Vec<Row> {
    let stage = Stage::archived(3);
    let (from, to) = bounds(&stage);
    let prune = ["prune", "--before", &to, "--need", "0", "--confirm"];
    stage.world.run(&prune).exits(0);
    let proven = stage
        .when("Data were let go of", &["verify"])
        .exits(0)
        .prints("shop: INTACT")
        .prints("the data of 2 of these folders were let go of (pruned); their manifests prove what was there")
        .unwritten()
        .row();
    let args = ["cat", "--job", "shop", "--from", &from, "--to", &to];
    let read = stage
        .when("The same", &args)
        .exits(1)
        .prints(
            "its data were let go of (pruned); a copy elsewhere may have them: `cat --dir COPY`",
        )
        .unwritten()
        .row();
    [proven, read].into_iter().flatten().collect()
}

fn no_bucket() -> Vec<Row> {
    let stage = Stage::archived(2);
    let played = stage.when(
        "Nothing says how object storage is reached",
        &["verify", "s3://bucket/elsa"],
    );
    played
        .exits(2)
        .prints("s3://bucket/elsa: … AWS_ENDPOINT_URL …; [archive.s3] of the config, or")
        .unwritten()
        .exact()
        .row()
}

fn bounds(stage: &Stage) -> (String, String) {
    (
        stage.due.since().to_string(),
        stage.due.whole().to().to_string(),
    )
}
