//! A client for each account that jobs use.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Context;
use crate::config::{Config, ConfiguredAccount, Environment};
use crate::domain::job::{AccountName, Job};
use crate::elsa::client::{Client, Deadlines};
use crate::elsa::network::Network;

/// A client for each account that jobs use.
#[derive(Default)]
pub(super) struct Clients {
    /// Those whose keys could be read.
    pub(super) ready: BTreeMap<AccountName, Arc<Client>>,
    /// The content of each account's `ca_file`, where it has one.
    trusted: BTreeMap<AccountName, Option<Vec<u8>>>,
    /// Why the others' could not.
    pub(super) broken: BTreeMap<AccountName, String>,
}

impl Clients {
    /// Reads the keys of the accounts that the enabled ones of `jobs` use.
    pub(super) fn of(
        config: &Config,
        jobs: &[Job],
        context: &Context<'_>,
        environment: &Environment,
    ) -> Self {
        Self::made(config, jobs, |account| {
            client(account, context, environment)
        })
    }

    /// The same for a configuration that was read anew: an account of which nothing differs keeps its client, and
    /// what that one knows of the service.
    pub(super) fn anew(
        config: &Config,
        context: &Context<'_>,
        environment: &Environment,
        (running, clients): (&Config, &Self),
    ) -> Self {
        Self::made(config, &config.jobs, |account| {
            let name = &account.account.name;
            let (new, trusted) = client(account, context, environment)?;
            let known = clients.ready.get(name);
            let is_same = running.accounts.get(name) == Some(account)
                && clients.trusted.get(name) == Some(&trusted);
            let kept = known.filter(|known| is_same && known.signs_alike(&new));
            Ok((kept.map_or(new, Arc::clone), trusted))
        })
    }

    /// The accounts whose clients are not those of `other`.
    pub(super) fn unlike<'a>(&'a self, other: &Self) -> impl Iterator<Item = &'a AccountName> {
        let is_other = |(name, client): &(&AccountName, &Arc<Client>)| {
            let theirs = other.ready.get(*name);
            theirs.is_none_or(|theirs| !Arc::ptr_eq(client, theirs))
        };
        self.ready.iter().filter(is_other).map(|(name, _)| name)
    }

    fn made(
        config: &Config,
        jobs: &[Job],
        make: impl Fn(&ConfiguredAccount) -> Result<(Arc<Client>, Option<Vec<u8>>), String>,
    ) -> Self {
        let mut clients = Self::default();
        for job in jobs.iter().filter(|job| job.enabled) {
            let name = &job.account;
            if clients.ready.contains_key(name) || clients.broken.contains_key(name) {
                continue;
            }
            let Some(account) = config.accounts.get(name) else {
                continue;
            };
            match make(account) {
                Ok((client, trusted)) => {
                    clients.ready.insert(name.clone(), client);
                    clients.trusted.insert(name.clone(), trusted);
                }
                Err(why) => {
                    let why = format!("account.{name}: {why}");
                    clients.broken.insert(name.clone(), why);
                }
            }
        }
        clients
    }
}

fn client(
    configured: &ConfiguredAccount,
    context: &Context<'_>,
    environment: &Environment,
) -> Result<(Arc<Client>, Option<Vec<u8>>), String> {
    let keys = configured.keys.read(environment);
    let keys = keys.map_err(|error| error.to_string())?;
    let mut network = Network {
        proxy: configured.proxy.clone(),
        ..Network::default()
    };
    let mut trusted = None;
    if let Some(file) = &configured.ca_file {
        let authorities = file.read().map_err(|error| format!("ca_file: {error}"))?;
        let all: Vec<&[u8]> = authorities.iter().map(AsRef::as_ref).collect();
        trusted = Some(all.concat());
        network = network
            .trusting(authorities)
            .map_err(|error| error.to_string())?;
    }
    let (clock, deadlines) = (context.clock.clone(), Deadlines::default());
    let client = Client::over(network, &configured.account, keys, clock, deadlines);
    let client = client.map_err(|error| error.to_string())?;
    Ok((Arc::new(client), trusted))
}
