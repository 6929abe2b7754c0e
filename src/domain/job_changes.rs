//! Which jobs a configuration that was read anew is about.

use std::collections::BTreeSet;

use super::job::JobName;

/// Which jobs a configuration that was read anew is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobChanges {
    /// Those that come.
    pub(crate) added: BTreeSet<JobName>,
    /// Those that go.
    pub(crate) removed: BTreeSet<JobName>,
    /// Those that go on otherwise.
    pub(crate) changed: BTreeSet<JobName>,
}

impl JobChanges {
    /// Those that end their windows and stop, before any other begins.
    pub(crate) fn leaving(&self) -> impl Iterator<Item = &JobName> {
        self.removed.iter().chain(&self.changed)
    }
}
