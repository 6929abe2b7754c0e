//! Who timestamps heads, by the configuration. Carries *Evident* and *Isolated*.

use std::sync::Arc;

use super::Context;
use super::session::{Place, store};
use crate::config::Config;
use crate::daemon::stamper::{Stamper, StampsNow};
use crate::digest::Digest;
use crate::domain::identity::ArchiveId;
use crate::durable::Disk;
use crate::evidence::authority::Authority;

/// The authority that the configuration names.
pub(super) fn authority(config: &Config) -> Option<Authority> {
    let evidence = config.evidence.as_ref()?;
    evidence.timestamp.clone().map(Authority::at)
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
    stamps.goes_by(authority(config));
    let with = (place.id(), place.disk());
    if let Err(why) = stamper(context, config, with, &stamps).stamp().await {
        tracing::warn!("no head is timestamped (evidence.timestamp): {why}");
    }
}

/// Whether the authority answers, and what to say of it; `None` where none is configured.
pub(super) async fn try_out(config: &Config) -> Option<(bool, String)> {
    let authority = authority(config)?;
    Some(match authority.stamp(&Digest::of(b"")).await {
        Ok((_, at)) => (
            true,
            format!("evidence.timestamp: the authority answers; its time is {at}"),
        ),
        Err(why) => (false, format!("evidence.timestamp: {why}")),
    })
}
