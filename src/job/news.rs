//! Lines of the ledger as whoever is notified gets them. Carries *Ordered*: they are told once they are durable.

use crate::archive::adopt::{Adopted, FEW};
use crate::archive::publish::Archived;
use crate::domain::failures::{Failed, Task};
use crate::domain::notice::{Folder, News, What};

/// What the line of this number says.
pub(super) const fn of(what: What, seq: u64) -> News {
    News { seq, what }
}

/// That a window has failed.
pub(super) fn failed(task: Task, failed: &Failed) -> What {
    let (window, message) = (failed.window, failed.message.clone());
    match task {
        Task::Archive => What::Failed { window, message },
        Task::Recheck => What::RecheckFailed { window, message },
    }
}

/// That folders were published, of which the last is in the line `last`.
pub(super) fn archived(archived: &[Archived], last: u64) -> impl Iterator<Item = News> {
    let before = last.saturating_sub(archived.len() as u64);
    (before + 1..).zip(archived).map(|(seq, archived)| News {
        seq,
        what: What::Archived(Folder {
            window: archived.window,
            status: archived.status,
            records: archived.records,
            bytes: archived.bytes,
            path: archived.folder.clone(),
            manifest_sha256: archived.manifest_sha256.to_string(),
        }),
    })
}

/// The folders of `adopted` that nobody was told of: a kill has come between them and their lines. There are no more
/// of such than are published together; where there are, a ledger is made anew, which is no news.
pub(super) fn adopted(adopted: &[Adopted]) -> Vec<Archived> {
    let is_news = adopted.len() <= FEW;
    let folders = adopted.iter().filter(|_| is_news);
    folders
        .map(|one| one.published.archived().clone())
        .collect()
}
