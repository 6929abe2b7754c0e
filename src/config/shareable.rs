//! A config as it may leave the company: only values of keys that hold no secret are shown, and no comment. It needs
//! TOML and no valid config. Carries *Suspicious*.

use std::io;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{ARCHIVE_KEYS, KeyForm, STATE_KEYS, files, jobs, observe};
use crate::domain::account::Endpoint;
use crate::domain::proxy::ProxyAddress;
use crate::domain::secret::Secret;

/// What stands for a value.
const HIDDEN: &str = "\"[not shown]\"";

/// Fewer characters are no secret, but may stand anywhere.
const SHORTEST_SECRET: usize = 5;

/// A config without its secrets, and what was left out of it.
pub(crate) struct Shareable {
    /// TOML.
    pub(crate) text: String,
    /// Where it says that secrets are.
    pub(crate) places: Vec<KeyForm>,
    /// Every text that is not shown, so that it can be found elsewhere too.
    pub(crate) secrets: Vec<Secret>,
}

/// What of the config at `path`, and of the files that it includes, may be shown. Returns `None` where one of them is
/// not TOML.
///
/// # Errors
/// When the config itself can't be read.
pub(crate) fn shareable(path: &Path) -> io::Result<Option<Shareable>> {
    let sources = files::read(path)?.ok();
    let whole = sources.filter(|sources| sources.is_whole());
    Ok(whole.and_then(|sources| without_secrets(sources.text())))
}

/// What of a config may be shown. Returns `None` for what is not TOML: where a text is not closed, a secret may
/// seem to be the value of any key.
fn without_secrets(text: &str) -> Option<Shareable> {
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return None;
    }
    let mut shown = Shareable {
        text: String::new(),
        places: Vec::new(),
        secrets: Vec::new(),
    };
    shown.table(&mut Vec::new(), root.get_ref());
    Some(shown)
}

impl Shareable {
    /// Writes the values of a table, then the tables below it.
    fn table(&mut self, path: &mut Vec<String>, table: &DeTable<'_>) {
        let entries = table
            .iter()
            .map(|(key, value)| (key.get_ref(), value.get_ref()));
        let (below, own): (Vec<_>, Vec<_>) =
            entries.partition(|(key, value)| is_header(path, key, value));
        for (key, value) in own {
            let value = self.value(path, key, value);
            self.text += &format!("{} = {value}\n", shown_key(key));
        }
        for (key, value) in below {
            path.push(shown_key(key));
            let name = path.join(".");
            match value {
                DeValue::Table(below) => {
                    self.text += &format!("\n[{name}]\n");
                    self.table(path, below);
                }
                DeValue::Array(items) => {
                    for item in items.iter() {
                        self.text += &format!("\n[[{name}]]\n");
                        if let DeValue::Table(below) = item.get_ref() {
                            self.table(path, below);
                        }
                    }
                }
                _ => {}
            }
            path.pop();
        }
    }

    /// The value of a key as TOML, if it may be shown.
    fn value(&mut self, path: &[String], key: &str, value: &DeValue<'_>) -> String {
        self.place(key, value);
        let shown = match (path, key, value) {
            (path, "endpoint", DeValue::String(text)) if has_keys(path) => {
                Endpoint::parse(text).is_ok().then(|| toml_string(text))
            }
            ([account, _], "proxy", DeValue::String(text)) if account == "account" => {
                ProxyAddress::parse(text).ok().map(|address| {
                    // What of it is not shown.
                    let url = address.expose();
                    let user = url
                        .split_once("://")
                        .and_then(|(_, rest)| rest.split_once('@'));
                    if let Some((user, _)) = user {
                        self.hide_user(user);
                    }
                    toml_string(&address.to_string())
                })
            }
            (path, "access_key" | "secret_key", DeValue::Table(form)) if has_keys(path) => {
                Some(self.key_form(form))
            }
            _ if may_be_shown(path, key) => plain(value),
            _ => None,
        };
        shown.unwrap_or_else(|| {
            self.hide(value);
            HIDDEN.to_owned()
        })
    }

    /// Where a key is. Its place is shown where it can't be the key itself, put there by mistake.
    fn key_form(&mut self, form: &DeTable<'_>) -> String {
        let mut shown = Vec::new();
        for (name, value) in form.iter() {
            let (name, value) = (name.get_ref(), value.get_ref());
            self.place(name, value);
            let place = match (name.as_ref(), value) {
                ("file", DeValue::String(path)) if path.starts_with('/') => Some(toml_string(path)),
                ("credential", DeValue::String(text))
                    if matches!(text.as_ref(), "access-key" | "secret-key") =>
                {
                    Some(toml_string(text))
                }
                _ => None,
            };
            let place = place.unwrap_or_else(|| {
                self.hide(value);
                HIDDEN.to_owned()
            });
            shown.push(format!("{} = {place}", shown_key(name)));
        }
        format!("{{ {} }}", shown.join(", "))
    }

    /// Notes where a secret may be.
    fn place(&mut self, name: &str, value: &DeValue<'_>) {
        let text = value.as_str().unwrap_or_default();
        self.places.extend(match name {
            "file" => Some(KeyForm::File(text.into())),
            "credential" if !text.contains('/') => Some(KeyForm::Credential(text.to_owned())),
            "env" => Some(KeyForm::Env(text.to_owned())),
            _ => None,
        });
    }

    /// Notes every text of a value that is not shown.
    fn hide(&mut self, value: &DeValue<'_>) {
        match value {
            DeValue::String(text) => self.hide_text(text),
            DeValue::Array(items) => items.iter().for_each(|item| self.hide(item.get_ref())),
            DeValue::Table(table) => {
                for (name, value) in table.iter() {
                    self.place(name.get_ref(), value.get_ref());
                    self.hide(value.get_ref());
                }
            }
            DeValue::Integer(digits) => self.hide_text(digits.as_str()),
            DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
        }
    }

    fn hide_user(&mut self, user: &str) {
        for text in user.splitn(2, ':').chain([user]) {
            self.hide_text(text);
            self.hide_text(&decoded(text));
        }
    }

    fn hide_text(&mut self, text: &str) {
        if text.chars().count() >= SHORTEST_SECRET {
            self.secrets.push(Secret::new(text.to_owned()));
        }
    }
}

/// Whether a table says where something is, and where its keys are.
fn has_keys(path: &[String]) -> bool {
    match path {
        [account, _] if account == "account" => true,
        [archive, s3] => archive == "archive" && s3 == "s3",
        _ => false,
    }
}

/// Whether a value is written under a header of its own.
fn is_header(path: &[String], key: &str, value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Table(_) => path.len() < 2 && !may_be_shown(path, key),
        DeValue::Array(items) => {
            let is_table = |item: &DeValue<'_>| matches!(item, DeValue::Table(_));
            !items.is_empty() && items.iter().all(|item| is_table(item.get_ref()))
        }
        _ => false,
    }
}

/// Whether the value of a key holds no secret, whatever it is.
fn may_be_shown(path: &[String], key: &str) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path[..] {
        [] => key == "include",
        ["account", _] => matches!(key, "max_in_flight" | "requests_per_second" | "ca_file"),
        ["archive"] => key != "s3" && ARCHIVE_KEYS.contains(&key),
        ["archive", "s3"] => matches!(key, "region" | "path_style"),
        ["state"] => STATE_KEYS.contains(&key),
        ["observe"] => observe::KEYS.contains(&key),
        ["defaults" | "job"] => jobs::KEYS.contains(&key),
        _ => false,
    }
}

/// A value without tables, as TOML; `None` for anything else.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(toml_string(text)),
        DeValue::Integer(digits) => {
            let number = i64::from_str_radix(digits.as_str(), digits.radix());
            number.ok().map(|number| number.to_string())
        }
        DeValue::Float(digits) => Some(digits.as_str().to_owned()),
        DeValue::Boolean(is) => Some(is.to_string()),
        DeValue::Datetime(at) => Some(at.to_string()),
        DeValue::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| plain(item.get_ref())).collect();
            items.map(|items| format!("[{}]", items.join(", ")))
        }
        DeValue::Table(_) => None,
    }
}

/// A key, unless it is longer or odder than any key there is: it may be a value that lost its place.
fn shown_key(key: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    match !key.is_empty() && key.len() <= 24 && key.chars().all(is_plain) {
        true => key.to_owned(),
        false => HIDDEN.to_owned(),
    }
}

/// A TOML basic string; JSON's escapes are among TOML's.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What `%XX` of an address means.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Suspicious
    #[test]
    fn each_place_of_a_secret_is_noted_whatever_it_is_for() {
        let text = "[notify]\nping = { credential = 'ping-url' }\nwebhook = { file = '/hook' }\n\
                    [account.a]\naccess_key = { env = 'KEY' }\nsecret_key = { file = '/key' }\n\
                    [later]\nkey = { credential = 'signing-key' }\n";
        let mut places = without_secrets(text).unwrap().places;
        places.sort_by_key(|place| format!("{place:?}"));
        let credential = |name: &str| KeyForm::Credential(name.to_owned());
        let expected = [
            credential("ping-url"),
            credential("signing-key"),
            KeyForm::Env("KEY".to_owned()),
            KeyForm::File("/hook".into()),
            KeyForm::File("/key".into()),
        ];
        assert_eq!(places, expected);
    }

    /// Guarantee: Suspicious
    #[test]
    fn values_of_known_harmless_keys_are_shown_and_nothing_else_is() {
        let text = r#"
# CANARY0 in a comment
webhook = "https://hooks.example/CANARY1"
include = "conf.d/*.toml"
CANARY2xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx = 1

[account.default]
endpoint = "https://kim:CANARY3@gw.example"   # CANARY4
access_key = "CANARY5"
secret_key = { env = "CANARY6", file = "CANARY7" }
proxy = "http://kim:CANARY8%21@proxy.example:3128"
max_in_flight = 0x10
passphrase = "CANARY9"

[account.other]
endpoint = "https://gw.example"
access_key = { file = "/etc/keys/access" }
secret_key = { credential = "secret-key" }
proxy = "http://kim:CANARY8/a@proxy.example"

[notify]
ping = "https://ping.example/CANARY10"
on_archived = ["curl", "CANARY11"]
hidden = { deep = ["CANARY12"] }
number = 1234567

[archive]
root = "/srv/elsa"
min_free_space = { x = "CANARY13" }

[[job]]
name = "shop"
include_fields = ["logTime", "body"]
enabled = true
requests = 1.5
"#;
        let Shareable { text, secrets, .. } = without_secrets(text).unwrap();
        assert!(!text.contains("CANARY"), "{text}");
        for shown in [
            "include = \"conf.d/*.toml\"\n",
            "\n[account.default]\n",
            "max_in_flight = 16\n",
            "proxy = \"http://proxy.example:3128\"\n",
            "access_key = { file = \"/etc/keys/access\" }\n",
            "secret_key = { credential = \"secret-key\" }\n",
            "endpoint = \"https://gw.example\"\n",
            "root = \"/srv/elsa\"\n",
            "\n[[job]]\n",
            "include_fields = [\"logTime\", \"body\"]\n",
            "ping = \"[not shown]\"\n",
            "requests = \"[not shown]\"\n",
        ] {
            assert!(text.contains(shown), "{shown} is not in {text}");
        }
        // What is shown is TOML once more.
        assert!(without_secrets(&text).is_some(), "{text}");
        let is_known = |secret: &str| secrets.iter().any(|known| known.expose() == secret);
        for secret in [
            "https://hooks.example/CANARY1",
            "CANARY5",
            "CANARY8%21",
            "CANARY8!",
            "http://kim:CANARY8/a@proxy.example",
            "CANARY11",
            "CANARY12",
            "1234567",
        ] {
            assert!(is_known(secret), "{secret}");
        }
    }

    /// Guarantee: Suspicious
    #[test]
    fn what_is_not_toml_is_not_shown_at_all() {
        assert!(without_secrets("[[job]]\nname = '''shop\nproxy = \"CANARY\"\n").is_none());
        assert!(without_secrets("").is_some_and(|shown| shown.text.is_empty()));
    }
}
