//! The recount of an answer of whole pages. Carries *Complete*: it finds a cap that the service
//! does not mention.

use super::{Answer, Ask, Resolver, Resolving, complete};
use crate::domain::span::{Span, UtcMs};
use crate::domain::split::sample::Sample;
use crate::domain::split::{Status, halve};

impl<A: Ask> Resolver<'_, A> {
    /// An answer of whole pages below the cap that was asked for: a cap that the service's pages
    /// don't mention would look like this, unless there was a larger answer. Two halves confirm it,
    /// or show the cap.
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
        let all_in_one = [one.records, two.records].contains(&Some(records));
        match sum {
            // A half that is as full as the whole is judged like the whole.
            Some(sum) if sum > records || (sum == records && all_in_one) => {
                self.ask.discard(answer.id).await?;
                let again = if sum > records {
                    self.whole_again(span, records, sum).await?
                } else {
                    Some(sum)
                };
                let total =
                    self.judge_half(first, one).await? + self.judge_half(second, two).await?;
                if again.is_none_or(|again| again != records && again != sum) {
                    self.contradicted(span, records, sum);
                }
                Ok(total)
            }
            agreed_or_fewer => {
                self.ask.discard(one.id).await?;
                self.ask.discard(two.id).await?;
                let agreed = agreed_or_fewer == Some(records);
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

    /// Requests a span of `records` again, since its halves hold `sum`, which is more. Returns how
    /// many it holds now: as many as before if that is a cap, as many as the halves if a log came
    /// late.
    async fn whole_again(
        &mut self,
        span: Span,
        records: u64,
        sum: u64,
    ) -> Result<Option<u64>, A::Error> {
        let again = self.ask.ask(span).await?;
        self.ask.discard(again.id).await?;
        if again.records == Some(records) {
            self.ask.learn_cap(records);
        } else if again.records == Some(sum) {
            self.largest = self.largest.max(sum);
        }
        Ok(again.records)
    }

    fn judge_half(&mut self, span: Span, answer: Answer) -> Resolving<'_, f64, A::Error> {
        Box::pin(self.judge(span, answer))
    }
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
