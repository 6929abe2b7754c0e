//! What has to be true at the end of the year.

use std::collections::{BTreeMap, BTreeSet};

use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use jiff::civil::Date;

use super::operator::day_of;
use super::places::DAY_MS;
use crate::harness::{Folder, World};

/// A project's archive, by whichever jobs.
pub(super) struct Audit {
    /// The newest folder of each window.
    newest: BTreeMap<Span, Folder>,
    /// Each archived number, as often as it is there.
    pub(super) archived: Vec<u64>,
    /// The spans that are said to be lost.
    lost: Vec<Span>,
}

impl Audit {
    pub(super) fn of(world: &World, jobs: &[&str], status: &serde_json::Value) -> Self {
        let mut newest: BTreeMap<Span, Folder> = BTreeMap::new();
        for job in jobs {
            for folder in world.folders(job) {
                let is_newer = |known: &Folder| {
                    known.name.len() < folder.name.len() || known.name < folder.name
                };
                if newest.get(&folder.window).is_none_or(is_newer) {
                    newest.insert(folder.window, folder);
                }
            }
        }
        let archived = newest
            .values()
            .flat_map(Folder::records)
            .map(|record| record.seq)
            .collect();
        let all = status["jobs"].as_array().unwrap().iter();
        let theirs = all.filter(|job| jobs.iter().any(|name| job["job"] == *name));
        let lost: Vec<serde_json::Value> = theirs
            .flat_map(|job| job["lost"].as_array().cloned().unwrap_or_default())
            .collect();
        let bound = |lost: &serde_json::Value, name: &str| UtcMs(lost[name].as_i64().unwrap());
        let span = |lost| Span::new(bound(lost, "from_ms"), bound(lost, "to_ms")).unwrap();
        assert!(
            lost.iter().all(|lost| lost["acknowledged"] == true),
            "{lost:?}"
        );
        Self {
            newest,
            archived,
            lost: lost.iter().map(span).collect(),
        }
    }

    /// Asserts that archive and losses make up a span, each instant once.
    pub(super) fn assert_makes_up(&self, span: Span) {
        let mut spans: Vec<Span> = self.newest.keys().chain(&self.lost).copied().collect();
        spans.sort();
        let mut reached = span.from();
        for next in spans {
            assert_eq!(next.from(), reached, "{next}");
            reached = next.to();
        }
        assert_eq!(reached, span.to());
    }

    /// The days of which something is said to be lost.
    pub(super) fn lost_days(&self) -> BTreeSet<Date> {
        let begins = |from: UtcMs| (0..).map(move |day| from.plus(Millis(day * DAY_MS)));
        let of = |span: &Span| {
            begins(span.from())
                .take_while(|at| *at < span.to())
                .map(day_of)
                .collect::<Vec<_>>()
        };
        self.lost.iter().flat_map(of).collect()
    }

    /// The days of which a window is not known to be complete.
    pub(super) fn not_complete_days(&self) -> BTreeSet<Date> {
        let folders = self.newest.values();
        let not = folders.filter(|folder| folder.manifest["status"] != "complete");
        not.map(|folder| day_of(folder.window.from())).collect()
    }
}
