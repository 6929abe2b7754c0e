//! What differs between the configuration that jobs run by and one that was read anew. Pure.

use std::collections::BTreeSet;

use super::{Config, Problem, Problems, ROOT, STATE};
use crate::domain::job::{AccountName, Job, JobName};

/// Which jobs a configuration that was read anew is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Those that come.
    pub(crate) added: BTreeSet<JobName>,
    /// Those that go.
    pub(crate) removed: BTreeSet<JobName>,
    /// Those that go on otherwise.
    pub(crate) changed: BTreeSet<JobName>,
}

impl Changes {
    /// Between `running` and `new`; the keys of the `rekeyed` accounts are others now.
    ///
    /// # Errors
    /// With each thing that only a restart can change.
    pub(crate) fn between(
        running: &Config,
        new: &Config,
        rekeyed: &BTreeSet<AccountName>,
    ) -> Result<Self, Problems> {
        if let Some(problems) = Problems::of(needs_restart(running, new)) {
            return Err(problems);
        }
        // All jobs share it.
        let shared = running.archive != new.archive;
        let is_same = |old: &Job, job: &Job| {
            let account = &job.account;
            let accounts = [running, new].map(|config| config.accounts.get(account));
            let [before, after] = accounts;
            old == job && before == after && !rekeyed.contains(account) && !shared
        };
        let mut changes = Self::default();
        for job in &new.jobs {
            let old = running.jobs.iter().find(|old| old.name == job.name);
            match (old.filter(|old| old.enabled), job.enabled) {
                (None, true) => changes.added.insert(job.name.clone()),
                (Some(_), false) => changes.removed.insert(job.name.clone()),
                (Some(old), true) => !is_same(old, job) && changes.changed.insert(job.name.clone()),
                (None, false) => false,
            };
        }
        let is_gone = |old: &&Job| old.enabled && new.jobs.iter().all(|job| job.name != old.name);
        let gone = running.jobs.iter().filter(is_gone);
        changes.removed.extend(gone.map(|job| job.name.clone()));
        Ok(changes)
    }

    /// Those that end their windows and stop, before any other begins.
    pub(crate) fn leaving(&self) -> impl Iterator<Item = &JobName> {
        self.removed.iter().chain(&self.changed)
    }
}

/// What is of the process: its locks, the archive it is bound to, and the names of its folders.
fn needs_restart(running: &Config, new: &Config) -> Vec<Problem> {
    let lines = new.lines;
    let [root, state] = [ROOT, STATE].map(|(table, key)| format!("{table}.{key}"));
    let of_process = [
        (running.archive.root != new.archive.root, lines.root.0, root),
        (running.state_dir != new.state_dir, lines.state_dir.0, state),
        (
            running.archive.zone != new.archive.zone,
            lines.root.0,
            "archive.timezone".to_owned(),
        ),
    ];
    let differs = of_process.into_iter().filter(|(differs, ..)| *differs);
    let problem = |(_, line, key)| Problem {
        line,
        key: Some(key),
        message: "can't change while the program runs; restart it, or take the change back"
            .to_owned(),
    };
    differs.map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::span::UtcMs;

    const NOW: UtcMs = UtcMs(1_800_000_000_000);

    fn config(text: &str) -> Config {
        let job = |(name, line): (&str, &str)| {
            format!(
                "[[job]]\nname = {name:?}\nproject_key = \"Pb_{name}\"\nproject_id = {}\nsince = \"2026-11-01\"\n{line}\n",
                name.len()
            )
        };
        let jobs: String = [("shop", ""), ("a-job", "account = \"other\"\n")]
            .map(job)
            .concat();
        let accounts = "[account.default]\n[account.other]\nmax_in_flight = 3\n";
        Config::parse(&format!("{text}{accounts}{jobs}"), NOW).unwrap()
    }

    fn of(names: &[&str]) -> BTreeSet<JobName> {
        names
            .iter()
            .map(|name| JobName::parse(name).unwrap())
            .collect()
    }

    fn between(new: &Config) -> Changes {
        Changes::between(&config(""), new, &BTreeSet::new()).unwrap()
    }

    #[test]
    fn jobs_that_come_go_and_differ_are_told_apart() {
        assert_eq!(between(&config("")), Changes::default());
        let mut new = config("");
        new.jobs[0].settle = crate::domain::span::Millis(1);
        let old = new.jobs.remove(1);
        new.jobs.push(Job {
            name: JobName::parse("new").unwrap(),
            ..old
        });
        let changes = between(&new);
        assert_eq!(changes.added, of(&["new"]));
        assert_eq!(changes.removed, of(&["a-job"]));
        assert_eq!(changes.changed, of(&["shop"]));
        let mut new = config("");
        new.jobs[0].enabled = false;
        assert_eq!(between(&new).removed, of(&["shop"]));
        let changes = Changes::between(&new, &config(""), &BTreeSet::new()).unwrap();
        assert_eq!(changes.added, of(&["shop"]));
    }

    #[test]
    fn what_an_account_or_the_archive_says_is_of_the_jobs_that_it_is_for() {
        let mut new = config("");
        let other = new.jobs[1].account.clone();
        new.accounts.get_mut(&other).unwrap().account.max_in_flight = 4;
        assert_eq!(between(&new).changed, of(&["a-job"]));
        let rekeyed = [other].into();
        let changes = Changes::between(&config(""), &config(""), &rekeyed).unwrap();
        assert_eq!(changes.changed, of(&["a-job"]));
        let mut new = config("");
        new.archive.min_free_space += 1;
        assert_eq!(between(&new).changed, of(&["a-job", "shop"]));
        // Lines that move are no change.
        assert_eq!(between(&config("# a comment\n")), Changes::default());
    }

    #[test]
    fn what_is_the_process_s_own_is_refused() {
        let mut new = config("");
        new.archive.root = "/elsewhere".into();
        new.state_dir = "/other".into();
        let refused = Changes::between(&config(""), &new, &BTreeSet::new()).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("archive.root: can't change"), "{text}");
        assert!(text.contains("state.dir: can't change"), "{text}");
    }
}
