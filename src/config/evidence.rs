//! Reads `[evidence]`: what signs the archive's heads, and who timestamps them.

use super::Line;
use super::accounts::key_form;
use super::keys::KeyForm;
use super::problem::Report;
use super::table::{Table, string};
use crate::domain::authority_url::AuthorityUrl;
use crate::domain::signing::PublicKey;

/// Every key of the table.
pub(super) const KEYS: [&str; 3] = ["key", "next_key", "timestamp"];

/// What signs the archive's heads.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Where the private key is; `None` where nothing signs.
    pub key: Option<KeyForm>,
    /// The public key that is to sign later.
    pub next_key: Option<PublicKey>,
    /// The authority that timestamps; `None` where none does.
    pub timestamp: Option<AuthorityUrl>,
    /// Where the file says so: the line of `key`, of `next_key` and of `timestamp`.
    pub(crate) lines: [Line; 3],
}

/// What the file says; `None` where it has no such table.
pub(super) fn read(root: &Table<'_>, report: &mut Report<'_>) -> Option<Evidence> {
    const LIKE: &str = "ssh-ed25519 AAAA…";
    let table = root.table("evidence", "[evidence]", report)?;
    table.refuse_unknown(&KEYS, report);
    let key = key_form(&table, "key", report);
    let next_key = table.read("next_key", report, |value| {
        let text = string(value, LIKE)?;
        let key: Result<PublicKey, _> = text.parse();
        key.map_err(|why| format!("{why}; `elsa-archiver keygen` prints it"))
    });
    if next_key.is_some() && !table.has("key") {
        let message =
            "a head names the next key under the signature of the one before; give `key` too";
        table.wrong("next_key", message.to_owned(), report);
    }
    let timestamp = table.read("timestamp", report, |value| {
        AuthorityUrl::parse(string(value, "https://tsa.example/tsr")?)
    });
    let line = |key| report.line(table.at_of(key));
    Some(Evidence {
        key,
        next_key,
        timestamp,
        lines: KEYS.map(line),
    })
}
