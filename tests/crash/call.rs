//! The system calls that touch the disk: which they are, on which path, and which named step of
//! `durable.rs` each belongs to.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use elsa_archiver::durable::Step;
use nix::libc;
use nix::sys::ptrace;
use nix::unistd::Pid;
use serde_json::Value;

/// Where a repair moves what is damaged.
pub const ASIDE: &str = "archive/.damaged";

/// Where heads are.
pub const HEADS: &str = "archive/_archive/heads";

/// Where refused zips are kept.
pub const QUARANTINE: &str = "state/quarantine";

/// The registers at a system call. Only x86-64 is known.
pub type Registers = libc::user_regs_struct;

/// What a call does to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Opens something that is there, to read or to flush it.
    Open,
    /// Opens a file that it makes where there is none.
    Create,
    Write,
    SyncFile,
    SyncFolder,
    MakeFolder,
    Rename,
    Remove,
    Truncate,
}

/// A call on a path of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub kind: Kind,
    /// Relative to the disk that it is on: `archive/...` or `state/...`; empty for a disk itself.
    pub path: PathBuf,
    /// Where a rename leads.
    pub to: Option<PathBuf>,
    /// How much a write is about to write.
    pub bytes: u64,
    /// The folders of which it records in a ledger that they are archived, or gone: `archive/...`.
    pub records: Vec<PathBuf>,
}

/// The two disks: on one the archive is `archive`, on the other the state directory is `state`.
#[derive(Clone, Debug)]
pub struct Disks {
    pub archive: PathBuf,
    pub state: PathBuf,
}

impl Disks {
    pub fn root(&self) -> PathBuf {
        self.archive.join("archive")
    }

    pub fn state_dir(&self) -> PathBuf {
        self.state.join("state")
    }

    fn relative(&self, path: &Path) -> Option<PathBuf> {
        let on = |disk: &Path| path.strip_prefix(disk).ok().map(Path::to_owned);
        on(&self.archive).or_else(|| on(&self.state))
    }
}

impl Call {
    /// The call that a thread is about to make, if it touches the disk.
    pub fn of(thread: Pid, registers: &Registers, disks: &Disks) -> Option<Self> {
        let arguments = [registers.rdi, registers.rsi, registers.rdx, registers.r10];
        let text = |at: usize| text(thread, arguments[at]);
        let at = |folder: usize, name: usize| in_folder(thread, arguments[folder], text(name)?);
        let open = |flags: u64| match flags & (libc::O_CREAT | libc::O_TRUNC) as u64 {
            0 => Kind::Open,
            _ => Kind::Create,
        };
        let (kind, path, to) = match registers.orig_rax.cast_signed() {
            libc::SYS_open => (open(arguments[1]), text(0)?, None),
            libc::SYS_openat => (open(arguments[2]), at(0, 1)?, None),
            libc::SYS_creat => (Kind::Create, text(0)?, None),
            libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_writev | libc::SYS_copy_file_range => {
                (Kind::Write, opened(thread, arguments[0])?, None)
            }
            libc::SYS_fsync | libc::SYS_fdatasync | libc::SYS_sync_file_range => {
                let path = opened(thread, arguments[0])?;
                let kind = if path.is_dir() {
                    Kind::SyncFolder
                } else {
                    Kind::SyncFile
                };
                (kind, path, None)
            }
            libc::SYS_mkdir => (Kind::MakeFolder, text(0)?, None),
            libc::SYS_mkdirat => (Kind::MakeFolder, at(0, 1)?, None),
            libc::SYS_rename => (Kind::Rename, text(0)?, Some(text(1)?)),
            libc::SYS_renameat | libc::SYS_renameat2 => (Kind::Rename, at(0, 1)?, Some(at(2, 3)?)),
            libc::SYS_unlink | libc::SYS_rmdir => (Kind::Remove, text(0)?, None),
            libc::SYS_unlinkat => (Kind::Remove, at(0, 1)?, None),
            libc::SYS_ftruncate | libc::SYS_fallocate => {
                (Kind::Truncate, opened(thread, arguments[0])?, None)
            }
            _ => return None,
        };
        let absolute = path;
        let path = disks.relative(&absolute)?;
        let is_ledger = path
            .extension()
            .is_some_and(|extension| extension == "jsonl");
        let records = match (kind, registers.orig_rax.cast_signed()) {
            (Kind::Write, libc::SYS_write) if is_ledger => {
                recorded(thread, &absolute, arguments[1], arguments[2])
            }
            (Kind::Write, number) if is_ledger => panic!(
                "system call {number} writes {}, and what it writes can't be read",
                path.display()
            ),
            _ => Vec::new(),
        };
        let (to, bytes) = (to.and_then(|to| disks.relative(&to)), arguments[2]);
        Some(Self {
            kind,
            path,
            to,
            bytes,
            records,
        })
    }

    /// Whether it changes what is on the disk, or makes it durable.
    pub fn changes(&self) -> bool {
        self.kind != Kind::Open
    }

    /// Whether it makes a window visible.
    pub fn publishes(&self) -> bool {
        let staged = |path: &Path| path.starts_with("archive/.staging");
        self.kind == Kind::Rename
            && staged(&self.path)
            && self.to.as_deref().is_some_and(|to| !staged(to))
    }

    /// Whether it moves something out of the archive.
    pub fn sets_aside(&self) -> bool {
        let to = self.to.as_deref();
        self.kind == Kind::Rename && to.is_some_and(|to| to.starts_with(ASIDE))
    }

    /// Whether it removes data that are let go of.
    pub fn lets_go(&self) -> bool {
        let hidden = |path: &Path| path.starts_with("archive/.staging") || path.starts_with(ASIDE);
        let ours = self.path.starts_with("archive/_archive");
        self.kind == Kind::Remove
            && self.path.starts_with("archive")
            && !hidden(&self.path)
            && !ours
    }

    /// Whether it is about the quarantine, on whose success nothing depends.
    pub fn keeps_aside(&self) -> bool {
        self.path.starts_with(QUARANTINE)
    }

    /// The job that it is about.
    pub fn job(&self) -> Option<&str> {
        let mut names = self.path.iter().map(|name| name.to_str().unwrap());
        let job = match (names.next()?, names.next()?) {
            ("archive", ".staging" | ".damaged") => names.next()?,
            ("state", "quarantine") => {
                let name = names.next()?;
                name.trim_start_matches(".new-").split_once('-')?.0
            }
            ("archive", job) => job,
            (_, file) => file.split_once(".ledger")?.0,
        };
        (!job.starts_with('.')).then_some(job)
    }

    /// The named step that it belongs to; `None` for the locks.
    pub fn step(&self) -> Option<Step> {
        if self.path.as_os_str().is_empty() {
            return (self.kind == Kind::SyncFolder).then_some(Step::SyncGrandparent);
        }
        let name = self.path.file_name()?.to_str()?;
        let depth = self.path.components().count();
        if self.keeps_aside() {
            return match self.kind {
                Kind::MakeFolder => Some(Step::MakeParent),
                Kind::Create | Kind::Write => Some(Step::StageRefused),
                Kind::SyncFile => Some(Step::SyncRefused),
                Kind::Rename => Some(Step::KeepRefused),
                Kind::SyncFolder => Some(Step::SyncQuarantine),
                Kind::Remove => Some(Step::Clean),
                Kind::Open | Kind::Truncate => None,
            };
        }
        Some(
            match (self.kind, self.path.starts_with("archive/.staging")) {
                (Kind::MakeFolder, true) => Step::StageFolder,
                (Kind::Create | Kind::Write, true) => match name {
                    "manifest.json" => Step::StageManifest,
                    "SHA256SUMS" => Step::StageSums,
                    _ if name.ends_with(".zip") => Step::StageZip,
                    _ => Step::StageData,
                },
                (Kind::SyncFile, true) => match name {
                    "manifest.json" => Step::SyncManifest,
                    "SHA256SUMS" => Step::SyncSums,
                    _ if name.ends_with(".zip") => Step::SyncZip,
                    _ => Step::SyncData,
                },
                // archive/.staging/JOB/WINDOW, without ".answers".
                (Kind::SyncFolder, true) if depth == 4 && !name.contains('.') => Step::SyncFolder,
                (Kind::SyncFolder, true) => Step::SyncDataFolder,
                (Kind::Rename, true) if self.publishes() => Step::Publish,
                (Kind::Rename, true) => Step::PlacePart,
                (Kind::Remove, true) => Step::Clean,
                (Kind::MakeFolder, false) => Step::MakeParent,
                (Kind::Rename, false) if self.sets_aside() => Step::SetAside,
                (Kind::Rename, false)
                    if self.path.starts_with("archive") && name == "SHA256SUMS" =>
                {
                    Step::RenameSums
                }
                (Kind::Remove, false) if self.lets_go() => Step::RemoveData,
                (kind, false) if self.path.starts_with(HEADS) => match kind {
                    Kind::Create | Kind::Write | Kind::SyncFile | Kind::Rename
                        if name.ends_with(".sig") =>
                    {
                        Step::WriteSignature
                    }
                    Kind::Create | Kind::Write | Kind::SyncFile | Kind::Rename => Step::WriteHead,
                    Kind::SyncFolder => Step::SyncHeads,
                    Kind::Remove => Step::Clean,
                    _ => return None,
                },
                (Kind::Create | Kind::Write | Kind::SyncFile | Kind::Rename, false)
                    if name.starts_with("newest.head") || name.starts_with("coming.head") =>
                {
                    Step::NoteHead
                }
                (kind, false) if name.contains(".ledger.pruning") => match kind {
                    Kind::Create | Kind::Write | Kind::SyncFile | Kind::Rename => Step::MarkPruning,
                    Kind::Remove => Step::UnmarkPruning,
                    _ => return None,
                },
                // archive/.damaged/JOB/DATE
                (Kind::SyncFolder, false) if depth == 4 && self.path.starts_with(ASIDE) => {
                    Step::SyncAside
                }
                (Kind::SyncFolder, false) if self.path.starts_with("state") => Step::SyncState,
                // archive/JOB/DATE/WINDOW
                (Kind::SyncFolder, false) if depth > 3 && self.path.starts_with("archive") => {
                    Step::SyncPruned
                }
                // archive/JOB/DATE
                (Kind::SyncFolder, false) if depth == 3 => Step::SyncParent,
                (Kind::SyncFolder, false) => Step::SyncGrandparent,
                (kind, false) if name.ends_with(".ledger.jsonl") => match kind {
                    Kind::Create => Step::CreateLedger,
                    Kind::Write => Step::Append,
                    Kind::SyncFile => Step::SyncLedger,
                    Kind::Truncate => Step::CutLedger,
                    _ => return None,
                },
                (Kind::Open, false) => return None,
                (_, false) if name.starts_with("archive.") => Step::WriteIdentity,
                _ => return None,
            },
        )
    }
}

/// The path that a descriptor stands for.
fn opened(thread: Pid, descriptor: u64) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{thread}/fd/{}", descriptor as i32)).ok()
}

fn in_folder(thread: Pid, folder: u64, name: PathBuf) -> Option<PathBuf> {
    if name.is_absolute() || folder as i32 == libc::AT_FDCWD {
        return Some(name);
    }
    Some(opened(thread, folder)?.join(name))
}

/// The folders that the lines at an address, which are to be written at the end of `ledger`, say are archived, or
/// gone. Of a line of which a part was written before, all of it counts.
fn recorded(thread: Pid, ledger: &Path, address: u64, bytes: u64) -> Vec<PathBuf> {
    let mut text = fs::read(ledger).unwrap();
    let begun = text.iter().rposition(|&byte| byte == b'\n');
    text.drain(..begun.map_or(0, |end| end + 1));
    let begun = text.len();
    text.resize(begun + bytes as usize, 0);
    let read = fs::File::open(format!("/proc/{thread}/mem"))
        .and_then(|memory| memory.read_exact_at(&mut text[begun..], address));
    match read {
        Ok(()) => folders_of(&text),
        // It was killed meanwhile, and writes nothing.
        Err(_) if ptrace::getregs(thread).is_err() => Vec::new(),
        Err(error) => panic!(
            "can't read what is written to {}: {error}",
            ledger.display()
        ),
    }
}

/// The folders that whole lines of a ledger say are archived, or gone. What follows the last of them is torn.
fn folders_of(text: &[u8]) -> Vec<PathBuf> {
    let end = text.iter().rposition(|&byte| byte == b'\n');
    let whole = str::from_utf8(&text[..end.map_or(0, |end| end + 1)]).unwrap();
    let mut folders = Vec::new();
    for line in whole.lines() {
        let read: Value = serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("not a line of a ledger ({error}): {line}"));
        match read["event"].as_str() {
            Some("archived" | "missing") => match read["folder"].as_str() {
                Some(folder) => folders.push(Path::new("archive").join(folder)),
                None => panic!("names no folder: {line}"),
            },
            // What a window's data are let go of after: the mark beside the ledger.
            Some("pruned") => folders.push(PathBuf::from("pruned")),
            Some(_) => {}
            None => panic!("names no event: {line}"),
        }
    }
    folders
}

/// The text at an address of the thread's.
fn text(thread: Pid, address: u64) -> Option<PathBuf> {
    let memory = fs::File::open(format!("/proc/{thread}/mem")).ok()?;
    let mut bytes = vec![0; 1024];
    // What comes after the text may not be there: a page at a time.
    let mut length = 0;
    while length < bytes.len() {
        let page_left = 4096 - (address as usize + length) % 4096;
        let end = (length + page_left).min(bytes.len());
        memory
            .read_exact_at(&mut bytes[length..end], address + length as u64)
            .ok()?;
        if let Some(zero) = bytes[length..end].iter().position(|&byte| byte == 0) {
            bytes.truncate(length + zero);
            return Some(PathBuf::from(String::from_utf8(bytes).ok()?));
        }
        length = end;
    }
    None
}

#[test]
fn a_whole_line_of_a_ledger_is_read_or_complained_of_and_a_torn_one_is_passed_over() {
    let archived = r#"{"seq":1,"event":"archived","folder":"shop/2026-11-22/a"}"#;
    let text = format!("{archived}\n{{\"seq\":2,\"event\":\"lost\"}}\n{{\"seq\":3,\"ev");
    let folder = PathBuf::from("archive/shop/2026-11-22/a");
    assert_eq!(folders_of(text.as_bytes()), [folder]);
    for broken in [
        &archived[1..],
        "",
        r#"{"seq":1}"#,
        r#"{"seq":1,"event":"missing"}"#,
    ] {
        let text = format!("{archived}\n{broken}\n");
        let read = std::panic::catch_unwind(|| folders_of(text.as_bytes()));
        assert!(read.is_err(), "{broken}");
    }
}
