//! Which windows' data may be let go of. Pure. Carries *Atomic*: what is published changes by this rule alone.

use super::span::UtcMs;
use super::split::Status;
use super::window::Window;

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Windows that end by then.
    pub before: UtcMs,
    /// How many places must have proven a copy.
    pub need: u32,
}

/// What is known of a window that is archived and whose data are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The window.
    pub window: Window,
    /// Whether it is to be asked for, or asked for once more.
    pub is_due: bool,
    /// Whether that has failed and was not made good.
    pub is_failing: bool,
    /// What it is, where that is not `complete` and the operator has not said that it is known.
    pub unknown: Option<Status>,
    /// Why it is held, where it is.
    pub held: Option<String>,
    /// The places that have proven a copy of all its folders.
    pub places: u32,
}

/// Why a window's data stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stays {
    /// It is the job's newest window.
    Newest,
    /// A legal hold is on it, for this reason.
    Held(String),
    /// It is to be asked for, or asked for once more.
    Due,
    /// That has failed.
    Failing,
    /// It is not complete, and nobody has said that this is known.
    Unknown(Status),
    /// It is not as it was published: whoever carries the decision out has looked.
    Defect(String),
    /// So many places have proven a copy, which is not enough.
    Receipts(u32),
}

/// What is to become of the windows that end by [`Rule::before`], in order of time; `None` where a window's data go.
/// `newest` is the newest of all that are archived.
#[must_use]
pub(crate) fn decide(
    facts: &[Facts],
    newest: Option<Window>,
    rule: Rule,
) -> Vec<(Window, Option<Stays>)> {
    let old = facts
        .iter()
        .filter(|facts| facts.window.to() <= rule.before);
    let mut decided: Vec<_> = old
        .map(|facts| (facts.window, stays(facts, newest, rule)))
        .collect();
    decided.sort_by_key(|(window, _)| *window);
    decided
}

/// Why a window stays, the reason first that nothing but the operator can change.
fn stays(facts: &Facts, newest: Option<Window>, rule: Rule) -> Option<Stays> {
    if let Some(reason) = &facts.held {
        return Some(Stays::Held(reason.clone()));
    }
    // Without one nothing is known to be older than another.
    if newest.is_none_or(|newest| facts.window.to() >= newest.to()) {
        return Some(Stays::Newest);
    }
    if facts.is_due {
        return Some(Stays::Due);
    }
    if facts.is_failing {
        return Some(Stays::Failing);
    }
    if let Some(status) = facts.unknown {
        return Some(Stays::Unknown(status));
    }
    (facts.places < rule.need).then_some(Stays::Receipts(facts.places))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::span::Span;

    fn hour(hour: i64) -> Window {
        let ms = |hour: i64| UtcMs(hour * 3_600_000);
        Window::of(Span::new(ms(hour), ms(hour + 1)).unwrap())
    }

    fn plain(at: i64) -> Facts {
        Facts {
            window: hour(at),
            is_due: false,
            is_failing: false,
            unknown: None,
            held: None,
            places: 1,
        }
    }

    /// Guarantee: Atomic
    #[test]
    fn each_reason_alone_keeps_a_window() {
        let with = |change: &dyn Fn(&mut Facts)| {
            let mut facts = plain(0);
            change(&mut facts);
            facts
        };
        let rule = Rule {
            before: hour(1).from(),
            need: 1,
        };
        let of = |facts: Facts| decide(&[facts], Some(hour(9)), rule).remove(0).1;
        assert_eq!(of(plain(0)), None);
        assert_eq!(of(with(&|it| it.is_due = true)), Some(Stays::Due));
        assert_eq!(of(with(&|it| it.is_failing = true)), Some(Stays::Failing));
        assert_eq!(
            of(with(&|it| it.unknown = Some(Status::Unproven))),
            Some(Stays::Unknown(Status::Unproven))
        );
        assert_eq!(
            of(with(&|it| it.held = Some("case 7".into()))),
            Some(Stays::Held("case 7".into()))
        );
        assert_eq!(of(with(&|it| it.places = 0)), Some(Stays::Receipts(0)));
        assert_eq!(
            decide(&[plain(0)], Some(hour(0)), rule)[0].1,
            Some(Stays::Newest)
        );
        // The bound itself is not passed.
        assert_eq!(decide(&[plain(1)], Some(hour(9)), rule), []);
    }

    proptest! {
        /// Guarantee: Atomic
        #[test]
        fn what_goes_is_old_free_whole_and_proven_elsewhere(
            all in prop::collection::vec(
                (any::<[bool; 4]>(), 0..4_u32), 0..20
            ),
            (before, need) in (0..25_i64, 0..4_u32),
        ) {
            let mut facts: Vec<Facts> = (0..).zip(&all).map(|(at, (is, places))| Facts {
                is_due: is[0],
                is_failing: is[1],
                unknown: is[2].then_some(Status::Truncated),
                held: is[3].then(|| "x".to_owned()),
                places: *places,
                ..plain(at)
            }).collect();
            facts.reverse();
            let newest = facts.first().map(|facts| facts.window);
            let rule = Rule { before: hour(before).from(), need };
            let decided = decide(&facts, newest, rule);
            prop_assert!(decided.is_sorted_by_key(|(window, _)| *window));
            prop_assert_eq!(decided.len() as i64, before.min(all.len() as i64));
            for (window, stays) in decided {
                let facts = facts.iter().find(|facts| facts.window == window).unwrap();
                let is_free = *facts == Facts { places: facts.places, ..plain(window.from().0 / 3_600_000) };
                let goes = is_free && facts.places >= need && Some(window) != newest;
                prop_assert_eq!(stays.is_none(), goes, "{:?}", facts);
            }
        }
    }
}
