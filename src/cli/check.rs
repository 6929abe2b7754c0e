//! `check`: whether the configuration is right, and with `--live` whether the service agrees.

use super::Context;
use super::exit::Stop;
use super::print::{count, print};
use super::session::Clients;
use crate::config::Config;
use crate::domain::job::Job;
use crate::domain::span::{Ms, Span};
use crate::elsa::client::Client;
use crate::elsa::request::Request;

/// Checks the configuration.
pub fn check(context: &Context<'_>, live: bool) -> Result<(), Stop> {
    let config = context.config()?;
    print(&format!(
        "{} is valid: {}, {}; archive in {}\n",
        context.args.config.display(),
        count(config.jobs.len() as u64, "job"),
        count(config.accounts.len() as u64, "account"),
        config.archive.root.display(),
    ))?;
    if live {
        ask_live(context, &config)
    } else {
        Ok(())
    }
}

fn ask_live(context: &Context<'_>, config: &Config) -> Result<(), Stop> {
    let clients = Clients::of(config, &config.jobs, context, &Context::environment());
    let mut all_well = true;
    let mut text = String::new();
    Context::block_on(async {
        for job in config.jobs.iter().filter(|job| job.enabled) {
            let answer = match clients.ready.get(&job.account) {
                Some(client) => ask(client, job, context.clock.now()).await,
                None => Err(clients
                    .broken
                    .get(&job.account)
                    .cloned()
                    .unwrap_or_default()),
            };
            all_well &= answer.is_ok();
            text += &match answer {
                Ok(()) => format!("{}: the service answers\n", job.name),
                Err(why) => format!("{}: {why}\n", job.name),
            };
        }
        Ok(())
    })?;
    print(&text)?;
    if all_well { Ok(()) } else { Err(Stop::told()) }
}

/// Asks for one record of the last settled minute's hour; an answer that begins like a zip is
/// enough.
async fn ask(client: &Client, job: &Job, now: Ms) -> Result<(), String> {
    const HOUR_MS: i64 = 3_600_000;
    let to = now.plus(-job.settle_ms);
    let span = Span::new(to.plus(-HOUR_MS), to).ok_or("the clock is at its end")?;
    let request = Request::new(job, span).for_one_record();
    client
        .ask(&request)
        .await
        .map(drop)
        .map_err(|error| error.to_string())
}
