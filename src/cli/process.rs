//! What the program asks of its process before anything else: who may read what it writes, and how many files
//! it may open. Carries *Bounded* and *Suspicious*.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

use crate::config::Config;
use crate::domain::job::AccountName;
use crate::domain::open_files;
use crate::elsa::client::Client;
use crate::fetch::Turns;

/// What others may never have of a new file, and the group not either: files are 0640 and folders 0750 at most.
const NEVER: Mode = Mode::WGRP.union(Mode::RWXO);

/// Sets the process up, before it has threads. A stricter umask stays.
pub(super) fn set_up() {
    let given = umask(NEVER);
    umask(given.union(NEVER));
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        let raised = Rlimit {
            current: maximum,
            maximum,
        };
        // Then the lower one bounds what is done at once.
        let _ = setrlimit(Resource::Nofile, raised);
    }
}

/// How many windows of each account may be put together at once. Says where that is fewer than the account's
/// requests.
pub(super) fn turns(config: &Config, clients: &BTreeMap<AccountName, Arc<Client>>) -> Turns {
    // No limit is told as none.
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let wanted = |name| {
        let account = config.accounts.get(name);
        account.map_or(1, |configured| u64::from(configured.account.max_in_flight))
    };
    let all = clients.keys().map(wanted).sum();
    let turns = open_files::turns(limit, clients.len(), all);
    for name in clients.keys().filter(|name| wanted(name) > turns as u64) {
        tracing::warn!(
            account = %name,
            limit,
            "this process may open too few files for max_in_flight = {}: {turns} at once are archived of \
             this account; raise the limit (LimitNOFILE= of the unit), or lower max_in_flight",
            wanted(name)
        );
    }
    Turns::of(clients.keys().map(|name| (name.clone(), turns)))
}
