//! Whether object storage keeps its word on writes that succeed only where nothing is (`If-None-Match: *`): what a race for one key
//! shows. Pure.
//!
//! **Exactly once** rests on it where several instances write: a store that lets two of them be the first loses the work of one.

use std::fmt;

/// What a writer was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was the first.
    Written,
    /// Another was.
    Refused,
    /// The store does not know such writes.
    Unsupported,
    /// No answer, or one that says neither.
    Unknown(String),
}

/// What lies under the key after the race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// What this writer wrote, by its place in [`Race::answers`].
    Of(usize),
    /// What nobody wrote.
    Strange,
    /// Nothing.
    Nothing,
}

/// A race for a key under which nothing was, and what was seen after it.
#[derive(Clone, Debug)]
pub(crate) struct Race {
    /// What those were answered that wrote at once.
    pub(crate) answers: Vec<Answer>,
    /// What one was answered that wrote when all of them were.
    pub(crate) late: Answer,
    /// What was read then.
    pub(crate) read: Content,
    /// Whether a list had the key then.
    pub(crate) is_listed: bool,
}

/// What a race says of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It keeps its word.
    Kept,
    /// It does not.
    Broken(Breach),
    /// The race was not run to its end.
    Unknown(String),
}

/// How a store breaks its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    /// It does not know such writes.
    Unsupported,
    /// More than one writer, so many, was told that it was the first.
    Several(usize),
    /// All were refused, though nothing was there.
    Nobody,
    /// Who wrote after the race was told that it was the first.
    Late,
    /// What is read is not what the first one wrote.
    ReadsAnother,
    /// A list lacks what was written.
    NotListed,
}

impl Race {
    /// What it says.
    pub(crate) fn verdict(&self) -> Verdict {
        let all = || self.answers.iter().chain([&self.late]);
        let mut winners = (0..).zip(&self.answers);
        let mut winners = winners
            .by_ref()
            .filter(|(_, answer)| **answer == Answer::Written)
            .map(|(writer, _)| writer);
        let (first, others) = (winners.next(), winners.count());
        let unknown = all().find_map(|answer| match answer {
            Answer::Unknown(why) => Some(why.clone()),
            _ => None,
        });
        // What was answered can't be taken back, whatever else is unknown.
        let breach = if others > 0 {
            Breach::Several(others + 1)
        } else if self.late == Answer::Written {
            Breach::Late
        } else if let Some(why) = unknown {
            return Verdict::Unknown(why);
        } else if all().any(|answer| *answer == Answer::Unsupported) {
            Breach::Unsupported
        } else {
            match first {
                // Whoever stands between has asked twice.
                None if self.read != Content::Nothing => {
                    let why = "all writers were refused, and one of them has written";
                    return Verdict::Unknown(why.to_owned());
                }
                None => Breach::Nobody,
                Some(first) if self.read != Content::Of(first) => Breach::ReadsAnother,
                Some(_) if !self.is_listed => Breach::NotListed,
                Some(_) => return Verdict::Kept,
            }
        };
        Verdict::Broken(breach)
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => f.write_str("it does not know them"),
            Self::Several(winners) => write!(
                f,
                "{winners} writers at once were all told that they were the first"
            ),
            Self::Nobody => f.write_str("it refused all writers, though nothing was there"),
            Self::Late => f.write_str("a later writer was told that it was the first too"),
            Self::ReadsAnother => f.write_str("what is read is not what the first one wrote"),
            Self::NotListed => f.write_str("its list lacks what was written"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEPT: [Answer; 3] = [Answer::Refused, Answer::Written, Answer::Refused];

    fn race() -> Race {
        Race {
            answers: KEPT.to_vec(),
            late: Answer::Refused,
            read: Content::Of(1),
            is_listed: true,
        }
    }

    fn verdict(change: impl FnOnce(&mut Race)) -> Verdict {
        let mut race = race();
        change(&mut race);
        race.verdict()
    }

    /// Guarantee: Exactly once
    #[test]
    fn a_store_keeps_its_word_only_where_one_writer_is_the_first_and_all_see_it() {
        let broken = Verdict::Broken;
        assert_eq!(race().verdict(), Verdict::Kept);
        assert_eq!(
            verdict(|race| race.answers[0] = Answer::Written),
            broken(Breach::Several(2))
        );
        let nobody = |race: &mut Race| {
            race.answers[1] = Answer::Refused;
            race.read = Content::Nothing;
        };
        assert_eq!(verdict(nobody), broken(Breach::Nobody));
        assert_eq!(
            verdict(|race| race.late = Answer::Written),
            broken(Breach::Late)
        );
        for read in [Content::Of(0), Content::Strange, Content::Nothing] {
            assert_eq!(
                verdict(|race| race.read = read),
                broken(Breach::ReadsAnother)
            );
        }
        assert_eq!(
            verdict(|race| race.is_listed = false),
            broken(Breach::NotListed)
        );
        let unsupported = |race: &mut Race| {
            race.answers.fill(Answer::Unsupported);
            race.late = Answer::Unsupported;
            (race.read, race.is_listed) = (Content::Nothing, false);
        };
        assert_eq!(verdict(unsupported), broken(Breach::Unsupported));
        // Half of them may have been told so by whoever stands before it.
        assert_eq!(
            verdict(|race| race.answers[0] = Answer::Unsupported),
            broken(Breach::Unsupported)
        );
    }

    /// Guarantee: Candid
    #[test]
    fn what_is_not_known_is_neither_kept_nor_broken() {
        let unknown = || Answer::Unknown("torn".to_owned());
        let told = Verdict::Unknown("torn".to_owned());
        assert_eq!(verdict(|race| race.answers[0] = unknown()), told);
        // It may be the one that wrote.
        assert_eq!(verdict(|race| race.answers[1] = unknown()), told);
        assert_eq!(verdict(|race| race.late = unknown()), told);
        // A proxy that asks again tells the one that wrote of the second time.
        assert!(matches!(
            verdict(|race| race.answers[1] = Answer::Refused),
            Verdict::Unknown(_)
        ));
        // Two winners are two, whatever a third one was.
        let two = |race: &mut Race| {
            race.answers[0] = unknown();
            race.answers[2] = Answer::Written;
        };
        assert_eq!(verdict(two), Verdict::Broken(Breach::Several(2)));
    }

    /// A store in which each step is whole, whose answers may be torn.
    fn honest(order: &[usize], torn: &[bool]) -> Race {
        let mut object = None;
        let mut answers = vec![Answer::Refused; order.len()];
        for writer in order {
            let answer = match object {
                None => {
                    object = Some(*writer);
                    Answer::Written
                }
                Some(_) => Answer::Refused,
            };
            answers[*writer] = match torn[*writer] {
                true => Answer::Unknown(String::new()),
                false => answer,
            };
        }
        Race {
            answers,
            late: Answer::Refused,
            read: object.map_or(Content::Nothing, Content::Of),
            is_listed: true,
        }
    }

    proptest! {
        /// Guarantee: Candid
        #[test]
        fn an_honest_store_is_never_called_a_liar(
            order in Just((0..16).collect::<Vec<usize>>()).prop_shuffle(),
            torn in proptest::collection::vec(proptest::bool::weighted(0.05), 16),
        ) {
            let found = honest(&order, &torn).verdict();
            let is_torn = torn.contains(&true);
            prop_assert_eq!(matches!(found, Verdict::Unknown(_)), is_torn);
            prop_assert_eq!(found == Verdict::Kept, !is_torn);
        }
    }
}
