//! A zip that is refused in the midst of a cycle, and what must hold of the quarantine wherever the
//! cycle ends: what can be seen there is whole, and what the log says is kept is there.

use std::fs;
use std::path::{Path, PathBuf};

use elsa_archiver::digest::Digest;
use elsa_archiver::domain::span::Span;
use elsa_archiver::simulator::{Fault, FaultPlan};
use serde_json::Value;

use super::call::{Disks, QUARANTINE};
use crate::harness::{project_key, zip_of};

/// The job that gets it.
pub const JOB: &str = "shop";

/// Its first answer, and no other.
pub fn once() -> FaultPlan {
    FaultPlan::script([Fault::Body(damaged())]).only_for(&project_key(JOB))
}

/// A zip with a byte that does not fit the others.
fn damaged() -> Vec<u8> {
    let mut zip = zip_of("a.json", "{\"logTime\":1,\"body\":\"a log\"}\n");
    // Beyond the local header and the name: in the data.
    zip[40] ^= 0xFF;
    zip
}

/// Leaves what a crash leaves of this very zip: its reason, and half of it.
pub fn leave_half(disks: &Disks, window: Span) {
    let zip = damaged();
    let digest = Digest::of(&zip).to_string();
    let (from, to) = (window.from().0, window.to().0);
    let stem = format!("{JOB}-{from}-{to}-{}", &digest[..16]);
    let folder = folder(disks);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{stem}.json")), "{}\n").unwrap();
    let half = &zip[..zip.len() / 2];
    fs::write(folder.join(format!(".new-{stem}.zip")), half).unwrap();
}

/// Asserts that nothing is half under a final name, that each zip has the reason that fits, and
/// that what the log says is kept is kept.
pub fn assert_nothing_half(disks: &Disks, log: &str) {
    for path in finals(disks) {
        let bytes = fs::read(&path).unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("zip") => {
                assert!(bytes == damaged(), "{} is not whole", path.display());
                assert_reason_fits(&path.with_extension("json"), &bytes);
            }
            Some("json") => drop(serde_json::from_slice::<Value>(&bytes).unwrap()),
            _ => panic!("{} has no business there", path.display()),
        }
    }
    for claim in log.split("it is kept as ").skip(1) {
        let place = Path::new(claim.split_whitespace().next().unwrap());
        let place = place.to_owned();
        assert!(finals(disks).contains(&place), "not kept: {claim}");
    }
}

/// Asserts that what a crash has left is gone: each reason has its zip, and nothing has another
/// name.
pub fn assert_tidy(disks: &Disks) {
    let finals = finals(disks);
    assert_eq!(names(disks), finals, "left half-done");
    for path in finals {
        assert!(path.with_extension("zip").exists(), "{}", path.display());
    }
}

fn assert_reason_fits(reason: &Path, zip: &[u8]) {
    let reason: Value = serde_json::from_slice(&fs::read(reason).unwrap()).unwrap();
    assert_eq!(reason["zip"]["sha256"], Digest::of(zip).to_string());
    assert_eq!(reason["zip"]["bytes"], zip.len());
    assert_eq!(reason["job"], JOB);
    assert_ne!(reason["reason"].as_str().unwrap(), "");
}

/// What has a name under which it is kept.
fn finals(disks: &Disks) -> Vec<PathBuf> {
    let unfinished = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(".new-")
    };
    let mut names = names(disks);
    names.retain(|path| !unfinished(path));
    names
}

fn names(disks: &Disks) -> Vec<PathBuf> {
    let listing = fs::read_dir(folder(disks)).into_iter().flatten();
    listing.map(|entry| entry.unwrap().path()).collect()
}

fn folder(disks: &Disks) -> PathBuf {
    disks.state.join(QUARANTINE)
}
