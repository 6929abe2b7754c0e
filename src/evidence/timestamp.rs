//! Timestamps of heads: the questions and answers of RFC 3161. Pure.
//!
//! What is kept is the authority's answer as it came, which `openssl ts -verify` proves. Here it is looked at for what it
//! is about and of when. Whether its signature is an authority's that somebody trusts, only they can say.

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{
    Decode as _, Encode as _, ErrorKind, Reader as _, Sequence, SliceReader, Tag, TagNumber,
};
use jiff::Timestamp;

use crate::digest::Digest;
use crate::domain::span::UtcMs;
use crate::printable::printable;

/// id-signedData (RFC 5652, 5.1).
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// id-ct-TSTInfo (RFC 3161, 2.4.2).
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");

/// id-sha256 (RFC 5754, 2.2).
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// What is signed, and the certificates, in SignedData (RFC 5652, 5.1 and 5.2).
const TAG_0: Tag = Tag::ContextSpecific {
    constructed: true,
    number: TagNumber(0),
};

/// MessageImprint (RFC 3161, 2.4.1).
#[derive(Sequence)]
struct Imprint<'a> {
    algorithm: Algorithm<'a>,
    hashed: &'a OctetStringRef,
}

/// AlgorithmIdentifier (RFC 5280, 4.1.1.2).
#[derive(Sequence)]
struct Algorithm<'a> {
    oid: ObjectIdentifier,
    #[asn1(optional = "true")]
    parameters: Option<AnyRef<'a>>,
}

/// TimeStampReq (RFC 3161, 2.4.1), as far as it is used.
#[derive(Sequence)]
struct Request<'a> {
    version: u8,
    imprint: Imprint<'a>,
    nonce: u64,
    has_certificates: bool,
}

/// What is read of a TSTInfo (RFC 3161, 2.4.2).
struct Info<'a> {
    imprint: Imprint<'a>,
    time: &'a [u8],
    nonce: Option<u64>,
}

/// The question for a timestamp of what has this digest, with the certificates that prove it; DER.
///
/// # Errors
/// When it can't be written as DER.
pub(crate) fn request(digest: &Digest, nonce: u64) -> Result<Vec<u8>, String> {
    let text = |error: der::Error| error.to_string();
    let request = Request {
        version: 1,
        imprint: Imprint {
            algorithm: Algorithm {
                oid: SHA_256,
                parameters: Some(AnyRef::NULL),
            },
            hashed: OctetStringRef::new(digest.bytes()).map_err(text)?,
        },
        nonce,
        has_certificates: true,
    };
    request.to_der().map_err(text)
}

/// When what has this digest was timestamped, as an authority's answer says. With `nonce` it must be the answer to that
/// question, and have the certificates that prove it.
///
/// # Errors
/// When it is no timestamp of that; why, in words.
pub(crate) fn at(answer: &[u8], digest: &Digest, nonce: Option<u64>) -> Result<UtcMs, String> {
    let none = |_: der::Error| "it is no answer of RFC 3161".to_owned();
    let token = token(answer).map_err(none)??;
    let (signed, has_chain) = signed(token).map_err(none)?;
    let signed = signed.ok_or("it is signed, and no timestamp")?;
    let info = info(signed).map_err(none)?;
    let imprint = &info.imprint;
    if imprint.algorithm.oid != SHA_256 || imprint.hashed.as_bytes() != digest.bytes() {
        return Err("it is of something else than this head and its signature".to_owned());
    }
    if nonce.is_some() && info.nonce != nonce {
        return Err("it is the answer to another question".to_owned());
    }
    if nonce.is_some() && !has_chain {
        return Err("it lacks the certificates that prove it".to_owned());
    }
    instant(info.time).ok_or_else(|| "its time can't be read".to_owned())
}

/// The token of an answer, or why the authority gave none (TimeStampResp, RFC 3161, 2.4.2).
fn token(answer: &[u8]) -> der::Result<Result<AnyRef<'_>, String>> {
    let parts = all(AnyRef::from_der(answer)?)?;
    let Some((status, token)) = parts.split_first() else {
        return Err(ErrorKind::Failed.into());
    };
    let status = all(*status)?;
    let number: u32 = match status.first() {
        Some(number) => number.decode_as()?,
        None => return Err(ErrorKind::Failed.into()),
    };
    // 0 granted, 1 granted with modifications.
    match (number, token) {
        (0 | 1, [token]) => Ok(Ok(*token)),
        _ => {
            let said = status.get(1).map(|said| said.value()).unwrap_or_default();
            let said = String::from_utf8_lossy(said);
            let said = printable(said.trim_matches(char::is_control));
            Ok(Err(format!("it refuses, with status {number}: {said}")))
        }
    }
}

/// What a token signs, where that is a timestamp, and whether certificates are there (SignedData, RFC 5652, 5.1).
fn signed(token: AnyRef<'_>) -> der::Result<(Option<&[u8]>, bool)> {
    let [kind, content] = exactly(token)?;
    if kind.decode_as::<ObjectIdentifier>()? != SIGNED_DATA {
        return Ok((None, false));
    }
    let [content] = exactly(content)?;
    let parts = all(content)?;
    let [_version, _algorithms, signed, rest @ ..] = &parts[..] else {
        return Err(ErrorKind::Failed.into());
    };
    let has_chain = rest
        .iter()
        .any(|part| part.header().tag() == TAG_0 && !part.value().is_empty());
    let [kind, signed] = exactly(*signed)?;
    let [signed] = exactly(signed)?;
    let is_timestamp = kind.decode_as::<ObjectIdentifier>()? == TST_INFO;
    let signed = signed.decode_as::<&OctetStringRef>()?.as_bytes();
    Ok((is_timestamp.then_some(signed), has_chain))
}

fn info(signed: &[u8]) -> der::Result<Info<'_>> {
    let parts = all(AnyRef::from_der(signed)?)?;
    let [_version, _policy, imprint, _serial, time, rest @ ..] = &parts[..] else {
        return Err(ErrorKind::Failed.into());
    };
    if time.header().tag() != Tag::GeneralizedTime {
        return Err(ErrorKind::Failed.into());
    }
    // Between them lie accuracy and ordering, which are no integers.
    let nonce = rest.iter().find(|part| part.header().tag() == Tag::Integer);
    Ok(Info {
        imprint: imprint.decode_as()?,
        time: time.value(),
        // One that is longer is not ours.
        nonce: nonce.and_then(|nonce| nonce.decode_as().ok()),
    })
}

/// A time like `20261201093000Z` or `20261201093000.25Z` (RFC 3161, 2.4.2), which `der` reads without a fraction alone.
fn instant(time: &[u8]) -> Option<UtcMs> {
    let time = std::str::from_utf8(time).ok()?.strip_suffix('Z')?;
    let (date, clock) = time.split_at_checked(8)?;
    let at: Timestamp = format!("{date}T{clock}Z").parse().ok()?;
    Some(UtcMs::from(at))
}

/// The parts of what is made of parts.
fn all(whole: AnyRef<'_>) -> der::Result<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(whole.value())?;
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(AnyRef::decode(&mut reader)?);
    }
    Ok(parts)
}

/// As [`all`], where they are so many.
fn exactly<const N: usize>(whole: AnyRef<'_>) -> der::Result<[AnyRef<'_>; N]> {
    let parts = all(whole)?;
    parts.try_into().map_err(|_| ErrorKind::Failed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `openssl ts -query -data abc.txt -sha256 -cert` has written of "abc" (OpenSSL 3.0).
    const QUESTION: &str = "30430201013031300d060960864801650304020105000420ba7816bf8f01cfea414140de5dae2223b00361a396\
                            177a9cb410ff61f20015ad020872b89a6390f9a03f0101ff";

    fn bytes(hex: &str) -> Vec<u8> {
        let pairs = hex.as_bytes().chunks(2);
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        pairs.map(byte).collect()
    }

    #[test]
    fn a_question_is_what_openssl_asks() {
        let digest = Digest::of(b"abc");
        let nonce = 0x72b8_9a63_90f9_a03f;
        assert_eq!(request(&digest, nonce).unwrap(), bytes(QUESTION));
        // A number that would be negative has a zero before it.
        let question = request(&digest, u64::MAX).unwrap();
        assert_eq!(
            question[question.len() - 14..question.len() - 3],
            [2, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255]
        );
    }

    /// What `openssl ts -reply` has answered to that.
    const ANSWER: &[u8] = include_bytes!("../../tests/data/abc.tsr");

    /// Guarantee: Suspicious
    #[test]
    fn an_answer_is_taken_to_its_own_question_alone_and_no_byte_of_another_brings_the_reader_down()
    {
        let (digest, nonce) = (Digest::of(b"abc"), 0x72b8_9a63_90f9_a03f);
        let at_03_606 = Ok(UtcMs(1_796_088_603_606));
        assert_eq!(at(ANSWER, &digest, Some(nonce)), at_03_606);
        assert_eq!(at(ANSWER, &digest, None), at_03_606);
        let refused = |digest: &[u8], nonce| at(ANSWER, &Digest::of(digest), nonce).unwrap_err();
        assert!(refused(b"abd", Some(nonce)).contains("something else"));
        assert!(refused(b"abc", Some(nonce + 1)).contains("another question"));
        for end in 0..ANSWER.len() {
            assert!(at(&ANSWER[..end], &digest, None).is_err(), "{end}");
            let mut changed = ANSWER.to_vec();
            for bit in 0..8 {
                changed[end] ^= 1 << bit;
                let _ = at(&changed, &digest, Some(nonce));
                changed[end] ^= 1 << bit;
            }
        }
        assert!(at(&[ANSWER, b"x"].concat(), &digest, None).is_err());
    }

    #[test]
    fn a_time_may_have_a_fraction_and_is_utc() {
        let at = |text: &str| instant(text.as_bytes()).map(|at| at.0);
        assert_eq!(at("20230607112626Z"), Some(1_686_137_186_000));
        assert_eq!(at("20230607112626.25Z"), Some(1_686_137_186_250));
        for wrong in [
            "",
            "Z",
            "2023Z",
            "20230607112626",
            "20230607112626+0900",
            "20231307112626Z",
            "ÿ0230607112626Z",
        ] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }
}
