//! The stream cut after each byte in turn: the server's bytes beneath TLS, from the handshake's
//! first to the last one of TLS's good-bye, and those within it. A step for the cuts of whole
//! cycles is in `ELSA_ARCHIVER_CUT_STEP`; 1 tries each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use elsa_archiver::domain::retry::Failure;

use super::archiving::{Archiving, BRISK};
use super::asking::{BEGIN, assert_followed, client, download};
use super::authority::Shown;
use super::server::{Act, Script, Server};
use super::wire::{Cut, End};
use crate::harness::zip_of;
use elsa_archiver::domain::retry::Policy;

/// How an answer says where its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length,
    Chunks,
    UntilClose,
}

fn zip() -> Vec<u8> {
    let log_time = BEGIN.0 + 1;
    zip_of("logs.json", &format!(r#"[{{"logTime":{log_time}}}]"#))
}

fn answer(framing: Framing, body: &[u8]) -> Vec<u8> {
    // Without this the client would keep the connection and find it cut when it asks again.
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/zip\r\n";
    let (first, second) = body.split_at(body.len() / 2);
    let chunk = |bytes: &[u8]| {
        [
            format!("{:x}\r\n", bytes.len()).as_bytes(),
            bytes,
            b"\r\n".as_slice(),
        ]
        .concat()
    };
    let rest = match framing {
        Framing::Length => [
            format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(),
            body,
        ]
        .concat(),
        Framing::Chunks => [
            b"Transfer-Encoding: chunked\r\n\r\n".to_vec(),
            chunk(first),
            chunk(second),
            chunk(b""),
        ]
        .concat(),
        Framing::UntilClose => [b"\r\n".as_slice(), body].concat(),
    };
    [head.as_bytes(), &rest].concat()
}

/// A server that cuts its connections after as many bytes as the second value says.
async fn cutting(shown: Shown, framing: Framing, end: End) -> (Server, Arc<AtomicU64>) {
    let after = Arc::new(AtomicU64::new(0));
    let (told, body) = (Arc::clone(&after), zip());
    let server = Server::start(shown.in_small_records(), move |_| Script {
        cut: Some(Cut {
            after: told.load(Ordering::SeqCst),
            end,
        }),
        ..Script::of([Act::Send(answer(framing, &body)), Act::Finish])
    });
    (server.await, after)
}

/// Cuts after each byte in turn until nothing is cut any more; returns the number of cuts, and how
/// many of them left the answer whole.
async fn cut_everywhere(shown: Shown, framing: Framing, end: End) -> (u64, u64) {
    let (server, cut_after) = cutting(shown, framing, end).await;
    let client = client(server.port);
    let mut whole = 0;
    for after in 0.. {
        cut_after.store(after, Ordering::SeqCst);
        let got = download(&client).await;
        server.seen.ended.notified().await;
        let what = format!("{shown:?}, {framing:?}, {end:?} after {after}");
        if !server.seen.was_cut() {
            assert_eq!(got.unwrap(), zip(), "{what}");
            return (after, whole);
        }
        match got {
            Ok(bytes) => {
                assert_eq!(bytes, zip(), "{what}");
                whole += 1;
            }
            Err(error) => {
                let expected = match server.seen.handshake() {
                    0 => Failure::Unreachable,
                    _ => Failure::Passing,
                };
                assert_eq!(error.failure, expected, "{what}: {error}");
                assert_followed(error.failure);
                assert_eq!(whole, 0, "{what}: whole before, and now {error}");
            }
        }
    }
    unreachable!("there is an end to what is sent")
}

/// Bytes of TLS's good-bye; where the body ends by itself, a cut within it tears nothing.
const GOOD_BYE: u64 = 24;

/// Guarantee: Suspicious
#[tokio::test]
async fn an_answer_with_a_length_is_whole_or_refused_wherever_it_is_cut() {
    let (cuts, whole) = cut_everywhere(Shown::Right, Framing::Length, End::Closed).await;
    assert_eq!(whole, GOOD_BYE, "of {cuts}");
    assert!(cuts > 1000, "{cuts}");
}

/// Guarantee: Suspicious
#[tokio::test]
async fn an_answer_in_chunks_is_whole_or_refused_wherever_it_is_cut() {
    let (cuts, whole) = cut_everywhere(Shown::Right, Framing::Chunks, End::Closed).await;
    assert_eq!(whole, GOOD_BYE, "of {cuts}");
}

/// Guarantee: Suspicious
#[tokio::test]
async fn an_answer_that_ends_with_the_connection_is_never_believed_without_tls_saying_so() {
    let (cuts, whole) = cut_everywhere(Shown::Right, Framing::UntilClose, End::Closed).await;
    assert_eq!(whole, 0, "of {cuts}");
}

/// Guarantee: Suspicious
#[tokio::test]
async fn an_answer_is_whole_or_refused_wherever_the_connection_is_reset() {
    let (cuts, whole) = cut_everywhere(Shown::Right, Framing::Length, End::Reset).await;
    assert!(whole <= GOOD_BYE, "{whole} of {cuts}");
}

/// Guarantee: Suspicious
#[tokio::test]
async fn an_answer_over_tls_1_2_is_whole_or_refused_wherever_it_is_cut() {
    let (cuts, whole) = cut_everywhere(Shown::RightByTls12, Framing::Length, End::Closed).await;
    assert!(whole <= 40, "{whole} of {cuts}");
}

/// A server whose answer ends after each of its bytes in turn, while TLS says that this was all.
async fn ending_early(framing: Framing, answers: usize) -> Server {
    let whole = answer(framing, &zip());
    assert_eq!(whole.len(), answers);
    Server::start(Shown::Right.tls(), move |number| {
        Script::of([
            Act::Send(whole[..number.min(answers)].to_vec()),
            Act::Finish,
        ])
    })
    .await
}

/// Guarantee: Suspicious
#[tokio::test]
async fn a_length_and_chunks_are_held_against_an_end_in_good_order() {
    for framing in [Framing::Length, Framing::Chunks] {
        let bytes = answer(framing, &zip()).len();
        let server = ending_early(framing, bytes).await;
        let client = client(server.port);
        for after in 0..bytes {
            let error = download(&client).await.unwrap_err();
            assert_eq!(
                error.failure,
                Failure::Passing,
                "{framing:?}, {after}: {error}"
            );
        }
        assert_eq!(download(&client).await.unwrap(), zip());
    }
}

/// Here nothing but the zip itself can tell.
///
/// Guarantee: Atomic
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zip_that_ends_early_in_good_order_is_never_published() {
    let bytes = answer(Framing::UntilClose, &zip()).len();
    let server = ending_early(Framing::UntilClose, bytes).await;
    let once = Policy {
        attempts: 1,
        ..BRISK
    };
    let mut archiving = Archiving::new("shop", Arc::new(client(server.port)), once);
    for after in 0..bytes {
        let outcome = archiving.cycle(1).await;
        assert_eq!(
            (outcome.archived, outcome.left),
            (0, 1),
            "{after}: {outcome:?}"
        );
        assert!(archiving.files().is_empty(), "{after}: {outcome:?}");
    }
    let outcome = archiving.cycle(1).await;
    assert_eq!((outcome.archived, outcome.records), (1, 1), "{outcome:?}");
}

/// Guarantee: Atomic
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_the_stream_is_cut_a_cycle_publishes_all_or_nothing() {
    let step: u64 = match std::env::var("ELSA_ARCHIVER_CUT_STEP") {
        Ok(step) => step.parse().unwrap(),
        Err(_) => 9,
    };
    let (server, cut_after) = cutting(Shown::Right, Framing::Length, End::Closed).await;
    let client = Arc::new(client(server.port));
    let once = Policy {
        attempts: 1,
        ..BRISK
    };
    let mut archiving = Archiving::new("shop", Arc::clone(&client), once);
    for after in (0..).step_by(usize::try_from(step).unwrap()) {
        cut_after.store(after, Ordering::SeqCst);
        let outcome = archiving.cycle(1).await;
        server.seen.ended.notified().await;
        if outcome.archived == 1 {
            assert!(outcome.is_complete() && outcome.records == 1, "{outcome:?}");
            // A window is archived once; the rest of the cuts need another archive.
            archiving = Archiving::new("shop", Arc::clone(&client), once);
        } else {
            assert_eq!(outcome.left, 1, "{after}: {outcome:?}");
            assert!(archiving.files().is_empty(), "{after}: {outcome:?}");
        }
        if !server.seen.was_cut() {
            assert_eq!(outcome.archived, 1, "{outcome:?}");
            return;
        }
    }
}
