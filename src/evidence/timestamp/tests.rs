//! What is taken for an answer of an authority, and what is not.

use super::*;

fn part(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let length = match u8::try_from(length) {
        Ok(short @ 0..128) => vec![short],
        Ok(byte) => vec![0x81, byte],
        _ => vec![0x82, (length >> 8) as u8, (length & 0xff) as u8],
    };
    [&[tag], &length[..], content].concat()
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    part(0x30, &parts.concat())
}

fn algorithm(oid: ObjectIdentifier) -> Vec<u8> {
    sequence(&[oid.to_der().unwrap()])
}

/// An answer that says of what has this digest that it was there on this day of 2026, and that signs `signed` of it.
pub(in crate::evidence) fn answer_signing(
    digest: &Digest,
    day: &str,
    signed: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let one = part(2, &[1]);
    let imprint = sequence(&[algorithm(SHA_256), part(4, digest.bytes())]);
    let time = part(0x18, format!("2026{day}000000Z").as_bytes());
    let info = sequence(&[
        one.clone(),
        TST_INFO.to_der().unwrap(),
        imprint,
        one.clone(),
        time,
    ]);
    let attribute = sequence(&[
        MESSAGE_DIGEST.to_der().unwrap(),
        part(0x31, &part(4, &signed(&info))),
    ]);
    let signer = sequence(&[
        one.clone(),
        sequence(&[]),
        algorithm(SHA_256),
        part(0xa0, &attribute),
        algorithm(SHA_256),
        part(4, b"signature"),
    ]);
    let content = part(0xa0, &part(4, &info));
    let data = sequence(&[
        part(2, &[3]),
        part(0x31, &algorithm(SHA_256)),
        sequence(&[TST_INFO.to_der().unwrap(), content]),
        part(0xa0, &sequence(&[])),
        part(0x31, &signer),
    ]);
    let token = sequence(&[SIGNED_DATA.to_der().unwrap(), part(0xa0, &data)]);
    sequence(&[sequence(&[part(2, &[0])]), token])
}

/// The same, as it should be.
pub(in crate::evidence) fn answer(digest: &Digest, day: &str) -> Vec<u8> {
    answer_signing(digest, day, |info| Sha256::digest(info).to_vec())
}

/// Guarantee: Suspicious
#[test]
fn what_an_answer_tells_is_what_it_signs() {
    let digest = Digest::of(b"abc");
    let right = answer(&digest, "1201");
    assert_eq!(at(&right, &digest, None), Ok(UtcMs(1_796_083_200_000)));
    let wrong = answer_signing(&digest, "1201", |_| vec![0; 32]);
    let why = at(&wrong, &digest, None).unwrap_err();
    assert!(why.contains("what it signs"), "{why}");
    // No more is taken into memory than an answer can have.
    let many = part(0x30, &[5, 0].repeat(30_000));
    at(&many, &digest, None).unwrap_err();
}

#[test]
fn why_an_authority_refuses_is_told_in_its_words_or_by_number() {
    let refusal = |more: &[Vec<u8>]| {
        let status = [vec![part(2, &[2])], more.to_vec()].concat();
        at(&sequence(&[sequence(&status)]), &Digest::of(b""), None).unwrap_err()
    };
    let text = sequence(&[part(0x0c, b"come\x1b back later")]);
    let told = refusal(std::slice::from_ref(&text));
    assert!(told.ends_with("come\\u{1b} back later"), "{told}");
    // Bit 14: the time is not available.
    let told = refusal(&[text, part(3, &[1, 0, 2])]);
    assert!(told.ends_with("; failure 14"), "{told}");
    let granted = sequence(&[sequence(&[part(2, &[0])])]);
    let told = at(&granted, &Digest::of(b""), None).unwrap_err();
    assert!(told.contains("there is not one"), "{told}");
}

/// What `openssl ts -query -data abc.txt -sha256 -cert` has written of "abc" (OpenSSL 3.0).
const QUESTION: &str = "30430201013031300d060960864801650304020105000420ba7816bf8f01cfea414140de5dae2223b00361a396\
                        177a9cb410ff61f20015ad020872b89a6390f9a03f0101ff";

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
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
const ANSWER: &[u8] = include_bytes!("../../../tests/data/abc.tsr");

/// Guarantee: Suspicious
#[test]
fn an_answer_is_taken_to_its_own_question_alone_and_no_byte_of_another_brings_the_reader_down() {
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
            let found = at(&changed, &digest, Some(nonce));
            // The time that it tells is the one that it signs.
            assert!(found.is_err() || found == at_03_606, "{end}");
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
        "2023060711Z",
        "202306071126Z",
        "20230607T11:26:26Z",
        "20230607112626,25Z",
        "20230607112626.Z",
        "20231307112626Z",
        "ÿ0230607112626Z",
    ] {
        assert_eq!(at(wrong), None, "{wrong}");
    }
}
