//! Reads `[evidence]`: what signs the archive's heads.

use super::Line;
use super::accounts::key_form;
use super::keys::KeyForm;
use super::problem::Report;
use super::table::{Table, string};
use crate::domain::signing::PublicKey;

/// Every key of the table.
pub(super) const KEYS: [&str; 2] = ["key", "next_key"];

/// What signs the archive's heads.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Where the private key is; `None` where nothing signs.
    pub key: Option<KeyForm>,
    /// The public key that is to sign later.
    pub next_key: Option<PublicKey>,
    /// Where the file says so: the line of `key` and of `next_key`.
    pub(crate) lines: [Line; 2],
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
    let line = |key| report.line(table.at_of(key));
    Some(Evidence {
        key,
        next_key,
        lines: KEYS.map(line),
    })
}
