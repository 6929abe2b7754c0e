//! The folders of a job in the order of its chain, as its ledger has them: what a receipt's runs are held against. Pure.

use std::collections::{HashMap, HashSet};

use super::receipt::OfJob;
use crate::archive::recorded::Recorded;
use crate::archive::verify::runs::Run;
use crate::digest::Digest;

/// These folders.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    digests: Vec<Digest>,
    /// Where each is.
    at: HashMap<Digest, usize>,
    /// Bytes of all before each, and of all.
    before: Vec<u64>,
}

impl Chain {
    /// The folders that a ledger has recorded, in the order of its lines.
    pub(crate) fn of(recorded: &[Recorded]) -> Self {
        let mut chain = Self {
            before: vec![0],
            ..Self::default()
        };
        let mut bytes = 0_u64;
        for Recorded { archived, .. } in recorded {
            chain
                .at
                .insert(archived.manifest_sha256, chain.digests.len());
            chain.digests.push(archived.manifest_sha256);
            bytes = bytes.saturating_add(archived.bytes);
            chain.before.push(bytes);
        }
        chain
    }

    /// The manifests that a receipt names, and for each of its runs that is none here, why.
    pub(crate) fn named(&self, receipt: &OfJob) -> (HashSet<Digest>, Vec<String>) {
        let (mut named, mut problems) = (HashSet::new(), Vec::new());
        for run in &receipt.runs {
            match self.of_run(run) {
                Ok(digests) => named.extend(digests),
                Err(why) => problems.push(format!("job {}: {why}", receipt.job)),
            }
        }
        (named, problems)
    }

    fn of_run(&self, run: &Run) -> Result<&[Digest], String> {
        let at = |digest: Digest| {
            let at = self.at.get(&digest).copied();
            at.ok_or_else(|| format!("no folder here has the manifest {digest}"))
        };
        let (first, last) = (at(run.first)?, at(run.last)?);
        let found = match first <= last {
            true => self.digests.get(first..=last).unwrap_or_default(),
            false => return Err("a run's last folder is here before its first".to_owned()),
        };
        let bytes = self
            .before
            .get(last + 1)
            .zip(self.before.get(first))
            .map_or(0, |(until, from)| until.saturating_sub(*from));
        // The copy may have folders that were lost here.
        if found.len() as u64 > run.windows || bytes > run.bytes {
            return Err(format!(
                "between the manifests {} and {} there are {} folders of {bytes} bytes here, and the copy has {} of {} \
                 only",
                run.first,
                run.last,
                found.len(),
                run.windows,
                run.bytes
            ));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::publish::Archived;
    use crate::domain::second_opinion::SecondOpinion;
    use crate::domain::span::{Span, UtcMs};
    use crate::domain::split::Status;
    use crate::domain::window::Window;

    fn recorded(number: u8, bytes: u64) -> Recorded {
        Recorded {
            archived: Archived {
                window: Window::of(Span::new(UtcMs(0), UtcMs(1)).unwrap()),
                status: Status::Complete,
                records: None,
                bytes,
                folder: String::new(),
                manifest_sha256: Digest::of(&[number]),
                supersedes: None,
                asked: None,
                opinion: SecondOpinion::default(),
                is_inclusive: false,
                is_pruned: false,
            },
            is_missing: false,
            is_pruned: false,
        }
    }

    /// Guarantee: Evident
    #[test]
    fn a_run_names_folders_only_where_first_last_number_and_bytes_are_those_here() {
        let all: Vec<Recorded> = (1..=4).map(|at| recorded(at, u64::from(at) * 10)).collect();
        let chain = Chain::of(&all);
        let run = |first: u8, last: u8, windows, bytes| Run {
            first: Digest::of(&[first]),
            last: Digest::of(&[last]),
            windows,
            bytes,
        };
        let of = |runs: Vec<Run>| OfJob {
            job: "shop".into(),
            newest: None,
            runs,
        };
        let (named, problems) = chain.named(&of(vec![run(2, 3, 2, 50), run(4, 4, 1, 40)]));
        let wanted: HashSet<Digest> = (2..=4).map(|at| Digest::of(&[at])).collect();
        assert_eq!((named, problems), (wanted, Vec::new()));
        // A copy has one more, which was lost here.
        let (named, problems) = chain.named(&of(vec![run(1, 4, 5, 150)]));
        assert_eq!((named.len(), problems), (4, Vec::new()));
        for wrong in [
            run(1, 4, 3, 100),
            run(1, 4, 4, 99),
            run(1, 9, 4, 100),
            run(0, 4, 4, 100),
            run(4, 1, 4, 100),
            run(3, 2, 0, 0),
            run(2, 3, u64::MAX, 49),
        ] {
            let (named, problems) = chain.named(&of(vec![wrong.clone(), run(1, 1, 1, 10)]));
            assert_eq!(named, HashSet::from([Digest::of(&[1])]), "{wrong:?}");
            assert_eq!(problems.len(), 1);
        }
    }
}
