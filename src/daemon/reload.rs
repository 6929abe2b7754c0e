//! A configuration that is read anew while jobs run. Carries *Self-healing* and *Candid*: one that is wrong is
//! refused whole, with the reason, and the one before stays in force.

use std::collections::BTreeSet;

use super::crew::Crew;
use crate::domain::job::JobName;
use crate::domain::job_changes::JobChanges;
use crate::job::JobRunner;

/// Names of jobs.
pub(crate) type Names = BTreeSet<JobName>;

/// What the daemon runs by.
pub(crate) trait Configuration {
    /// Reads it anew and checks it whole. What it says is in force once [`Configuration::open`] is called.
    ///
    /// # Errors
    /// With everything that is wrong. Then it is as if it had not been read.
    fn read_anew(&mut self) -> Result<JobChanges, String>;

    /// Opens the jobs that are to run, but for those that `stay` as they are. One that can't run is logged with its
    /// reason.
    fn open(&mut self, stay: &Names) -> Vec<JobRunner>;
}

/// Reads the configuration, and has the jobs that it changes leave.
pub(super) fn read(configuration: &mut dyn Configuration, crew: &mut Crew) -> Result<(), String> {
    match configuration.read_anew() {
        Ok(changes) => {
            let leaving: Names = changes.leaving().cloned().collect();
            tracing::info!(
                added = changes.added.len(),
                removed = changes.removed.len(),
                changed = changes.changed.len(),
                "the configuration was read anew"
            );
            crew.leave(&leaving);
            Ok(())
        }
        Err(why) => {
            tracing::error!(
                "the configuration is refused, and the one before stays in force: {why}"
            );
            Err(why)
        }
    }
}
