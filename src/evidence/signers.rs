//! Who has signed the heads of an archive, and whether one key led to the next. Pure.
//!
//! A key that no head before it names is told, and is no fault here: a key may be lost. Whoever keeps `allowed_signers`
//! elsewhere knows which keys are the archive's.

use serde::{Serialize, Serializer};

use super::head::Head;
use super::heads::{relative, relative_signature};
use crate::archive::verify::Problem;
use crate::domain::signing::PublicKey;

/// The heads that one key has signed, one after another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Signed {
    /// The fingerprint of the key.
    #[serde(serialize_with = "as_fingerprint")]
    pub(crate) by: PublicKey,
    /// The first of these heads.
    pub(crate) since: u64,
    /// Whether it is the archive's first key, or a head that was signed before names it.
    pub(crate) is_named: bool,
}

fn as_fingerprint<S: Serializer>(key: &PublicKey, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&key.fingerprint())
}

/// Who has signed.
#[derive(Debug, Default)]
pub(crate) struct Signers {
    /// The keys, the first one first.
    pub(crate) signed: Vec<Signed>,
    /// Whether the newest head is signed, and rightly.
    pub(crate) is_newest_signed: bool,
    /// Heads that are not signed though one before them is.
    pub(crate) unsigned: u64,
    /// The last head that is signed, and rightly.
    pub(crate) last_signed: Option<u64>,
    /// The key that a head names for later.
    next: Option<PublicKey>,
    /// The number of the last head, and whether all before it are here.
    seen: Option<(u64, bool)>,
}

impl Signers {
    /// Takes the next head, and what lies beside it as its signature. Returns what is wrong with that file, if anything.
    pub(crate) fn take(
        &mut self,
        head: &Head,
        signature: Option<&str>,
    ) -> Option<(String, Problem)> {
        self.is_newest_signed = false;
        let (last, is_whole) = self.seen.unwrap_or((0, true));
        let is_whole = is_whole && head.number.checked_sub(1) == Some(last);
        self.seen = Some((head.number, is_whole));
        let file = relative_signature(head.number);
        let Some(key) = &head.key else {
            self.unsigned += u64::from(!self.signed.is_empty());
            // Of a head that names no key nothing can be signed.
            return signature.map(|_| (file, Problem::Added));
        };
        let Some(signature) = signature else {
            return Some((file, Problem::Missing));
        };
        if let Some(why) = key.refuses(signature, head.to_text().as_bytes()) {
            return Some((file, Problem::Contradicted(why.to_owned())));
        }
        self.is_newest_signed = true;
        self.last_signed = Some(head.number);
        let before = self.signed.last();
        if before.is_none_or(|before| before.by != *key) {
            // Where heads before it are not here, one of them may have another key.
            let is_first = before.is_none() && is_whole;
            let is_named = is_first || self.next.as_ref() == Some(key);
            self.signed.push(Signed {
                by: key.clone(),
                since: head.number,
                is_named,
            });
        }
        self.next.clone_from(&head.next_key);
        None
    }

    /// The key of the newest head, where that is signed.
    pub(crate) fn newest(&self) -> Option<&PublicKey> {
        let last = self.signed.last().filter(|_| self.is_newest_signed);
        last.map(|last| &last.by)
    }

    /// What there is to tell, in lines.
    pub(crate) fn told(&self) -> Vec<String> {
        let of_key = |(at, signed): (usize, &Signed)| {
            let named = match signed.is_named {
                true => "",
                false if at == 0 => {
                    "; heads before it are not here, so whether it was the first key is not known"
                }
                false => {
                    ", A KEY THAT NO HEAD BEFORE NAMES: compare it with what you keep elsewhere"
                }
            };
            format!(
                "signed since {} with {}{named}",
                relative(signed.since),
                signed.by.fingerprint()
            )
        };
        let mut told: Vec<String> = self.signed.iter().enumerate().map(of_key).collect();
        if self.unsigned > 0 {
            told.push(format!(
                "not signed, after those that are: {} of them",
                self.unsigned
            ));
        }
        if !self.is_newest_signed {
            told.push(
                "the newest head is not signed: `[evidence] key` of the config signs heads, where it can be read"
                    .to_owned(),
            );
        }
        told
    }
}
