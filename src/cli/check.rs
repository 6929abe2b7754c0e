//! `check`: whether the configuration is right, and with `--live` whether the service agrees, and what
//! search is good for.

use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::Context;
use super::clients::Clients;
use super::exit::Stop;
use super::identity;
use super::lineage::Lineage;
use super::live::{Answering, Finding, Live, Scratch};
use super::notifying;
use super::place::{Findings, told};
use super::print::{count, print_fitted};
use super::signing;
use super::timestamping;
use crate::config::Config;
use crate::daemon::signals::stop_on_signal;
use crate::domain::identity::Verdict;
use crate::domain::job::ToBound;

/// Checks the configuration.
pub(super) fn check(context: &Context<'_>, live: bool) -> Result<(), Stop> {
    let config = context.config()?;
    look_at_places(context, &config)?;
    look_at_lineage(&config)?;
    print_fitted(
        &format!(
            "{} is valid: {}, {}; archive in {}\n",
            context.args.config.display(),
            count(config.jobs.len() as u64, "job"),
            count(config.accounts.len() as u64, "account"),
            config.archive.root.display(),
        ),
        2,
    )?;
    match identity::look(&config) {
        Ok(Verdict::Refused(why)) => {
            return Err(Stop::failed(identity::words(&config, &why)));
        }
        // Whoever checks may not be allowed to read the state.
        Err(error) => print_fitted(&format!("{error}\n"), 2)?,
        Ok(Verdict::Same(_) | Verdict::New | Verdict::TakenOver(_)) => {}
    }
    if live {
        ask_live(context, &config)
    } else {
        Ok(())
    }
}

/// Says what the ledgers tell of the jobs.
fn look_at_lineage(config: &Config) -> Result<(), Stop> {
    let Lineage { refused, warned } = Lineage::of(config);
    for warned in warned {
        print_fitted(&format!("{warned}\n"), 2)?;
    }
    let told: Vec<String> = refused
        .into_iter()
        .map(|(job, why)| format!("job.{job}: {why}"))
        .collect();
    match told.is_empty() {
        true => Ok(()),
        false => Err(Stop::usage(&told.join("\n"))),
    }
}

/// Says what only the disk can tell of the configuration.
fn look_at_places(context: &Context<'_>, config: &Config) -> Result<(), Stop> {
    let path = &context.args.config;
    let found = Findings::of(config, path, &Context::environment());
    if let Some(warned) = told(path, found.warned) {
        print_fitted(&format!("{warned}\n"), 2)?;
    }
    let wrong = [found.refused, found.refused_of_account].concat();
    let is_wrong = !wrong.is_empty();
    let all = wrong.into_iter().chain(found.unusable).collect();
    match told(path, all) {
        None => Ok(()),
        Some(wrong) if is_wrong => Err(Stop::usage(&wrong)),
        Some(unusable) => Err(Stop::failed(unusable.to_string())),
    }
}

fn ask_live(context: &Context<'_>, config: &Config) -> Result<(), Stop> {
    let clients = Clients::of(config, &config.jobs, context, &Context::environment());
    for (account, client) in &clients.ready {
        if let Some(proxy) = client.proxy() {
            let told = format!("account.{account}: goes through the proxy {proxy}\n");
            print_fitted(&told, 2)?;
        }
    }
    let now = context.clock.now();
    let scratch = Scratch::new()
        .map_err(|error| Stop::failed(format!("can't make a temporary folder: {error}")))?;
    let mut all_well = true;
    Context::block_on(async {
        let stop = CancellationToken::new();
        // Ended by a signal, it still removes the logs that it was answered.
        stop_on_signal(&stop)
            .map_err(|error| Stop::failed(format!("can't listen for signals: {error}")))?;
        for job in config.jobs.iter().filter(|job| job.enabled) {
            let found = match clients.ready.get(&job.account) {
                Some(client) => {
                    let live = Live {
                        job,
                        client,
                        scratch: &scratch,
                    };
                    let told = tracing::debug_span!("check", job = %job.name);
                    stop.run_until_cancelled(live.find_out(now).instrument(told))
                        .await
                        .ok_or_else(|| Stop::failed("stopped by a signal"))?
                        .map_err(|error| error.to_string())
                }
                None => Err(clients
                    .broken
                    .get(&job.account)
                    .cloned()
                    .unwrap_or_default()),
            };
            let (to_bound, further) = match found {
                Ok(Answering {
                    to_bound,
                    search,
                    oldest,
                }) => (Ok(to_bound), Some((search, oldest))),
                Err(why) => (Err(why), None),
            };
            let (well, text) = told_live(to_bound, job.to_bound);
            all_well &= well;
            print_fitted(&format!("{}: {text}\n", job.name), 2)?;
            if let Some((search, oldest)) = further {
                let oldest = oldest.map(|oldest| oldest.words(job.retention, now));
                for told in [Some(search.words(job.cross_check)), oldest]
                    .into_iter()
                    .flatten()
                {
                    print_fitted(&format!("{}: {told}\n", job.name), 2)?;
                }
            }
        }
        if let Some((well, told)) = signing::try_out(config) {
            all_well &= well;
            print_fitted(&format!("{told}\n"), 2)?;
        }
        if let Some((well, told)) = timestamping::try_out(config).await {
            all_well &= well;
            print_fitted(&format!("{told}\n"), 2)?;
        }
        let (well, told) = notifying::try_out(context, config).await;
        all_well &= well;
        for told in told {
            print_fitted(&format!("{told}\n"), 2)?;
        }
        Ok(())
    })?;
    if all_well { Ok(()) } else { Err(Stop::told()) }
}

/// Whether all is well with a job, and what to say about it.
fn told_live(found: Result<Finding, String>, configured: Option<ToBound>) -> (bool, String) {
    match found {
        Err(why) => (false, why),
        Ok(Err(why)) => {
            let text = "the service answers; whether `to` is inclusive could not be found out";
            (true, format!("{text}: {why}"))
        }
        Ok(Ok(found)) => {
            let text = format!("the service answers; `to` is {found}");
            match configured {
                None => (true, text),
                Some(configured) if configured == found => (true, format!("{text}, as configured")),
                Some(configured) => (
                    false,
                    format!(
                        "{text}, but the config says to_bound = \"{configured}\": set to_bound = \
                         \"{found}\""
                    ),
                ),
            }
        }
    }
}
