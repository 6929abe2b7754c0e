//! Reads `[account.NAME]`: where the service is, how many requests it may get, and where the keys
//! are.
//!
//! **Suspicious**: the config can't hold a key, and no value in a key's place is ever shown.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::{DeTable, DeValue};

use super::Line;
use super::ca_file::CaFile;
use super::keys::{KeyForm, KeySource};
use super::problem::{Report, printable};
use super::table::{Table, absolute_path, integer, positive, string};
use crate::domain::account::{Account, Endpoint};
use crate::domain::job::AccountName;
use crate::domain::proxy::ProxyAddress;

/// Every key of an account.
pub(super) const KEYS: [&str; 7] = [
    "endpoint",
    "access_key",
    "secret_key",
    "max_in_flight",
    "requests_per_second",
    "proxy",
    "ca_file",
];

/// The forms of a key's source.
pub(super) const KEY_FORMS: [&str; 3] = ["credential", "file", "env"];

/// The gateway of the public cloud (`ELSA-API.md`, *Clouds and credentials*).
const PUBLIC_ENDPOINT: &str = "https://elsa.apigw.ntruss.com";

/// The name of the account that is there when the config names none.
const IMPLICIT: &str = "default";

/// An account as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfiguredAccount {
    /// Where its requests go, and how many there may be.
    pub account: Account,
    /// Where its keys are read from when they are needed.
    pub keys: KeySource,
    /// The proxy for all its requests; by default the environment's.
    pub proxy: Option<ProxyAddress>,
    /// Who is trusted beside the system's authorities.
    pub ca_file: Option<CaFile>,
    /// Where the file says so: the line of the access key, and of the secret key.
    pub(crate) key_lines: [Line; 2],
    pub(crate) proxy_line: Line,
    pub(crate) ca_line: Line,
}

/// The accounts that are right, and the names of all of them.
pub(super) fn read(
    root: &Table<'_>,
    report: &mut Report<'_>,
) -> (BTreeMap<AccountName, ConfiguredAccount>, BTreeSet<String>) {
    let empty = DeTable::new();
    let mut tables = Vec::new();
    if root.has("account") {
        if let Some(parent) = root.table("account", "[account.default]", report) {
            for name in parent.keys() {
                if let Err(rule) = check_name(name) {
                    parent.wrong(name, rule, report);
                }
                tables.extend(
                    parent
                        .table(name, "[account.NAME]", report)
                        .map(|table| (name, table)),
                );
            }
        }
    } else {
        let path = format!("account.{IMPLICIT}");
        tables.push((IMPLICIT, Table::new(&empty, path, 0)));
    }
    let names = tables.iter().map(|(name, _)| (*name).to_owned()).collect();
    let accounts = tables
        .iter()
        .filter_map(|(name, table)| account(AccountName((*name).to_owned()), table, report))
        .map(|configured| (configured.account.name.clone(), configured))
        .collect();
    (accounts, names)
}

/// Names appear in messages and in metrics, so they are kept plain.
fn check_name(name: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if (1..=64).contains(&name.len()) && name.chars().all(plain) {
        Ok(())
    } else {
        Err("an account's name has 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'")
    }
}

fn account(
    name: AccountName,
    table: &Table<'_>,
    report: &mut Report<'_>,
) -> Option<ConfiguredAccount> {
    table.refuse_unknown(&KEYS, report);
    // Not shown when wrong: an address can carry a password.
    let endpoint = table.text_or("endpoint", PUBLIC_ENDPOINT, report, |text| {
        Endpoint::parse(text).map_err(|why| printable(&why))
    });
    let mut max_in_flight = 2;
    table.overlay("max_in_flight", &mut max_in_flight, report, |value| {
        integer(value, 1..=64)
    });
    let mut requests_per_second = 2.0;
    table.overlay(
        "requests_per_second",
        &mut requests_per_second,
        report,
        |value| positive(value, 1000.0),
    );
    let keys = keys(table, report);
    // Not shown when wrong: it may hold a password.
    let proxy = table.read("proxy", report, |value| {
        ProxyAddress::parse(string(value, "http://proxy.example:3128")?)
    });
    let ca_file = table.read("ca_file", report, |value| {
        let path = absolute_path(string(value, "/etc/ssl/company.pem")?)?;
        Ok(CaFile::new(path))
    });
    let account = Account {
        name,
        endpoint: endpoint?,
        max_in_flight,
        requests_per_second,
    };
    let line = |key| report.line(table.at_of(key));
    Some(ConfiguredAccount {
        account,
        keys: keys?,
        proxy,
        ca_file,
        key_lines: ["access_key", "secret_key"].map(line),
        proxy_line: line("proxy"),
        ca_line: line("ca_file"),
    })
}

fn keys(table: &Table<'_>, report: &mut Report<'_>) -> Option<KeySource> {
    let pair = ["access_key", "secret_key"];
    let mut forms = pair.map(|key| key_form(table, key, report));
    match pair.map(|key| table.has(key)) {
        [false, false] => Some(KeySource::Ambient),
        [true, true] => {
            let [access_key, secret_key] = forms.each_mut().map(Option::take);
            Some(KeySource::Named {
                access_key: access_key?,
                secret_key: secret_key?,
            })
        }
        [has_access_key, _] => {
            let absent = if has_access_key {
                "secret_key"
            } else {
                "access_key"
            };
            table.missing(absent, "give both keys, or leave both out", report);
            None
        }
    }
}

/// One of the places where a secret can be; the value of `key` is there.
pub(super) fn key_form(table: &Table<'_>, key: &str, report: &mut Report<'_>) -> Option<KeyForm> {
    let forms = "{ credential = \"NAME\" }, { file = \"/PATH\" } or { env = \"VARIABLE\" }";
    let value = table.value(key)?;
    let DeValue::Table(entries) = value else {
        table.wrong(
            key,
            format!("a key can't stand in the config; use {forms}"),
            report,
        );
        return None;
    };
    let source = Table::new(entries, table.path_of(key), table.at_of(key));
    source.refuse_unknown(&KEY_FORMS, report);
    let given: Vec<_> = KEY_FORMS
        .into_iter()
        .filter(|form| source.has(form))
        .collect();
    let [form] = given[..] else {
        // With an unknown key in it, what is missing has been said already.
        if entries.len() == given.len() {
            table.wrong(
                key,
                format!("needs exactly one source; use {forms}"),
                report,
            );
        }
        return None;
    };
    source.read(form, report, |value| {
        let text = value
            .as_str()
            .ok_or_else(|| format!("must be a string; use {forms}"))?;
        match form {
            "credential" => credential_name(text),
            // Its error would show the value.
            "file" => absolute_path(text)
                .map(KeyForm::File)
                .map_err(|_| "must be the file's whole path, from /".to_owned()),
            _ => variable_name(text),
        }
    })
}

fn credential_name(text: &str) -> Result<KeyForm, String> {
    let plain = |c: char| c.is_ascii_graphic() && c != '/';
    if (1..=255).contains(&text.len()) && text.chars().all(plain) && !matches!(text, "." | "..") {
        Ok(KeyForm::Credential(text.to_owned()))
    } else {
        Err("must be the credential's name alone, as LoadCredential= gives it".to_owned())
    }
}

fn variable_name(text: &str) -> Result<KeyForm, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if (1..=255).contains(&text.len()) && text.chars().all(plain) {
        Ok(KeyForm::Env(text.to_owned()))
    } else {
        Err("must be the name of an environment variable, of A-Z, a-z, 0-9 and '_'".to_owned())
    }
}
