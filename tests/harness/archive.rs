//! Reading an archive back with nothing of the program's own: JSON and CSV by their own crates,
//! digests by `sha256sum`. What is found is compared with what the service knows to be true.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use elsa_archiver::domain::span::{Span, UtcMs};
use elsa_archiver::simulator::truth::{Difference, seqs_in};
use serde_json::Value;

use super::{World, project_key};

/// A window's folder.
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// Relative to the archive's root.
    pub name: String,
    /// Its manifest.
    pub manifest: Value,
    /// The window that the manifest says.
    pub window: Span,
}

/// A log as it was found in the archive.
#[derive(Debug)]
pub struct Found {
    /// Its number in its project.
    pub seq: u64,
    /// Its time.
    pub log_time: UtcMs,
    /// Its text; empty when only other fields were asked for.
    pub body: String,
}

impl World {
    /// The folders of a job that a collector can see, in order of time.
    pub fn folders(&self, job: &str) -> Vec<Folder> {
        let mut folders: Vec<Folder> = files_below(&self.root().join(job))
            .into_iter()
            .filter(|path| path.ends_with("manifest.json"))
            .map(|path| self.folder(path.parent().unwrap()))
            .collect();
        folders.sort_by_key(|folder| folder.window);
        folders
    }

    fn folder(&self, path: &Path) -> Folder {
        let json = fs::read(path.join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&json).unwrap();
        let bound = |name: &str| UtcMs(manifest["window"][name].as_i64().unwrap());
        Folder {
            path: path.to_owned(),
            name: path
                .strip_prefix(self.root())
                .unwrap()
                .display()
                .to_string(),
            window: Span::new(bound("from_ms"), bound("to_ms")).unwrap(),
            manifest,
        }
    }

    /// Asserts that the archive of a job is made up of exactly these windows, and that each holds
    /// exactly what was logged in it.
    #[track_caller]
    pub fn assert_archived(&self, job: &str, windows: &[Span]) {
        let folders = self.folders(job);
        let found: Vec<Span> = folders.iter().map(|folder| folder.window).collect();
        assert_eq!(found, windows);
        for folder in &folders {
            assert_eq!(folder.manifest["status"], "complete", "{}", folder.name);
            self.assert_holds_the_truth(job, folder);
            folder.assert_sums_pass();
        }
    }

    /// Asserts that a window's folder holds exactly what was logged in the window.
    #[track_caller]
    pub fn assert_holds_the_truth(&self, job: &str, folder: &Folder) {
        let project = self.service.project(&project_key(job)).unwrap();
        let records = folder.records();
        let difference = Difference::between(
            seqs_in(project, folder.window),
            records.iter().map(|record| record.seq),
        );
        assert!(difference.is_none(), "{}: {difference}", folder.name);
        assert_eq!(folder.manifest["records"], records.len(), "{}", folder.name);
        for found in records {
            let logged = project.record(found.seq).unwrap();
            assert_eq!(found.log_time, logged.log_time);
            assert!(folder.window.contains(found.log_time), "{found:?}");
            assert!(
                found.body.is_empty() || found.body == logged.body,
                "{found:?}"
            );
        }
    }

    /// Copies the archive as a collector would, and takes everything else away: what is proven of
    /// the copy has to stand for itself.
    pub fn copy_and_nothing_else(&self) -> String {
        let copy = self.path("copy");
        let copied = Command::new("cp")
            .arg("-r")
            .arg(self.root())
            .arg(&copy)
            .status();
        assert!(copied.unwrap().success());
        fs::rename(self.root(), self.path("gone")).unwrap();
        fs::remove_dir_all(self.path("state")).unwrap();
        fs::remove_file(self.path("config.toml")).unwrap();
        copy.display().to_string()
    }

    /// Files below `.staging`.
    pub fn staged(&self) -> Vec<PathBuf> {
        files_below(&self.root().join(".staging"))
    }
}

impl Folder {
    /// Every log in its data files.
    pub fn records(&self) -> Vec<Found> {
        let mut records = Vec::new();
        for (path, bytes) in self.data_files() {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => records.extend(in_json(&bytes)),
                Some("csv") => records.extend(in_csv(&bytes)),
                _ => panic!("{} is no file of the service's", path.display()),
            }
        }
        records
    }

    /// The service's files, unpacked or from the zips that are kept.
    pub fn data_files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        for path in files_below(&self.path) {
            if path.parent() != Some(&self.path) {
                files.push((path.clone(), fs::read(&path).unwrap()));
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "zip") {
                continue;
            }
            let mut zip = zip::ZipArchive::new(File::open(&path).unwrap()).unwrap();
            for index in 0..zip.len() {
                let mut entry = zip.by_index(index).unwrap();
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                let name = path.with_extension("").join(&*entry.name().unwrap());
                files.push((name, bytes));
            }
        }
        files
    }

    /// The numbers of the logs in its data files, whatever else they tell. One that has none counts as
    /// a log that was never there.
    pub fn seqs(&self) -> Vec<u64> {
        let number = |text: &str| text.parse().unwrap_or(u64::MAX);
        let mut seqs = Vec::new();
        for (path, bytes) in self.data_files() {
            if path.extension().is_some_and(|extension| extension == "csv") {
                let mut reader = csv::Reader::from_reader(&bytes[..]);
                let headers = reader.headers().unwrap().clone();
                let column = headers.iter().position(|header| header == "seq").unwrap();
                let rows = reader.records().map(Result::unwrap);
                seqs.extend(rows.map(|row| number(&row[column])));
                continue;
            }
            for value in serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>() {
                let seq = |object: &Value| object["seq"].as_str().map_or(u64::MAX, number);
                match value.unwrap() {
                    Value::Array(list) => seqs.extend(list.iter().map(seq)),
                    object => seqs.push(seq(&object)),
                }
            }
        }
        seqs
    }

    /// Every byte in it.
    pub fn content(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files_below(&self.path)
            .into_iter()
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    }

    /// The attempts that its first part took.
    pub fn attempts(&self) -> u64 {
        self.manifest["parts"][0]["attempts"].as_u64().unwrap()
    }

    /// Asserts that `sha256sum` finds every file as it was published.
    #[track_caller]
    pub fn assert_sums_pass(&self) {
        let checked = Command::new("sha256sum")
            .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
            .current_dir(&self.path)
            .output()
            .unwrap();
        assert!(checked.status.success(), "{}: {checked:?}", self.name);
        let sums = fs::read_to_string(self.path.join("SHA256SUMS")).unwrap();
        let files = files_below(&self.path).len();
        assert_eq!(sums.lines().count() + 1, files, "{}: {sums}", self.name);
    }
}

/// Values one after another, or in arrays, whatever is between them.
pub fn in_json(json: &[u8]) -> Vec<Found> {
    let values = serde_json::Deserializer::from_slice(json).into_iter::<Value>();
    let mut records = Vec::new();
    for value in values {
        match value.unwrap() {
            Value::Array(list) => records.extend(list.iter().map(from_object)),
            object => records.push(from_object(&object)),
        }
    }
    records
}

fn from_object(object: &Value) -> Found {
    let text = |field: &str| match &object[field] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    found(&text("seq"), &text("logTime"), text("body"))
}

pub fn in_csv(csv: &[u8]) -> Vec<Found> {
    let mut reader = csv::Reader::from_reader(csv);
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name);
    let (seq, log_time) = (column("seq"), column("logTime"));
    let body = column("body");
    reader
        .records()
        .map(|row| {
            let row = row.unwrap();
            let cell = |column: Option<usize>| column.and_then(|at| row.get(at)).unwrap_or("");
            found(cell(seq), cell(log_time), cell(body).to_owned())
        })
        .collect()
}

fn found(seq: &str, log_time: &str, body: String) -> Found {
    let log_time = match log_time.parse() {
        Ok(ms) => UtcMs(ms),
        Err(_) => UtcMs::from(log_time.parse::<jiff::Timestamp>().unwrap()),
    };
    Found {
        seq: seq.parse().unwrap(),
        log_time,
        body,
    }
}

/// Every file below a folder, in order of their paths; none when there is no such folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut below = vec![folder.to_owned()];
    while let Some(folder) = below.pop() {
        // What a running program has just moved away is somewhere else by now.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => below.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    files
}
