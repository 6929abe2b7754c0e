//! Timestamps of heads: the questions and answers of RFC 3161. Pure.
//!
//! What is kept is the authority's answer as it came, which `openssl ts -verify` proves. Here it is looked at for what it
//! is about and of when. Whether its signature is an authority's that somebody trusts, only they can say.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef};
use der::{
    Decode as _, Encode as _, ErrorKind, Reader as _, Sequence, SliceReader, Tag, TagNumber,
};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::digest::Digest;
use crate::domain::span::UtcMs;
use crate::printable::printable;

/// id-signedData (RFC 5652, 5.1).
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// id-ct-TSTInfo (RFC 3161, 2.4.2).
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");

/// id-sha256 (RFC 5754, 2.2).
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// id-sha384 and id-sha512 (RFC 5754, 2.3 and 2.4).
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// id-messageDigest (RFC 5652, 11.2).
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");

/// Of how many parts something may be made.
const MOST_PARTS: usize = 64;

/// What is signed, the certificates, and the signed attributes, in SignedData (RFC 5652, 5.1 to 5.3).
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
    let signed = signed(token).map_err(none)?;
    let signed = signed.ok_or("it is signed, and no timestamp")?;
    let info = info(signed.content).map_err(none)?;
    let imprint = &info.imprint;
    if imprint.algorithm.oid != SHA_256 || imprint.hashed.as_bytes() != digest.bytes() {
        return Err("it is of something else than this head and its signature".to_owned());
    }
    if nonce.is_some() && info.nonce != nonce {
        return Err("it is the answer to another question".to_owned());
    }
    if nonce.is_some() && !signed.has_chain {
        return Err("it lacks the certificates that prove it".to_owned());
    }
    if !is_signed(&signed).map_err(none)? {
        return Err("what it signs is not the time that it tells".to_owned());
    }
    instant(info.time).ok_or_else(|| "its time can't be read".to_owned())
}

/// The token of an answer, or why the authority gave none (TimeStampResp, RFC 3161, 2.4.2).
fn token(answer: &[u8]) -> der::Result<Result<AnyRef<'_>, String>> {
    let parts = all(AnyRef::from_der(answer)?, Tag::Sequence)?;
    let Some((status, token)) = parts.split_first() else {
        return Err(ErrorKind::Failed.into());
    };
    let status = all(*status, Tag::Sequence)?;
    let number: u32 = match status.first() {
        Some(number) => number.decode_as()?,
        None => return Err(ErrorKind::Failed.into()),
    };
    // 0 granted, 1 granted with modifications.
    Ok(match (number, token) {
        (0 | 1, [token]) => Ok(*token),
        (0 | 1, _) => Err("it grants a timestamp, and there is not one in its answer".to_owned()),
        _ => {
            let why: Vec<String> = status
                .iter()
                .skip(1)
                .filter_map(|said| reason(*said))
                .collect();
            Err(format!(
                "it refuses, with status {number}: {}",
                why.join("; ")
            ))
        }
    })
}

/// Why an authority refuses: its words (PKIFreeText), or the numbers of its reasons (PKIFailureInfo, RFC 3161, 2.4.2).
fn reason(said: AnyRef<'_>) -> Option<String> {
    match said.header().tag() {
        Tag::Sequence => {
            let texts = all(said, Tag::Sequence).ok()?;
            let texts = texts
                .iter()
                .map(|text| String::from_utf8_lossy(text.value()));
            Some(printable(&texts.collect::<Vec<_>>().join(" ")))
        }
        Tag::BitString => {
            let bits: BitStringRef<'_> = said.decode_as().ok()?;
            let failures = (0_u32..).zip(bits.bits()).filter(|(_, is_set)| *is_set);
            let failures: Vec<String> = failures.map(|(number, _)| number.to_string()).collect();
            Some(format!("failure {}", failures.join(", ")))
        }
        _ => None,
    }
}

/// What a token signs, and by what (SignedData, RFC 5652, 5.1).
struct Signed<'a> {
    /// The TSTInfo.
    content: &'a [u8],
    /// Whether certificates are there.
    has_chain: bool,
    /// Who signs: SignerInfo.
    signer: AnyRef<'a>,
}

/// What a token signs; `None` where that is no timestamp.
fn signed(token: AnyRef<'_>) -> der::Result<Option<Signed<'_>>> {
    let [kind, content] = exactly(token, Tag::Sequence)?;
    if kind.decode_as::<ObjectIdentifier>()? != SIGNED_DATA {
        return Ok(None);
    }
    let [content] = exactly(content, TAG_0)?;
    let parts = all(content, Tag::Sequence)?;
    let [_version, _algorithms, signed, rest @ .., signers] = &parts[..] else {
        return Err(ErrorKind::Failed.into());
    };
    let is_chain = |part: &AnyRef<'_>| part.header().tag() == TAG_0 && !part.value().is_empty();
    let has_chain = rest.iter().any(is_chain);
    // The authority's signature, and no other (RFC 3161, 2.4.2).
    let [signer] = exactly(*signers, Tag::Set)?;
    let [kind, signed] = exactly(*signed, Tag::Sequence)?;
    let [signed] = exactly(signed, TAG_0)?;
    let is_timestamp = kind.decode_as::<ObjectIdentifier>()? == TST_INFO;
    let content = signed.decode_as::<&OctetStringRef>()?.as_bytes();
    Ok(is_timestamp.then_some(Signed {
        content,
        has_chain,
        signer,
    }))
}

/// Whether the digest that is signed is that of the content (RFC 5652, 5.3 and 11.2). Of a function that is not known here,
/// `openssl ts -verify` tells.
fn is_signed(signed: &Signed<'_>) -> der::Result<bool> {
    let parts = all(signed.signer, Tag::Sequence)?;
    let [_version, _who, algorithm, attributes, ..] = &parts[..] else {
        return Err(ErrorKind::Failed.into());
    };
    let algorithm: Algorithm<'_> = algorithm.decode_as()?;
    let expected = match algorithm.oid {
        SHA_256 => Sha256::digest(signed.content).to_vec(),
        SHA_384 => Sha384::digest(signed.content).to_vec(),
        SHA_512 => Sha512::digest(signed.content).to_vec(),
        _ => return Ok(true),
    };
    for attribute in all(*attributes, TAG_0)? {
        let [kind, values] = exactly(attribute, Tag::Sequence)?;
        if kind.decode_as::<ObjectIdentifier>()? == MESSAGE_DIGEST {
            let [value] = exactly(values, Tag::Set)?;
            return Ok(value.decode_as::<&OctetStringRef>()?.as_bytes() == expected);
        }
    }
    Ok(false)
}

fn info(signed: &[u8]) -> der::Result<Info<'_>> {
    let parts = all(AnyRef::from_der(signed)?, Tag::Sequence)?;
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
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || fraction.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let (date, clock) = time.split_at_checked(8)?;
    let at: Timestamp = format!("{date}T{clock}Z").parse().ok()?;
    Some(UtcMs::from(at))
}

/// The parts of what is made of parts, where it is `tagged` so. Nothing that is read here has as many as would take memory.
fn all(whole: AnyRef<'_>, tagged: Tag) -> der::Result<Vec<AnyRef<'_>>> {
    if whole.header().tag() != tagged {
        return Err(ErrorKind::Failed.into());
    }
    let mut reader = SliceReader::new(whole.value())?;
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(AnyRef::decode(&mut reader)?);
        if parts.len() > MOST_PARTS {
            return Err(ErrorKind::Failed.into());
        }
    }
    Ok(parts)
}

/// As [`all`], where they are so many.
fn exactly<const N: usize>(whole: AnyRef<'_>, tagged: Tag) -> der::Result<[AnyRef<'_>; N]> {
    let parts = all(whole, tagged)?;
    parts.try_into().map_err(|_| ErrorKind::Failed.into())
}

#[cfg(test)]
pub(super) mod tests;
