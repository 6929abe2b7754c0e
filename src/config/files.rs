//! Reads the config and the files that it includes from the disk.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glob::{MatchOptions, Pattern, glob_with};

use super::problem::{quote, shown};
use super::sources::{Included, Sources, pattern};

/// How many bytes of a file are read: far more than a thousand jobs need.
const MOST_BYTES: u64 = 1 << 20;

/// How many bytes all included files may have.
const MOST_BYTES_IN_ALL: u64 = 16 << 20;

/// How many files are included: more than a company has projects.
const MOST_FILES: usize = 10_000;

/// Hidden files, like an editor's, are left alone, as the shell does.
const AS_THE_SHELL: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// Reads the config at `path`, and what it includes. What is wrong with an included file is among the sources' problems.
///
/// # Errors
/// When the config itself can't be read.
pub(super) fn read(path: &Path) -> io::Result<Result<Sources, usize>> {
    let main = match String::from_utf8(bytes(path)?) {
        Ok(main) => main,
        Err(error) => return Ok(Err(line_of(error.utf8_error(), error.as_bytes()))),
    };
    let Some(pattern) = pattern(&main) else {
        return Ok(Ok(Sources::alone(&main)));
    };
    let (files, wrong) = match matching(path, &pattern).and_then(|files| all(&files, &pattern)) {
        Ok(files) => (files, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    Ok(Ok(Sources::of(&main, files, wrong)))
}

/// The texts of all `files`, within bounds.
fn all(files: &[PathBuf], pattern: &str) -> Result<Vec<Included>, String> {
    let mut read = Vec::new();
    let mut bytes = 0;
    for file in files {
        let one = included(file);
        bytes += one.1.as_ref().map_or(0, |text| text.len() as u64);
        if bytes > MOST_BYTES_IN_ALL {
            return Err(format!(
                "{} matches more than 16 MiB, which is no configuration; narrow it",
                quote(pattern)
            ));
        }
        read.push(one);
    }
    Ok(read)
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?
        .take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)?;
    match read as u64 <= MOST_BYTES {
        true => Ok(bytes),
        false => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "more than 1 MiB",
        )),
    }
}

/// The line, counted from 1, on which something is not UTF-8.
fn line_of(error: std::str::Utf8Error, bytes: &[u8]) -> usize {
    let before = bytes.iter().take(error.valid_up_to());
    1 + before.filter(|&&byte| byte == b'\n').count()
}

/// The files that match, by name. A pattern that is not absolute begins at the config's folder.
fn matching(config: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let folder = config.parent().unwrap_or(Path::new(""));
    let whole = match Path::new(pattern).is_absolute() {
        true => pattern.to_owned(),
        false => {
            let folder = folder
                .to_str()
                .ok_or("the config's folder is not named in UTF-8; give an absolute pattern")?;
            let escaped = Pattern::escape(folder);
            Path::new(&escaped)
                .join(pattern)
                .to_string_lossy()
                .into_owned()
        }
    };
    let wrong = |why: &dyn std::fmt::Display| format!("{} can't be used: {why}", quote(pattern));
    let found = glob_with(&whole, AS_THE_SHELL).map_err(|error| wrong(&error))?;
    let mut files = Vec::new();
    for file in found {
        files.push(
            file.map_err(|error| wrong(&format!("{}: {}", shown(error.path()), error.error())))?,
        );
        if files.len() > MOST_FILES {
            return Err(wrong(&format!("it matches more than {MOST_FILES} files")));
        }
    }
    if files.is_empty() {
        is_there(&whole).map_err(|error| wrong(&error))?;
    }
    Ok(files)
}

/// Whether what a pattern names without a wildcard is there. A folder without files is meant; one that is missing, as
/// its name is mistyped, would take all its jobs away in silence.
fn is_there(pattern: &str) -> Result<(), String> {
    let wildcard = |part: &std::ffi::OsStr| part.to_string_lossy().contains(['*', '?', '[']);
    let plain: PathBuf = Path::new(pattern)
        .iter()
        .take_while(|part| !wildcard(part))
        .collect();
    match fs::metadata(&plain) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{}: {error}", shown(&plain))),
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "let the service's user read it",
        io::ErrorKind::NotFound => "was it removed just now?",
        _ => "mend or remove it",
    }
}

fn included(path: &Path) -> Included {
    let text = || {
        // To open a FIFO would wait for whoever writes into it.
        let unread = |error: io::Error| (0, format!("can't be read: {error}; {}", advice(&error)));
        if !fs::metadata(path).map_err(unread)?.is_file() {
            return Err((
                0,
                "is no file; remove it, or narrow the pattern of `include`".to_owned(),
            ));
        }
        let bytes = bytes(path).map_err(unread)?;
        String::from_utf8(bytes).map_err(|error| {
            let line = line_of(error.utf8_error(), error.as_bytes());
            (line, super::NOT_UTF_8.to_owned())
        })
    };
    let path: Arc<Path> = Arc::from(path);
    (path, text())
}
