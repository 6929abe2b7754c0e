//! Lines are appended to a ledger, and what a crash or an error has left of such is cut off. Carries *Ordered*.

use std::sync::atomic::Ordering;

use super::line::{Event, Line};
use super::{Ledger, LedgerError, checkpoint, reserve};
use crate::digest::Digest;
use crate::durable::{DiskError, Output, Step};

impl Ledger {
    pub(super) fn append(&mut self, event: Event) -> Result<(), LedgerError> {
        self.append_all([event])
    }

    /// Appends lines with one write and one flush. Torn, it has whole lines first.
    pub(super) fn append_all(
        &mut self,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<(), LedgerError> {
        self.proof.holds()?;
        let at = self.clock.now();
        let opinion_requests = self.opinion_requests.load(Ordering::Relaxed);
        let (mut lines, mut text) = (Vec::<(Line, String)>::new(), String::new());
        for event in events {
            let line = match lines.last() {
                None => Line {
                    opinion_requests,
                    ..self.replay.next_line(at, event)
                },
                Some((last, json)) => Line {
                    seq: last.seq + 1,
                    prev: Some(Digest::of(json.as_bytes())),
                    ..self.replay.next_line(at, event)
                },
            };
            let json = line.to_json().map_err(|error| self.unwritable(&error))?;
            text.push_str(&json);
            text.push('\n');
            lines.push((line, json));
        }
        if lines.is_empty() {
            return Ok(());
        }
        match self.write_lines(&text) {
            Err(error) if error.lacks_space() && reserve::give_up(&self.path, &self.disk)? => {
                tracing::warn!("{error}; the space that was set aside beside the ledger is used");
                self.write_lines(&text)?;
            }
            written => written?,
        }
        for (line, json) in &lines {
            self.replay
                .take(line, json.as_bytes())
                .map_err(|damage| self.unwritable(&damage))?;
        }
        self.torn = false;
        let counted = &self.opinion_requests;
        counted.fetch_sub(opinion_requests, Ordering::Relaxed);
        self.checkpoint(checkpoint::INTERVAL);
        Ok(())
    }

    /// Writes lines and makes them durable; on an error the file is torn.
    fn write_lines(&mut self, text: &str) -> Result<(), DiskError> {
        let mut file = self.disk.append(&self.path)?;
        if self.torn {
            self.mend(&file)?;
        } else {
            file.is_as_left(self.replay.end)?;
        }
        self.torn = true;
        file.write(text.as_bytes())?;
        file.sync(Step::SyncLedger)
    }

    fn unwritable(&self, why: &dyn std::fmt::Display) -> LedgerError {
        LedgerError::Line {
            path: self.path.clone(),
            what: why.to_string(),
        }
    }

    /// Cuts off what a crash or an error has left after the last line that counts.
    pub(super) fn mend(&mut self, file: &Output) -> Result<(), DiskError> {
        file.cut(self.replay.end)?;
        file.sync(Step::SyncLedger)?;
        self.torn = false;
        Ok(())
    }
}
