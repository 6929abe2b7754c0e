//! Legal holds: spans whose data no rule lets go of, until each hold is released. Pure.

use std::collections::BTreeSet;

use super::span::Span;

/// The longest reason, in bytes.
pub const LONGEST_REASON: usize = 500;

/// A hold of one span, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hold {
    /// What is held.
    pub span: Span,
    /// Why, in the operator's words.
    pub reason: String,
}

/// What the operator has said of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldOrder {
    /// It begins.
    Hold(Hold),
    /// It ends.
    Release(Hold),
}

/// The holds of a job that are not released. Several may hold the same instants: each ends by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds(BTreeSet<Hold>);

impl Holds {
    /// Takes an order into account. The same one twice is as good as once.
    pub fn take(&mut self, order: &HoldOrder) {
        match order {
            HoldOrder::Hold(hold) => _ = self.0.insert(hold.clone()),
            HoldOrder::Release(hold) => _ = self.0.remove(hold),
        }
    }

    /// The first of those that hold an instant of `span`.
    #[must_use]
    pub fn of(&self, span: Span) -> Option<&Hold> {
        let mut holds = self.0.iter();
        holds.find(|hold| hold.span.intersection(span).is_some())
    }

    /// All of them, in order of their spans.
    pub fn all(&self) -> impl Iterator<Item = &Hold> {
        self.0.iter()
    }

    /// Those of exactly this span, and for this reason where one is given.
    #[must_use]
    pub fn named(&self, span: Span, reason: Option<&str>) -> Vec<&Hold> {
        let holds = self.0.iter().filter(|hold| hold.span == span);
        holds
            .filter(|hold| reason.is_none_or(|reason| hold.reason == reason))
            .collect()
    }
}

/// Whether a reason can be recorded: it says something, on one line, in at most [`LONGEST_REASON`] bytes.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_reason(reason: &str) -> Result<(), String> {
    if reason.trim().is_empty() {
        return Err("it says nothing".to_owned());
    }
    if reason.len() > LONGEST_REASON {
        return Err(format!("it is longer than {LONGEST_REASON} bytes"));
    }
    // Those that turn the direction of text are no control characters by name.
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    match reason.chars().any(is_hidden) {
        true => Err("it holds a control character".to_owned()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::span::UtcMs;

    /// Guarantee: Atomic
    #[test]
    fn a_hold_ends_only_by_its_own_release() {
        let span = |from, to| Span::new(UtcMs(from), UtcMs(to)).unwrap();
        let hold = |from, to, reason: &str| Hold {
            span: span(from, to),
            reason: reason.to_owned(),
        };
        let (audit, case) = (hold(0, 10, "audit"), hold(0, 10, "case 7"));
        let mut holds = Holds::default();
        for hold in [&audit, &case, &audit] {
            holds.take(&HoldOrder::Hold(hold.clone()));
        }
        assert_eq!(holds.named(span(0, 10), None).len(), 2);
        // One that is not there releases nothing.
        holds.take(&HoldOrder::Release(hold(0, 9, "audit")));
        holds.take(&HoldOrder::Release(audit));
        assert_eq!(holds.of(span(9, 20)), Some(&case));
        assert_eq!(holds.of(span(10, 20)), None);
        holds.take(&HoldOrder::Release(case));
        assert_eq!(holds, Holds::default());
    }

    #[test]
    fn a_reason_fits_on_a_line() {
        check_reason("case 2026-17, \u{bc95}\u{c6d0}").unwrap();
        for wrong in [
            "",
            "  ",
            "a\nb",
            "a\u{1b}[2J",
            "a\u{202e}b",
            &"x".repeat(501),
        ] {
            check_reason(wrong).unwrap_err();
        }
    }
}
