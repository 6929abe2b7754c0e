//! The projects of the year, and the jobs that archive them.

use elsa_archiver::domain::span::UtcMs;
use elsa_archiver::simulator::Project;
use jiff::civil::Date;

use crate::harness::{Due, Job};

use super::operator::midnight;

pub(super) const DAY_MS: i64 = 86_400_000;

/// How far ahead of UTC the days are cut.
pub(super) const SEOUL_MS: i64 = 9 * 3_600_000;

/// How long the service keeps a log.
pub(super) const RETENTION_MS: i64 = 30 * DAY_MS;

/// The projects: number, the key at first, and the one after it was rotated.
pub(super) const PROJECTS: [(i64, &str, Option<&str>); 3] = [
    (101, "Pb_shop", None),
    (102, "Pb_site", Some("Pb_site_rotated")),
    (103, "Pb_table", None),
];

/// The first key of the project that has this key.
pub(super) fn project_of(key: &str) -> &'static str {
    let found = PROJECTS
        .iter()
        .find(|(_, first, rotated)| *first == key || *rotated == Some(key));
    found.unwrap().1
}

/// Each project under each of its keys.
pub(super) fn projects() -> Vec<Project> {
    let of = |(id, key, rotated): (i64, &'static str, Option<&'static str>)| {
        let times = logged(id);
        let keys = [Some(key), rotated].into_iter().flatten();
        keys.map(move |key| Project::from_times(key, id, id.unsigned_abs(), times.clone()))
    };
    PROJECTS.into_iter().flat_map(of).collect()
}

/// Some logs a day for longer than the year, at both edges of many days; a day in eleven has none.
fn logged(seed: i64) -> Vec<UtcMs> {
    let first = midnight(Date::new(2024, 12, 1).unwrap());
    let mut times = Vec::new();
    for day in 0..420 {
        if (day + seed + 3) % 11 == 0 {
            continue;
        }
        let from = first.0 + day * DAY_MS;
        let noise = (day * 7_919 + seed * 104_729) % DAY_MS;
        times.extend([noise, DAY_MS / 2 - 1 - day, DAY_MS / 2 + noise / 2].map(|at| from + at));
        if day % 3 == 0 {
            times.extend([from, from, from + DAY_MS - 1, from + DAY_MS / 2]);
        }
    }
    times.into_iter().map(UtcMs).collect()
}

/// A job of a project, as an operator would write it: what is not set has its default.
pub(super) fn job(name: &str, key: &str) -> Job {
    let (id, ..) = PROJECTS
        .iter()
        .find(|(_, first, _)| *first == project_of(key))
        .unwrap();
    let due = Due::days(1);
    Job::new(name, &due)
        .with("project_key", &format!("{key:?}"))
        .with("project_id", &id.to_string())
        .with("since", "\"2025-01-01\"")
        .with("settle", "\"1h\"")
        .with("retention", "\"30d\"")
        .with("cross_check", "\"all\"")
        .with("to_bound", "\"auto\"")
}
