//! Who holds a lock, found out without taking it: a lock that were tried, even for a moment, could turn away a daemon
//! that is just starting.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxFlags, major, minor, statx};

/// The process that holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its id.
    pub(crate) pid: u32,
    /// Whether it is the daemon, and not a command that ends by itself. One that does not say counts as the daemon.
    pub(crate) is_daemon: bool,
}

/// Who holds the lock at `path`; `None` where nobody does. Only processes of this machine are seen, and in a container
/// only those of the same one.
///
/// # Errors
/// When it can't be known: this user may not look at the file, or the system does not list its locks.
pub(crate) fn holder(path: &Path) -> io::Result<Option<Holder>> {
    let place = match place(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        place => place?,
    };
    let locks = fs::read_to_string("/proc/locks")?;
    let pid = locks.lines().find_map(|line| held(line, &place));
    Ok(pid.map(|pid| Holder {
        pid,
        is_daemon: is_daemon(pid),
    }))
}

/// The file as `/proc/locks` names it: the device of its file system, and its inode.
fn place(path: &Path) -> io::Result<String> {
    let found = fs::metadata(path)?;
    // Not the file's own device, where that can be helped: btrfs makes one up for each subvolume. A kernel before 5.8
    // does not say which mount it is.
    let mount = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID)
        .ok()
        .filter(|told| told.stx_mask & StatxFlags::MNT_ID.bits() != 0)
        .map(|told| told.stx_mnt_id);
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let of_mount = mount.and_then(|mount| mounts.lines().find_map(|line| device(line, mount)));
    let own = || shown(major(found.dev()), minor(found.dev()));
    let device = of_mount.unwrap_or_else(own);
    Ok(format!("{device}:{}", found.ino()))
}

/// A device as `/proc/locks` writes it.
fn shown(major: u32, minor: u32) -> String {
    format!("{major:02x}:{minor:02x}")
}

/// The device of a line of `mountinfo`, as `/proc/locks` writes it, if the line is that of `mount`.
fn device(line: &str, mount: u64) -> Option<String> {
    let mut fields = line.split(' ');
    let is_it = fields.next()?.parse::<u64>().ok()? == mount;
    let (major, minor) = fields.nth(1)?.split_once(':')?;
    let (major, minor) = (major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?);
    is_it.then(|| shown(major, minor))
}

/// Who holds the lock of a line of `/proc/locks`, if it is one on the file at `place`.
fn held(line: &str, place: &str) -> Option<u32> {
    // `1: FLOCK  ADVISORY  WRITE 25705 fe:00:10911837 0 EOF`; one that is waited for has `->` behind the number.
    let mut fields = line.split_ascii_whitespace().skip(1);
    let kind = fields.next()?;
    let pid = fields.nth(2)?.parse().ok()?;
    (kind != "->" && fields.next()? == place).then_some(pid)
}

fn is_daemon(pid: u32) -> bool {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    arguments.is_empty() || command(&arguments).is_none_or(|word| word == b"run")
}

/// The command among the arguments of a process: the first that is neither an option nor an option's value.
fn command(arguments: &[u8]) -> Option<&[u8]> {
    let mut words = arguments.split(|&byte| byte == 0).skip(1);
    while let Some(word) = words.next() {
        match word {
            b"--config" | b"--log-format" => drop(words.next()),
            [b'-', ..] | [] => {}
            word => return Some(word),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_neither_an_option_nor_its_value() {
        let of = |line: &str| {
            let bytes = line.replace(' ', "\0") + "\0";
            command(bytes.as_bytes()).map(|word| String::from_utf8_lossy(word).into_owned())
        };
        assert_eq!(
            of("ea --config run once --job run"),
            Some("once".to_owned())
        );
        assert_eq!(of("ea -v --log-format=json run"), Some("run".to_owned()));
        assert_eq!(of("ea"), None);
    }
    use crate::durable::Disk;
    use crate::ledger::lock::FolderLock;

    /// Guarantee: Candid
    #[test]
    fn the_holder_is_named_and_the_lock_stays_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert_eq!(holder(&path).unwrap(), None, "there is no such file");
        let acquire = || FolderLock::acquire("it", dir.path(), "lock", &Disk::default());
        let lock = acquire().unwrap();
        let found = holder(&path).unwrap().unwrap();
        assert_eq!(found.pid, std::process::id());
        assert!(acquire().is_err());
        drop(lock);
        assert_eq!(holder(&path).unwrap(), None, "a file alone is no lock");
        acquire().unwrap();
    }

    #[test]
    fn a_lock_is_told_by_its_file_and_whoever_waits_for_it_does_not_hold_it() {
        let line = "12: FLOCK  ADVISORY  WRITE 257 fe:00:109 0 EOF";
        assert_eq!(held(line, "fe:00:109"), Some(257));
        assert_eq!(held(line, "fe:00:10"), None);
        let waits = "12: -> FLOCK  ADVISORY  WRITE 257 fe:00:109 0 EOF";
        assert_eq!(held(waits, "fe:00:109"), None);
        assert_eq!(held("", "fe:00:109"), None);
        let mount = "36 35 259:7 / /srv rw,noatime shared:1 - ext4 /dev/nvme0n1p7 rw";
        assert_eq!(device(mount, 36).as_deref(), Some("103:07"));
        assert_eq!(device(mount, 35), None);
    }
}
