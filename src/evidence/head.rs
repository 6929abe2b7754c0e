//! A head: a text file that names, at one instant, how far each job's ledger and chain of manifests reached. Pure. Carries
//! *Evident*: kept elsewhere, it notices whatever was rewritten, removed or backdated since.
//!
//! Each line is `key: value`; the lines are sorted by their bytes, so that two programs write the same.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::str::FromStr;

use crate::digest::Digest;
use crate::domain::identity::ArchiveId;
use crate::domain::job::JobName;
use crate::domain::signing::PublicKey;
use crate::domain::span::UtcMs;

/// The version of the format.
const VERSION: u32 = 1;

/// What stands where there is nothing to name.
const NONE: &str = "none";

/// The line of the key that signs, and of the one after it; without a key there is none.
const KEY: &str = "key";
const NEXT_KEY: &str = "next-key";

/// What begins the key of a line about a job.
const JOB: &str = "job.";

/// What a head says of one job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OfJob {
    /// The first instant that is to be archived, UTC; `None` where the ledger does not say it.
    pub(crate) since: Option<UtcMs>,
    /// Lines of its ledger.
    pub(crate) lines: u64,
    /// SHA-256 of the last one, without its newline: the next line names it as `prev`, so it stands for all before it.
    pub(crate) ledger: Option<Digest>,
    /// Folders that the ledger has recorded, superseded ones too.
    pub(crate) windows: u64,
    /// Windows whose data were let go of by then.
    pub(crate) pruned: u64,
    /// At how many places the chain of manifests may break: folders that are missing or set aside, and what a rebuilt
    /// ledger has found.
    pub(crate) holes: u64,
    /// The end of the span since `since` that is archived, or known to be lost, without a gap.
    pub(crate) covered_until: Option<UtcMs>,
    /// SHA-256 of the `manifest.json` that was recorded last.
    pub(crate) newest: Option<Digest>,
}

/// What a head says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Of which archive it is.
    pub(crate) archive: ArchiveId,
    /// 1 for the first, then one more each.
    pub(crate) number: u64,
    /// When it was made.
    pub(crate) at: UtcMs,
    /// SHA-256 of the head before; `None` on the first.
    pub(crate) previous: Option<Digest>,
    /// SHA-256 of the timestamp of the head before; `None` where it has none.
    pub(crate) previous_timestamp: Option<Digest>,
    /// The key that signs it; `None` where nothing does.
    pub(crate) key: Option<PublicKey>,
    /// The key that is to sign after this one.
    pub(crate) next_key: Option<PublicKey>,
    /// The jobs, retired ones too.
    pub(crate) jobs: BTreeMap<JobName, OfJob>,
}

impl Head {
    /// What its file is called: `000017.head`.
    pub(crate) fn file_name(&self) -> String {
        file_name(self.number)
    }

    /// Whether it is the next one after another.
    pub(crate) fn follows(&self, before: &Self) -> bool {
        self.previous == Some(before.digest()) && before.number.checked_add(1) == Some(self.number)
    }

    /// Why the ledgers of jobs, which show this now, do not simply go on from it: what is seen of that at a glance. Then the
    /// next head is due at once.
    pub(crate) fn replaced(&self, now: &BTreeMap<JobName, OfJob>) -> Vec<String> {
        let of_job = |(job, was): (&JobName, &OfJob)| {
            let now = now.get(job)?;
            let number = self.number;
            let goes_on =
                now.lines > was.lines || (now.lines == was.lines && now.ledger == was.ledger);
            match (goes_on, now.holes > was.holes) {
                (false, _) => Some(format!(
                    "the ledger of the job {job} does not have the line {} that the head {number} names: it was replaced \
                     since",
                    was.lines
                )),
                (true, true) => Some(format!(
                    "more folders of the job {job} are missing than when the head {number} was made"
                )),
                (true, false) => None,
            }
        };
        self.jobs.iter().filter_map(of_job).collect()
    }

    /// SHA-256 of its file.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.to_text().as_bytes())
    }

    /// The head as text.
    pub(crate) fn to_text(&self) -> String {
        let mut lines = vec![
            line("archive", &self.archive),
            line("elsa-archiver-head", &VERSION),
            line("number", &self.number),
            line("previous-head", &or_none(self.previous)),
            line("previous-timestamp", &or_none(self.previous_timestamp)),
            line("time", &self.at.timestamp()),
        ];
        let keys = [(KEY, &self.key), (NEXT_KEY, &self.next_key)];
        let keys = keys
            .into_iter()
            .filter_map(|(name, key)| Some((name, key.as_ref()?)));
        lines.extend(keys.map(|(name, key)| line(name, key)));
        for (job, of_job) in &self.jobs {
            let instant = |at: Option<UtcMs>| or_none(at.map(UtcMs::timestamp));
            let mut of = |key: &str, value: &dyn Display| {
                lines.push(line(&format!("{JOB}{job}.{key}"), value));
            };
            of("covered-until", &instant(of_job.covered_until));
            of("holes", &of_job.holes);
            of("ledger-lines", &of_job.lines);
            of("ledger-sha256", &or_none(of_job.ledger));
            of("newest-manifest", &or_none(of_job.newest));
            of("pruned", &of_job.pruned);
            of("since", &instant(of_job.since));
            of("windows", &of_job.windows);
        }
        lines.sort_unstable();
        lines.concat()
    }

    /// Reads a head.
    ///
    /// # Errors
    /// When it is none, or not as this program writes it; why, in words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut values = BTreeMap::new();
        for line in text.lines() {
            let (key, value) = line.split_once(": ").ok_or("it is no head")?;
            if values.insert(key, value).is_some() {
                return Err("it says something twice".to_owned());
            }
        }
        let version: u32 =
            number(&mut values, "elsa-archiver-head").map_err(|_| "it is no head")?;
        if version != VERSION {
            return Err("a newer version of elsa-archiver made it".to_owned());
        }
        let archive = value(&mut values, "archive")?.to_owned();
        let mut head = Self {
            archive: ArchiveId::try_from(archive).map_err(str::to_owned)?,
            number: number(&mut values, "number")?,
            at: instant(&mut values, "time")?.ok_or("it has no time")?,
            previous: optional(&mut values, "previous-head")?,
            previous_timestamp: optional(&mut values, "previous-timestamp")?,
            key: key(&mut values, KEY)?,
            next_key: key(&mut values, NEXT_KEY)?,
            jobs: BTreeMap::new(),
        };
        while let Some((&key, _)) = values.first_key_value() {
            let job = key.strip_prefix(JOB).and_then(|rest| rest.rsplit_once('.'));
            let (name, _) = job.ok_or_else(|| unknown(key))?;
            let job = JobName::parse(name).map_err(|_| unknown(key))?;
            let key = |key: &str| format!("{JOB}{name}.{key}");
            let of_job = OfJob {
                since: instant(&mut values, &key("since"))?,
                lines: number(&mut values, &key("ledger-lines"))?,
                ledger: optional(&mut values, &key("ledger-sha256"))?,
                windows: number(&mut values, &key("windows"))?,
                holes: number(&mut values, &key("holes"))?,
                pruned: number(&mut values, &key("pruned"))?,
                covered_until: instant(&mut values, &key("covered-until"))?,
                newest: optional(&mut values, &key("newest-manifest"))?,
            };
            head.jobs.insert(job, of_job);
        }
        // What differs by one byte from what was written is not what was written.
        match head.to_text() == text {
            true => Ok(head),
            false => {
                Err("it is not as elsa-archiver writes it: it was changed, or cut off".to_owned())
            }
        }
    }
}

/// What the file of the head with this number is called.
pub(crate) fn file_name(number: u64) -> String {
    format!("{number:06}.head")
}

fn line(key: &str, value: &dyn Display) -> String {
    let mut line = String::new();
    let _ = writeln!(line, "{key}: {value}");
    line
}

fn or_none(value: Option<impl Display>) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| value.to_string())
}

fn unknown(key: &str) -> String {
    format!("it has a line {key:?}, which this version does not know")
}

type Values<'a> = BTreeMap<&'a str, &'a str>;

fn value<'a>(values: &mut Values<'a>, key: &str) -> Result<&'a str, String> {
    values
        .remove(key)
        .ok_or_else(|| format!("it lacks the line `{key}`"))
}

fn number<T: FromStr>(values: &mut Values<'_>, key: &str) -> Result<T, String> {
    let number = value(values, key)?.parse();
    number.map_err(|_| format!("its line `{key}` is no number"))
}

fn instant(values: &mut Values<'_>, key: &str) -> Result<Option<UtcMs>, String> {
    let at: Option<jiff::Timestamp> = optional(values, key)?;
    Ok(at.map(UtcMs::from))
}

fn optional<T: FromStr>(values: &mut Values<'_>, key: &str) -> Result<Option<T>, String> {
    match value(values, key)? {
        NONE => Ok(None),
        text => match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(format!("its line `{key}` can't be read")),
        },
    }
}

fn key(values: &mut Values<'_>, name: &str) -> Result<Option<PublicKey>, String> {
    let key = values.remove(name).map(str::parse).transpose();
    key.map_err(|why| format!("its line `{name}` can't be read: {why}"))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A head that follows another.
    pub(in crate::evidence) fn head(before: Option<&Head>, at: i64, lines: u64) -> Head {
        let of_job = OfJob {
            since: Some(UtcMs(0)),
            lines,
            ledger: Some(Digest::of(&lines.to_be_bytes())),
            windows: lines,
            pruned: 0,
            holes: 0,
            covered_until: Some(UtcMs(at - 1)),
            newest: Some(Digest::of(b"manifest")),
        };
        let name = |name: &str| JobName::parse(name).unwrap();
        Head {
            archive: ArchiveId::of(7),
            number: before.map_or(1, |before| before.number + 1),
            at: UtcMs(at),
            previous: before.map(Head::digest),
            previous_timestamp: None,
            key: None,
            next_key: None,
            jobs: BTreeMap::from([
                (name("shop"), of_job),
                // Its lines lie among those of the job before it.
                (name("shop.since"), OfJob::default()),
            ]),
        }
    }

    /// Guarantee: Evident
    #[test]
    fn a_head_is_read_as_it_was_made_and_no_other_byte_is() {
        let first = head(None, 1_000, 5);
        let second = head(Some(&first), 86_400_001, 9);
        for head in [&first, &second] {
            assert_eq!(Head::parse(&head.to_text()).as_ref(), Ok(head));
        }
        let text = second.to_text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.is_sorted(), "{text}");
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            // Another value is another head, which the one after it does not name.
            let changed = Head::parse(std::str::from_utf8(&bytes).unwrap());
            assert!(changed.is_err() || changed != Ok(second.clone()), "{at}");
            assert!(Head::parse(&text[..at]).is_err(), "{at}");
        }
        for wrong in [
            format!("{text}\n"),
            text.replace('\n', "\r\n"),
            text.replace("number: 2", "number: 02"),
            text.replace("1970-01-01T00:00:00Z", "1970-01-01T09:00:00+09:00"),
            format!("{text}zzz: 1\n"),
            text.replace("job.shop.windows: 9\n", ""),
            text.replace("job.shop.", "job.Shop."),
            lines.iter().rev().map(|line| format!("{line}\n")).collect(),
        ] {
            assert!(Head::parse(&wrong).is_err(), "{wrong}");
        }
        let newer = text.replace("head: 1", "head: 2");
        let why = Head::parse(&newer).unwrap_err();
        assert!(why.contains("newer version"), "{why}");
        assert_eq!(Head::parse("manifest\n"), Err("it is no head".to_owned()));
    }

    proptest! {
        #[test]
        fn no_text_brings_the_reader_down(text in "[a-z: .\\-0-9\n]{0,200}") {
            let _ = Head::parse(&text);
        }
    }
}
