//! Names of a zip's entries: which of them may become a file. Pure; carries *Suspicious*.

use std::collections::HashSet;

use icu_normalizer::DecomposingNormalizerBorrowed;
use thiserror::Error;

/// Longest component, in bytes: the limit of every common file system (NAME_MAX).
const LONGEST_COMPONENT: usize = 255;
/// Longest name, in bytes; together with root and folder it stays below PATH_MAX.
const LONGEST_NAME: usize = 1024;
/// How many folders may be above a file.
const DEEPEST: usize = 8;

/// Why an entry is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadName {
    /// Not UTF-8.
    #[error("its name is not UTF-8")]
    Encoding,
    /// Empty, or a component is.
    #[error("a component of its name is empty")]
    Empty,
    /// An absolute name, or one with a drive letter.
    #[error("its name is absolute")]
    Absolute,
    /// `.` or `..`.
    #[error("its name has a component '.' or '..'")]
    Dots,
    /// A backslash, which some systems take for a separator.
    #[error("its name has a backslash")]
    Backslash,
    /// A control character, NUL and newline among them, or one that can't be seen.
    #[error("its name has a control or invisible character")]
    Control,
    /// A component, or the whole, is too long.
    #[error("its name is too long")]
    TooLong,
    /// Too many folders.
    #[error("its name has too many folders")]
    TooDeep,
    /// The same name again, perhaps in other case or another normal form.
    #[error("its name comes twice, at least where case or normal form make no difference")]
    Twice,
    /// A name that is both a file and a folder.
    #[error("its name is a file's and a folder's")]
    FileAndFolder,
}

/// The names of one zip, each checked by itself and against the others.
#[derive(Debug, Default)]
pub(crate) struct Names {
    files: HashSet<String>,
    folders: HashSet<String>,
}

impl Names {
    /// Checks the next entry's name; a trailing `/` makes it a folder. Returns it as a relative
    /// path with `/` between its components, without a trailing one.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub(crate) fn check<'a>(&mut self, raw: &'a [u8]) -> Result<&'a str, BadName> {
        let name = std::str::from_utf8(raw).map_err(|_| BadName::Encoding)?;
        let (path, is_folder) = match name.strip_suffix('/') {
            Some(path) => (path, true),
            None => (name, false),
        };
        check_path(path)?;
        let folded = folded(path);
        for (at, _) in folded.match_indices('/') {
            let above = &folded[..at];
            if self.files.contains(above) {
                return Err(BadName::FileAndFolder);
            }
            if !self.folders.contains(above) {
                self.folders.insert(above.to_owned());
            }
        }
        if is_folder {
            if self.files.contains(&folded) {
                return Err(BadName::FileAndFolder);
            }
            self.folders.insert(folded);
        } else {
            if self.folders.contains(&folded) {
                return Err(BadName::FileAndFolder);
            }
            if !self.files.insert(folded) {
                return Err(BadName::Twice);
            }
        }
        Ok(path)
    }
}

/// Two names are the same if a collector's file system may take them for the same: it may fold
/// case, normalise (NFD, NFC, and ZFS on request NFKD), or drop dots and spaces at the end.
fn folded(path: &str) -> String {
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd();
    // Upper case first, since only there `ß` is `SS` and `ſ` is `S`.
    let cased = decomposed.normalize(path).to_uppercase().to_lowercase();
    let components = decomposed.normalize(&cased);
    let trimmed = components
        .split('/')
        .map(|component| component.trim_end_matches(['.', ' ']));
    trimmed.collect::<Vec<_>>().join("/")
}

/// Control characters, and Unicode characters that are invisible or change the text's direction:
/// soft hyphen, zero width, direction, byte order mark.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn check_path(path: &str) -> Result<(), BadName> {
    stays_inside(path)?;
    if path.chars().any(is_hidden) {
        return Err(BadName::Control);
    }
    if path.len() > LONGEST_NAME || path.split('/').any(|part| part.len() > LONGEST_COMPONENT) {
        return Err(BadName::TooLong);
    }
    let depth = path.split('/').count();
    if depth > DEEPEST + 1 {
        Err(BadName::TooDeep)
    } else {
        Ok(())
    }
}

/// What would leave the folder, or be read as another name.
fn stays_inside(path: &str) -> Result<(), BadName> {
    if path.contains('\\') {
        return Err(BadName::Backslash);
    }
    if path.chars().any(char::is_control) {
        return Err(BadName::Control);
    }
    if path.starts_with('/') || path.as_bytes().get(1) == Some(&b':') {
        return Err(BadName::Absolute);
    }
    for component in path.split('/') {
        match component {
            "" => return Err(BadName::Empty),
            "." | ".." => return Err(BadName::Dots),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a path that a manifest names stays inside the manifest's folder. What a name may look
/// like is no matter here: it was published, and lies below a part's folder besides.
#[must_use]
pub(crate) fn is_safe(path: &str) -> bool {
    stays_inside(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &[u8]) -> Result<&str, BadName> {
        Names::default().check(name)
    }

    /// Guarantee: Suspicious
    #[test]
    fn a_name_at_the_limits_is_safe_below_a_part_s_folder_too() {
        let deep = ["d"; 9].join("/");
        let long = vec!["x".repeat(200); 5].join("/");
        for name in [deep, long] {
            assert_eq!(check(name.as_bytes()), Ok(name.as_str()));
            assert!(is_safe(&format!("part-0001/{name}")), "{name}");
        }
        for outside in ["../x", "/x", "a/../../x", "a\\x", "a\nx", ""] {
            assert!(!is_safe(outside), "{outside:?}");
        }
    }

    #[test]
    fn plain_names_pass_unchanged() {
        for name in [
            "logs.json",
            "a/b/c.csv",
            "로그.json",
            "with space",
            ".hidden",
            "a..b",
        ] {
            assert_eq!(check(name.as_bytes()), Ok(name));
        }
        assert_eq!(check(b"folder/"), Ok("folder"));
    }

    /// Guarantee: Suspicious
    #[test]
    fn each_hostile_name_is_refused_for_its_reason() {
        let long = "x".repeat(256);
        let deep = "d/".repeat(9) + "file";
        let cases: [(&[u8], BadName); 19] = [
            (b"", BadName::Empty),
            (b"/", BadName::Empty),
            (b"a//b", BadName::Empty),
            (b"/etc/passwd", BadName::Absolute),
            (b"C:/x", BadName::Absolute),
            (b"c:x", BadName::Absolute),
            (b"..", BadName::Dots),
            (b"../x", BadName::Dots),
            (b"a/../../x", BadName::Dots),
            (b"./x", BadName::Dots),
            (b"..\\x", BadName::Backslash),
            (b"a\0b", BadName::Control),
            (b"a\nb", BadName::Control),
            ("a\u{85}b".as_bytes(), BadName::Control),
            ("a\u{202e}nosj.b".as_bytes(), BadName::Control),
            ("a\u{200b}b".as_bytes(), BadName::Control),
            (b"a\xff", BadName::Encoding),
            (long.as_bytes(), BadName::TooLong),
            (deep.as_bytes(), BadName::TooDeep),
        ];
        for (name, reason) in cases {
            assert_eq!(
                check(name),
                Err(reason),
                "{:?}",
                String::from_utf8_lossy(name)
            );
        }
    }

    /// Guarantee: Suspicious
    #[test]
    fn names_that_meet_on_some_file_system_are_refused() {
        let cases: [(&[&[u8]], BadName); 14] = [
            (&[b"a", b"a"], BadName::Twice),
            (&[b"Log.json", b"log.JSON"], BadName::Twice),
            (&[b"a", b"a/b"], BadName::FileAndFolder),
            (&[b"a/b", b"A"], BadName::FileAndFolder),
            (&[b"a", b"a/"], BadName::FileAndFolder),
            // Normal forms: a letter and its accent, a syllable and its parts, wide letters.
            (&["é".as_bytes(), "e\u{301}".as_bytes()], BadName::Twice),
            (&["É".as_bytes(), "e\u{301}".as_bytes()], BadName::Twice),
            (
                &["가".as_bytes(), "\u{1100}\u{1161}".as_bytes()],
                BadName::Twice,
            ),
            (&["ａ".as_bytes(), b"a"], BadName::Twice),
            (
                &["한/b".as_bytes(), "\u{1112}\u{1161}\u{11ab}".as_bytes()],
                BadName::FileAndFolder,
            ),
            // Case beyond ASCII.
            (&["straße".as_bytes(), b"STRASSE"], BadName::Twice),
            (&["ſ".as_bytes(), b"s"], BadName::Twice),
            (&["\u{212a}".as_bytes(), b"k"], BadName::Twice),
            // What a share of Windows drops.
            (&[b"a.", b"a"], BadName::Twice),
        ];
        for (names, reason) in cases {
            let mut seen = Names::default();
            let (last, first) = names.split_last().unwrap();
            first
                .iter()
                .for_each(|name| assert!(seen.check(name).is_ok()));
            assert_eq!(seen.check(last), Err(reason));
        }
    }
}
