//! A window that was requested again, beside what is archived of it. Carries *Complete* (logs that
//! came late are not lost) and *Atomic* (what was published stays as it is).

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::publish::publish;
use super::recorder::Done;
use crate::archive::manifest::{
    Confirmed, ConfirmedSpan, MANIFEST, Manifest, Supersedes, local_time,
};
use crate::archive::plain_file;
use crate::archive::publish::Archived;
use crate::domain::job::Job;
use crate::domain::recheck::{Content, Verdict, verdict};
use crate::domain::second_opinion::Way;
use crate::domain::span::UtcMs;
use crate::domain::split::Status;
use crate::domain::window::Window;
use crate::domain::window_error::WindowError;
use crate::fetch::{Fetched, Shared, Source, staging};
use crate::ledger::replay::Replay;

/// Publishes what was fetched of a window when it is more than `before`, which is what is archived
/// of it.
///
/// # Errors
/// When it is less, or can't be published.
pub(super) async fn revise(
    source: &Source,
    before: &Archived,
    fetched: Fetched,
    replay: &Replay,
) -> Result<Done, WindowError> {
    let window = before.window;
    if let Some(doubt) = &fetched.doubt
        && before.status == Status::Complete
        && before.records == fetched.content.records
    {
        staging::clean(&source.shared, &source.job, &fetched.staged).await;
        return Err(WindowError::Window(format!(
            "{doubt}; what is archived stays, and is asked for again later"
        )));
    }
    let asked = replay.recheckable.asked(window).map(|asked| asked.at);
    let found = source.shared.clock.now();
    match revision(&source.job, before, fetched.content, asked, found) {
        Ok(Some(supersedes)) => {
            let previous = replay.last_manifest;
            publish(source, window, fetched, Some(supersedes), previous)
                .await
                .map(Done::Published)
        }
        not_more => {
            staging::clean(&source.shared, &source.job, &fetched.staged).await;
            let confirmed = agreement(source, window, fetched);
            not_more.map(|_| Done::Unchanged(confirmed))
        }
    }
}

/// What confirms an archived window that was fetched once more and holds the same.
fn agreement(source: &Source, window: Window, fetched: Fetched) -> Confirmed {
    let Fetched {
        content, confirmed, ..
    } = fetched;
    match content {
        // The whole of it was downloaded twice.
        Content {
            status: Status::Complete,
            records: Some(records),
        } if confirmed.by == Way::None => {
            let at = local_time(source.shared.clock.now(), &source.job.zone);
            let whole = ConfirmedSpan {
                from_ms: window.from(),
                to_ms: window.to(),
                expected: records,
                found: Some(records),
            };
            Confirmed::agreed(Way::Download, at, vec![whole])
        }
        _ => confirmed,
    }
}

/// What is done with the answer: `None` when it is what is archived of the window. Otherwise it is
/// published beside that, since it is more. `asked` is when the service was asked before.
///
/// # Errors
/// When the answer is less, which is not believed.
fn revision(
    job: &Job,
    before: &Archived,
    now: Content,
    asked: Option<UtcMs>,
    found: UtcMs,
) -> Result<Option<Supersedes>, WindowError> {
    let was = Content {
        status: before.status,
        records: before.records,
    };
    match verdict(was, now) {
        Verdict::Same => {
            tracing::info!(
                job = %job.name,
                window = %before.window,
                records = now.records,
                "rechecked: it holds what is archived of it"
            );
            Ok(None)
        }
        Verdict::Less => {
            let found = match now.records {
                Some(records) => format!("{records} records"),
                None => "records that can't be counted".to_owned(),
            };
            Err(WindowError::Window(format!(
                "the service has {found} of it now, and {} are archived; what is archived stays, \
                 and is asked for again later",
                was.records.unwrap_or(0)
            )))
        }
        Verdict::More => {
            tracing::warn!(
                job = %job.name,
                window = %before.window,
                before = was.records,
                records = now.records,
                "rechecked: more is known of it than is archived; all of it is published beside \
                 the first folder, which stays"
            );
            Ok(Some(Supersedes {
                folder: before.folder.clone(),
                manifest_sha256: before.manifest_sha256,
                status: before.status,
                records: before.records,
                bytes: before.bytes,
                confirmed: before.opinion.by,
                asked_ms: asked.unwrap_or(found),
                found_ms: found,
            }))
        }
    }
}

/// The manifest of `before`, whose window is to be asked for again.
///
/// # Errors
/// When it is another project's, or can't be read.
pub(super) async fn manifest_of(
    shared: &Arc<Shared>,
    job: &Job,
    before: &Archived,
) -> Result<Manifest, WindowError> {
    let path = shared.store.root().join(&before.folder).join(MANIFEST);
    let shown = path.display().to_string();
    let read = spawn_blocking(move || plain_file::read(&path)).await?;
    let manifest = read
        .map_err(|error| error.to_string())
        .and_then(|json| Manifest::parse(&json))
        .map_err(|why| WindowError::Window(format!("can't read {shown}: {why}")))?;
    if (&manifest.project_key, manifest.project_id) == (&job.project_key, job.project_id) {
        return Ok(manifest);
    }
    Err(WindowError::Window(format!(
        "it was archived from the project {} ({}), which is not the job's any more",
        manifest.project_key, manifest.project_id
    )))
}
