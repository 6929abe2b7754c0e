//! Reads `[archive.s3]`: how object storage is reached in which a copy lies.

use super::keys::{Environment, KeyError, KeySource};
use super::problem::{Report, printable, quote};
use super::table::{Table, boolean, string};
use crate::config::accounts::key_form;
use crate::domain::account::Endpoint;

/// Every key of the table.
pub(super) const KEYS: [&str; 5] = [
    "endpoint",
    "region",
    "access_key",
    "secret_key",
    "path_style",
];

/// The vendor's object storage.
const LIKE: &str = "https://kr.object.ncloudstorage.com";

/// How object storage is reached.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectStore {
    /// Its address, without a bucket.
    pub endpoint: Endpoint,
    /// Its region, which each signature names.
    pub region: String,
    /// Where its keys are read from when they are needed.
    pub keys: KeySource,
    /// Whether the bucket stands in the path, and not in the host's name.
    pub path_style: bool,
}

/// Why the environment names no object storage.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoObjectStore {
    /// A variable is not set, or none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The endpoint is none.
    #[error("the environment's {VARIABLE_ENDPOINT}: {0}")]
    Endpoint(String),
    /// The region is none.
    #[error("the environment's {VARIABLE_REGION}: {0}")]
    Region(String),
    /// Keys that need a token.
    #[error("keys with an AWS_SESSION_TOKEN are not supported; give keys that stay")]
    Temporary,
}

const VARIABLE_ENDPOINT: &str = "AWS_ENDPOINT_URL";
const VARIABLE_REGION: &str = "AWS_REGION";

impl ObjectStore {
    /// What the variables name that other tools go by: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID` and
    /// `AWS_SECRET_ACCESS_KEY`. With an endpoint of one's own the bucket stands in the path.
    ///
    /// # Errors
    /// When one of the first two is not set, or is none.
    pub(crate) fn of_environment(environment: &Environment) -> Result<Self, NoObjectStore> {
        if environment.plain("AWS_SESSION_TOKEN").is_ok() {
            return Err(NoObjectStore::Temporary);
        }
        let endpoint = environment.plain(VARIABLE_ENDPOINT)?;
        let endpoint = endpoint.trim_end_matches('/');
        Ok(Self {
            endpoint: Endpoint::parse_like(endpoint, LIKE).map_err(NoObjectStore::Endpoint)?,
            region: region(&environment.plain(VARIABLE_REGION)?).map_err(NoObjectStore::Region)?,
            keys: KeySource::of_variables("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
            path_style: true,
        })
    }
}

fn region(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match !text.is_empty() && text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{} is no region; give one like \"kr-standard\"",
            quote(text)
        )),
    }
}

/// What the file says; `None` where it has no such table.
pub(super) fn read(archive: &Table<'_>, report: &mut Report<'_>) -> Option<ObjectStore> {
    if !archive.has("s3") {
        return None;
    }
    let table = archive.table("s3", "[archive.s3]", report)?;
    table.refuse_unknown(&KEYS, report);
    for key in ["endpoint", "region", "access_key", "secret_key"] {
        if !table.has(key) {
            table.missing(
                key,
                "object storage is reached by endpoint, region and both keys",
                report,
            );
        }
    }
    // Not shown when wrong: an address can carry a password.
    let endpoint = table.read("endpoint", report, |value| {
        Endpoint::parse_like(string(value, LIKE)?, LIKE).map_err(|why| printable(&why))
    });
    let region = table.read("region", report, |value| {
        region(string(value, "kr-standard")?)
    });
    let [access_key, secret_key] =
        ["access_key", "secret_key"].map(|key| key_form(&table, key, report));
    let mut path_style = true;
    table.overlay("path_style", &mut path_style, report, boolean);
    Some(ObjectStore {
        endpoint: endpoint?,
        region: region?,
        keys: KeySource::Named {
            access_key: access_key?,
            secret_key: secret_key?,
        },
        path_style,
    })
}
