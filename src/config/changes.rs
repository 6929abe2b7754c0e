//! What differs between the configuration that jobs run by and one that was read anew. Pure.

use std::collections::BTreeSet;

use super::places::Line;
use super::{Config, Problem, Problems, ROOT, STATE};
use crate::domain::job::{AccountName, Job};
use crate::domain::job_changes::JobChanges;

/// What differs between `running` and `new`; the keys of the `rekeyed` accounts are others now.
///
/// # Errors
/// With each thing that only a restart can change.
pub(crate) fn changes(
    running: &Config,
    new: &Config,
    rekeyed: &BTreeSet<AccountName>,
) -> Result<JobChanges, Problems> {
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
    let mut found = JobChanges::default();
    for job in &new.jobs {
        let old = running.jobs.iter().find(|old| old.name == job.name);
        match (old.filter(|old| old.enabled), job.enabled) {
            (None, true) => found.added.insert(job.name.clone()),
            (Some(_), false) => found.removed.insert(job.name.clone()),
            (Some(old), true) => !is_same(old, job) && found.changed.insert(job.name.clone()),
            (None, false) => false,
        };
    }
    let is_gone = |old: &&Job| old.enabled && new.jobs.iter().all(|job| job.name != old.name);
    let gone = running.jobs.iter().filter(is_gone);
    found.removed.extend(gone.map(|job| job.name.clone()));
    Ok(found)
}

/// What is of the process: its locks, the archive it is bound to, and the names of its folders.
fn needs_restart(running: &Config, new: &Config) -> Vec<Problem> {
    let lines = &new.lines;
    let [root, state] = [ROOT, STATE].map(|(table, key)| format!("{table}.{key}"));
    let of_process = [
        (running.archive.root != new.archive.root, &lines.root, root),
        (running.state_dir != new.state_dir, &lines.state_dir, state),
        (
            running.archive.zone != new.archive.zone,
            &lines.root,
            "archive.timezone".to_owned(),
        ),
        (
            running.archive.durable_folders != new.archive.durable_folders,
            &lines.root,
            "archive.durable_folders".to_owned(),
        ),
    ];
    let differs = of_process.into_iter().filter(|(differs, ..)| *differs);
    let problem = |(_, line, key): (bool, &Line, String)| {
        let message = "can't change while the program runs; restart it, or take the change back";
        line.problem(key, message.to_owned())
    };
    differs.map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::JobName;
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

    fn between(new: &Config) -> JobChanges {
        changes(&config(""), new, &BTreeSet::new()).unwrap()
    }

    #[test]
    fn jobs_that_come_go_and_differ_are_told_apart() {
        assert_eq!(between(&config("")), JobChanges::default());
        let mut new = config("");
        new.jobs[0].settle = crate::domain::span::Millis(1);
        let old = new.jobs.remove(1);
        new.jobs.push(Job {
            name: JobName::parse("new").unwrap(),
            ..old
        });
        let found = between(&new);
        assert_eq!(found.added, of(&["new"]));
        assert_eq!(found.removed, of(&["a-job"]));
        assert_eq!(found.changed, of(&["shop"]));
        let mut new = config("");
        new.jobs[0].enabled = false;
        assert_eq!(between(&new).removed, of(&["shop"]));
        let found = changes(&new, &config(""), &BTreeSet::new()).unwrap();
        assert_eq!(found.added, of(&["shop"]));
    }

    #[test]
    fn what_an_account_or_the_archive_says_is_of_the_jobs_that_it_is_for() {
        let mut new = config("");
        let other = new.jobs[1].account.clone();
        new.accounts.get_mut(&other).unwrap().account.max_in_flight = 4;
        assert_eq!(between(&new).changed, of(&["a-job"]));
        let rekeyed = [other].into();
        let found = changes(&config(""), &config(""), &rekeyed).unwrap();
        assert_eq!(found.changed, of(&["a-job"]));
        let mut new = config("");
        new.archive.min_free_space += 1;
        assert_eq!(between(&new).changed, of(&["a-job", "shop"]));
        let mut new = config("");
        new.archive.store = crate::domain::store_kind::StoreKind::Zip;
        assert_eq!(between(&new).changed, of(&["a-job", "shop"]));
        // Lines that move are no change.
        assert_eq!(between(&config("# a comment\n")), JobChanges::default());
    }

    #[test]
    fn what_is_the_process_s_own_is_refused() {
        let mut new = config("");
        new.archive.root = "/elsewhere".into();
        new.state_dir = "/other".into();
        let refused = changes(&config(""), &new, &BTreeSet::new()).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("archive.root: can't change"), "{text}");
        assert!(text.contains("state.dir: can't change"), "{text}");
    }
}
