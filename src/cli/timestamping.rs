//! Who timestamps heads, by the configuration. Carries *Evident* and *Isolated*.

use std::sync::Arc;

use super::Context;
use super::session::{Place, store};
use crate::config::{Config, Problem};
use crate::daemon::stamper::{Stamper, StampsNow};
use crate::digest::Digest;
use crate::domain::identity::ArchiveId;
use crate::durable::Disk;
use crate::evidence::authority::Authority;

/// The authority that the configuration names.
///
/// # Errors
/// When TLS can't be set up.
pub(super) fn authority(config: &Config) -> Result<Option<Authority>, Problem> {
    let Some(evidence) = &config.evidence else {
        return Ok(None);
    };
    let [.., line] = &evidence.lines;
    let authority = evidence.timestamp.clone().map(Authority::at).transpose();
    authority.map_err(|why| line.problem("evidence.timestamp".to_owned(), why))
}

/// The same, where what is wrong is told and holds up nothing.
pub(super) fn or_none(context: &Context<'_>, config: &Config) -> Option<Authority> {
    authority(config).unwrap_or_else(|problem| {
        let wrong = problem.within(&context.args.config);
        tracing::error!("heads are not timestamped: {wrong}");
        None
    })
}

/// What has heads timestamped. The locks must be held.
pub(super) fn stamper(
    context: &Context<'_>,
    config: &Config,
    (id, disk): (&ArchiveId, &Disk),
    stamps: &Arc<StampsNow>,
) -> Stamper {
    Stamper {
        stamps: Arc::clone(stamps),
        store: store(config, disk).bound_to(id.clone()),
        id: id.clone(),
        state_dir: config.state_dir.clone(),
        disk: disk.clone(),
        clock: context.clock.clone(),
        zone: config.archive.zone.clone(),
    }
}

/// Has the newest head timestamped at the end of a command, by one try. Without one the command has done what it was to do.
pub(super) async fn after(context: &Context<'_>, config: &Config, place: &Place) {
    let stamps = Arc::new(StampsNow::default());
    stamps.goes_by(or_none(context, config));
    let with = (place.id(), place.disk());
    if let Err(why) = stamper(context, config, with, &stamps).stamp().await {
        tracing::warn!("no head is timestamped (evidence.timestamp): {why}");
    }
}

/// Whether the authority answers, and what to say of it; `None` where none is configured.
pub(super) async fn try_out(config: &Config) -> Option<(bool, String)> {
    let authority = match authority(config) {
        Ok(authority) => authority?,
        Err(problem) => return Some((false, problem.to_string())),
    };
    Some(match authority.stamp(&Digest::of(b"")).await {
        Ok((_, at)) => (
            true,
            format!("evidence.timestamp: the authority answers; its time is {at}"),
        ),
        Err(why) => (false, format!("evidence.timestamp: {why}")),
    })
}
