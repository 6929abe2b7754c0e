//! *Its own* and *Self-healing* with a disk that really is unmounted: the archive's root is the mount
//! point of a loop device. `identity.rs` tries the same with folders, where nothing can be mounted.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use elsa_archiver::simulator::Project;
use tempfile::TempDir;

use crate::harness::{Due, Job, World, left_out, own_namespace, sh, until};

/// A disk of its own: an image with ext4 behind a loop device.
struct Disk {
    device: String,
    at: PathBuf,
    _dir: TempDir,
}

impl Disk {
    /// Made, and mounted; this thread and what it starts see it.
    fn new() -> Result<Self, String> {
        own_namespace()?;
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
        let image = image.to_str().unwrap();
        let out = |command: &[&str]| {
            let ran = Command::new(command[0]).args(&command[1..]).output();
            let ran = ran.map_err(|error| format!("{}: {error}", command[0]))?;
            match ran.status.success() {
                true => Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned()),
                false => Err(String::from_utf8_lossy(&ran.stderr).trim().to_owned()),
            }
        };
        out(&["mke2fs", "-q", "-t", "ext4", image])?;
        let device = out(&["losetup", "--find", "--show", image])?;
        let at = dir.path().join("disk");
        fs::create_dir(&at).unwrap();
        let disk = Self {
            device,
            at,
            _dir: dir,
        };
        let at = disk.at.to_str().unwrap();
        out(&["mount", &disk.device, at])?;
        Ok(disk)
    }

    fn mount(&self) {
        sh(&["mount", &self.device, self.at.to_str().unwrap()]);
    }

    fn unmount(&self) {
        sh(&["umount", self.at.to_str().unwrap()]);
    }

    /// As a disk goes that somebody has files open on.
    fn unmount_under_the_daemon(&self) {
        sh(&["umount", "--lazy", self.at.to_str().unwrap()]);
    }

    /// Asserts that nothing was written to the mount point while the disk was away.
    #[track_caller]
    fn nothing_lies_at_its_mount_point(&self) {
        let names: Vec<_> = fs::read_dir(&self.at)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(names.is_empty(), "{names:?}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
        let detach = ["--detach", &self.device];
        let _ = Command::new("losetup").args(detach).status();
    }
}

/// A world whose archive's root is the disk itself; `None`, and a line that says so, where there is none.
async fn world(project: Project) -> Option<(World, Disk)> {
    let disk = match Disk::new() {
        Ok(disk) => disk,
        Err(why) => {
            left_out("a disk that is unmounted", why);
            return None;
        }
    };
    let mut world = World::of([project]).await;
    let state = world.path("state");
    world.place(disk.at.clone(), state);
    Some((world, disk))
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_unmounted_before_a_start_gets_nothing_written_to_its_mount_point() {
    let due = Due::hours(3);
    let Some((world, disk)) = world(due.project("shop")).await else {
        return;
    };
    let since = |at: usize| {
        let since = format!("\"{}\"", due.windows[at].from());
        Job::new("shop", &due).with("since", &since)
    };
    world.configure(&[since(1)]);
    world.once().exits(0);
    disk.unmount();
    world.configure(&[since(0)]);
    world.service.clear_journal();
    let day = due.windows[0];
    let (from, to) = (day.from().to_string(), day.to().to_string());
    for command in [
        &["run"][..],
        &["once"],
        &["check"],
        &["status"],
        &["verify"],
        &["backfill", "--job", "shop", "--from", &from, "--to", &to],
    ] {
        let ran = world.run(command).exits(1);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        for what in [disk.at.to_str().unwrap(), "ount the disk"] {
            assert!(told.contains(what), "{command:?}: {told}");
        }
        disk.nothing_lies_at_its_mount_point();
    }
    let repair = world.run(&["repair"]).exits(1);
    repair.shows("only not mounted: mount it, and repair nothing");
    disk.nothing_lies_at_its_mount_point();
    assert_eq!(world.service.journal().len(), 0);

    disk.mount();
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
    world.run(&["verify"]).exits(0).shows("INTACT");
}

/// Guarantee: Its own
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_unmounted_under_a_daemon_and_mounted_again_gets_what_was_due_meanwhile() {
    let due = Due::minutes_of_which_one_is_about_to_settle(3);
    let Some((world, disk)) = world(due.project("shop")).await else {
        return;
    };
    world.configure(&[Job::new("shop", &due)]);
    let mut daemon = world.spawn(&["run"]);
    until("the first windows are archived", || {
        world.folders("shop").len() >= due.windows.len() - 1
    });
    disk.unmount_under_the_daemon();
    daemon.wait_until_it_says("so its disk is not mounted");
    disk.nothing_lies_at_its_mount_point();
    // It stays so for as long as the disk is away.
    let looked = world.run(&["status"]).exits(1);
    assert!(looked.stdout.contains("Mount the disk"), "{looked:?}");
    disk.nothing_lies_at_its_mount_point();

    disk.mount();
    until("the newest window is archived", || {
        world.folders("shop").len() >= due.windows.len()
    });
    daemon.terminate();
    daemon.wait().exits(0);
    let archived: Vec<_> = world.folders("shop").iter().map(|f| f.window).collect();
    assert_eq!(archived[..due.windows.len()], due.windows);
    world.assert_archived("shop", &archived);
    disk.unmount();
    disk.nothing_lies_at_its_mount_point();
}
