//! What docs/format.md lets anybody do without the program, done by its own words.

use std::io::{Cursor, Write as _};
use std::path::Path;
use std::process::Command;

use elsa_archiver::simulator::{Fault, FaultPlan};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::harness::{Due, Job, World};

/// The page's block of commands that begins so, for an archive at `root`.
fn commands(begin: &str, world: &World) -> String {
    let page = include_str!("../../docs/format.md");
    let mut blocks = page.split("```\n").skip(1).step_by(2);
    let block = blocks.find(|block| block.starts_with(begin)).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    block
        .replace("/tmp", &text(&world.path("")))
        .replace("/srv/elsa", &text(&world.root()))
}

fn bash(commands: &str) -> String {
    let ran = Command::new("bash")
        .args(["-c", commands])
        .output()
        .unwrap();
    assert!(ran.stderr.is_empty(), "{ran:?}");
    String::from_utf8(ran.stdout).unwrap()
}

fn zip_of_names_like_ours() -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for name in [
        "SHA256SUMS",
        "manifest.json",
        "20261122T000000+0900--20261122T010000+0900/SHA256SUMS",
        "20261122T000000+0900--20261122T010000+0900/manifest.json",
        "logs.json",
    ] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(b"{\"previous\":\"0\",\"status\":\"none\"}")
            .unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_service_that_are_called_like_ours_confuse_no_proof_by_hand() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop-api")]).await;
    world
        .service
        .set_faults(FaultPlan::script([Fault::Body(zip_of_names_like_ours())]));
    world.configure(&[Job::new("shop-api", &due)]);
    world.once();
    let windows = bash(&format!("ls -d {}/shop-api/*/*--*", world.root().display()));
    let folders: Vec<&Path> = windows.lines().map(Path::new).collect();
    assert_eq!(folders.len(), 2);
    assert!(folders[0].join("part-0001/SHA256SUMS").exists());

    let sums = commands("for sums in ", &world);
    assert_eq!(bash(&sums), "");
    let chain = commands("cd /srv/elsa/shop-api", &world);
    assert_eq!(bash(&chain), "");
    // And what they are for, they do find.
    std::fs::write(folders[0].join("part-0001/SHA256SUMS"), "").unwrap();
    let found = bash(&format!("{{ {sums} }} 2> /dev/null"));
    assert_eq!(found.matches("NOT INTACT").count(), 1, "{found}");
    std::fs::remove_file(folders[0].join("manifest.json")).unwrap();
    assert_eq!(bash(&chain).lines().count(), 1);
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn what_was_let_go_of_is_proven_by_hand_too() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop-api")]).await;
    world.configure(&[Job::new("shop-api", &due)]);
    world.once().exits(0);
    let before = due.windows[1].to().to_string();
    let prune = ["prune", "--before", &before, "--need", "0", "--confirm"];
    world.run(&prune).exits(0).shows("2 windows");
    let sums = commands("for sums in", &world);
    assert_eq!(bash(&sums), "");
    let manifest = world.folders("shop-api")[0].path.join("manifest.json");
    let mut bytes = std::fs::read(&manifest).unwrap();
    bytes.push(b'\n');
    std::fs::write(manifest, bytes).unwrap();
    let ran = Command::new("bash").args(["-c", &sums]).output().unwrap();
    let told = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(told.matches("NOT INTACT").count(), 1, "{told}");
}
