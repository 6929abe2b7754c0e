//! Asking for the spans of one window: each answer is counted and put aside, until it is known
//! whether it is a part. Carries *Candid*: what is odd about an answer is logged, and makes the
//! window doubtful.

use super::attempt::Answered;
use super::collect::{Collecting, NotCollected};
use crate::archive::manifest::{Part, Zip, local_time};
use crate::digest::Digest;
use crate::domain::span::Span;
use crate::domain::split::Status;
use crate::domain::split::resolve::{Answer, Ask};

impl Ask for Collecting<'_> {
    type Error = NotCollected;

    async fn ask(&mut self, span: Span) -> Result<Answer, NotCollected> {
        self.asked += 1;
        let id = self.asked;
        self.check_clocks()?;
        let (answered, attempts) = match self.until_answered(span, id).await {
            Err(NotCollected::Rejected(message)) if self.answered => {
                return Ok(self.rejected(span, id, message));
            }
            other => other?,
        };
        self.answered = true;
        // The answer tells what time it is there, perhaps for the first time.
        self.check_clocks()?;
        let Answered {
            zip,
            unpacked,
            received_at,
        } = answered;
        let outside = unpacked.seen.outside;
        if outside > 0 {
            tracing::error!(
                job = %self.job.name,
                span = %span,
                outside,
                "the answer holds records outside the span that was asked for; they are kept as \
                 they came. `elsa-archiver check --live` says whether to_bound is right"
            );
            let what = format!("{outside} records lie outside the span that was asked for");
            self.unproven_reason = self.unproven_reason.take().or(Some(what));
        }
        let records = unpacked.records;
        if let Some(records) = records.filter(|&records| records > self.job.count.into()) {
            tracing::warn!(
                job = %self.job.name,
                span = %span,
                records,
                count = self.job.count,
                "the answer holds more records than were asked for"
            );
        }
        self.unproven_reason = self.unproven_reason.take().or(unpacked.uncountable);
        let part = Part {
            from_ms: span.from(),
            to_ms: span.to(),
            status: Status::Unproven,
            records,
            attempts,
            received_at: local_time(received_at, &self.job.zone),
            zip,
            files: unpacked.files,
        };
        self.open.insert(id, part);
        Ok(Answer {
            id,
            records,
            sample: unpacked.seen.inside.finish(),
            outside,
        })
    }

    fn keep(&mut self, answer: usize, status: Status) {
        if let Some(part) = self.open.remove(&answer) {
            self.kept.push((answer, Part { status, ..part }));
        }
    }

    async fn discard(&mut self, answer: usize) -> Result<(), NotCollected> {
        self.open.remove(&answer);
        self.remove(self.folder(answer)).await
    }

    fn may_be_too_big(error: &NotCollected) -> bool {
        matches!(error, NotCollected::TooSlow(_))
    }

    fn cap(&self) -> u64 {
        u64::from(self.job.count).min(self.client.hidden_cap())
    }

    fn learn_cap(&mut self, records: u64) {
        tracing::warn!(
            job = %self.job.name,
            records,
            count = self.job.count,
            "the service cuts answers below the count that is asked for; from now on answers of \
             this account are taken to be cut there"
        );
        self.client.learn_hidden_cap(records);
    }

    fn forget_cap(&mut self) {
        if self.client.hidden_cap() < u64::from(self.job.count) {
            tracing::warn!(
                job = %self.job.name,
                "the service hands out more than it had seemed to; answers are believed again up \
                 to the count that is asked for"
            );
        }
        self.client.forget_hidden_cap();
    }

    fn note_contradiction(&mut self, span: Span, first: u64, second: u64) {
        let what =
            format!("the service counts {first} records in {span}, then {second} in its parts");
        tracing::error!(job = %self.job.name, "{what}");
        self.unproven_reason = Some(what);
        for (_, part) in &mut self.kept {
            if span.from() <= part.from_ms && part.to_ms <= span.to() {
                part.status = part.status.max(Status::Unproven);
            }
        }
    }

    fn note_overflow(&mut self, span: Span) {
        let what = format!(
            "after {} requests the service still fills its answers, the last one for {span}; the \
             rest of the window is not asked for in smaller spans",
            self.asked
        );
        tracing::error!(job = %self.job.name, "{what}");
        self.unproven_reason = Some(what);
    }
}

impl Collecting<'_> {
    /// A part of the window that the service answers with an error while it answers others: perhaps
    /// it holds no logs (`ELSA-API.md`, *Unknown*). The others are worth keeping, and nothing is
    /// known of this one.
    fn rejected(&mut self, span: Span, id: usize, message: String) -> Answer {
        let part = Part {
            from_ms: span.from(),
            to_ms: span.to(),
            status: Status::Unproven,
            records: None,
            attempts: 1,
            received_at: local_time(self.shared.clock.now(), &self.job.zone),
            zip: Zip {
                bytes: 0,
                sha256: Digest::of(b""),
            },
            files: Vec::new(),
        };
        self.open.insert(id, part);
        self.unproven_reason = self
            .unproven_reason
            .take()
            .or(Some(format!("a part of it was refused: {message}")));
        Answer {
            id,
            ..Answer::default()
        }
    }

    /// A window that has settled by our clock, but not by the service's, would be archived before
    /// its logs have come, and never be looked at again.
    fn check_clocks(&self) -> Result<(), NotCollected> {
        if self.client.now() >= self.settled_at {
            return Ok(());
        }
        let ahead_s = (self.shared.clock.now().0 - self.client.now().0) / 1000;
        Err(NotCollected::Job(format!(
            "this machine's clock is {ahead_s} s ahead of the service's, by which the window has \
             not settled yet; check NTP"
        )))
    }
}
