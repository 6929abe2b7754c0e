//! The recount of an answer of whole pages. Carries *Complete*: it finds a cap that the service
//! does not mention.

use super::{Answer, Ask, Resolver, Resolving, complete};
use crate::domain::records_digest::RecordsDigest;
use crate::domain::span::{Span, UtcMs};
use crate::domain::split::sample::Sample;
use crate::domain::split::{Status, halve};

impl<A: Ask> Resolver<'_, A> {
    /// An answer of whole pages below the cap that was asked for: a cap that the service's pages
    /// don't mention would look like this, unless there was a larger answer. Two halves confirm it,
    /// or show the cap. They must hold the same records together, and not only as many.
    pub(super) async fn recount(
        &mut self,
        span: Span,
        answer: Answer,
        records: u64,
    ) -> Result<f64, A::Error> {
        let halves = halve_by(&answer.sample, span);
        let Some((first, second)) = halves.filter(|_| self.may_cut(span, records)) else {
            // Nothing can confirm a single millisecond, nor a service that has lost its credit.
            return Ok(self.keep(Status::Unproven, &answer, records));
        };
        let (one, two) = (self.ask.ask(first).await?, self.ask.ask(second).await?);
        let sum = one
            .records
            .zip(two.records)
            .map(|(one, two)| one.saturating_add(two));
        let together = both(&one, &two);
        let has_others = |answer: &Answer, records: Option<u64>| {
            answer.records == records && differ(answer.digest, together)
        };
        let all_in_one = [one.records, two.records].contains(&Some(records));
        match sum {
            // A half that is as full as the whole is judged like the whole.
            Some(sum) if sum > records || (sum == records && all_in_one) => {
                self.ask.discard(answer.id).await?;
                let again = if sum > records {
                    self.whole_again(span, records, sum).await?
                } else {
                    answer
                };
                let has_others = has_others(&again, Some(sum));
                let total =
                    self.judge_half(first, one).await? + self.judge_half(second, two).await?;
                if has_others {
                    self.contradicted(span, sum, sum);
                } else if ![Some(records), Some(sum)].contains(&again.records) {
                    self.contradicted(span, records, sum);
                }
                Ok(total)
            }
            agreed_or_fewer => {
                self.ask.discard(one.id).await?;
                self.ask.discard(two.id).await?;
                let agreed = agreed_or_fewer == Some(records) && !has_others(&answer, sum);
                let status = if agreed {
                    complete(&answer)
                } else {
                    Status::Unproven
                };
                let kept = self.keep(status, &answer, records);
                if !agreed {
                    self.contradicted(span, records, agreed_or_fewer.unwrap_or(0));
                }
                Ok(kept)
            }
        }
    }

    /// Requests a span of `records` again, since its halves hold `sum`, which is more. Returns what
    /// it holds now: as many as before if that is a cap, the same as the halves if a log came late.
    async fn whole_again(
        &mut self,
        span: Span,
        records: u64,
        sum: u64,
    ) -> Result<Answer, A::Error> {
        let again = self.ask.ask(span).await?;
        self.ask.discard(again.id).await?;
        if again.records == Some(records) {
            self.ask.learn_cap(records);
        } else if again.records == Some(sum) {
            self.largest = self.largest.max(sum);
        }
        Ok(again)
    }

    fn judge_half(&mut self, span: Span, answer: Answer) -> Resolving<'_, f64, A::Error> {
        Box::pin(self.judge(span, answer))
    }
}

/// What two answers hold together; `None` where one of them does not tell.
fn both(one: &Answer, two: &Answer) -> Option<RecordsDigest> {
    let mut both = one.digest?;
    both.merge(two.digest?);
    Some(both)
}

/// Whether both are known and are not the same.
fn differ(one: Option<RecordsDigest>, two: Option<RecordsDigest>) -> bool {
    one.zip(two).is_some_and(|(one, two)| one != two)
}

/// Cuts a span so that both sides hold about as many records, or in the middle where that is not
/// known; `None` when it is a single millisecond.
fn halve_by(sample: &Sample, span: Span) -> Option<(Span, Span)> {
    let sides = |at: UtcMs| Some((Span::new(span.from(), at)?, Span::new(at, span.to())?));
    sample
        .within(span)
        .quantile(0.5)
        .and_then(sides)
        .or_else(|| halve(span))
}
