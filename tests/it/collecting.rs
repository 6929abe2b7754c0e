//! What docs/collecting.md shows is true: each recipe is taken from the page, run over an archive, and ends with a receipt
//! that the archive takes. Where a tool is not installed, that is said.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::{Due, Job, World, command, left_out};

/// The recipes of the page, by the tool that they begin with.
fn recipe(tool: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/collecting.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```sh\n").skip(1);
    let mut blocks = blocks.map(|block| block.split("```").next().unwrap().to_owned());
    blocks.find(|block| block.starts_with(tool)).unwrap()
}

fn is_installed(tool: &str) -> bool {
    let asked = Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .output();
    asked.unwrap().status.success()
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn each_recipe_ends_with_a_receipt_that_lets_old_data_go() {
    for tool in ["rsync", "restic", "rclone", "tar"] {
        if !is_installed(tool) {
            left_out(&format!("the recipe for {tool}"), "it is not installed");
            continue;
        }
        let due = Due::hours(3);
        let world = World::of([due.project("shop")]).await;
        world.configure(&[Job::new("shop", &due)]);
        world.once().exits(0);
        // What a collector must not take.
        fs::create_dir_all(world.root().join(".staging/shop/half")).unwrap();
        let path = world.path("bin");
        fs::create_dir(&path).unwrap();
        let program = command(&[], &world.path("")).get_program().to_owned();
        std::os::unix::fs::symlink(program, path.join("elsa-archiver")).unwrap();
        let remote = format!(":local:{}", world.path("remote").display());
        let paths = std::env::var("PATH").unwrap_or_default();
        let recipe = recipe(tool);
        let run = |script: &str, round: u32| {
            let ran = Command::new("sh")
                .args(["-euc", script])
                .current_dir(world.path(""))
                .env("PATH", format!("{}:{paths}", path.display()))
                .env("HOME", world.path(""))
                .env("ARCHIVE", world.root())
                .env("COPY", world.path("copy"))
                .env("SCRATCH", world.path(format!("scratch-{round}")))
                .env("PLACE", place(tool, round))
                .env("REMOTE", &remote)
                .env("TAPE", world.path(format!("tape-{round}")))
                .env("RESTIC_REPOSITORY", world.path("restic"))
                .env("RESTIC_PASSWORD", "not a secret")
                .output()
                .unwrap();
            assert!(ran.status.success(), "{tool}: {ran:?}");
        };
        let receipt = |round: u32| {
            let name = format!("{}.receipt", place(tool, round));
            let receipt = world.path(name).display().to_string();
            world.run(&["receipt", "add", &receipt]).exits(0);
            world.run(&["receipt", "list"]).exits(0)
        };
        if tool == "restic" {
            run("restic init", 0);
        }
        // Twice: what follows has the receipt before it.
        for round in 1..=2 {
            run(&recipe, round);
            let number = if tool == "tar" { 1 } else { round };
            let told = format!("{}: number {number}", place(tool, round));
            receipt(round).shows(&told).shows("3 folders");
        }
        let before = due.windows[1].to().to_string();
        world
            .run(&["prune", "--before", &before, "--confirm"])
            .exits(0)
            .shows("2 windows");
        // After a prune a receipt says what the copy still has: what only adds has everything, a new tape or snapshot
        // only what is left.
        run(&recipe, 3);
        let left = match tool {
            "rsync" | "rclone" => "3 folders",
            _ => "1 folder",
        };
        receipt(3).shows(left);
        world.run(&["verify"]).exits(0).shows("INTACT");
    }
}

/// What the place is called: each tape is one of its own.
fn place(tool: &str, round: u32) -> String {
    match tool {
        "tar" => format!("tape-{round}"),
        tool => format!("{tool}-vault"),
    }
}
