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
