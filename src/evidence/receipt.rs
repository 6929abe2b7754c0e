//! A receipt: a text file by which another place says which copies it has proven. Pure. Carries *Evident*: one that was
//! changed, cut or made for another archive is none.
//!
//! Each line is `key: value`; the last one is the SHA-256 of all lines before it. A receipt names the one that its place
//! gave before, so that none of them can be left out or be put in another's place.

use std::fmt::Write as _;
use std::str::FromStr;

use crate::archive::verify::runs::Run;
use crate::digest::Digest;
use crate::domain::identity::ArchiveId;
use crate::domain::job::JobName;
use crate::domain::span::UtcMs;

/// What a receipt begins with: what it is, and the version of its format.
const VERSION: &str = "elsa-archiver-receipt: 1";

/// The longest name of a place.
const LONGEST_PLACE: usize = 64;

/// Where a copy lies, as its keeper calls it: 1 to 64 of `a-z`, `A-Z`, `0-9`, `.`, `_` and `-`, not beginning with a dot or
/// a dash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place(String);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.is_empty() || text.len() > LONGEST_PLACE || !text.chars().all(is_known) {
            return Err(format!(
                "a place's name has 1 to {LONGEST_PLACE} letters, digits, `.`, `_` or `-`"
            ));
        }
        match text.starts_with(['.', '-']) {
            true => Err("a place's name begins with a letter, a digit or `_`".to_owned()),
            false => Ok(Self(text.to_owned())),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a receipt says of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfJob {
    /// The job.
    pub(crate) job: String,
    /// The newest manifest; `None` where the copy has several ends.
    pub(crate) newest: Option<Digest>,
    /// The folders that were proven.
    pub(crate) runs: Vec<Run>,
}

impl OfJob {
    /// How many folders were proven.
    pub(crate) fn windows(&self) -> u64 {
        let windows = self.runs.iter().map(|run| run.windows);
        windows.fold(0, u64::saturating_add)
    }

    /// Their bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let bytes = self.runs.iter().map(|run| run.bytes);
        bytes.fold(0, u64::saturating_add)
    }
}

/// What a receipt says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Of which archive the copy is.
    pub(crate) archive: ArchiveId,
    /// Where it lies.
    pub(crate) place: Place,
    /// Of the receipts of this place: 1 for the first.
    pub(crate) number: u64,
    /// When it was proven.
    pub(crate) at: UtcMs,
    /// The digest of the place's receipt before this one; `None` on the first.
    pub(crate) previous: Option<Digest>,
    /// What was proven of each job.
    pub(crate) jobs: Vec<OfJob>,
}

impl Receipt {
    /// The receipt as text.
    pub(crate) fn to_text(&self) -> String {
        let body = self.body();
        let digest = Digest::of(body.as_bytes());
        format!("{body}sha256: {digest}\n")
    }

    /// What the place's next receipt names: the digest of all lines but the last.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.body().as_bytes())
    }

    fn body(&self) -> String {
        let or_none = |digest: Option<Digest>| match digest {
            Some(digest) => digest.to_string(),
            None => "none".to_owned(),
        };
        let mut text = format!(
            "{VERSION}\narchive: {}\nplace: {}\nnumber: {}\nat: {}\nprevious: {}\n",
            self.archive,
            self.place,
            self.number,
            self.at.timestamp(),
            or_none(self.previous)
        );
        for job in &self.jobs {
            let (windows, bytes) = (job.windows(), job.bytes());
            let _ = writeln!(text, "job: {}", job.job);
            let _ = writeln!(text, "newest: {}", or_none(job.newest));
            let _ = writeln!(text, "windows: {windows}\nbytes: {bytes}");
            for run in &job.runs {
                let _ = writeln!(
                    text,
                    "run: {} {} {} {}",
                    run.first, run.last, run.windows, run.bytes
                );
            }
        }
        text
    }

    /// Reads a receipt.
    ///
    /// # Errors
    /// When it is none, or was changed since it was made; why, in words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = Lines(text.lines().peekable());
        match lines.0.next() {
            Some(VERSION) => {}
            Some(line) if line.starts_with("elsa-archiver-receipt: ") => {
                return Err("a newer version of elsa-archiver made it".to_owned());
            }
            _ => return Err("it is no receipt".to_owned()),
        }
        let archive = lines.value("archive")?.to_owned();
        let mut receipt = Self {
            archive: ArchiveId::try_from(archive).map_err(str::to_owned)?,
            place: lines.value("place")?.parse()?,
            number: lines.number("number")?,
            at: lines.time("at")?,
            previous: lines.digest_or_none("previous")?,
            jobs: Vec::new(),
        };
        while lines.has("job") {
            let job = lines.value("job")?;
            JobName::parse(job).map_err(|why| format!("the job's name {why}"))?;
            if receipt.jobs.iter().any(|known| known.job == job) {
                return Err(format!("it names the job {job} twice"));
            }
            let (newest, job) = (lines.digest_or_none("newest")?, job.to_owned());
            // They are the sums of what follows, for people.
            lines.number("windows")?;
            lines.number("bytes")?;
            let mut runs = Vec::new();
            while lines.has("run") {
                runs.push(run(lines.value("run")?)?);
            }
            receipt.jobs.push(OfJob { job, newest, runs });
        }
        // What differs by one byte from what this place would have written is not what it has written.
        match receipt.to_text() == text {
            true => Ok(receipt),
            false => Err("it was changed after it was made, or cut off".to_owned()),
        }
    }
}

fn run(text: &str) -> Result<Run, String> {
    let wrong = || "a line `run` is not: first manifest, last manifest, windows, bytes".to_owned();
    let mut words = text.split(' ');
    let mut word = || words.next().ok_or_else(wrong);
    let (first, last) = (word()?, word()?);
    Ok(Run {
        windows: word()?.parse().map_err(|_| wrong())?,
        bytes: word()?.parse().map_err(|_| wrong())?,
        first: first.parse().map_err(|_| wrong())?,
        last: last.parse().map_err(|_| wrong())?,
    })
}

/// Lines of `key: value`.
struct Lines<'a>(std::iter::Peekable<std::str::Lines<'a>>);

impl<'a> Lines<'a> {
    fn has(&mut self, key: &str) -> bool {
        let line = self.0.peek();
        line.and_then(|line| line.split_once(": "))
            .is_some_and(|(found, _)| found == key)
    }

    fn value(&mut self, key: &str) -> Result<&'a str, String> {
        let line = self.0.next().and_then(|line| line.split_once(": "));
        match line {
            Some((found, value)) if found == key => Ok(value),
            _ => Err(format!("it lacks the line `{key}` in its place")),
        }
    }

    fn number(&mut self, key: &str) -> Result<u64, String> {
        let number = self.value(key)?.parse();
        number.map_err(|_| format!("its line `{key}` is no number"))
    }

    fn time(&mut self, key: &str) -> Result<UtcMs, String> {
        let time = self.value(key)?.parse::<jiff::Timestamp>();
        time.map(UtcMs::from)
            .map_err(|_| format!("its line `{key}` is no RFC 3339 time"))
    }

    fn digest_or_none(&mut self, key: &str) -> Result<Option<Digest>, String> {
        match self.value(key)? {
            "none" => Ok(None),
            digest => match digest.parse() {
                Ok(digest) => Ok(Some(digest)),
                Err(_) => Err(format!("its line `{key}` is no SHA-256")),
            },
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A receipt of a place, which follows another.
    pub(in crate::evidence) fn receipt(place: &str, before: Option<&Receipt>, at: i64) -> Receipt {
        let run = |first: u8, last: u8| Run {
            first: Digest::of(&[first]),
            last: Digest::of(&[last]),
            windows: u64::from(last - first) + 1,
            bytes: 40,
        };
        Receipt {
            archive: ArchiveId::of(7),
            place: place.parse().unwrap(),
            number: before.map_or(1, |before| before.number + 1),
            at: UtcMs(at),
            previous: before.map(Receipt::digest),
            jobs: vec![
                OfJob {
                    job: "shop".into(),
                    newest: Some(Digest::of(&[9])),
                    runs: vec![run(1, 4), run(6, 9)],
                },
                OfJob {
                    job: "pay".into(),
                    newest: None,
                    runs: Vec::new(),
                },
            ],
        }
    }

    /// Guarantee: Evident
    #[test]
    fn a_receipt_is_read_as_it_was_made_and_no_other_byte_is() {
        let first = receipt("vault-7", None, 1_000);
        let second = receipt("vault-7", Some(&first), 2_500);
        for receipt in [&first, &second] {
            assert_eq!(Receipt::parse(&receipt.to_text()).as_ref(), Ok(receipt));
        }
        let text = second.to_text();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            Receipt::parse(std::str::from_utf8(&bytes).unwrap()).unwrap_err();
            Receipt::parse(&text[..at]).unwrap_err();
        }
        let twice = second.to_text().replace("job: pay", "job: shop");
        assert!(Receipt::parse(&twice).unwrap_err().contains("twice"));
        Receipt::parse(&format!("{text}\n")).unwrap_err();
        Receipt::parse(&text.replace('\n', "\r\n")).unwrap_err();
        let newer = text.replace("receipt: 1", "receipt: 2");
        let why = Receipt::parse(&newer).unwrap_err();
        assert!(why.contains("newer version"), "{why}");
    }

    #[test]
    fn a_place_has_a_name_that_is_also_a_file_s() {
        for good in ["a", "Vault_7.b-c", &"x".repeat(64)] {
            good.parse::<Place>().unwrap();
        }
        for wrong in [
            "",
            ".",
            "-a",
            "a b",
            "a/b",
            "\u{bc95}",
            "a\n",
            &"x".repeat(65),
        ] {
            wrong.parse::<Place>().unwrap_err();
        }
    }
}
