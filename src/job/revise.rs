//! A window that was requested again, beside what is archived of it. Carries *Complete* (logs that
//! came late are not lost) and *Atomic* (what was published stays as it is).

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::publish::{chain, publish, stage};
use super::recorder::Done;
use crate::archive::compare::{CompareError, Held, compare};
use crate::archive::manifest::{
    Confirmed, ConfirmedSpan, MANIFEST, Manifest, Supersedes, local_time,
};
use crate::archive::publish::Archived;
use crate::archive::storage::{Local, Storage as _, below};
use crate::domain::job::Job;
use crate::domain::plan::reach;
use crate::domain::recheck::{Content, Doubt, Verdict, by_numbers, by_records, verdict};
use crate::domain::second_opinion::Way;
use crate::domain::split::Status;
use crate::domain::window::Window;
use crate::domain::window_error::WindowError;
use crate::fetch::{Fetched, Shared, Source, staging};
use crate::ledger::replay::Replay;

/// Publishes what was fetched of a window when it is more than `before`, which is what is archived
/// of it. What contradicts the
/// archive twice is published too, where it `is_wanted` by the operator.
///
/// # Errors
/// When it is not believed, or can't be published.
pub(super) async fn revise(
    source: &Source,
    before: &Archived,
    fetched: Fetched,
    replay: &Replay,
    is_wanted: bool,
) -> Result<Done, WindowError> {
    let window = before.window;
    let mut revises = is_more(source, before, &fetched).await;
    if let Err(WindowError::Contradicted(why)) = &revises
        && is_wanted
        && replay.incomplete.is_contradicted(window)
        && is_vouched_for(source, window, &fetched)
    {
        tracing::warn!(
            job = %source.job.name,
            window = %window,
            "the operator asked for it, it was contradicted before, and a second ask confirms the new answer, \
             so that is believed: {why}"
        );
        revises = Ok(true);
    }
    if !matches!(revises, Ok(true)) {
        staging::clean(&source.shared, &source.job, &fetched.staged).await;
    }
    if !revises? {
        tracing::info!(
            job = %source.job.name,
            window = %window,
            records = fetched.content.records,
            "rechecked: it holds what is archived of it"
        );
        let confirmed = agreement(source, window, fetched);
        return Ok(Done::Unchanged(Box::new(before.clone()), confirmed));
    }
    tracing::warn!(
        job = %source.job.name,
        window = %window,
        before = before.records,
        records = fetched.content.records,
        "rechecked: more is known of it than is archived; all of it is published beside the first \
         folder, which stays"
    );
    let found = source.shared.clock.now();
    let asked = replay.recheckable.asked(window).map(|asked| asked.at);
    let supersedes = Supersedes {
        folder: before.folder.clone(),
        manifest_sha256: before.manifest_sha256,
        status: before.status,
        records: before.records,
        bytes: before.bytes,
        confirmed: before.opinion.by,
        asked_ms: asked.unwrap_or(found),
        found_ms: found,
        missing: false,
    };
    let staged = stage(source, window, &fetched, Some(supersedes))?;
    let published = publish(source.clone(), vec![staged], chain(replay)).await;
    let published = published
        .into_iter()
        .next()
        .unwrap_or(Err(WindowError::Stopped));
    published.map(Done::Published)
}

/// Whether all of an answer is confirmed by a second ask, and the service keeps the window still.
fn is_vouched_for(source: &Source, window: Window, fetched: &Fetched) -> bool {
    let is_kept = reach(source.client.now(), &source.job).is_none_or(|edge| window.from() >= edge);
    let is_confirmed = fetched.confirmed.by != Way::None && fetched.doubt.is_none();
    is_kept && is_confirmed && fetched.content.status == Status::Complete
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
            ..
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

/// Whether what was fetched is more than what is archived. `false` when it is the same.
///
/// # Errors
/// When it is neither, and so is not believed.
async fn is_more(
    source: &Source,
    before: &Archived,
    fetched: &Fetched,
) -> Result<bool, WindowError> {
    if let Some(doubt) = &fetched.doubt
        && before.status == Status::Complete
        && before.records == fetched.content.records
    {
        return Err(WindowError::Contradicted(format!("{doubt}; {STAYS}")));
    }
    let manifest = manifest_of(&source.shared, &source.job, before).await?;
    let mut was = Content {
        status: before.status,
        records: before.records,
        digest: manifest.records_digest,
    };
    let job = &source.job;
    let is_as_asked = (manifest.request.format, &manifest.request.include_fields)
        == (job.format, &job.include_fields);
    if !is_as_asked {
        // The same records are written otherwise by now.
        was.digest = None;
    }
    let verdict = match verdict(was, fetched.content) {
        Some(verdict) => verdict,
        None if !is_as_asked => by_numbers(was, fetched.content),
        None => compared(source, before, manifest, was, fetched).await?,
    };
    match verdict {
        Verdict::Same => Ok(false),
        Verdict::More => Ok(true),
        Verdict::Doubtful(doubt) => Err(WindowError::Contradicted(format!(
            "{}; {STAYS}",
            words(doubt, was, fetched.content)
        ))),
    }
}

/// What follows from a second answer that is not believed.
const STAYS: &str = "what is archived stays, and is asked for again later";

/// What `doubt` says of what a window holds `now`, beside what it held.
fn words(doubt: Doubt, was: Content, now: Content) -> String {
    let found = match now.records {
        Some(records) => format!("{records} records"),
        None => "records that can't be counted".to_owned(),
    };
    let counted = format!("the service has {found} of it now");
    let archived = was.records.unwrap_or(0);
    match doubt {
        Doubt::Less => format!("{counted}, and {archived} are archived"),
        Doubt::Others(others) => {
            format!("the service has as many records of it now, but {others} of them are others")
        }
        Doubt::Missing(missing) => {
            format!("{counted}, but {missing} of the archived ones are missing from it")
        }
        Doubt::Repeats(repeats) => {
            format!("{counted}, but {repeats} of them only repeat others, and none is new")
        }
    }
}

/// What comes of comparing the records. Where the older folder can't be read, the numbers decide.
async fn compared(
    source: &Source,
    before: &Archived,
    manifest: Manifest,
    was: Content,
    fetched: &Fetched,
) -> Result<Verdict, WindowError> {
    let (job, store) = (&source.job, &source.shared.store);
    let older = Held {
        storage: Arc::new(store.storage()),
        folder: before.folder.clone(),
        parts: manifest.parts,
        format: manifest.request.format,
        include_fields: manifest.request.include_fields,
    };
    let newer = Held {
        storage: Arc::new(Local::at(&fetched.staged)),
        folder: String::new(),
        parts: fetched.parts.clone(),
        format: job.format,
        include_fields: job.include_fields.clone(),
    };
    let stop = source.stop.clone();
    let compared = spawn_blocking(move || compare(&older, &newer, &|| stop.is_cancelled()));
    match compared.await? {
        Ok(difference) => Ok(by_records(was, fetched.content, difference)),
        Err(CompareError::Stopped) => Err(WindowError::Stopped),
        Err(CompareError::Now(why)) => Err(WindowError::Window(format!("{why}; {STAYS}"))),
        Err(CompareError::Before(why)) => {
            tracing::warn!(
                job = %job.name,
                window = %before.window,
                "what is archived can't be compared with the new answer record by record, so their \
                 numbers decide: {}",
                source.client.printable(&why)
            );
            Ok(by_numbers(was, fetched.content))
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
    let (storage, folder) = (shared.store.storage(), before.folder.clone());
    let shown = storage.place(&below(&folder, MANIFEST));
    let read = spawn_blocking(move || Manifest::read(&storage, &folder)).await?;
    let manifest = read.map_err(|why| {
        let shown = shown.display();
        WindowError::Window(format!("can't read {shown}: {why}"))
    })?;
    // Its key may have been rotated.
    if manifest.project_id == job.project_id {
        return Ok(manifest);
    }
    Err(WindowError::Window(format!(
        "it was archived from the project {} ({}), which is not the job's any more",
        manifest.project_key, manifest.project_id
    )))
}
