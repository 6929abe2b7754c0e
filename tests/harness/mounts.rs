//! File systems that are mounted for one test, in a mount namespace of its thread's own: nothing of
//! them is seen elsewhere, or outlives it.

use std::process::Command;

/// Gives this thread a mount namespace of its own, which the commands that it starts share.
pub fn own_namespace() -> Result<(), String> {
    use nix::sched::{CloneFlags, unshare};
    unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS)
        .map_err(|error| format!("no mount namespace of its own: {error}"))?;
    match Command::new("mount")
        .args(["--make-rprivate", "/"])
        .status()
    {
        Ok(status) if status.success() => Ok(()),
        _ => Err("mounts can't be made private".into()),
    }
}

/// Runs a command that must not fail.
#[track_caller]
pub fn sh(command: &[&str]) {
    let ran = Command::new(command[0])
        .args(&command[1..])
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
}
