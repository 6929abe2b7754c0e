//! What must hold of heads at any instant: each is whole, signed, and names nothing that is not there.

use std::collections::BTreeMap;
use std::fs;

use elsa_archiver::digest::Digest;

use super::call::{Disks, HEADS};

/// Asserts that no head is half, that each names lines that its ledger has, and that the one which the state directory
/// keeps is in the archive.
pub fn assert_name_what_is_there(disks: &Disks) {
    let folder = disks.archive.join(HEADS);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(&folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with('.') || name.ends_with(".sig") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.ends_with('\n') && text.contains("\ntime: "),
            "{name} is half"
        );
        // A signature may be of a head that a kill has kept away; a head is never without.
        let signature = fs::read_to_string(folder.join(format!("{name}.sig"))).unwrap_or_default();
        assert!(
            text.contains("\nkey: ") && signature.ends_with("-----END SSH SIGNATURE-----\n"),
            "{name} is not signed: {signature}"
        );
        numbers.push(
            name.strip_suffix(".head")
                .unwrap()
                .parse::<usize>()
                .unwrap(),
        );
        let lines: BTreeMap<&str, &str> = text
            .lines()
            .map(|line| line.split_once(": ").unwrap())
            .collect();
        for (key, number) in &lines {
            let Some(job) = key.strip_suffix(".ledger-lines") else {
                continue;
            };
            let digest = lines[format!("{job}.ledger-sha256").as_str()];
            let job = job.strip_prefix("job.").unwrap();
            let ledger = disks.state_dir().join(format!("{job}.ledger.jsonl"));
            let ledger = fs::read(ledger).unwrap();
            let number: usize = number.parse().unwrap();
            let mut whole = ledger.split(|byte| *byte == b'\n');
            let line = whole.nth(number - 1).unwrap();
            let found = Digest::of(line).to_string();
            assert_eq!(found, digest, "{name} names line {number} of {job}");
        }
    }
    numbers.sort_unstable();
    assert!(
        numbers.iter().copied().eq(1..=numbers.len()),
        "a head is missing: {numbers:?}"
    );
    if let Ok(kept) = fs::read(disks.state_dir().join("newest.head")) {
        let newest = folder.join(format!("{:06}.head", numbers.len()));
        let before = folder.join(format!("{:06}.head", numbers.len().max(1) - 1));
        let is_there = [newest, before].map(|path| fs::read(path).unwrap_or_default() == kept);
        assert!(
            is_there.contains(&true),
            "the state directory keeps a head that is not there"
        );
    }
}
