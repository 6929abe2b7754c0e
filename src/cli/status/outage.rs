//! What `status` says of an account whose service is down.

use serde::Serialize;

use crate::archive::manifest::local_time;
use crate::cli::print::count;
use crate::config::Config;
use crate::domain::job::AccountName;
use crate::domain::span::{Millis, UtcMs};
use crate::job::outage::{Kept, read};

/// So long after it was to be asked, nobody seems to ask: one answer may take as long.
const OVERDUE: Millis = Millis::from_mins(40);

/// An account whose service was down when it was asked last.
#[derive(Serialize)]
pub(super) struct Outage {
    account: String,
    since_ms: UtcMs,
    since: String,
    last_ms: UtcMs,
    last: String,
    next_ms: UtcMs,
    next: String,
    /// Jobs of which windows have failed.
    jobs: Vec<String>,
    message: String,
    #[serde(skip)]
    is_overdue: bool,
}

impl Outage {
    /// Those of all accounts.
    pub(super) fn all(config: &Config, now: UtcMs) -> Vec<Self> {
        let accounts = config.accounts.keys();
        accounts
            .filter_map(|account| {
                let kept = read(&config.state_dir, account)?;
                Some(Self::of(config, account, kept, now))
            })
            .collect()
    }

    fn of(config: &Config, account: &AccountName, kept: Kept, now: UtcMs) -> Self {
        let local =
            |at: UtcMs| local_time(UtcMs(at.0.div_euclid(1000) * 1000), &config.archive.zone);
        Self {
            account: account.to_string(),
            since: local(kept.since_ms),
            since_ms: kept.since_ms,
            last: local(kept.last_ms),
            last_ms: kept.last_ms,
            next: local(kept.next_ms),
            next_ms: kept.next_ms,
            jobs: kept.jobs,
            message: kept.message,
            is_overdue: kept.next_ms.plus(OVERDUE) < now,
        }
    }

    /// For people.
    pub(super) fn listing(&self) -> String {
        let next = match self.is_overdue {
            false => format!("next {}", self.next),
            true => "nobody has asked since: is `elsa-archiver run` at work?".to_owned(),
        };
        let mut text = format!("account {}: the service is down\n", self.account);
        for (name, value) in [
            ("since", &self.since),
            ("asked last", &format!("{}, {next}", self.last)),
            ("fails for", &count(self.jobs.len() as u64, "job")),
            ("last error", &self.message),
        ] {
            text += &format!("  {name:14} {value}\n");
        }
        text
    }
}
