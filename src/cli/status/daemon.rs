//! What `status` says of the daemon: whether it is alive, and when it looks next.

use serde::Serialize;

use crate::archive::manifest::local_time;
use crate::cli::session::STATE_LOCK;
use crate::config::Config;
use crate::domain::span::UtcMs;
use crate::ledger::holder::{Holder, holder};

/// The process that holds the state directory, if there is one.
#[derive(Serialize)]
pub(super) struct Daemon {
    /// Whether another process holds the state directory's lock; null where that can't be known.
    alive: Option<bool>,
    /// The process; null where there is none.
    pid: Option<u32>,
    /// When the daemon looks next for what is due, RFC 3339; null where none lives.
    next_look: Option<String>,
    /// For people.
    #[serde(skip)]
    words: String,
}

impl Daemon {
    pub(super) fn look(config: &Config, now: UtcMs) -> Self {
        let path = config.state_dir.join(STATE_LOCK);
        let found = match holder(&path) {
            // The demo archives and looks in one process.
            Ok(found) => found.filter(|holder| holder.pid != std::process::id()),
            Err(error) => {
                return Self {
                    alive: None,
                    pid: None,
                    next_look: None,
                    words: format!("not known: can't look at {}: {error}", path.display()),
                };
            }
        };
        let is_daemon = found.is_some_and(|holder| holder.is_daemon);
        let next_look = is_daemon.then(|| next_look(config, now)).flatten();
        let words = match (found, &next_look) {
            (None, _) => "none runs; start it with `systemctl start elsa-archiver`".to_owned(),
            (Some(Holder { pid, .. }), Some(next)) => {
                format!("alive (pid {pid}), next look at {next}")
            }
            (Some(Holder { pid, .. }), None) if is_daemon => {
                format!("alive (pid {pid}); no job is enabled")
            }
            (Some(Holder { pid, .. }), None) => {
                format!("none runs; another elsa-archiver is at work (pid {pid})")
            }
        };
        Self {
            alive: Some(found.is_some()),
            pid: found.map(|holder| holder.pid),
            next_look,
            words,
        }
    }

    /// Whether a daemon is alive that has a job to do.
    pub(super) const fn is_at_work(&self) -> bool {
        self.next_look.is_some()
    }

    /// For people: one line.
    pub(super) fn listing(&self) -> String {
        format!("daemon: {}\n", self.words)
    }
}

/// When the first of the enabled jobs is looked at next.
fn next_look(config: &Config, now: UtcMs) -> Option<String> {
    let zone = &config.archive.zone;
    let enabled = config.jobs.iter().filter(|job| job.enabled);
    let next = enabled.filter_map(|job| job.schedule.next_look(now, zone));
    next.min().map(|at| local_time(at, zone))
}
