//! Reading a ledger: the chain of lines is checked and folded into what it shows. Pure but for
//! the reader it is given; carries *Self-healing* (coverage is nothing but this replay).

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use thiserror::Error;

use super::line::{Event, Line};
use crate::archive::publish::Archived;
use crate::digest::Digest;
use crate::domain::coverage::Coverage;
use crate::domain::retry::next_try;
use crate::domain::span::{Ms, Span};
use crate::domain::split::Status;
use crate::domain::split::foresight::Foresight;

/// Longest line that is read, in bytes; what this program writes stays far below.
const LONGEST_LINE: usize = 64 * 1024;

/// Damage that is not a torn last line.
#[derive(Debug, Error)]
pub enum Damage {
    /// The file can't be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// A line does not say what a line must.
    #[error("line {line}: {what}")]
    Line {
        /// Its number, 1 for the first.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
}

/// How a window has failed so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failures {
    pub times: u32,
    pub last: Ms,
    pub message: String,
}

/// What the lines of a ledger show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// The spans archived.
    pub coverage: Coverage,
    /// The spans recorded `lost`, which may have been archived later all the same.
    pub(super) lost: Coverage,
    /// Those of them that somebody knows of.
    pub(super) acknowledged: Coverage,
    /// Windows recorded `truncated`.
    pub truncated: u64,
    /// Windows recorded `unproven`.
    pub unproven: u64,
    /// Records archived, as far as they can be counted.
    pub records: u64,
    /// Bytes of unpacked files archived.
    pub bytes: u64,
    /// The window archived last, and when.
    pub last_success: Option<(Span, Ms)>,
    /// What the windows archived last held.
    pub foresight: Foresight,
    /// Digest of the manifest published last.
    pub last_manifest: Option<Digest>,
    /// Lines read.
    pub lines: u64,
    /// Length of all whole lines, in bytes: where a torn last line begins, if there is one.
    pub end: u64,
    /// Windows that failed and that nothing has made good since.
    pub(super) failures: BTreeMap<Span, Failures>,
    /// Length of the last line with its newline, in bytes.
    pub(super) last_line_bytes: u64,
    pub(super) last_line: Option<Digest>,
}

impl Replay {
    /// Reads all whole lines; `each` sees every one that is in order. Bytes after the last
    /// newline are a torn line and are not read, see [`Replay::end`].
    ///
    /// # Errors
    /// At the first line that is damaged or does not continue the chain.
    pub fn read(lines: impl BufRead, each: impl FnMut(&Line)) -> Result<Self, Damage> {
        Self::default().read_on(lines, each)
    }

    /// Reads the lines that follow those taken in so far.
    pub(super) fn read_on(
        self,
        mut lines: impl BufRead,
        mut each: impl FnMut(&Line),
    ) -> Result<Self, Damage> {
        let mut replay = self;
        let mut line = Vec::new();
        loop {
            line.clear();
            let limit = LONGEST_LINE as u64 + 1;
            let read = io::Read::take(&mut lines, limit).read_until(b'\n', &mut line)?;
            if line.pop_if(|last| *last == b'\n').is_none() {
                return if read as u64 == limit && !rest_is_torn(&mut lines)? {
                    Err(replay.damaged(format!("it is longer than {LONGEST_LINE} bytes")))
                } else {
                    Ok(replay)
                };
            }
            let parsed = Line::parse(&line).map_err(|what| replay.damaged(what))?;
            replay.take(&parsed, &line)?;
            each(&parsed);
        }
    }

    /// Takes in the next line, of which `json` are the bytes.
    pub(super) fn take(&mut self, line: &Line, json: &[u8]) -> Result<(), Damage> {
        if line.seq != self.lines + 1 {
            return Err(self.damaged(format!("its `seq` is {}", line.seq)));
        }
        if line.prev != self.last_line {
            return Err(self.damaged("its `prev` is not the digest of the line before".into()));
        }
        match &line.event {
            Event::Archived(archived) => self.archived(archived, line.at),
            Event::Lost(span) => self.lost.add(*span),
            Event::Acknowledged(span) => {
                for known in self
                    .lost
                    .spans()
                    .filter_map(|lost| lost.intersection(*span))
                {
                    self.acknowledged.add(known);
                }
            }
            Event::Failed(failed) => {
                let times = self
                    .failures
                    .get(&failed.span)
                    .map_or(0, |known| known.times);
                let failures = Failures {
                    times: times.saturating_add(1),
                    last: line.at,
                    message: failed.message.clone(),
                };
                self.failures.insert(failed.span, failures);
            }
        }
        self.lines += 1;
        self.last_line_bytes = json.len() as u64 + 1;
        self.end += self.last_line_bytes;
        self.last_line = Some(Digest::of(json));
        Ok(())
    }

    fn archived(&mut self, archived: &Archived, at: Ms) {
        self.coverage.add(archived.span);
        if !self.failures.is_empty() {
            self.failures.retain(|&span, _| !archived.span.covers(span));
        }
        match archived.status {
            Status::Complete => {}
            Status::Truncated => self.truncated += 1,
            Status::Unproven => self.unproven += 1,
        }
        self.records = self.records.saturating_add(archived.records.unwrap_or(0));
        self.bytes = self.bytes.saturating_add(archived.bytes);
        self.last_success = Some((archived.span, at));
        self.last_manifest = Some(archived.manifest_sha256);
        if let Some(records) = archived.records {
            self.foresight.note(archived.span, records);
        }
    }

    /// The line that would continue the chain.
    #[must_use]
    pub fn next_line(&self, at: Ms, event: Event) -> Line {
        Line {
            seq: self.lines + 1,
            at,
            event,
            prev: self.last_line,
        }
    }

    /// The last failure of a window after `since` that nothing has made good, and when it
    /// happened.
    #[must_use]
    pub fn last_error(&self, since: Ms) -> Option<(&str, Ms)> {
        self.failures
            .iter()
            .filter(|&(&span, _)| {
                span.to() > since && !self.coverage.covers(span) && !self.lost.covers(span)
            })
            .max_by_key(|(_, failures)| failures.last)
            .map(|(_, failures)| (failures.message.as_str(), failures.last))
    }

    /// The spans that are lost: recorded so, and not archived since; with each, whether somebody
    /// knows of it.
    #[must_use]
    pub fn lost(&self) -> Vec<(Span, bool)> {
        self.lost
            .spans()
            .flat_map(|span| self.coverage.missing_in(span))
            .map(|span| (span, self.acknowledged.covers(span)))
            .collect()
    }

    /// Whether all of `span` is recorded as lost.
    #[must_use]
    pub fn is_known_lost(&self, span: Span) -> bool {
        self.lost.covers(span)
    }

    /// What need not be asked for: what is archived, and what was lost and ends before `reach`,
    /// before which the service keeps nothing; `None` when that is not known.
    #[must_use]
    pub fn closed(&self, reach: Option<Ms>) -> Coverage {
        let mut closed = self.coverage.clone();
        let beyond = reach.and_then(|reach| Span::new(Ms(i64::MIN), reach));
        for span in self
            .lost
            .spans()
            .filter_map(|span| beyond?.intersection(span))
        {
            closed.add(span);
        }
        closed
    }

    /// When a window that failed before is worth another try; `None` when it never failed.
    #[must_use]
    pub fn next_try(&self, window: Span) -> Option<Ms> {
        self.failures
            .get(&window)
            .map(|known| next_try(known.times, known.last))
    }

    fn damaged(&self, what: String) -> Damage {
        Damage::Line {
            line: self.lines + 1,
            what,
        }
    }
}

/// Whether no newline follows. Old file systems leave a long run of zeros after a power cut.
fn rest_is_torn(lines: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let buffer = lines.fill_buf()?;
        if buffer.is_empty() {
            return Ok(true);
        }
        if memchr::memchr(b'\n', buffer).is_some() {
            return Ok(false);
        }
        let length = buffer.len();
        lines.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::line::Failed;
    use proptest::prelude::*;

    fn archived(from: i64, to: i64) -> Event {
        Event::Archived(Archived {
            span: Span::new(Ms(from), Ms(to)).unwrap(),
            status: Status::Complete,
            records: Some(3),
            bytes: 100,
            folder: format!("shop/{from}"),
            manifest_sha256: Digest::of(&from.to_be_bytes()),
        })
    }

    fn failed(from: i64, to: i64) -> Event {
        Event::Failed(Failed {
            span: Span::new(Ms(from), Ms(to)).unwrap(),
            message: "the gateway said no".into(),
        })
    }

    fn write(events: impl IntoIterator<Item = Event>) -> String {
        let mut replay = Replay::default();
        let mut text = String::new();
        for event in events {
            let line = replay.next_line(Ms(1_795_000_000_000), event);
            let json = line.to_json().unwrap();
            replay.take(&line, json.as_bytes()).unwrap();
            text.push_str(&json);
            text.push('\n');
        }
        text
    }

    fn read(bytes: &[u8]) -> Result<Replay, Damage> {
        Replay::read(bytes, |_| {})
    }

    #[test]
    fn a_failure_is_the_last_error_until_its_window_is_archived() {
        let replay = read(write([failed(0, 10), archived(10, 20)]).as_bytes()).unwrap();
        assert_eq!(replay.last_error(Ms(0)).unwrap().0, "the gateway said no");
        // Moving `since` past it is a way out.
        assert_eq!(replay.last_error(Ms(10)), None);
        assert_eq!(replay.coverage.gaps(Ms(0)).len(), 1);
        let replay = read(write([failed(0, 10), archived(0, 10)]).as_bytes()).unwrap();
        assert_eq!(replay.last_error(Ms(0)), None);
        let both = [failed(0, 10), failed(10, 20), archived(10, 20)];
        assert!(
            read(write(both).as_bytes())
                .unwrap()
                .last_error(Ms(0))
                .is_some()
        );
    }

    #[test]
    fn a_line_changed_removed_or_swapped_is_damage() {
        let text = write((0..5).map(|i| archived(i * 10, i * 10 + 10)));
        let lines: Vec<&str> = text.lines().collect();
        let join = |lines: &[&str]| lines.join("\n") + "\n";
        assert!(read(join(&lines).as_bytes()).is_ok());
        assert!(read(join(&[lines[0], lines[2]]).as_bytes()).is_err());
        assert!(read(join(&lines[1..]).as_bytes()).is_err());
        assert!(read(join(&[lines[1], lines[0]]).as_bytes()).is_err());
        assert!(
            read(
                text.replacen("\"records\":3", "\"records\":4", 1)
                    .as_bytes()
            )
            .is_err()
        );
        assert!(read(b"\n").is_err());
        assert!(read(&[b'x'; 70_000]).is_ok());
        assert!(read(&[&[b'x'; 70_000][..], b"\n"].concat()).is_err());
        assert_eq!(read(&vec![0; 200_000]).unwrap().end, 0);
    }

    proptest! {
        /// A crash leaves a prefix; whatever it cuts, the whole lines before count and no more.
        #[test]
        fn a_ledger_cut_at_any_byte_shows_its_whole_lines(
            kinds in prop::collection::vec(any::<bool>(), 0..8),
            cut in any::<prop::sample::Index>(),
            tail in prop::collection::vec(any::<u8>().prop_filter("no newline", |b| *b != b'\n'), 0..300),
        ) {
            let events = kinds.iter().enumerate().map(|(i, &good)| {
                let from = i as i64 * 10;
                if good { archived(from, from + 10) } else { failed(from, from + 10) }
            });
            let text = write(events);
            let cut = cut.index(text.len() + 1);
            let whole = text[..cut].rfind('\n').map_or(0, |at| at + 1);
            let expected = read(&text.as_bytes()[..whole]).unwrap();
            prop_assert_eq!(expected.end, whole as u64);
            prop_assert_eq!(&read(&text.as_bytes()[..cut]).unwrap(), &expected);
            let torn = [&text.as_bytes()[..whole], &tail].concat();
            prop_assert_eq!(read(&torn).unwrap(), expected);
        }
    }
}
