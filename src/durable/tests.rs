//! That nothing is replaced, that errors say what to do, and that a disk that hangs holds nobody
//! up.

use super::*;

/// Guarantee: Atomic
#[test]
fn publishing_never_replaces_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (staged, taken) = (dir.path().join("staged"), dir.path().join("taken"));
    fs::create_dir(&staged).unwrap();
    fs::create_dir(&taken).unwrap();
    let error = Disk::default().publish(&staged, &taken).unwrap_err();
    assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists);
    assert!(staged.exists());
    Disk::default()
        .publish(&staged, &dir.path().join("free"))
        .unwrap();
    assert!(!staged.exists());
}

/// A disk whose folders can't be flushed, as the system says it.
fn unflushed(errno: rustix::io::Errno) -> Disk {
    Disk::gated(move |step, _| match step {
        Step::SyncParent => Err(errno.into()),
        _ => Ok(()),
    })
}

/// Guarantee: Ordered
/// Guarantee: Candid
#[test]
fn a_file_system_that_can_t_flush_folders_is_refused_unless_that_is_accepted() {
    use rustix::io::Errno;
    let dir = tempfile::tempdir().unwrap();
    for errno in [Errno::INVAL, Errno::OPNOTSUPP, Errno::NOSYS] {
        let disk = unflushed(errno);
        for refused in [
            disk.sync_folder(Step::SyncParent, dir.path()),
            disk.ask_sync(Step::SyncParent, dir.path()).map(drop),
        ] {
            let text = refused.unwrap_err().to_string();
            let sentence = "this file system can't promise that a rename survives a power cut";
            assert!(text.contains(sentence), "{text}");
            assert!(text.contains("`durable_folders = false`"), "{text}");
        }
        let accepting = disk.accepting_lacks(true);
        accepting.sync_folder(Step::SyncParent, dir.path()).unwrap();
        let lack = accepting.ask_sync(Step::SyncParent, dir.path()).unwrap();
        assert_eq!(lack, Some(Lack::SyncFolder));
    }
    let whole = Disk::default().ask_sync(Step::SyncParent, dir.path());
    assert_eq!(whole.unwrap(), None);
}

/// Guarantee: Ordered
#[test]
fn a_folder_that_fails_to_be_flushed_is_an_error_whatever_is_accepted() {
    use rustix::io::Errno;
    let dir = tempfile::tempdir().unwrap();
    for errno in [Errno::IO, Errno::NOSPC, Errno::ROFS] {
        let disk = unflushed(errno).accepting_lacks(true);
        disk.sync_folder(Step::SyncParent, dir.path()).unwrap_err();
        disk.ask_sync(Step::SyncParent, dir.path()).unwrap_err();
    }
}

/// Guarantee: Atomic
#[test]
fn asking_for_a_rename_leaves_nothing_behind() {
    use rustix::io::Errno;
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Disk::default().ask_rename(dir.path()).unwrap(), None);
    let lacking = Disk::gated(|step, _| match step {
        Step::PlacePart => Err(Errno::INVAL.into()),
        _ => Ok(()),
    });
    assert!(lacking.ask_rename(dir.path()).unwrap_err().is_lack());
    let accepting = lacking.accepting_lacks(true);
    assert_eq!(
        accepting.ask_rename(dir.path()).unwrap(),
        Some(Lack::RenameNew)
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Guarantee: Candid
#[test]
fn an_error_names_step_path_and_remedy() {
    let disk = Disk::gated(|_, _| Err(io::ErrorKind::StorageFull.into()));
    let error = disk
        .create(Step::StageSums, Path::new("/a/SHA256SUMS"))
        .unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("can't write /a/SHA256SUMS: "), "{text}");
    assert!(
        text.ends_with("; free some space, then the next cycle tries again"),
        "{text}"
    );
}

/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_disk_that_hangs_holds_nobody_else_up() {
    let (others, went_on) = std::sync::mpsc::channel();
    let writes = tokio::spawn(async move {
        Disk::default().step(Step::SyncLedger, Path::new("/a"), || {
            // Hangs until another task has run, on a runtime with a single thread; the time is for
            // the test to fail instead of hanging itself.
            let limit = std::time::Duration::from_mins(1);
            went_on.recv_timeout(limit).map_err(io::Error::other)
        })
    });
    let others = tokio::spawn(async move { others.send(()) });
    others.await.unwrap().unwrap();
    writes.await.unwrap().unwrap();
}

#[test]
fn removing_what_is_not_there_is_fine() {
    let dir = tempfile::tempdir().unwrap();
    Disk::default().remove(&dir.path().join("nothing")).unwrap();
}
