//! File systems that lack something: fsync of a folder, locks, a rename that replaces nothing. They are refused
//! with the sentence that says so, or accepted by `durable_folders = false`. Carries *Ordered*, *Atomic* and
//! *Candid*; and who may read what is written, *Suspicious*. The real binary under strace, which answers for
//! the file system.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::harness::{Due, Job, Ran, World, left_out};

/// An archive that goes on with one more job, on a file system that answers a call with an error.
struct Lacking {
    world: World,
    due: Due,
}

impl Lacking {
    async fn new() -> Option<Self> {
        let mut probe = Command::new("strace");
        probe.args(["-f", "-o", "/dev/null", "true"]);
        if !probe.output().is_ok_and(|probe| probe.status.success()) {
            left_out(
                "file systems that lack something",
                "no strace that may trace",
            );
            return None;
        }
        let due = Due::hours(1);
        let world = World::of([due.project("shop"), due.project("mail")]).await;
        world.configure(&[Job::new("shop", &due)]);
        world.once().exits(0);
        world.configure(&["shop", "mail"].map(|name| Job::new(name, &due)));
        Some(Self { world, due })
    }

    /// Runs a command whose `call` on `path` is answered with `error`.
    fn run(&self, args: &[&str], (call, error): (&str, &str), path: Option<&Path>) -> Ran {
        let fails = format!("inject={call}:error={error}");
        let only = format!("trace={call}");
        let mut strace = vec!["strace", "-f", "-qq", "-o", "/dev/null", "-e", &only];
        strace.extend(["-e", &fails]);
        if let Some(path) = path {
            strace.extend(["-P", path.to_str().unwrap()]);
        }
        self.world.spawn_by(&strace, args).wait()
    }

    fn accept(&self) {
        let config = self.world.config();
        let accepting = config.replace("min_free_space", "durable_folders = false\nmin_free_space");
        self.world.write_config(&accepting);
    }

    /// Refused, nothing is archived; accepted, everything is, and it is said once.
    fn is_refused_unless_accepted(&self, fails: (&str, &str), path: Option<&Path>, what: &str) {
        let ran = self.run(&["once"], fails, path).exits(1).says(what);
        ran.says("`durable_folders = false` in [archive]");
        self.world.assert_archived("mail", &[]);
        self.accept();
        let ran = self.run(&["once"], fails, path).exits(0).says(what);
        assert_eq!(ran.stderr.matches(what).count(), 1, "{ran:?}");
        self.world.assert_archived("mail", &self.due.windows);
        self.world.run(&["verify"]).exits(0);
        let status = self.world.run(&["status"]).exits(0);
        status.shows("durable_folders = false");
        let json = self.world.run(&["status", "--json"]).json();
        assert_eq!(json["archive"]["durable_folders"], false, "{json}");
    }
}

/// Guarantee: Ordered
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn folders_that_can_t_be_flushed_are_refused_unless_that_is_accepted() {
    for error in ["EINVAL", "EOPNOTSUPP"] {
        let Some(lacking) = Lacking::new().await else {
            return;
        };
        let root = lacking.world.root();
        let what = "this file system can't promise that a rename survives a power cut";
        let fails = ("fsync", error);
        let ran = lacking.run(&["check"], fails, Some(&root));
        ran.exits(1).says(what);
        lacking.is_refused_unless_accepted(fails, Some(&root), what);
    }
}

/// Guarantee: Atomic
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_root_without_a_rename_that_replaces_nothing_is_refused_unless_that_is_accepted() {
    let Some(lacking) = Lacking::new().await else {
        return;
    };
    let what = "this file system has no rename that replaces nothing";
    lacking.is_refused_unless_accepted(("renameat2", "EINVAL"), None, what);
}

/// Guarantee: Exactly once
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_root_without_locks_is_refused_unless_that_is_accepted_and_a_state_directory_always() {
    let Some(lacking) = Lacking::new().await else {
        return;
    };
    let what = "this file system has no locks";
    let fails = ("flock", "ENOLCK");
    let lock = lacking.world.root().join(".lock");
    lacking.is_refused_unless_accepted(fails, Some(&lock), what);
    let lock = lacking.world.ledger("shop").with_file_name("lock");
    lacking
        .run(&["once"], fails, Some(&lock))
        .exits(1)
        .says(what);
}

/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_umask_others_have_nothing_and_the_group_reads() {
    for (umask, files, folders) in [("000", 0o640, 0o750), ("077", 0o600, 0o700)] {
        let due = Due::hours(1);
        let world = World::of([due.project("shop")]).await;
        world.configure(&[Job::new("shop", &due)]);
        let script = format!("umask {umask} && exec \"$0\" \"$@\"");
        let starter = ["sh", "-c", &script];
        world.spawn_by(&starter, &["once"]).wait().exits(0);
        let ack = ["status", "--ack", "shop"];
        world.spawn_by(&starter, &ack).wait().exits(0);
        let mut folders_left = vec![world.root(), world.path("state")];
        while let Some(folder) = folders_left.pop() {
            assert_eq!(mode(&folder), folders, "{}", folder.display());
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                match path.extension() {
                    _ if path.is_dir() => folders_left.push(path),
                    // The daemon's user reads it, whoever has left it.
                    Some(extension) if extension == "acknowledged" => {
                        assert_eq!(mode(&path), 0o644);
                    }
                    _ => assert_eq!(mode(&path), files, "{}", path.display()),
                }
            }
        }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
