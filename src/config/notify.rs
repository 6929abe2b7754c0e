//! Reads `[notify]`: who is told what happens.
//!
//! **Suspicious**: the addresses are secrets, and no value in the place of one is ever shown.

use std::path::Path;

use toml::de::DeValue;

use super::Line;
use super::accounts::{KEY_FORMS, key_form};
use super::keys::{Environment, KeyForm};
use super::problem::Report;
use super::table::{Table, kind, string};
use crate::domain::notify_url::NotifyUrl;

/// Every key of the table.
pub(super) const KEYS: [&str; 3] = ["ping", "webhook", "on_archived"];

/// Who is told what happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Notify {
    /// A dead man's switch.
    pub ping: Option<Address>,
    /// Gets one JSON object an event.
    pub webhook: Option<Address>,
    /// A program and its arguments, run for each published folder; not empty. The program is an absolute path, or a
    /// plain name that is looked for in `PATH`.
    pub on_archived: Option<Vec<String>>,
    /// Where the file says so: the line of `ping`, of `webhook` and of `on_archived`.
    pub(crate) lines: [Line; 3],
}

/// Where the address of a receiver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// In the config itself.
    Given(NotifyUrl),
    /// Where a key could be.
    Kept(KeyForm),
}

impl Address {
    /// Reads it.
    ///
    /// # Errors
    /// When it can't be read, or is no address. Nothing of what was read is shown.
    pub(crate) fn read(&self, environment: &Environment) -> Result<NotifyUrl, String> {
        match self {
            Self::Given(url) => Ok(url.clone()),
            Self::Kept(form) => {
                let secret = form.read(environment).map_err(|error| error.to_string())?;
                NotifyUrl::parse(secret.expose())
                    .map_err(|why| format!("what is there is wrong: {why}"))
            }
        }
    }

    /// The file that holds it, where one beside the config does.
    pub(crate) fn file(&self, environment: &Environment) -> Option<std::path::PathBuf> {
        match self {
            Self::Given(_) => None,
            Self::Kept(form) => form.file(environment),
        }
    }
}

/// What the file says; `None` where it has no such table.
pub(super) fn read(root: &Table<'_>, report: &mut Report<'_>) -> Option<Notify> {
    let table = root.table("notify", "[notify]", report)?;
    table.refuse_unknown(&KEYS, report);
    let ping = address(&table, "ping", report);
    let webhook = address(&table, "webhook", report);
    let on_archived = table.read("on_archived", report, program);
    let line = |key| report.line(table.at_of(key));
    Some(Notify {
        ping,
        webhook,
        on_archived,
        lines: KEYS.map(line),
    })
}

fn address(table: &Table<'_>, key: &str, report: &mut Report<'_>) -> Option<Address> {
    match table.value(key)? {
        DeValue::Table(_) => key_form(table, key, report).map(Address::Kept),
        DeValue::String(_) => table.read(key, report, |value| {
            NotifyUrl::parse(string(value, "https://hc.example/ID")?).map(Address::Given)
        }),
        other => {
            let forms: Vec<String> = KEY_FORMS
                .iter()
                .map(|form| format!("{{ {form} = \"…\" }}"))
                .collect();
            let message = format!(
                "must be a string like \"https://hc.example/ID\", or {}, not {}",
                forms.join(" or "),
                kind(other)
            );
            table.wrong(key, message, report);
            None
        }
    }
}

fn program(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    const LIKE: &str = "[\"/usr/local/bin/collect\", \"--new\"]";
    let DeValue::Array(items) = value else {
        return Err(format!(
            "must be an array of strings like {LIKE}, not {}: no shell reads it",
            kind(value)
        ));
    };
    let words = items.iter().map(|item| {
        let text = string(item.get_ref(), "--new")?;
        match text.contains('\0') {
            true => Err("no argument can hold a NUL".to_owned()),
            false => Ok(text.to_owned()),
        }
    });
    let words = words.collect::<Result<Vec<String>, String>>()?;
    let Some(program) = words.first().filter(|program| !program.is_empty()) else {
        return Err(format!("names no program; write one like {LIKE}"));
    };
    match program.contains('/') && !Path::new(program).is_absolute() {
        true => Err(
            "the program must be a whole path from /, or a name alone that is in PATH".to_owned(),
        ),
        false => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::domain::span::UtcMs;

    const JOB: &str =
        "[[job]]\nname = \"a\"\nproject_key = \"k\"\nproject_id = 1\nsince = \"2026-01-01\"\n";

    fn notify(lines: &str) -> Result<Option<Notify>, String> {
        let config = Config::parse(&format!("{lines}\n{JOB}"), UtcMs(1_795_000_000_000));
        config
            .map(|config| config.notify)
            .map_err(|problems| problems.to_string())
    }

    #[test]
    fn nobody_is_told_unless_the_table_says_so() {
        assert_eq!(notify(""), Ok(None));
        let none = notify("[notify]").unwrap().unwrap();
        assert_eq!(
            (none.ping, none.webhook, none.on_archived),
            (None, None, None)
        );
        let all = "[notify]\nping = { credential = \"ping\" }\nwebhook = \"https://a.example/x\"\n\
                   on_archived = [\"/bin/echo\", \"\", \"two words\"]";
        let all = notify(all).unwrap().unwrap();
        assert_eq!(
            all.ping,
            Some(Address::Kept(KeyForm::Credential("ping".to_owned())))
        );
        assert!(matches!(all.webhook, Some(Address::Given(_))));
        let program = ["/bin/echo", "", "two words"].map(str::to_owned);
        assert_eq!(all.on_archived, Some(program.to_vec()));
    }

    /// Guarantee: Suspicious
    #[test]
    fn what_nobody_can_be_told_by_is_refused_with_its_line_and_without_an_address() {
        for (line, says) in [
            (
                "ping = \"http://a.example/CANARY\"",
                "2: notify.ping: http:// is accepted for loopback only",
            ),
            (
                "webhook = \"a.example/CANARY\"",
                "2: notify.webhook: not an address",
            ),
            (
                "ping = { url = \"https://a.example/CANARY\" }",
                "2: notify.ping.url: unknown key",
            ),
            ("ping = {}", "2: notify.ping: needs exactly one source"),
            (
                "ping = { file = \"CANARY\" }",
                "must be the file's whole path",
            ),
            (
                "webhook = [\"https://a.example/CANARY\"]",
                "2: notify.webhook: must be a string like",
            ),
            (
                "on_archived = \"CANARY it\"",
                "2: notify.on_archived: must be an array",
            ),
            ("on_archived = []", "names no program"),
            ("on_archived = [\"\"]", "names no program"),
            ("on_archived = [\"bin/CANARY\"]", "must be a whole path"),
            ("on_archived = [\"echo\", 7]", "must be a string like"),
            (
                "pings = \"https://a.example\"",
                "unknown key; did you mean ping?",
            ),
        ] {
            let told = notify(&format!("[notify]\n{line}")).unwrap_err();
            assert!(told.contains(says) && !told.contains("CANARY"), "{told}");
        }
    }

    /// Guarantee: Suspicious
    #[test]
    fn an_address_that_is_kept_elsewhere_is_read_and_what_is_wrong_with_it_is_not_shown() {
        let env = |value: &str| -> Environment { [("PING", value)].into_iter().collect() };
        let kept = Address::Kept(KeyForm::Env("PING".to_owned()));
        let read = kept.read(&env("https://a.example/CANARY\n")).unwrap();
        assert_eq!(read.expose().path(), "/CANARY");
        for wrong in ["http://a.example/CANARY", "CANARY", "CANARY CANARY", ""] {
            let why = kept.read(&env(wrong)).unwrap_err();
            assert!(!why.contains("CANARY"), "{why}");
        }
    }
}
