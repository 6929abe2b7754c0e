//! What a plan takes in all, as an estimate: the accounts work side by side.

use std::collections::BTreeMap;

use serde::Serialize;

use super::second_opinion::SecondOpinion;
use crate::cli::print::{at_most, count, grouped};
use crate::config::Config;
use crate::domain::effort::{downloads, pace};
use crate::domain::job::{AccountName, Job};
use crate::domain::second_opinion::Way;
use crate::domain::span::Millis;
use crate::domain::window::Window;
use crate::ledger::replay::Replay;

/// Requests of one job, where none fails: as many as there are downloads to be expected, and with all that second opinions
/// may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Requests {
    requests: u64,
    requests_at_most: u64,
}

impl Requests {
    /// Those for the windows that are `due`, and for the `rechecks`.
    pub(super) fn of(
        job: &Job,
        replay: &Replay,
        (due, rechecks): (&[Window], &[Window]),
        second_opinion: SecondOpinion,
    ) -> Self {
        // Of a recheck by search alone there is no download.
        let is_downloaded = |window: &&Window| {
            let asked = replay.recheckable.asked(**window);
            asked.is_none_or(|asked| asked.confirmed != Way::Search)
        };
        let all = due.iter().chain(rechecks.iter().filter(is_downloaded));
        let requests = all
            .map(|window| {
                let expected = replay.estimator.estimate(window.span(), false);
                downloads(expected, job.count.into())
            })
            .sum();
        Self {
            requests,
            requests_at_most: requests + second_opinion.requests_at_most(),
        }
    }
}

/// Those of all jobs, and how long they take to begin at their accounts' pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Estimate {
    #[serde(flatten)]
    all: Requests,
    paced_ms: Millis,
    paced_ms_at_most: Millis,
}

impl Estimate {
    pub(super) fn of<'a>(
        config: &Config,
        jobs: impl IntoIterator<Item = (&'a Job, Requests)>,
    ) -> Self {
        let mut estimate = Self::default();
        let mut accounts: BTreeMap<&AccountName, Requests> = BTreeMap::new();
        for (job, requests) in jobs {
            for sum in [&mut estimate.all, accounts.entry(&job.account).or_default()] {
                sum.requests += requests.requests;
                sum.requests_at_most += requests.requests_at_most;
            }
        }
        for (name, requests) in accounts {
            if let Some(configured) = config.accounts.get(name) {
                let pace = |requests| pace(requests, &configured.account);
                estimate.paced_ms = estimate.paced_ms.max(pace(requests.requests));
                let most = pace(requests.requests_at_most);
                estimate.paced_ms_at_most = estimate.paced_ms_at_most.max(most);
            }
        }
        estimate
    }

    /// For people; empty where there is nothing to ask.
    pub(super) fn words(self) -> String {
        let Requests {
            requests,
            requests_at_most,
        } = self.all;
        let (least, most) = (at_most(self.paced_ms), at_most(self.paced_ms_at_most));
        let (number, time) = match (requests, requests_at_most) {
            (_, 0) => return String::new(),
            (few, many) if few == many => (count(few, "request"), least),
            (few, many) => (
                format!("{} to {} requests", grouped(few), grouped(many)),
                format!("{least} to {most}"),
            ),
        };
        format!(
            "estimate: {number} where none fails; requests_per_second makes that {time}, and what the service takes to \
             answer comes on top\n"
        )
    }
}
