//! An event as one JSON object. The schema is described in `docs/operations.md`; it only grows.

use serde::Serialize;

use super::http::Body;
use crate::archive::manifest::local_time;
use crate::domain::notice::{Event, Folder, Kind};
use crate::domain::span::UtcMs;
use crate::domain::window::{Window, Zone};

#[derive(Default, Serialize)]
struct Object<'a> {
    schema: u32,
    id: String,
    event: &'a str,
    at: String,
    archive: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
    #[serde(flatten)]
    window: Option<Bounds>,
    #[serde(flatten)]
    folder: Option<Published<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    covered_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct Bounds {
    from: String,
    to: String,
    from_ms: i64,
    to_ms: i64,
}

#[derive(Serialize)]
struct Published<'a> {
    status: crate::domain::split::Status,
    records: Option<u64>,
    bytes: u64,
    folder: &'a str,
    manifest_sha256: &'a str,
}

/// What all events of a process share.
pub(super) struct Origin<'a> {
    /// Not known before the archive is bound.
    pub(super) archive: Option<&'a str>,
    pub(super) zone: &'a Zone,
}

/// `event`, which has happened at `at`. `number` tells those apart that no line of a ledger does.
pub(super) fn body(event: &Event, at: UtcMs, number: u64, origin: &Origin<'_>) -> Body {
    let (kind, zone) = (&event.kind, origin.zone);
    let job = event.job.as_ref().map(|job| job.as_str());
    // A ledger that was rebuilt counts its lines anew.
    let which = match (event.seq, kind.window()) {
        (Some(seq), Some(window)) => format!("{seq}-{}", window.from().0),
        (Some(seq), None) => seq.to_string(),
        (None, _) => format!("{}-{number}", at.0),
    };
    let shown = |at: UtcMs| local_time(at, zone);
    let mut object = Object {
        schema: 1,
        id: format!(
            "{}/{}/{which}/{}",
            origin.archive.unwrap_or("-"),
            job.unwrap_or("-"),
            kind.name()
        ),
        event: kind.name(),
        at: at.timestamp().to_string(),
        archive: origin.archive,
        job,
        ..Object::default()
    };
    match kind {
        Kind::Archived(folder) | Kind::Truncated(folder) | Kind::Unproven(folder) => {
            object.window = Some(bounds(folder.window, zone));
            object.folder = Some(published(folder));
        }
        Kind::ProgramFailed(folder, message) => {
            object.window = Some(bounds(folder.window, zone));
            object.folder = Some(published(folder));
            object.message = Some(message);
        }
        Kind::Failed(window, message) | Kind::RecheckFailed(window, message) => {
            object.window = Some(bounds(*window, zone));
            object.message = Some(message);
        }
        Kind::Lost(window) => object.window = Some(bounds(*window, zone)),
        Kind::CaughtUp(until) => object.covered_until = until.map(shown),
        Kind::CircuitOpen(until, message) => {
            object.until = Some(shown(*until));
            object.message = Some(message);
        }
        Kind::ConfigRefused(message) => object.message = Some(message),
        Kind::CircuitClosed | Kind::Test => {}
    }
    Body {
        // Texts and numbers always can be written.
        json: serde_json::to_string(&object).unwrap_or_default(),
        is_critical: kind.is_critical(),
    }
}

fn bounds(window: Window, zone: &Zone) -> Bounds {
    let (from, to) = (window.from(), window.to());
    Bounds {
        from: local_time(from, zone),
        to: local_time(to, zone),
        from_ms: from.0,
        to_ms: to.0,
    }
}

fn published(folder: &Folder) -> Published<'_> {
    Published {
        status: folder.status,
        records: folder.records,
        bytes: folder.bytes,
        folder: &folder.path,
        manifest_sha256: &folder.manifest_sha256,
    }
}
