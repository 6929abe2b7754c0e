//! Whoever may write an archive, and knows how it is made: whatever was changed in it, he makes all else fit.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use elsa_archiver::digest::Digest;
use serde_json::{Value, json};

use crate::harness::files_below;

/// Of a file.
pub fn sha256(path: &Path) -> String {
    Digest::of(&fs::read(path).unwrap()).to_string()
}

/// The intruder.
pub struct Forger {
    /// The archive's root, or a copy's.
    pub root: PathBuf,
    /// The state directory, where he reaches that too.
    pub state: Option<PathBuf>,
    /// The configuration, likewise.
    pub config: Option<PathBuf>,
    /// The folders of each job in the order of its chain, as they were: relative to the root, with their manifests' digests.
    pub chains: BTreeMap<String, Vec<(String, String)>>,
}

impl Forger {
    /// Looks around.
    pub fn new(root: PathBuf, state: Option<PathBuf>, config: Option<PathBuf>) -> Self {
        let mut found: BTreeMap<String, Vec<(String, String, Value)>> = BTreeMap::new();
        for path in files_below(&root) {
            if path.ends_with("manifest.json") {
                let folder = path.parent().unwrap().strip_prefix(&root).unwrap();
                let manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                let job = manifest["job"].as_str().unwrap().to_owned();
                let link = (folder.display().to_string(), sha256(&path), manifest);
                found.entry(job).or_default().push(link);
            }
        }
        let in_order = |links: Vec<(String, String, Value)>| {
            let mut chain: Vec<(String, String)> = Vec::new();
            while let Some((folder, digest, _)) = links.iter().find(|(_, _, manifest)| {
                let before = chain.last().map(|(_, digest)| digest.as_str());
                manifest["previous"].as_str() == before
            }) {
                chain.push((folder.clone(), digest.clone()));
            }
            assert_eq!(chain.len(), links.len());
            chain
        };
        let chains = found.into_iter();
        let chains = chains.map(|(job, links)| (job, in_order(links))).collect();
        Self {
            root,
            state,
            config,
            chains,
        }
    }

    /// The folder of a job at this place of its chain.
    pub fn folder(&self, job: &str, at: usize) -> PathBuf {
        self.root.join(&self.chains[job][at].0)
    }

    /// The file with the records of a folder.
    pub fn data(&self, job: &str, at: usize) -> PathBuf {
        let mut files = files_below(&self.folder(job, at)).into_iter();
        files
            .find(|path| path.to_str().unwrap().contains("part-"))
            .unwrap()
    }

    /// Changes a manifest.
    pub fn manifest(&self, job: &str, at: usize, change: impl FnOnce(&mut Value)) {
        let path = self.folder(job, at).join("manifest.json");
        let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut manifest);
        write_manifest(&path, &manifest);
    }

    /// Removes a folder with its line.
    pub fn remove(&self, job: &str, at: usize) {
        fs::remove_dir_all(self.folder(job, at)).unwrap();
    }

    /// Removes a job with everything.
    pub fn remove_job(&self, job: &str) {
        fs::remove_dir_all(self.root.join(job)).unwrap();
        if let Some(ledger) = self.ledger(job) {
            fs::remove_file(ledger).unwrap();
        }
    }

    /// The ledger of a job, where he reaches it.
    pub fn ledger(&self, job: &str) -> Option<PathBuf> {
        let state = self.state.as_ref()?;
        Some(state.join(format!("{job}.ledger.jsonl")))
    }

    /// The lines of that ledger.
    pub fn lines(&self, job: &str) -> Vec<String> {
        let text = self
            .ledger(job)
            .map(|path| fs::read_to_string(path).unwrap());
        text.unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Replaces the lines of that ledger, each chained to the one before.
    pub fn write_lines(&self, job: &str, lines: &[String]) {
        let Some(path) = self.ledger(job) else { return };
        let (mut text, mut before) = (String::new(), None::<String>);
        for (number, line) in (1..).zip(lines) {
            let known: Value = serde_json::from_str(line).unwrap();
            let is = |key: &str, value: &Value| format!("\"{key}\":{value}");
            let line = line
                .replacen(&is("prev", &known["prev"]), &is("prev", &json!(before)), 1)
                .replacen(&is("seq", &known["seq"]), &is("seq", &json!(number)), 1);
            before = Some(Digest::of(line.as_bytes()).to_string());
            text += &format!("{line}\n");
        }
        fs::write(path, text).unwrap();
    }

    /// Makes everything fit what lies there now: digests, sums, chain, ledger, heads.
    pub fn mend(&self) {
        let digests = self.mend_all_but_heads();
        self.mend_heads(&digests);
    }

    /// The same, and leaves the heads as they are. Returns what digests of manifests have become.
    pub fn mend_all_but_heads(&self) -> HashMap<String, String> {
        let mut digests = HashMap::new();
        for (job, chain) in &self.chains {
            self.mend_folders(chain, &mut digests);
            self.mend_ledger(job, &digests);
        }
        for cache in ["ledger.checkpoint", "proven.json"] {
            for path in self.state.iter().flat_map(|state| files_below(state)) {
                if path.to_str().unwrap().ends_with(cache) {
                    fs::remove_file(path).unwrap();
                }
            }
        }
        digests
    }

    fn mend_folders(&self, chain: &[(String, String)], digests: &mut HashMap<String, String>) {
        let mut before = None::<String>;
        for (folder, was) in chain {
            let folder = self.root.join(folder);
            let path = folder.join("manifest.json");
            let Ok(text) = fs::read(&path) else { continue };
            let mut manifest: Value = serde_json::from_slice(&text).unwrap();
            let as_it_was = manifest.clone();
            for part in manifest["parts"].as_array_mut().unwrap() {
                for file in part["files"].as_array_mut().unwrap() {
                    let path = folder.join(file["path"].as_str().unwrap());
                    if let Ok(bytes) = fs::read(&path) {
                        file["bytes"] = json!(bytes.len());
                        file["sha256"] = json!(Digest::of(&bytes).to_string());
                    }
                }
            }
            manifest["previous"] = json!(before);
            if let Some(supersedes) = manifest["supersedes"]["manifest_sha256"].as_str() {
                manifest["supersedes"]["manifest_sha256"] = json!(digests[supersedes]);
            }
            if manifest != as_it_was {
                write_manifest(&path, &manifest);
            }
            let mut sums = String::new();
            for file in files_below(&folder) {
                let name = file.strip_prefix(&folder).unwrap();
                if !name.to_str().unwrap().starts_with("SHA256SUMS") {
                    sums += &format!("{}  {}\n", sha256(&file), name.display());
                }
            }
            if folder.join("SHA256SUMS").exists() {
                fs::write(folder.join("SHA256SUMS"), sums).unwrap();
            }
            let now = sha256(&path);
            digests.insert(was.clone(), now.clone());
            before = Some(now);
        }
    }

    fn mend_ledger(&self, job: &str, digests: &HashMap<String, String>) {
        let is_here = |line: &String| {
            let known: Value = serde_json::from_str(line).unwrap();
            let folder = known["folder"].as_str();
            folder.is_none_or(|folder| self.root.join(folder).exists())
        };
        let mut lines: Vec<String> = match self.ledger(job).is_some_and(|path| path.exists()) {
            true => self.lines(job).into_iter().filter(is_here).collect(),
            false => return,
        };
        for line in &mut lines {
            let known: Value = serde_json::from_str(line).unwrap();
            let Some(folder) = known["folder"].as_str() else {
                continue;
            };
            let text = fs::read(self.root.join(folder).join("manifest.json")).unwrap();
            let manifest: Value = serde_json::from_slice(&text).unwrap();
            let files = manifest["parts"].as_array().unwrap().iter();
            let files = files.flat_map(|part| part["files"].as_array().unwrap());
            let bytes: u64 = files.map(|file| file["bytes"].as_u64().unwrap()).sum();
            for (key, value) in [
                ("bytes", json!(bytes)),
                ("records", manifest["records"].clone()),
                ("status", manifest["status"].clone()),
            ] {
                let is = |value: &Value| format!("\"{key}\":{value}");
                *line = line.replacen(&is(&known[key]), &is(&value), 1);
            }
            for (was, now) in digests {
                *line = line.replace(was, now);
            }
        }
        self.write_lines(job, &lines);
    }

    fn mend_heads(&self, digests: &HashMap<String, String>) {
        let mut before = None::<(String, PathBuf)>;
        for path in self.heads() {
            let mut lines = self.mended(&path, digests);
            let previous = before.map_or_else(|| "none".to_owned(), |(digest, _)| digest);
            lines.insert("previous-head".to_owned(), previous);
            write_head(&path, &lines);
            before = Some((sha256(&path), path));
        }
        if let Some((_, newest)) = before {
            self.keep(&newest);
        }
    }

    /// The heads, the first one first.
    pub fn heads(&self) -> Vec<PathBuf> {
        let mut all = files_below(&self.root.join("_archive/heads"));
        all.retain(|path| path.extension().is_some_and(|end| end == "head"));
        all
    }

    /// Adds a head that nobody has signed, and that fits what lies there now.
    pub fn add_head(&self, digests: &HashMap<String, String>) {
        let newest = self.heads().pop().unwrap();
        let mut lines = self.mended(&newest, digests);
        lines.remove("key");
        lines.insert("previous-head".to_owned(), sha256(&newest));
        let number = lines["number"].parse::<u32>().unwrap() + 1;
        lines.insert("number".to_owned(), number.to_string());
        let added = newest.with_file_name(format!("{number:06}.head"));
        write_head(&added, &lines);
        self.keep(&added);
    }

    /// Takes key and signature off all heads.
    pub fn unsign(&self) {
        for path in self.heads() {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().filter(|line| !line.starts_with("key: "));
            fs::write(
                &path,
                lines.map(|line| format!("{line}\n")).collect::<String>(),
            )
            .unwrap();
            fs::remove_file(path.with_extension("head.sig")).unwrap();
        }
    }

    fn keep(&self, newest: &Path) {
        if let Some(state) = &self.state {
            fs::copy(newest, state.join("newest.head")).unwrap();
        }
    }

    /// The lines of a head, as they fit what lies there now.
    fn mended(&self, path: &Path, digests: &HashMap<String, String>) -> BTreeMap<String, String> {
        let text = fs::read_to_string(path).unwrap();
        let mut lines: BTreeMap<String, String> = text
            .lines()
            .map(|line| line.split_once(": ").unwrap())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        for (job, chain) in &self.chains {
            let of = |key: &str| format!("job.{job}.{key}");
            let Some(newest) = lines.get(&of("newest-manifest")) else {
                continue;
            };
            let until = chain.iter().position(|(_, was)| was == newest);
            let kept: Vec<&String> = chain[..=until.unwrap()]
                .iter()
                .filter_map(|(_, was)| digests.get(was))
                .collect();
            if kept.is_empty() {
                let prefix = of("");
                lines.retain(|key, _| !key.starts_with(&prefix));
                continue;
            }
            let newest = (*kept.last().unwrap()).clone();
            lines.insert(of("windows"), kept.len().to_string());
            let ledger = self.lines(job);
            let line = ledger.iter().position(|line| line.contains(&newest));
            if let Some(at) = line {
                // The heads of the test are made after a line of a folder, or after others that are not about one.
                let named: usize = lines[&of("ledger-lines")].parse().unwrap();
                let at = if named > ledger.len() || ledger[named - 1].contains("archived") {
                    at + 1
                } else {
                    named
                };
                lines.insert(of("ledger-lines"), at.to_string());
                let digest = Digest::of(ledger[at - 1].as_bytes()).to_string();
                lines.insert(of("ledger-sha256"), digest);
            }
            lines.insert(of("newest-manifest"), newest);
        }
        lines
    }
}

fn write_head(path: &Path, lines: &BTreeMap<String, String>) {
    let lines = lines.iter().map(|(key, value)| format!("{key}: {value}\n"));
    fs::write(path, lines.collect::<String>()).unwrap();
}

/// Writes a manifest.
pub fn write_manifest(path: &Path, manifest: &Value) {
    let text = serde_json::to_string_pretty(manifest).unwrap();
    fs::write(path, format!("{text}\n")).unwrap();
}
