//! What signs heads, by the configuration. Carries *Evident* and *Candid*: what is not signed is told.

use super::Context;
use crate::archive::storage::Local;
use crate::config::{Config, Environment, Problem};
use crate::domain::signing::{Signer, SigningKey};
use crate::evidence::head::Head;
use crate::evidence::heads::is_signed_by;

/// What signs heads.
///
/// # Errors
/// When the key that the configuration names can't be read.
pub(super) fn signer(config: &Config, environment: &Environment) -> Result<Signer, Problem> {
    let Some(evidence) = &config.evidence else {
        return Ok(Signer::default());
    };
    let [line, ..] = &evidence.lines;
    let problem = |why: String| {
        let message = format!("heads can't be signed: {why}");
        line.problem("evidence.key".to_owned(), message)
    };
    let read = evidence
        .key
        .as_ref()
        .map(|form| form.read_text(environment));
    let text = read
        .transpose()
        .map_err(|error| problem(error.to_string()))?;
    let key = text.map(|text| SigningKey::parse(&text)).transpose();
    Ok(Signer {
        key: key.map_err(|error| problem(error.to_string()))?,
        next: evidence.next_key.clone(),
    })
}

/// The same for the daemon, which makes heads all the same where they can't be signed.
pub(super) fn of_daemon(context: &Context<'_>, config: &Config) -> Signer {
    signer(config, &Context::environment()).unwrap_or_else(|problem| {
        let wrong = problem.within(&context.args.config);
        tracing::error!("heads are made, and not signed: {wrong}");
        Signer::default()
    })
}

/// Whether the key can be read, and what to say of it; `None` where none is configured.
pub(super) fn try_out(config: &Config) -> Option<(bool, String)> {
    config.evidence.as_ref()?;
    match signer(config, &Context::environment()) {
        Err(problem) => Some((false, problem.to_string())),
        Ok(signer) => {
            let key = signer.key.as_ref()?.public();
            let told = format!("evidence.key: heads are signed with {}", key.fingerprint());
            Some((true, told))
        }
    }
}

/// Who has signed a head of the archive, in words.
pub(super) fn told(config: &Config, head: &Head) -> String {
    let storage = Local::at(&config.archive.root);
    match &head.key {
        Some(key) if is_signed_by(&storage, key, head) => {
            format!("signed with {}", key.fingerprint())
        }
        Some(key) => format!(
            "NOT SIGNED by the key that it names, {}: `elsa-archiver verify` says why",
            key.fingerprint()
        ),
        None => "not signed: `[evidence] key` of the config signs heads".to_owned(),
    }
}
