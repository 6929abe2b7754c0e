//! Faults: what a service or the network between may do to an answer, and when it is done.

use std::collections::VecDeque;
use std::time::Duration;

use super::call::Call;
use super::noise::Noise;

/// One thing that goes wrong with one answer. "The answer" is the honest one to the request.
///
/// Offsets and lengths are bytes of the body as it would be on the wire without chunk framing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error in the gateway's form.
    Status {
        /// HTTP status.
        http: u16,
        /// The gateway's own code.
        error_code: String,
        /// The gateway's words.
        message: String,
        /// Value of the `Retry-After` header, when there is to be one.
        retry_after: Option<String>,
    },
    /// Status 200 with a page of HTML.
    Html200,
    /// Status 200 with an error in the gateway's form (code 900).
    ErrorIn200,
    /// Status 200, a zip by its type, and no body.
    EmptyBody200,
    /// The connection is closed in good order after this much of the body, and at the latest
    /// before its last byte; the headers promise all of it.
    CutAfter(u64),
    /// The connection is reset before a byte is answered.
    Reset,
    /// Nothing is answered, and the connection stays open.
    StallBeforeHeaders,
    /// Nothing more comes after this much of the body, at the latest before its last byte, and
    /// the connection stays open.
    StallInBody(u64),
    /// The body comes one byte at a time.
    Drip {
        /// Between two bytes.
        pause: Duration,
    },
    /// `Content-Length` is this much more than the body (or less, when negative), which comes
    /// whole and is followed by a close.
    LyingLength(i64),
    /// The body comes whole and in chunks, without the chunk that says that it is over, and is
    /// followed by a close.
    ChunkedWithoutEnd,
    /// A body that begins like a zip and never ends.
    EndlessBody,
    /// A mebibyte of headers before the answer.
    HugeHeaders,
    /// The byte at this place (counted round when the body is shorter) has all its bits flipped.
    CorruptZip(u64),
    /// Status 307, which asks to send the same signed request to this address.
    Redirect(String),
    /// These bytes in place of the zip.
    Body(Vec<u8>),
    /// The zip contradicts itself.
    Flawed(Flaw),
    /// As many records as were asked for, made up for the occasion: however short the span, their
    /// times lie in it.
    AlwaysFull,
}

/// What is wrong with an answer that is a zip, or nearly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// An error in the gateway's form, followed by the 22 bytes that are an empty zip.
    ErrorBeforeEnd,
    /// The second half is left out. An error in the gateway's form stands in its place.
    ErrorAtEnd,
    /// The second half is left out. A last line says so.
    MarkAtEnd,
    /// The records are a list inside of an object that has a `logTime` too. CSV has no such thing.
    Wrapped,
    /// One record in ten is an object without a field, or a row of empty cells.
    Hollow,
    /// The CSV header comes again in the middle.
    HeaderAgain,
    /// The CSV has a first column `logTime` beside its own, with other times.
    TwoTimes,
    /// Of the files with `limit` records each the second is left out.
    PageMissing,
    /// The last one is left out, where there are several.
    LastPageMissing,
    /// The second one holds half of its records.
    PageShort,
    /// The second one comes again as the third, and nothing is left out.
    PageTwice,
    /// The records are those of the day before.
    OtherDay,
}

/// Decides for each request that the gateway has accepted whether its answer is spoilt. Refused
/// requests are none of its business and don't use up a script; nor are searches, unless told so.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    project_key: Option<String>,
    for_search: bool,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Script(VecDeque<Option<Fault>>),
    Always(Fault),
    Random {
        noise: Noise,
        probability: f64,
        faults: Vec<Fault>,
    },
}

impl FaultPlan {
    /// No faults.
    #[must_use]
    pub const fn none() -> Self {
        Self::from_source(Source::Script(VecDeque::new()))
    }

    /// These, one a request, and none afterwards.
    #[must_use]
    pub fn script(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self::steps(faults.into_iter().map(Some))
    }

    /// As [`FaultPlan::script`], where `None` leaves a request alone.
    #[must_use]
    pub fn steps(steps: impl IntoIterator<Item = Option<Fault>>) -> Self {
        Self::from_source(Source::Script(steps.into_iter().collect()))
    }

    /// The same one every time.
    #[must_use]
    pub const fn always(fault: Fault) -> Self {
        Self::from_source(Source::Always(fault))
    }

    /// One of `faults`, each as likely as the others, with a probability of 0.0 to 1.0. The seed
    /// fixes what the first, second, third request gets.
    #[must_use]
    pub fn random(seed: u64, probability: f64, faults: Vec<Fault>) -> Self {
        Self::from_source(Source::Random {
            noise: Noise::new(seed),
            probability,
            faults,
        })
    }

    /// Only for one project; requests for others neither suffer nor count.
    #[must_use]
    pub fn only_for(mut self, project_key: &str) -> Self {
        self.project_key = Some(project_key.to_owned());
        self
    }

    /// For searches too: they suffer and count like downloads.
    #[must_use]
    pub const fn also_for_search(mut self) -> Self {
        self.for_search = true;
        self
    }

    const fn from_source(source: Source) -> Self {
        Self {
            project_key: None,
            for_search: false,
            source,
        }
    }

    /// What happens to the next request, which is for this project.
    pub(super) fn next(&mut self, call: Call, project_key: &str) -> Option<Fault> {
        let is_others = |only: &String| only != project_key;
        let is_spared = call == Call::Search && !self.for_search;
        if is_spared || self.project_key.as_ref().is_some_and(is_others) {
            return None;
        }
        match &mut self.source {
            Source::Script(steps) => steps.pop_front().flatten(),
            Source::Always(fault) => Some(fault.clone()),
            Source::Random {
                noise,
                probability,
                faults,
            } => {
                let strikes = noise.chance(*probability);
                let which = noise.below(faults.len() as u64) as usize;
                faults.get(which).filter(|_| strikes).cloned()
            }
        }
    }
}

impl Default for FaultPlan {
    fn default() -> Self {
        Self::none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_used_up_in_order_by_its_own_project_alone() {
        let mut plan =
            FaultPlan::steps([Some(Fault::Reset), None, Some(Fault::Html200)]).only_for("a");
        assert_eq!(plan.next(Call::Download, "b"), None);
        assert_eq!(plan.next(Call::Download, "a"), Some(Fault::Reset));
        assert_eq!(plan.next(Call::Download, "a"), None);
        assert_eq!(plan.next(Call::Download, "b"), None);
        assert_eq!(plan.next(Call::Download, "a"), Some(Fault::Html200));
        assert_eq!(plan.next(Call::Download, "a"), None);
    }

    #[test]
    fn random_faults_repeat_with_their_seed_and_keep_their_probability() {
        let struck = |seed, probability| {
            let mut plan = FaultPlan::random(seed, probability, vec![Fault::Reset, Fault::Html200]);
            (0..1000)
                .map(|_| plan.next(Call::Download, "a"))
                .collect::<Vec<_>>()
        };
        assert_eq!(struck(7, 0.3), struck(7, 0.3));
        assert_ne!(struck(7, 0.3), struck(8, 0.3));
        let count = struck(7, 0.3).iter().flatten().count();
        assert!((250..350).contains(&count), "{count} of 1000");
        assert!(struck(7, 1.0).iter().all(Option::is_some));
        assert!(struck(7, 0.0).iter().all(Option::is_none));
        assert!(struck(7, 1.0).contains(&Some(Fault::Html200)));
        let mut nothing = FaultPlan::random(7, 1.0, Vec::new());
        assert_eq!(nothing.next(Call::Download, "a"), None);
    }
}
