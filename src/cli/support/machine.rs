//! What a bug report needs to know of the machine. Nothing that names it, or who works there.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::archive::store::STAGING;
use crate::cli::print::bytes;
use crate::config::Config;
use crate::printable::printable;

/// How long another program may take, and how much of what it prints is taken: the journal of a thousand lines is less.
const DEADLINE: Duration = Duration::from_secs(20);
const MOST_PRINTED: u64 = 4 << 20;
const POLL: Duration = Duration::from_millis(20);

/// What systemd says of the unit. `Environment` is not among it: it may hold keys.
const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,Result,NRestarts,ExecMainCode,ExecMainStatus,\
    ActiveEnterTimestamp,InactiveEnterTimestamp,FragmentPath,DropInPaths,NeedDaemonReload,User,Group,WatchdogUSec,\
    LimitNOFILE,MemoryCurrent,TasksCurrent,StatusText";

/// The last lines of the service's log.
pub(super) fn journal(unit: &str) -> Result<String, String> {
    printed(&[
        "journalctl",
        &format!("--unit={unit}"),
        "--lines=1000",
        "--no-pager",
        "--output=short-iso",
        "--no-hostname",
    ])
}

/// systemd's version, and how the unit is.
pub(super) fn systemd(name: &str) -> Result<String, String> {
    let version = printed(&["systemctl", "--version"])?;
    let unit = printed(&["systemctl", "show", "--no-pager", PROPERTIES, name]);
    let unit = unit.unwrap_or_else(|why| why);
    Ok(format!("{version}\n{name}:\n{unit}"))
}

/// Kernel, distribution, clock and zone.
pub(super) fn system() -> String {
    let read = |path: &str| match fs::read_to_string(path) {
        Ok(text) => text.trim().to_owned(),
        Err(error) => format!("can't read {path}: {error}"),
    };
    let release = read("/etc/os-release");
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let zone = fs::read_link("/etc/localtime").map(|path| path.display().to_string());
    let clock = printed(&[
        "timedatectl",
        "show",
        "--property=NTP,NTPSynchronized,TimeUSec",
    ]);
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo");
    let memory = memory.lines().take(3).collect::<Vec<_>>().join("\n");
    format!(
        "kernel: {} {} {}\narchitecture: {}\ndistribution: {}\ncores: {cores}\n{memory}\nzone of the machine: {}\n\
         clock:\n{}\n\
         The service's clock is not asked here; where the two differ the log says so.\n",
        read("/proc/sys/kernel/ostype"),
        read("/proc/sys/kernel/osrelease"),
        read("/proc/sys/kernel/version"),
        std::env::consts::ARCH,
        name.unwrap_or("not known"),
        zone.unwrap_or_else(|error| format!("not known: {error}")),
        clock.unwrap_or_else(|why| why).trim_end(),
    )
}

/// Where root, state and staging lie, how much is free there, and how they are mounted.
pub(super) fn file_systems(config: &Config) -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let staging = config.archive.root.join(STAGING);
    let mut text = String::new();
    for (what, path) in [
        ("archive.root", &config.archive.root),
        ("staging", &staging),
        ("state.dir", &config.state_dir),
    ] {
        text += &format!("{what} {}\n", path.display());
        let (space, mount) = match path.canonicalize() {
            Err(error) => (format!("can't be looked at: {error}"), None),
            Ok(real) => (space(&real), mount_of(&mounts, &real)),
        };
        text += &format!("  space: {space}\n");
        if let Some(mount) = mount {
            text += &format!("  mount: {mount}\n");
        }
    }
    text
}

fn space(path: &Path) -> String {
    match rustix::fs::statvfs(path) {
        Err(error) => format!("not known: {error}"),
        Ok(found) => format!(
            "{} free of {}, {} of {} inodes free",
            bytes(found.f_bavail.saturating_mul(found.f_frsize)),
            bytes(found.f_blocks.saturating_mul(found.f_frsize)),
            found.f_favail,
            found.f_files
        ),
    }
}

/// The mount that holds `path`, by lines of `mountinfo` (proc(5)): where, which file system, and its options. Those with
/// a value are named alone, and the device is not: both may name hosts and users.
fn mount_of(mounts: &str, path: &Path) -> Option<String> {
    let holds = |line: &&str| {
        let place = line.split(' ').nth(4);
        place.is_some_and(|place| path.starts_with(unescaped(place)))
    };
    // Of two at one place the later one is on top.
    let depth = |line: &&str| {
        let place = line.split(' ').nth(4).unwrap_or_default();
        Path::new(&unescaped(place)).components().count()
    };
    let line = mounts.lines().filter(holds).max_by_key(depth)?;
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(4);
    let (place, options) = (before.next()?, before.next()?);
    let mut after = after.split(' ');
    let (kind, more) = (after.next()?, after.nth(1).unwrap_or_default());
    let names = options.split(',').chain(more.split(','));
    let names: Vec<&str> = names
        .map(|option| option.split_once('=').map_or(option, |(name, _)| name))
        .collect();
    Some(format!(
        "{} {kind} {}",
        printable(&unescaped(place)),
        names.join(",")
    ))
}

/// A place as `mountinfo` writes it: spaces and the like are `\ooo`.
fn unescaped(place: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .into_iter()
    .fold(place.to_owned(), |place, (escape, c)| {
        place.replace(escape, c)
    })
}

/// What another program prints. It is stopped when it takes too long, and cut when it prints too much.
///
/// # Errors
/// Says why there is nothing.
fn printed(line: &[&str]) -> Result<String, String> {
    let shown = line.first().copied().unwrap_or_default();
    let wrong = |why: &dyn std::fmt::Display| format!("`{shown}` can't be had: {why}\n");
    let mut child = Command::new(shown)
        .args(line.iter().skip(1))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| wrong(&error))?;
    let readers = [
        child
            .stdout
            .take()
            .map(|out| thread::spawn(move || read(out))),
        child
            .stderr
            .take()
            .map(|out| thread::spawn(move || read(out))),
    ];
    let begun = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if begun.elapsed() < DEADLINE => thread::sleep(POLL),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                break Err(wrong(&format!(
                    "it took longer than {} s",
                    DEADLINE.as_secs()
                )));
            }
            Err(error) => break Err(wrong(&error)),
        }
    };
    let status = ended?;
    let [out, told] = readers.map(|reader| {
        let read = reader.and_then(|reader| reader.join().ok());
        read.unwrap_or_default()
    });
    match status.success() {
        true => Ok(out + &told),
        false => Err(wrong(&format!("{status}: {}", printable(told.trim())))),
    }
}

fn read(from: impl io::Read) -> String {
    let mut bytes = Vec::new();
    let mut from = from;
    let _ = (&mut from).take(MOST_PRINTED).read_to_end(&mut bytes);
    // The rest is read, so that the other side does not wait, and passed over.
    let _ = io::copy(&mut from, &mut io::sink());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Suspicious
    #[test]
    fn a_mount_is_told_without_hosts_and_users() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n\
             36 22 0:50 / /srv/my\\040disk rw,noatime - cifs //CANARY/share rw,vers=3.0,username=CANARY,addr=10.0.0.1\n";
        let told = mount_of(mounts, Path::new("/srv/my disk/elsa")).unwrap();
        assert_eq!(told, "/srv/my disk cifs rw,noatime,rw,vers,username,addr");
        let told = mount_of(mounts, Path::new("/srv/my diskette")).unwrap();
        assert_eq!(told, "/ ext4 rw,relatime,rw,errors");
        assert_eq!(mount_of("", Path::new("/")), None);
    }

    #[test]
    fn a_program_that_is_missing_or_fails_is_told() {
        assert_eq!(printed(&["echo", "a"]).unwrap(), "a\n");
        assert!(
            printed(&["no-such-program-here"])
                .unwrap_err()
                .contains("can't be had")
        );
        assert!(
            printed(&["sh", "-c", "echo why >&2; exit 3"])
                .unwrap_err()
                .contains("why")
        );
    }
}
