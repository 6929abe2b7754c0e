//! Opening what lies in an archive without being led elsewhere: no link is followed, no pipe is
//! waited for, and no more is read than a file of its kind can have. Carries *Suspicious* for
//! archives that were copied from anywhere.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};

/// How many bytes a `manifest.json` or `SHA256SUMS` may have; with a file for each of 200,000 pages
/// they have some 60 MB.
pub(crate) const MOST_TEXT: u64 = 256 * 1024 * 1024;

/// Opens a plain file for reading.
///
/// # Errors
/// When there is none, or something else has its name.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(CWD, path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        // A link, or a socket.
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => return Err(no_plain_file()),
        Err(errno) => return Err(errno.into()),
    };
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(no_plain_file())
    }
}

/// Reads a manifest or its sums.
///
/// # Errors
/// As [`open`], or when it is longer than any such file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(MOST_TEXT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_TEXT {
        return Err(io::Error::other(format!(
            "it is longer than {} MiB",
            MOST_TEXT >> 20
        )));
    }
    Ok(bytes)
}

pub(super) fn no_plain_file() -> io::Error {
    io::Error::other("it is no plain file")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Guarantee: Suspicious
    #[test]
    fn only_a_plain_file_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        fs::write(place("file"), "text").unwrap();
        symlink(place("file"), place("link")).unwrap();
        rustix::fs::mknodat(
            CWD,
            place("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        assert_eq!(read(&place("file")).unwrap(), b"text");
        assert_eq!(
            read(&place("none")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        for wrong in ["link", "pipe", "."] {
            let error = read(&place(wrong)).unwrap_err().to_string();
            assert!(error.contains("no plain file"), "{wrong}: {error}");
        }
    }
}
