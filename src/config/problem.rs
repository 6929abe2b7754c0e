//! What is wrong with a config: one line a problem, each with the line of the file, the key, what
//! is wrong and what would be right; all of them at once, in the file's order.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::places::Line;
use super::sources::Sources;
pub(super) use crate::printable::printable;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A file that the config includes; `None` for the config itself.
    pub file: Option<Arc<Path>>,
    /// Line of the file, counted from 1; 0 where no line is to blame.
    pub line: usize,
    /// The key's full path, like `job.shop-api.window`; `None` for text that is not TOML.
    pub key: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", shown(file))?;
        }
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        match &self.key {
            Some(key) => write!(f, " {key}: {}", self.message),
            None => write!(f, " {}", self.message),
        }
    }
}

impl Problem {
    /// The problem as one line, where `config` is the file that was read.
    #[must_use]
    pub fn within(&self, config: &Path) -> String {
        match self.file {
            Some(_) => self.to_string(),
            None => format!("{}:{self}", shown(config)),
        }
    }
}

/// A file's name, safe to print.
pub(super) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

/// Everything that is wrong with a config, ordered by line; at least one problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines_of(.0.iter().map(ToString::to_string)))]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The one problem `message`, at `line`.
    pub(super) fn one(line: usize, message: &str) -> Self {
        Self(vec![Problem {
            file: None,
            line,
            key: None,
            message: message.to_owned(),
        }])
    }

    /// These problems, in the file's order; `None` where there is none.
    pub(crate) fn of(mut problems: Vec<Problem>) -> Option<Self> {
        sort(&mut problems);
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// The problems, in the file's order.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }

    /// One line a problem, where `config` is the file that was read.
    pub(crate) fn within(&self, config: &Path) -> String {
        lines_of(self.0.iter().map(|problem| problem.within(config)))
    }
}

fn lines_of(each: impl Iterator<Item = String>) -> String {
    each.collect::<Vec<_>>().join("\n")
}

/// The config itself first, then each file.
fn sort(problems: &mut [Problem]) {
    problems.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
}

/// Gathers problems while a config is read.
pub(super) struct Report<'a> {
    sources: &'a Sources,
    not_toml: BTreeSet<(Option<Arc<Path>>, usize)>,
    problems: Vec<Problem>,
}

impl<'a> Report<'a> {
    /// An empty report on what was read, and what its parser said about it.
    pub(super) fn new(sources: &'a Sources, errors: &[toml::de::Error]) -> Self {
        let mut report = Self {
            sources,
            not_toml: BTreeSet::new(),
            problems: sources.problems.clone(),
        };
        for error in errors {
            let at = error.span().map_or(sources.text().len(), |span| span.start);
            let problem = Problem {
                key: None,
                ..report.line(at).problem(
                    String::new(),
                    format!("not TOML: {}", printable(error.message())),
                )
            };
            // What follows on the same line is mostly the first one's consequence.
            if report.not_toml.insert((problem.file.clone(), problem.line)) {
                report.problems.push(problem);
            }
        }
        report
    }

    /// Something at the byte `at` is wrong. Left out on a line that is not TOML, where what was
    /// read is a guess.
    pub(super) fn wrong(&mut self, at: usize, key: String, message: impl Into<String>) {
        let problem = self.line(at).problem(key, message.into());
        if !self
            .not_toml
            .contains(&(problem.file.clone(), problem.line))
        {
            self.problems.push(problem);
        }
    }

    /// Whether every file is there and every line is TOML. Where one is not, what seems missing may stand on it, and what
    /// seems misplaced may have lost its header.
    pub(super) fn is_whole(&self) -> bool {
        self.not_toml.is_empty() && self.sources.is_whole()
    }

    /// Why no file can be included.
    pub(super) fn include_wrong(&self) -> Option<String> {
        self.sources.wrong.clone()
    }

    /// Something at the byte `at` is wrong, if the file is whole; left out when it is not.
    pub(super) fn wrong_if_whole(&mut self, at: usize, key: String, message: impl Into<String>) {
        if self.is_whole() {
            self.wrong(at, key, message);
        }
    }

    /// The line of the byte `at`.
    pub(super) fn line(&self, at: usize) -> Line {
        self.sources.line(at)
    }

    /// Nothing, or all problems in the file's order.
    pub(super) fn finish(mut self) -> Result<(), Problems> {
        if self.problems.is_empty() {
            return Ok(());
        }
        sort(&mut self.problems);
        Err(Problems(self.problems))
    }
}

/// A value of the file in quotes, safe to print, cut short.
pub(super) fn quote(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// A key of the file, in quotes unless it is plain.
pub(super) fn show_key(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !key.is_empty() && key.len() <= 60 && key.chars().all(plain) {
        key.to_owned()
    } else {
        quote(key)
    }
}

/// The candidate that `name` was most likely meant to be, when one is near enough; a candidate
/// like `Asia/Seoul` is found by its last part too.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // The distance takes time in the product of the lengths.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let near = |candidate: &str| {
        let distance = strsim::damerau_levenshtein(&name, &candidate.to_ascii_lowercase());
        (distance <= name.len().max(candidate.len()) / 4).then_some(distance)
    };
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let last_part = candidate.rsplit('/').next().unwrap_or(candidate);
            let distance = near(candidate).into_iter().chain(near(last_part)).min()?;
            Some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_keyboard_is_recognised_and_a_guess_is_not_made() {
        let keys = [
            "window",
            "settle",
            "count",
            "project_key",
            "timezone",
            "Asia/Seoul",
            "EST",
        ];
        for (typed, meant) in [
            ("windwo", Some("window")),
            ("Window", Some("window")),
            ("projectkey", Some("project_key")),
            ("time_zone", Some("timezone")),
            ("Seoul", Some("Asia/Seoul")),
            ("asia/soul", Some("Asia/Seoul")),
            ("KST", None),
            ("cron", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, keys), meant, "{typed}");
        }
        assert_eq!(nearest(&"window".repeat(1000), keys), None);
    }

    #[test]
    fn what_is_printed_is_short_and_holds_no_control_characters() {
        let nasty = "\u{1b}[2J\r\n\u{202e}\0".repeat(1000);
        for shown in [printable(&nasty), quote(&nasty), show_key(&nasty)] {
            assert!(
                !shown.chars().any(|c| c.is_control() || c == '\u{202e}'),
                "{shown}"
            );
            assert!(shown.len() < 1200 && shown.ends_with('…'), "{shown}");
        }
        assert_eq!(show_key("shop-api"), "shop-api");
        assert_eq!(show_key("shop api"), "\"shop api\"");
    }
}
