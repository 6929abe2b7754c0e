//! The operator of the year: has a clock that stands still between two commands, runs the real binary by it, and
//! keeps book of what the service has handed out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::simulator::truth::seqs_in;
use elsa_archiver::simulator::{Call, Fault, FaultPlan, ServiceClock};
use jiff::civil::Date;

use crate::harness::{Job, Ran, World, tell};

use super::places::{DAY_MS, RETENTION_MS, SEOUL_MS, project_of};

/// When the operator looks, after midnight in the archive's time zone.
const LOOKS_AT_MS: i64 = 3 * 3_600_000 + 1_800_000;

/// A window that is older is not rechecked: a day after it was archived, or within a week from then.
const RECHECKED_DAYS: i32 = 14;

/// So many days are from one time that it archives to the next.
const EVERY: i32 = 5;

/// How much faster than the machine's all clocks of the program go while it waits between attempts.
const FASTER: u32 = 100;

pub(super) struct Operator<'a> {
    pub(super) world: &'a World,
    library: &'a Path,
    pub(super) today: Date,
    /// The jobs of the config, as they are.
    pub(super) jobs: Vec<Job>,
    /// The key with which the service refuses a project since it was rotated.
    revoked: Option<&'static str>,
    is_down: bool,
    /// Of each project what the service has handed out so far.
    pub(super) handed_out: BTreeMap<&'static str, BTreeSet<u64>>,
    /// The first instants of what was downloaded of each project, by earlier commands.
    downloaded: BTreeSet<(&'static str, UtcMs)>,
    /// The days of which something was downloaded that an earlier command had downloaded.
    asked_again: BTreeSet<(&'static str, Date)>,
}

impl<'a> Operator<'a> {
    pub(super) fn new(world: &'a World, library: &'a Path, today: Date) -> Self {
        let mut operator = Self {
            world,
            library,
            today,
            jobs: Vec::new(),
            revoked: None,
            is_down: false,
            handed_out: BTreeMap::new(),
            downloaded: BTreeSet::new(),
            asked_again: BTreeSet::new(),
        };
        operator.set_clocks();
        operator
    }

    pub(super) fn configure(&mut self, jobs: &[&Job]) {
        self.jobs = jobs.iter().map(|&job| job.clone()).collect();
        self.world.configure(&self.jobs);
    }

    /// What time it is.
    fn now(&self) -> UtcMs {
        midnight(self.today).plus(Millis(LOOKS_AT_MS))
    }

    /// The service forgets as its retention says.
    pub(super) fn kept_from(&self) -> UtcMs {
        self.now().minus(Millis(RETENTION_MS))
    }

    fn set_clocks(&mut self) {
        self.world
            .service
            .set_clock(ServiceClock::Frozen(self.now()));
        self.world.service.forget_before(self.kept_from());
    }

    fn plan_faults(&self) {
        let status = |http, error_code: &str| Fault::Status {
            http,
            error_code: error_code.to_owned(),
            message: "no".to_owned(),
            retry_after: None,
        };
        let plan = match (self.is_down, self.revoked) {
            (true, _) => FaultPlan::always(status(503, "500")).also_for_search(),
            (false, Some(key)) => FaultPlan::always(status(401, "210"))
                .also_for_search()
                .only_for(key),
            (false, None) => FaultPlan::none(),
        };
        self.world.service.set_faults(plan);
    }

    /// From now on the service answers nobody, or everybody again.
    pub(super) fn service_is_down(&mut self, is_down: bool) {
        self.is_down = is_down;
        self.plan_faults();
    }

    /// From now on the service refuses this key of a project.
    pub(super) fn key_is_revoked(&mut self, key: &'static str) {
        self.revoked = Some(key);
        self.plan_faults();
    }

    /// Lets days go by on which nobody does anything.
    pub(super) fn wait_until(&mut self, month: i8, day: i8) {
        let year = self.today.year();
        self.today = match (month, day) {
            (13, day) => Date::new(year + 1, 1, day).unwrap(),
            (month, day) => Date::new(year, month, day).unwrap(),
        };
        self.set_clocks();
    }

    /// Archives again and again until this day, the day itself too; all is well each time.
    #[track_caller]
    pub(super) fn live_until(&mut self, month: i8, day: i8) {
        let first = self.today;
        let mut records = 0;
        loop {
            let ran = self.run_quietly(&["once"]).exits(0);
            records += records_of(&ran);
            let here = (self.today.month(), self.today.day());
            if here == (month, day)
                || (month == 13 && here == (1, day) && self.today.year() > first.year())
            {
                break;
            }
            let next = self
                .today
                .checked_add(jiff::Span::new().days(EVERY))
                .unwrap();
            let last = match month {
                13 => Date::new(first.year() + 1, 1, day),
                month => Date::new(first.year(), month, day),
            };
            self.today = next.min(last.unwrap());
            self.set_clocks();
        }
        let days = (self.today - first).get_days() + 1;
        tell(format!(
            "{first}  {:<52} 0  {days} days, {records} records",
            format!("once, every {EVERY} days")
        ));
    }

    /// Goes to the next day.
    pub(super) fn next_day(&mut self) {
        self.today = self.today.tomorrow().unwrap();
        self.set_clocks();
    }

    /// Says what happens.
    pub(super) fn happens(&self, what: &str) {
        tell(format!("{}  ** {what}", self.today));
    }

    /// Runs a command, and tells how it ended.
    #[track_caller]
    pub(super) fn run(&mut self, args: &[&str]) -> Ran {
        let ran = self.run_quietly(args);
        let code = ran
            .code
            .map_or_else(|| "?".to_owned(), |code| code.to_string());
        let first = ran
            .stdout
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty());
        let counts = matches!(args[0], "once" | "backfill");
        let summary = ran
            .stdout
            .lines()
            .map(brief)
            .collect::<Vec<_>>()
            .join(" | ");
        let told = if counts {
            &summary
        } else {
            first.unwrap_or("")
        };
        let told: String = told.chars().take(110).collect();
        tell(format!(
            "{}  {:<52} {code}  {told}",
            self.today,
            args.join(" ")
        ));
        ran
    }

    /// Runs a command while all clocks of the program run, and fast: it waits between its attempts.
    #[track_caller]
    pub(super) fn run_in_fast_time(&mut self, args: &[&str]) -> Ran {
        let time = format!("@{} x{FASTER}", self.shown());
        self.spawn(args, &time, &[])
    }

    fn run_quietly(&mut self, args: &[&str]) -> Ran {
        let time = self.shown();
        self.spawn(
            args,
            &time,
            &[("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1"))],
        )
    }

    /// The time as the library takes it.
    fn shown(&self) -> String {
        self.now()
            .timestamp()
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string()
    }

    fn spawn(&mut self, args: &[&str], time: &str, more: &[(&str, &Path)]) -> Ran {
        let mut variables = vec![
            ("LD_PRELOAD", self.library),
            ("FAKETIME", Path::new(time)),
            ("NO_FAKE_STAT", Path::new("1")),
            ("TZ", Path::new("UTC")),
        ];
        variables.extend(more);
        self.world.service.clear_journal();
        let ran = self.world.spawn_with(args, &variables).wait();
        self.keep_book();
        ran
    }

    /// Reads the service's journal.
    fn keep_book(&mut self) {
        let kept_from = self.kept_from();
        let mut now = BTreeSet::new();
        for entry in self.world.service.journal() {
            let is_served = entry.status == Some(200) && entry.fault.is_none();
            if entry.call != Some(Call::Download) || !is_served {
                continue;
            }
            let (Some(key), Some(from), Some(to)) = (&entry.project_key, entry.from, entry.to)
            else {
                continue;
            };
            let project = project_of(key);
            // At first it is not known what `to` means; what was logged at the very end is the next window's.
            let is_whole = (to.0 + SEOUL_MS).rem_euclid(DAY_MS / 2) == 0;
            let end = to.plus(Millis(i64::from(!is_whole)));
            if let Some(kept) = Span::new(from.max(kept_from), end) {
                let truth = self.world.service.project(key).unwrap();
                let handed = self.handed_out.entry(project).or_default();
                handed.extend(seqs_in(truth, kept));
            }
            if self.downloaded.contains(&(project, from)) {
                self.asked_again.insert((project, day_of(from)));
            }
            now.insert((project, from));
        }
        self.downloaded.extend(now);
    }

    /// Asserts that nothing but what was logged on these days has been asked for again.
    #[track_caller]
    pub(super) fn only_asked_again(
        &mut self,
        days: impl IntoIterator<Item = (&'static str, Date)>,
    ) {
        let asked_again = std::mem::take(&mut self.asked_again);
        assert_eq!(asked_again, days.into_iter().collect());
    }

    /// Asserts that archiving has nothing to do.
    #[track_caller]
    pub(super) fn nothing_is_asked(&mut self) {
        self.run(&["once"]).exits(0);
        let asked = self.world.service.journal();
        assert!(asked.is_empty(), "asked again: {asked:#?}");
    }

    /// Lets what was logged in the last days be asked for again: a ledger that was made anew does not know what
    /// was rechecked.
    pub(super) fn rechecks_are_forgotten(&mut self) {
        let recent = self
            .today
            .checked_sub(jiff::Span::new().days(RECHECKED_DAYS));
        let recent = recent.unwrap();
        self.asked_again.retain(|(_, day)| *day < recent);
    }

    /// At a month's end: all is green, and nothing has been asked for again.
    #[track_caller]
    pub(super) fn month_ends(&mut self) {
        self.only_asked_again([]);
        self.nothing_is_asked();
        self.run(&["status"]).exits(0);
        self.run(&["verify"]).exits(0);
    }

    /// Says of all jobs that what is lost or not certain is known.
    #[track_caller]
    pub(super) fn acknowledges(&mut self, jobs: &[&str]) {
        let mut args = vec!["status"];
        args.extend(jobs.iter().flat_map(|&job| ["--ack", job]));
        self.run(&args).exits(0);
        self.run(&["verify"]).exits(0);
        self.nothing_is_asked();
        self.run(&["status"]).exits(0);
        self.run(&["verify"]).exits(0);
    }

    pub(super) fn root(&self) -> PathBuf {
        self.world.root()
    }

    pub(super) fn state(&self) -> PathBuf {
        self.world.path("state")
    }

    /// The newest folder of the window that begins on a day.
    pub(super) fn folder(&self, job: &str, month: i8, day: i8) -> PathBuf {
        let from = midnight(Date::new(self.today.year(), month, day).unwrap());
        let mut folders = self.world.folders(job);
        folders.retain(|folder| folder.window.from() == from);
        folders.sort_by_key(|folder| folder.name.clone());
        folders.pop().unwrap().path
    }
}

/// Copies a folder with all that is in it.
pub(super) fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

/// Changes one byte of a window's data.
pub(super) fn damage(folder: &Path) {
    let data = crate::harness::files_below(&folder.join("part-0001")).remove(0);
    let mut bytes = fs::read(&data).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(data, bytes).unwrap();
}

/// The beginning of a day in the archive's time zone.
pub(super) fn midnight(day: Date) -> UtcMs {
    let days = (day - Date::new(1970, 1, 1).unwrap()).get_days();
    UtcMs(i64::from(days) * DAY_MS - SEOUL_MS)
}

/// The day in the archive's time zone.
pub(super) fn day_of(at: UtcMs) -> Date {
    let days = (at.0 + SEOUL_MS).div_euclid(DAY_MS);
    let first = Date::new(1970, 1, 1).unwrap();
    first.checked_add(jiff::Span::new().days(days)).unwrap()
}

/// A job's line of a summary, without its last error.
fn brief(line: &str) -> String {
    let line = line.split("; last error").next().unwrap_or(line);
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn records_of(ran: &Ran) -> u64 {
    let words: Vec<&str> = ran
        .stdout
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .collect();
    let pairs = words
        .windows(2)
        .filter(|pair| pair[1].trim().starts_with("record"));
    pairs.filter_map(|pair| pair[0].parse::<u64>().ok()).sum()
}
