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
        let recipe = recipe(tool);
        let run = |script: &str| {
            let ran = Command::new("sh")
                .args(["-euc", script])
                .current_dir(world.path(""))
                .env("PATH", format!("{}:{}", path.display(), env!("PATH")))
                .env("HOME", world.path(""))
                .env("ARCHIVE", world.root())
                .env("COPY", world.path("copy"))
                .env("REMOTE", &remote)
                .env("TAPE", world.path("tape"))
                .env("RESTIC_REPOSITORY", world.path("restic"))
                .env("RESTIC_PASSWORD", "not a secret")
                .output()
                .unwrap();
            assert!(ran.status.success(), "{tool}: {ran:?}");
        };
        if tool == "restic" {
            run("restic init");
        }
        // Twice: what follows has the receipt before it.
        for number in 1..=2 {
            run(&recipe);
            let receipt = world.path("vault.receipt").display().to_string();
            world.run(&["receipt", "add", &receipt]).exits(0);
            let told = format!("vault: number {number}");
            let list = world.run(&["receipt", "list"]);
            list.exits(0).shows(&told).shows("3 windows");
        }
        let before = due.windows[1].to().to_string();
        world
            .run(&["prune", "--before", &before, "--confirm"])
            .exits(0)
            .shows("2 windows");
        // After a prune the next collection still has everything.
        run(&recipe);
        world.run(&["verify"]).exits(0).shows("INTACT");
    }
}
