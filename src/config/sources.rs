//! The config and the files that its `include` names, read as one text: as if they stood at its end. Carries
//! *Candid*: what can't be read of them is a problem like any other, with its file and line.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue, Error};

use super::places::Line;
use super::problem::{Problem, quote};
use super::table::string;
use crate::printable::printable;

/// What an included file may hold.
const KEYS: [&str; 2] = ["account", "job"];

/// A file that is included: its name, and its text or on which line it can't be read, 0 for none, and why.
pub(super) type Included = (Arc<Path>, Result<String, (usize, String)>);

/// Texts, one after the other.
#[derive(Debug)]
pub(super) struct Sources {
    text: String,
    /// At which byte of `text` each file begins; the first is the config itself.
    files: Vec<(usize, Option<Arc<Path>>)>,
    /// At which byte each line begins.
    line_starts: Vec<usize>,
    /// What is wrong with files that are left out.
    pub(super) problems: Vec<Problem>,
    /// Why no file can be included.
    pub(super) wrong: Option<String>,
}

impl Sources {
    /// The config alone.
    pub(super) fn alone(text: &str) -> Self {
        let mut sources = Self {
            text: text.to_owned(),
            files: vec![(0, None)],
            line_starts: Vec::new(),
            problems: Vec::new(),
            wrong: None,
        };
        sources.index();
        sources
    }

    /// The config `main`, and what it includes, or why it can include nothing. A file that is wrong by itself is left out, so that it makes nothing
    /// wrong of what follows; so is each one where `main` is no TOML, since nobody knows where it ends.
    pub(super) fn of(main: &str, included: Vec<Included>, wrong: Option<String>) -> Self {
        let mut sources = Self::alone(main);
        sources.wrong = wrong;
        let (root, errors) = DeTable::parse_recoverable(main);
        let mut accounts: BTreeMap<String, Line> = names(root.get_ref())
            .map(|(name, at)| (name.to_owned(), sources.line(at)))
            .collect();
        for (path, text) in included {
            let read = text.map_err(|(line, why)| vec![(line, None, why)]);
            // What editors of some systems begin a file with.
            let read = read.map(|text| text.trim_start_matches('\u{feff}').to_owned());
            let checked = read.and_then(|text| {
                let found = checked(&text, &accounts);
                found.map(|names| (text, names))
            });
            let (text, names) = match checked {
                Ok(checked) => checked,
                Err(problems) => {
                    let problem = |(line, key, message)| Problem {
                        file: Some(Arc::clone(&path)),
                        line,
                        key,
                        message,
                    };
                    sources.problems.extend(problems.into_iter().map(problem));
                    continue;
                }
            };
            for (name, number) in names {
                let line = Line::of(Some(Arc::clone(&path)), number);
                accounts.insert(name, line);
            }
            if errors.is_empty() {
                sources.push(path, &text);
            }
        }
        sources.index();
        sources
    }

    fn push(&mut self, path: Arc<Path>, text: &str) {
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.files.push((self.text.len(), Some(path)));
        self.text.push_str(text);
    }

    fn index(&mut self) {
        let after_newlines = memchr::memchr_iter(b'\n', self.text.as_bytes()).map(|at| at + 1);
        self.line_starts = std::iter::once(0).chain(after_newlines).collect();
    }

    /// Whether nothing is left out.
    pub(super) const fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.wrong.is_none()
    }

    /// All of it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The line of the byte `at`.
    pub(super) fn line(&self, at: usize) -> Line {
        let line_of = |at| self.line_starts.partition_point(|&start| start <= at);
        let before = self.files.partition_point(|(start, _)| *start <= at);
        let file = before.checked_sub(1).and_then(|file| self.files.get(file));
        match file {
            Some((start, path)) => Line::of(path.clone(), line_of(at) - line_of(*start) + 1),
            None => Line::of(None, line_of(at)),
        }
    }
}

/// The pattern that a config's `include` is; `None` where it has none, or what it has is no text, which is told when
/// the whole is read.
pub(super) fn pattern(main: &str) -> Option<String> {
    let (root, _) = DeTable::parse_recoverable(main);
    let value = root.get_ref().get("include")?;
    include(value.get_ref()).ok().map(str::to_owned)
}

/// The value of `include`.
///
/// # Errors
/// What is wrong with it, for its operator.
pub(super) fn include<'a>(value: &'a DeValue<'_>) -> Result<&'a str, String> {
    let text = string(value, "conf.d/*.toml")?;
    match text.is_empty() {
        false => Ok(text),
        true => Err("is empty; write a pattern like \"conf.d/*.toml\"".to_owned()),
    }
}

/// A line, a key and what is wrong there.
type Wrong = (usize, Option<String>, String);

/// The names of the accounts in an included text, with their lines, where it can be read by itself and says nothing
/// that another file says.
fn checked(
    text: &str,
    accounts: &BTreeMap<String, Line>,
) -> Result<Vec<(String, usize)>, Vec<Wrong>> {
    let line = |at: usize| {
        1 + memchr::memchr_iter(b'\n', text.get(..at).unwrap_or(text).as_bytes()).count()
    };
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let mut wrong: Vec<Wrong> = errors
            .iter()
            .map(|error: &Error| {
                let at = error.span().map_or(text.len(), |span| span.start);
                let message = format!("not TOML: {}", printable(error.message()));
                (line(at), None, message)
            })
            .collect();
        wrong.dedup_by_key(|(line, ..)| *line);
        return Err(wrong);
    }
    let root = root.get_ref();
    let strange = root
        .keys()
        .filter(|key| !KEYS.contains(&key.get_ref().as_ref()));
    let mut wrong: Vec<Wrong> = strange
        .map(|key| {
            let message = "an included file holds [[job]] and [account.NAME] tables only; write this into the \
                           config itself";
            (line(key.span().start), Some(quote(key.get_ref())), message.to_owned())
        })
        .collect();
    // Appended to another file, a key without a header would be of that file's last table.
    if let Some(at) =
        first_token(text).filter(|&at| wrong.is_empty() && !text[at..].starts_with('['))
    {
        let message =
            "an included file begins with a header like [[job]] or [account.NAME]".to_owned();
        wrong.push((line(at), None, message));
    }
    let mut names_here = Vec::new();
    for (name, at) in names(root) {
        match accounts.get(name) {
            Some(first) => wrong.push((
                line(at),
                Some(format!("account.{}", super::problem::show_key(name))),
                format!("stands on {first} too; an account has one table"),
            )),
            None => names_here.push((name.to_owned(), line(at))),
        }
    }
    match wrong.is_empty() {
        true => Ok(names_here),
        false => Err(wrong),
    }
}

/// The names of the accounts, and the byte at which each begins.
fn names<'t>(root: &'t DeTable<'_>) -> impl Iterator<Item = (&'t str, usize)> {
    let tables = match root.get("account").map(|value| value.get_ref()) {
        Some(DeValue::Table(tables)) => Some(tables),
        _ => None,
    };
    let keys = tables.into_iter().flat_map(|tables| tables.keys());
    keys.map(|key| (key.get_ref().as_ref(), key.span().start))
}

/// The byte at which something stands that is neither blank nor a comment.
fn first_token(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let blank = line.len() - line.trim_start().len();
        if !line.trim_start().is_empty() && !line.trim_start().starts_with('#') {
            return Some(at + blank);
        }
        at += line.len();
    }
    None
}
