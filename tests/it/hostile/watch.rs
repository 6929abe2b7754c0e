//! Runs the program under strace, and knows every path that it has made, written, moved or
//! removed anything at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use crate::harness::World;

/// The calls that change names or open files.
const CALLS: &str = "trace=open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,symlink,symlinkat,\
    link,linkat,rename,renameat,renameat2,unlink,unlinkat,rmdir,truncate,chmod,fchmodat,chown,\
    lchown,fchownat,setxattr,lsetxattr,utimensat,mount";

/// What a run came to.
pub struct Watched {
    pub code: Option<i32>,
    pub log: String,
    pub results: String,
    /// Everything that was touched otherwise than by reading; `None` where there is no strace.
    pub touched: Option<BTreeSet<PathBuf>>,
}

/// Archives what is due.
pub fn once(world: &World) -> Watched {
    let mut program = Command::new(env!("CARGO_BIN_EXE_elsa-archiver"));
    for variable in ["RUST_LOG", "JOURNAL_STREAM", "NOTIFY_SOCKET"] {
        program.env_remove(variable);
    }
    program
        .arg("once")
        .env("ELSA_ARCHIVER_CONFIG", world.path("config.toml"));
    watch(&program, &world.path(""))
}

/// Runs a command in a folder, in which a file `trace` is left.
pub fn watch(command: &Command, home: &Path) -> Watched {
    let trace = home.join("trace");
    // It may be there and not be allowed to trace.
    let probe = Command::new("strace")
        .args(["-f", "--seccomp-bpf", "-o", "/dev/null", "true"])
        .output();
    let traced = probe.is_ok_and(|probe| probe.status.success());
    let mut run = Command::new(if traced {
        "strace".as_ref()
    } else {
        command.get_program()
    });
    if traced {
        run.args(["-f", "-y", "-qq", "--seccomp-bpf", "-s", "4096"])
            .args(["-e", CALLS, "-o"])
            .arg(&trace)
            .arg(command.get_program());
    }
    for (variable, value) in command.get_envs() {
        match value {
            Some(value) => run.env(variable, value),
            None => run.env_remove(variable),
        };
    }
    let ran = run
        .args(command.get_args())
        .current_dir(home)
        .output()
        .unwrap();
    Watched {
        code: ran.status.code(),
        log: String::from_utf8(ran.stderr).unwrap(),
        results: String::from_utf8(ran.stdout).unwrap(),
        touched: traced.then(|| touched(&fs::read_to_string(&trace).unwrap(), home)),
    }
}

fn touched(trace: &str, home: &Path) -> BTreeSet<PathBuf> {
    let mut touched = BTreeSet::new();
    for line in trace.lines() {
        let Some((call, arguments)) = line.split_once('(') else {
            continue;
        };
        let opens = call
            .rsplit(' ')
            .next()
            .is_some_and(|call| call.starts_with("open"));
        let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_TMPFILE"];
        if opens && !writes.iter().any(|flag| arguments.contains(flag)) {
            continue;
        }
        // `unlinkat(7</its/path>, "name", 0)`: a name counts from the folder before it.
        let mut folder = home.to_owned();
        let mut rest = arguments;
        while let Some(at) = rest.find(['<', '"']) {
            let end = if rest[at..].starts_with('<') {
                '>'
            } else {
                '"'
            };
            let text = &rest[at + 1..];
            let Some(length) = text.find(end) else { break };
            let path = Path::new(&text[..length]);
            match end {
                '>' => folder = path.to_owned(),
                _ => drop(touched.insert(folder.join(path))),
            }
            rest = &text[length + 1..];
        }
    }
    touched
}

/// Whether a path is within one of these folders, taken by its letters alone.
pub fn is_within(path: &Path, folders: &[PathBuf]) -> bool {
    let plain = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    plain && folders.iter().any(|folder| path.starts_with(folder))
}

/// Everything below a folder but for what is below `except`: names, types, sizes and inodes.
pub fn snapshot(folder: &Path, except: &[PathBuf]) -> BTreeMap<PathBuf, (u32, u64, u64)> {
    let mut found = BTreeMap::new();
    let mut below = vec![folder.to_owned()];
    while let Some(at) = below.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if except.contains(&path) {
                continue;
            }
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                below.push(path.clone());
            }
            let size = if meta.is_dir() { 0 } else { meta.len() };
            found.insert(path, (meta.mode(), meta.ino(), size));
        }
    }
    found
}
