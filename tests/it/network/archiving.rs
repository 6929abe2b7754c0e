//! Whole cycles of one job in this process: the program's own, with shorter pauses.

use elsa_archiver::domain::span::Millis;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use elsa_archiver::archive::quarantine::Quarantine;
use elsa_archiver::archive::store::Store;
use elsa_archiver::clock::Clock;
use elsa_archiver::domain::limits::Limits;
use elsa_archiver::domain::retry::Policy;
use elsa_archiver::domain::window::Window;
use elsa_archiver::durable::Disk;
use elsa_archiver::elsa::client::Client;
use elsa_archiver::fetch::{Shared, Turns};
use elsa_archiver::job::{JobRunner, Mode, NoProgress, Outcome};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::asking::{hour, job};

/// The program's retries, in a thousandth of the time.
pub const BRISK: Policy = Policy {
    attempts: 5,
    base: Millis(1),
    longest: Millis(30),
    quota: Millis(60),
};

/// A job that archives the first hours.
pub struct Archiving {
    dir: TempDir,
    runner: JobRunner,
}

impl Archiving {
    /// The job of this name, with an archive of its own.
    pub fn new(name: &str, client: Arc<Client>, policy: Policy) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        let store = Store::new(dir.path().join("archive"), 1 << 20, disk.clone());
        store.prepare().unwrap();
        let state = dir.path().join("state");
        let shared = Arc::new(Shared {
            store,
            clock: Clock::system(),
            policy,
            limits: Limits::default(),
            turns: Turns::default(),
            quarantine: Quarantine::new(&state, 0, disk.clone()),
        });
        fs::create_dir(&state).unwrap();
        let (job, watch) = (Arc::new(job(name)), Arc::new(NoProgress));
        let runner = JobRunner::open(job, client, &state, &disk, shared, watch).unwrap();
        Self { dir, runner }
    }

    /// One cycle with so many windows due.
    pub async fn cycle(&mut self, windows: i64) -> Outcome {
        let due: Vec<_> = (0..windows).map(hour).collect();
        let stop = CancellationToken::new();
        self.runner
            .cycle(
                |_, _: &_, _: &[_], _: &_| due.iter().copied().map(Window::of).collect(),
                Mode::Once,
                &stop,
            )
            .await
    }

    /// Every file below the archive's root but its locks, relative to it: published or staged.
    pub fn files(&self) -> Vec<PathBuf> {
        let root = self.dir.path().join("archive");
        let mut files = below(&root);
        files.retain(|path| path.file_name().is_some_and(|name| name != ".lock"));
        files
    }
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(below(&path));
        } else {
            files.push(path);
        }
    }
    files
}
