//! What `strace` wrote of one run that archived one window.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

/// What is traced, with times, durations and the names of what is open. Other calls are not slowed.
pub const ARGUMENTS: &[&str] = &[
    "-f",
    "--seccomp-bpf",
    "-ttt",
    "-T",
    "-yy",
    "-s0",
    "-etrace=openat,close,read,readv,recvfrom,recvmsg,write,writev,pwrite64,pwritev,fsync,fdatasync,sync_file_range,\
     syncfs,sync,rename,renameat,renameat2",
];

const READS: [&str; 4] = ["read", "readv", "recvfrom", "recvmsg"];
const WRITES: [&str; 4] = ["write", "writev", "pwrite64", "pwritev"];
/// After these what they name is durable. After `sync_file_range` nothing is: it only begins to write.
const SYNCS: [&str; 4] = ["fsync", "fdatasync", "syncfs", "sync"];
const BEGUN_WRITING: &str = "sync_file_range";
const RENAMES: [&str; 3] = ["rename", "renameat", "renameat2"];

/// A call that has returned.
#[derive(Debug)]
pub struct Call {
    name: String,
    /// Its arguments as strace shows them.
    arguments: String,
    returned: i64,
    /// Seconds since the epoch.
    ended: f64,
    /// Seconds.
    took: f64,
}

impl Call {
    /// The name of the file or socket of its first argument, `<...>` behind the number.
    fn open(&self) -> Option<&str> {
        let number = self.arguments.find('<')?;
        let is_number = self.arguments[..number]
            .bytes()
            .all(|byte| byte.is_ascii_digit());
        let rest = self.arguments.get(number + 1..).filter(|_| is_number)?;
        // What a socket is connected to holds an arrow.
        let end = rest.find(">, ").or_else(|| rest.rfind('>'))?;
        Some(&rest[..end])
    }

    fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.name.as_str())
    }
}

/// The calls of all threads, by when they ended.
pub fn calls(text: &str) -> Vec<Call> {
    let mut begun: HashMap<&str, (&str, &str)> = HashMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let mut words = line.splitn(2, ' ');
        let (Some(thread), Some(rest)) = (words.next(), words.next()) else {
            continue;
        };
        let Some((at, rest)) = rest.trim_start().split_once(' ') else {
            continue;
        };
        if let Some(first) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, (at, first));
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let second = resumed.split_once(" resumed>").map(|(_, second)| second);
            let first = begun.remove(thread);
            calls.extend(
                second
                    .zip(first)
                    .and_then(|(second, (at, first))| call(at, &format!("{first}{second}"))),
            );
        } else {
            calls.extend(call(at, rest));
        }
    }
    calls.sort_by(|one, other| one.ended.total_cmp(&other.ended));
    calls
}

fn call(at: &str, text: &str) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (arguments, end) = rest.rsplit_once(" = ")?;
    let took = end.rsplit_once('<')?.1.strip_suffix('>')?.parse().ok()?;
    let begun: f64 = at.parse().ok()?;
    let digits = end.find(|c: char| c != '-' && !c.is_ascii_digit())?;
    Some(Call {
        name: name.to_owned(),
        arguments: arguments.trim_end().trim_end_matches(')').to_owned(),
        returned: end[..digits].parse().ok()?,
        ended: begun + took,
        took,
    })
}

/// One window, from its first byte to its line in the ledger.
#[derive(Debug)]
pub struct Seen {
    /// Bytes that came from the network, heads included.
    pub bytes_in: i64,
    /// Bytes written to staged zips.
    pub zip_out: i64,
    /// Bytes written to all else in the archive and the state directory.
    pub other_out: i64,
    /// Calls that sync, from the first byte on.
    pub syncs: usize,
    /// What they took in all, each thread's time.
    pub sync_ms: f64,
    /// Calls that only begin to write what will be synced.
    pub begun_writing: usize,
    /// How many of the syncs ended after the last byte.
    pub late_syncs: usize,
    /// Milliseconds from the last byte until the folder has its name.
    pub to_rename: f64,
    /// And until that name is durable.
    pub to_durable: f64,
    /// And until the ledger's line is durable too.
    pub to_ledger: f64,
}

/// What these calls, of a run in `home`, say of its one window.
pub fn seen(calls: &[Call], home: &Path) -> Result<Seen, Box<dyn Error>> {
    let archive = format!("\"{}/archive/speed/", home.display());
    let place = |call: &Call| call.arguments.rfind(&archive);
    let (rename, name_at) = calls
        .iter()
        .enumerate()
        .filter(|(_, call)| call.is(&RENAMES) && call.returned == 0)
        .find_map(|(at, call)| Some((at, place(call)? + 1)))
        .ok_or("strace saw no rename into the archive")?;
    let name = calls[rename].arguments[name_at..].split('"').next();
    let parent = Path::new(name.unwrap_or_default()).parent();
    let parent = parent.ok_or("a folder without a parent")?.to_string_lossy();
    let is_from_network = |call: &Call| {
        let open = call.open().unwrap_or_default();
        call.is(&READS)
            && call.returned > 0
            && (open.starts_with("TCP") || open.starts_with("socket:"))
    };
    let received = calls[..rename].iter().filter(|call| is_from_network(call));
    let received: Vec<&Call> = received.collect();
    let (Some(first), Some(last)) = (received.first(), received.last()) else {
        return Err("strace saw nothing that came from the network".into());
    };
    let after_rename = calls[rename..].iter().filter(|call| call.is(&SYNCS));
    let synced = |what: &dyn Fn(&str) -> bool| {
        let mut after = after_rename.clone();
        let sync = after.find(|call| call.name == "syncfs" || call.open().is_some_and(what));
        sync.map_or(f64::NAN, |sync| (sync.ended - last.ended) * 1000.0)
    };
    let written = |is_zip: bool| -> i64 {
        let home = home.to_string_lossy();
        let counts = |call: &&Call| {
            let open = call.open().filter(|open| open.starts_with(&*home));
            call.is(&WRITES) && open.is_some_and(|open| open.ends_with(".zip") == is_zip)
        };
        calls
            .iter()
            .filter(counts)
            .map(|call| call.returned.max(0))
            .sum()
    };
    let syncs = calls
        .iter()
        .filter(|call| call.is(&SYNCS) && call.ended >= first.ended);
    let syncs: Vec<&Call> = syncs.collect();
    Ok(Seen {
        bytes_in: received.iter().map(|call| call.returned).sum(),
        zip_out: written(true),
        other_out: written(false),
        syncs: syncs.len(),
        sync_ms: syncs.iter().map(|sync| sync.took).sum::<f64>() * 1000.0,
        begun_writing: calls
            .iter()
            .filter(|call| call.is(&[BEGUN_WRITING]))
            .count(),
        late_syncs: syncs.iter().filter(|sync| sync.ended > last.ended).count(),
        to_rename: (calls[rename].ended - last.ended) * 1000.0,
        to_durable: synced(&|open| open == parent),
        to_ledger: synced(&|open| open.ends_with(".ledger.jsonl")),
    })
}
