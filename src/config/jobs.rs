//! Reads `[defaults]` and each `[[job]]` into domain jobs.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use toml::de::{DeTable, DeValue};

use super::places::Line;
use super::problem::Report;
use super::since::since;
use super::table::{Table, boolean, choice, duration, integer, string};
use super::units::show_duration;
use super::zone;
use crate::domain::job::{AccountName, Format, Job, JobName, ToBound};
use crate::domain::recheck::Recheck;
use crate::domain::schedule::Schedule;
use crate::domain::second_opinion::CrossCheck;
use crate::domain::span::Millis;
use crate::domain::span::UtcMs;
use crate::domain::window::{WindowSize, Zone};
use values::{
    include_fields, keep, known_account, name, project_key, recheck, schedule, settle, window,
};

mod values;

/// Every key of a job. What tells one job from another comes first; the rest can stand in
/// `[defaults]` too.
pub(super) const KEYS: [&str; 20] = [
    "name",
    "project_key",
    "project_id",
    "succeeds",
    "account",
    "since",
    "schedule",
    "window",
    "settle",
    "recheck",
    "format",
    "include_fields",
    "retention",
    "keep",
    "to_bound",
    "cross_check",
    "count",
    "limit",
    "time_zone_of_records",
    "enabled",
];

/// How many of [`KEYS`] can't stand in `[defaults]`.
const OWN_KEYS: usize = 4;

/// The service's own bounds (`ELSA-API.md`, *One call*).
const MOST_COUNT: i64 = 200_000;
const MOST_LIMIT: i64 = 1000;

/// How late a recheck may come: the schedule looks from time to time, and a day may have 25
/// hours.
const RECHECK_MARGIN: Millis = Millis::from_hours(2);

const DEFAULT_WINDOW: WindowSize = match WindowSize::new(Millis::from_hours(1)) {
    Some(hour) => hour,
    None => WindowSize::DAY,
};

/// What reading a job needs to know of the rest.
pub(super) struct Context<'a> {
    pub zone: &'a Zone,
    pub now: UtcMs,
    /// The names of all accounts, also of those in which something is wrong; `None` when there
    /// may be more, on lines that are not TOML.
    pub accounts: Option<&'a BTreeSet<String>>,
}

/// Reads all jobs, in the file's order. What is wrong is reported, and its job left out.
pub(super) fn read(root: &Table<'_>, context: &Context<'_>, report: &mut Report<'_>) -> Vec<Job> {
    let empty = DeTable::new();
    let defaults = root
        .table("defaults", "[defaults]", report)
        .unwrap_or_else(|| Table::new(&empty, "defaults".to_owned(), 0));
    for own in KEYS.iter().take(OWN_KEYS).filter(|own| defaults.has(own)) {
        defaults.wrong(own, "is each job's own; put it into the [[job]]", report);
    }
    defaults.refuse_unknown(&KEYS, report);
    let mut base = Settings::built_in();
    base.overlay(&defaults, context, report);

    let none = match root.value("job") {
        None => true,
        Some(value) => value.as_array().is_some_and(|jobs| jobs.is_empty()),
    };
    if none {
        root.missing(
            "job",
            "give at least one [[job]], see config.example.toml",
            report,
        );
    }
    let mut lines = BTreeMap::new();
    root.tables("job", "[[job]]", report)
        .into_iter()
        .filter_map(|table| {
            let table = named(table);
            refuse_second(&table, &mut lines, report);
            job(&table, &defaults, base.clone(), context, report)
        })
        .collect()
}

/// Reports a name that another job has, with both lines.
fn refuse_second(table: &Table<'_>, lines: &mut BTreeMap<JobName, Line>, report: &mut Report<'_>) {
    let Some(Ok(name)) = table.value("name").map(name) else {
        return;
    };
    match lines.entry(name) {
        Entry::Vacant(first) => {
            first.insert(report.line(table.at));
        }
        Entry::Occupied(first) => {
            let first = first.get();
            let message = format!("the [[job]] on {first} has this name too; names are unique");
            table.wrong("name", message, report);
        }
    }
}

/// One job: what `table` says itself, over `settings`, which hold what `defaults` says.
fn job(
    table: &Table<'_>,
    defaults: &Table<'_>,
    mut settings: Settings,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Job> {
    table.refuse_unknown(&KEYS, report);
    let name = table.required("name", "give a name like \"shop-api\"", report, name);
    let hint = "give the project's key, like \"Pbxxxxx_elsa-test\"";
    let project_key = table.required("project_key", hint, report, project_key);
    let hint = "give the project's number, like 16706";
    let number = |value: &DeValue<'_>| integer(value, 0..=i64::MAX);
    let project_id = table.required("project_id", hint, report, number);
    let mut succeeds = None;
    table.overlay("succeeds", &mut succeeds, report, |value| {
        self::name(value).map(Some)
    });
    settings.overlay(table, context, report);

    let says = |key| table.has(key) || defaults.has(key);
    if !says("since") {
        let hint = "give the first day to archive, like \"2026-11-01\"";
        table.missing("since", hint, report);
    }
    if !says("account")
        && let Err(message) = known_account(&settings.account.0, context.accounts)
    {
        table.missing("account", &message, report);
    }
    let job = settings.job(name?, project_key?, project_id?, context.zone)?;
    Some(Job { succeeds, ..job })
}

/// The job's table, called by the job's name in messages where that is right.
fn named<'t>(table: Table<'t>) -> Table<'t> {
    match table.value("name").map(name) {
        Some(Ok(name)) => table.called(format!("job.{name}")),
        _ => table,
    }
}

/// The keys of a job that `[defaults]` can give.
#[derive(Clone)]
struct Settings {
    account: AccountName,
    since: Option<UtcMs>,
    schedule: Schedule,
    window: WindowSize,
    settle: Millis,
    recheck: Recheck,
    format: Format,
    include_fields: Vec<String>,
    retention: Option<Millis>,
    keep: Option<Millis>,
    to_bound: Option<ToBound>,
    cross_check: CrossCheck,
    count: u32,
    limit: u32,
    records_zone: Option<Zone>,
    enabled: bool,
}

impl Settings {
    fn built_in() -> Self {
        Self {
            account: AccountName("default".to_owned()),
            since: None,
            schedule: Schedule::default(),
            window: DEFAULT_WINDOW,
            settle: Millis::from_mins(10),
            recheck: Recheck::WhereSearchConfirms,
            format: Format::Json,
            include_fields: Vec::new(),
            retention: None,
            keep: None,
            to_bound: None,
            cross_check: CrossCheck::All,
            count: 200_000,
            limit: 1000,
            records_zone: None,
            enabled: true,
        }
    }

    /// Adds what `table` says.
    fn overlay(&mut self, table: &Table<'_>, context: &Context<'_>, report: &mut Report<'_>) {
        table.overlay("account", &mut self.account, report, |value| {
            known_account(string(value, "default")?, context.accounts)
        });
        table.overlay("since", &mut self.since, report, |value| {
            since(value, context.zone, context.now).map(Some)
        });
        table.overlay("schedule", &mut self.schedule, report, schedule);
        let cuts = table.overlay("window", &mut self.window, report, window);
        let settles = table.overlay("settle", &mut self.settle, report, settle);
        let rechecks = table.overlay("recheck", &mut self.recheck, report, |value| recheck(value));
        table.overlay("format", &mut self.format, report, |value| {
            choice(value, &[("json", Format::Json), ("csv", Format::Csv)])
        });
        table.overlay(
            "include_fields",
            &mut self.include_fields,
            report,
            include_fields,
        );
        let retains = table.overlay("retention", &mut self.retention, report, |value| {
            duration(value, "30d").map(Some)
        });
        let keeps = table.overlay("keep", &mut self.keep, report, |value| {
            keep(value).map(Some)
        });
        table.overlay("to_bound", &mut self.to_bound, report, |value| {
            choice(
                value,
                &[
                    ("auto", None),
                    ("inclusive", Some(ToBound::Inclusive)),
                    ("exclusive", Some(ToBound::Exclusive)),
                ],
            )
        });
        table.overlay("cross_check", &mut self.cross_check, report, |value| {
            choice(
                value,
                &[
                    ("all", CrossCheck::All),
                    ("some", CrossCheck::Some),
                    ("off", CrossCheck::Off),
                ],
            )
        });
        table.overlay("count", &mut self.count, report, |value| {
            integer(value, 1..=MOST_COUNT)
        });
        table.overlay("limit", &mut self.limit, report, |value| {
            integer(value, 1..=MOST_LIMIT)
        });
        let key = "time_zone_of_records";
        table.overlay(key, &mut self.records_zone, report, |value| {
            zone(string(value, "Asia/Seoul")?).map(Some)
        });
        table.overlay("enabled", &mut self.enabled, report, boolean);
        if let (Some(kept), Some(retention)) = (self.keep, self.retention)
            && (keeps || retains)
            && kept < retention
        {
            let message = format!(
                "keep {} is shorter than retention {}: the service itself keeps logs longer",
                show_duration(kept),
                show_duration(retention)
            );
            table.wrong(if keeps { "keep" } else { "retention" }, message, report);
        }
        // Only where this table says one of them, so that what [defaults] says is judged once.
        if let Some(retention) = self.retention
            && (retains || settles || cuts)
            && retention <= self.settle.plus(self.window.length())
        {
            let message = format!(
                "retention {} is not longer than the window {} and settle {}: logs would be gone before \
                 they are asked for; give what the service's project is set to",
                show_duration(retention),
                show_duration(self.window.length()),
                show_duration(self.settle),
            );
            let says = [
                (retains, "retention"),
                (settles, "settle"),
                (cuts, "window"),
            ];
            if let Some((_, key)) = says.iter().find(|(says, _)| *says) {
                table.wrong(key, message, report);
            }
        }
        let says = [
            (rechecks, "recheck"),
            (settles, "settle"),
            (retains, "retention"),
            (cuts, "window"),
        ];
        if let Some((_, key)) = says.iter().find(|(says, _)| *says) {
            self.judge_recheck(table, key, report);
        }
    }

    /// A recheck comes after the window was archived, and while the service still has it.
    fn judge_recheck(&self, table: &Table<'_>, key: &str, report: &mut Report<'_>) {
        let Recheck::After(recheck) = self.recheck else {
            return;
        };
        let shown = show_duration(recheck);
        let message = if recheck <= self.settle {
            format!(
                "recheck {shown} is not longer than settle {}: the window would be asked for \
                 twice in a row",
                show_duration(self.settle)
            )
        } else if let Some(retention) = self.retention
            && retention < recheck.plus(self.window.length()).plus(RECHECK_MARGIN)
        {
            format!(
                "recheck {shown} and the window {} are not at least 2h shorter than retention {}: \
                 the logs would be gone before they are asked for again",
                show_duration(self.window.length()),
                show_duration(retention)
            )
        } else {
            return;
        };
        table.wrong(key, message, report);
    }

    /// The job, unless `since` is not known.
    fn job(self, name: JobName, project_key: String, project_id: i64, zone: &Zone) -> Option<Job> {
        Some(Job {
            name,
            account: self.account,
            project_key,
            project_id,
            since: self.since?,
            configured_since: self.since?,
            zone: zone.clone(),
            window: self.window,
            settle: self.settle,
            recheck: self.recheck,
            schedule: self.schedule,
            format: self.format,
            include_fields: self.include_fields,
            retention: self.retention,
            keep: self.keep,
            to_bound: self.to_bound,
            cross_check: self.cross_check,
            count: self.count,
            limit: self.limit,
            records_zone: self.records_zone,
            succeeds: None,
            owed: Vec::new(),
            elsewhere: Vec::new(),
            enabled: self.enabled,
        })
    }
}
