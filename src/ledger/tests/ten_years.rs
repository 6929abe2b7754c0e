//! Makes a state directory of many jobs with ten years of hourly windows each, so that a start can be
//! measured. Not a test: it runs only when it is asked for.
//!
//! `TEN_YEARS=/some/folder JOBS=1000 BEHIND=99 cargo test --lib ten_years -- --ignored`, then
//! `elsa-archiver --config /some/folder/due.toml plan`. In `due.toml` three windows of each job are due, in
//! `nothing.toml` none. A start that trusts checkpoints never reads what lies before them, so of each ledger only
//! the last 1,000 lines are written, and the 86,600 before them are a hole in a sparse file: such a ledger can be
//! started from and not be proven, so it is said to have been proven when it was made. With `WHOLE=1` every line is written, 29 MB a job. `BEHIND=none` leaves
//! checkpoints out. The archive's root holds the newest folder of each job alone, so that listing it is not
//! measured.

use std::env;
use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};

use super::*;
use crate::archive::identity::{of_root, of_state, write};
use crate::clock::machine_time;
use crate::config::Config;
use crate::digest::Digest;
use crate::domain::identity::ArchiveId;
use crate::domain::second_opinion::{SecondOpinion, Way};
use crate::domain::span::UtcMs;
use crate::domain::split::Status;
use crate::domain::window::{FolderName, Zone};

const LINES: i64 = 87_600;
const WRITTEN: i64 = 1_000;
/// Bytes of a line, about.
const LINE: u64 = 330;

fn number(name: &str, default: i64) -> i64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn config(dir: &Path, since: UtcMs, settle: &str) -> String {
    let mut text = format!(
        "[account.default]\nendpoint = \"http://127.0.0.1:{}\"\naccess_key = {{ env = \"A\" }}\n\
         secret_key = {{ env = \"B\" }}\n[archive]\nroot = \"{root}\"\ntimezone = \"UTC\"\n\
         [state]\ndir = \"{state}\"\n[defaults]\nsince = \"{since}\"\nsettle = \"{settle}\"\n",
        number("PORT", 18_999),
        root = dir.join("archive").display(),
        state = dir.join("state").display(),
    );
    for job in 0..number("JOBS", 1000) {
        text += &format!(
            "[[job]]\nname = \"job-{job:04}\"\nproject_key = \"Pb_{job}\"\nproject_id = {}\n",
            job + 1
        );
    }
    text
}

#[test]
#[ignore = "a tool that makes a state directory, see above"]
fn ten_years() {
    let dir = PathBuf::from(env::var_os("TEN_YEARS").unwrap());
    let (root, state) = (dir.join("archive"), dir.join("state"));
    for folder in [root.join("_archive"), state.clone()] {
        fs::create_dir_all(folder).unwrap();
    }
    let (disk, now) = (Disk::default(), machine_time());
    let id = ArchiveId::of(1);
    for place in [of_root(&root), of_state(&state)] {
        write(&place, &id, now.to_string(), &disk).unwrap();
    }
    let until = now.0.div_euclid(HOUR) - 3;
    let since = UtcMs((until - LINES) * HOUR);
    for (name, settle) in [("due.toml", "10m"), ("nothing.toml", "12h")] {
        fs::write(dir.join(name), config(&dir, since, settle)).unwrap();
    }
    let jobs = Config::load(&dir.join("due.toml"), now).unwrap();
    let behind = env::var("BEHIND").unwrap_or_else(|_| "0".into());
    let whole = env::var_os("WHOLE").is_some();
    for job in &jobs.jobs {
        let account = &jobs.accounts[&job.account].account;
        let path = Ledger::path(&state, &job.name);
        let mut file = BufWriter::new(File::create(&path).unwrap());
        let mut replay = Replay::default();
        let mut first = until - LINES;
        if !whole {
            let ended = until - WRITTEN;
            replay.coverage.add(span(first * HOUR, ended * HOUR));
            (first, replay.lines) = (ended, (LINES - WRITTEN) as u64);
            replay.end = replay.lines * LINE;
            replay.settings = Some(Settings::of(job, account.endpoint.to_string()));
            file.get_ref().set_len(replay.end).unwrap();
            file.seek(SeekFrom::Start(replay.end)).unwrap();
        }
        let settings = Settings::of(job, account.endpoint.to_string());
        let mut events = vec![Event::Job(Box::new(settings))];
        events.extend((first..until).map(|hour| {
            let window = Window::of(span(hour * HOUR, (hour + 1) * HOUR));
            let folder = FolderName::of(window, &Zone::utc()).relative();
            Event::Archived(Archived {
                window,
                status: Status::Complete,
                records: Some(1_000 + (hour % 24) as u64),
                bytes: 250_000,
                folder: format!("{}/{folder}", job.name),
                manifest_sha256: Digest::of(&hour.to_be_bytes()),
                supersedes: None,
                asked: None,
                opinion: SecondOpinion {
                    by: Some(Way::Download),
                    ..SecondOpinion::default()
                },
                is_inclusive: false,
                is_pruned: false,
            })
        }));
        let left = behind.parse::<usize>().ok();
        let kept_at = left.map(|left| events.len() - left - 1);
        let last = events.len() - 1;
        for (at, event) in events.into_iter().enumerate() {
            if at == last
                && let Event::Archived(archived) = &event
            {
                let folder = root.join(&archived.folder);
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join("manifest.json"), "{}").unwrap();
            }
            let after = Millis((until - last as i64 + at as i64) * HOUR + 700_000);
            let line = replay.next_line(UtcMs(after.0), event);
            let json = line.to_json().unwrap();
            file.write_all(format!("{json}\n").as_bytes()).unwrap();
            replay.take(&line, json.as_bytes()).unwrap();
            if kept_at == Some(at) {
                checkpoint::save(&path, &replay, &disk).unwrap();
            }
        }
        file.flush().unwrap();
        if !whole {
            // Nothing could prove it.
            proof::Proof::of(&state, &job.name, &disk, false).made(now);
        }
    }
}
