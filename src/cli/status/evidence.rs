//! What `status` says of the archive's heads: the newest one, and what they lack of what is configured.

use serde::Serialize;

use crate::archive::manifest::local_time;
use crate::archive::storage::{Local, Storage};
use crate::config::Config;
use crate::domain::evidence_lack::{Heads, Lack, WITHIN, Wanted, lacks};
use crate::domain::identity::ArchiveId;
use crate::domain::span::UtcMs;
use crate::evidence::head::Head;
use crate::evidence::heads::{Place, is_signed_by, newest, oldest};
use crate::evidence::stamping::newest_stamped;

/// The newest head, and what there is to do.
#[derive(Serialize)]
pub(super) struct Evidence {
    /// Its number; null where its file can't be told.
    head: Option<u64>,
    /// When it was made, RFC 3339.
    at: Option<String>,
    /// The fingerprint of the key that has signed it; null where none has.
    signed_with: Option<String>,
    /// When the newest head of the last days was made that is timestamped; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamped: Option<String>,
    /// What is to be looked at.
    problems: Vec<String>,
}

impl Evidence {
    /// What there is of this archive; `None` where it has no head yet. With `is_daily` a daemon makes another each day.
    pub(super) fn look(
        config: &Config,
        id: &ArchiveId,
        is_daily: bool,
        now: UtcMs,
    ) -> Option<Self> {
        let place = Place {
            root: &config.archive.root,
            state_dir: &config.state_dir,
        };
        let found = match newest(place, id, None) {
            Ok(found) => found,
            Err(error) => return Some(Self::unknown(error.to_string())),
        };
        let storage = Local::at(&config.archive.root);
        let Some(head) = found.head else {
            return found.doubt.map(Self::unknown);
        };
        let mut seen = Self::of(config, &storage, &head, is_daily, now);
        seen.problems.extend(found.doubt);
        Some(seen)
    }

    fn unknown(problem: String) -> Self {
        Self {
            head: None,
            at: None,
            signed_with: None,
            timestamped: None,
            problems: vec![problem],
        }
    }

    fn of(config: &Config, storage: &dyn Storage, head: &Head, is_daily: bool, now: UtcMs) -> Self {
        let signed_by = head.key.as_ref();
        let signed_by = signed_by.filter(|key| is_signed_by(storage, key, head));
        let stamped = newest_stamped(storage, &head.archive, head.at.minus(WITHIN));
        let heads = Heads {
            oldest: oldest(storage, &head.archive).map_or(head.at, |oldest| oldest.at),
            newest: head.at,
            is_signed: signed_by.is_some(),
            stamped,
        };
        let configured = config.evidence.as_ref();
        let wanted = Wanted {
            daily: is_daily,
            signed: configured.is_some_and(|evidence| evidence.key.is_some()),
            stamped: configured.is_some_and(|evidence| evidence.timestamp.is_some()),
        };
        let lacks = lacks(heads, wanted, now).into_iter();
        let local = |at: UtcMs| local_time(at, &config.archive.zone);
        Self {
            head: Some(head.number),
            at: Some(local(head.at)),
            signed_with: signed_by.map(|key| key.fingerprint()),
            timestamped: stamped.map(local),
            problems: lacks.map(words).map(str::to_owned).collect(),
        }
    }

    /// Whether it is left out of what programs read.
    pub(super) fn is_left_out(evidence: &Option<Self>) -> bool {
        evidence.as_ref().is_none_or(Self::is_well)
    }

    /// Whether there is nothing to do.
    pub(super) const fn is_well(&self) -> bool {
        self.problems.is_empty()
    }

    /// For people.
    pub(super) fn listing(&self) -> String {
        let mut told = Vec::new();
        if !self.is_well() {
            told.push("needs attention".to_owned());
        }
        if let (Some(number), Some(at)) = (self.head, &self.at) {
            told.push(format!("head {number} of {at}"));
            told.push(match &self.signed_with {
                Some(key) => format!("signed with {key}"),
                None => "not signed".to_owned(),
            });
        }
        let stamped = self.timestamped.iter();
        told.extend(stamped.map(|at| format!("timestamped as of {at}")));
        let mut text = format!("evidence: {}\n", told.join(", "));
        for problem in &self.problems {
            text += &format!("  {problem}\n");
        }
        text
    }
}

const fn words(lack: Lack) -> &'static str {
    match lack {
        Lack::Head => "no head was made for two days, though the daemon is alive; its log says why",
        Lack::Signature => {
            "evidence.key is set, and this head is not signed by it; the daemon's log says why, and \
             `elsa-archiver head now` makes another"
        }
        Lack::Timestamp => {
            "evidence.timestamp is set, and no head was timestamped for two days; the log says why"
        }
    }
}
