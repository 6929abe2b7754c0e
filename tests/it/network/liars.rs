//! A service that lies about what it sends, or never stops sending: it ends an attempt, fills no
//! memory, and nothing of it is published.

use std::sync::Arc;

use elsa_archiver::domain::job::ToBound;
use elsa_archiver::domain::retry::Failure;
use elsa_archiver::elsa::request::Request;

use super::archiving::{Archiving, BRISK};
use super::asking::{assert_followed, client, download, hour, job};
use super::authority::Shown;
use super::server::{Act, Script, Server};
use super::stillness::Stillness;
use super::trust::empty_zip;
use super::wire::End;

const MIB: u64 = 1 << 20;

/// More than the sockets' buffers and the client's own take, and far less than is offered.
const TAKEN: u64 = 32 * MIB;

fn lines(what: &str, bytes: u64) -> Act {
    let line = format!("{what}{}\r\n", "0123456789abcdef".repeat(62));
    let times = bytes / line.len() as u64;
    Act::Repeat(line.into(), times)
}

/// Offers `more` after `begin` and returns what the attempt failed with.
async fn offered(begin: &str, more: Act, failure: Failure, what: &str) {
    let script = Script::of([Act::Send(begin.into()), more, Act::Finish]);
    let server = Server::always(Shown::Right.tls(), script).await;
    let client = client(server.port);
    let error = download(&client).await.unwrap_err();
    assert_eq!(error.failure, failure, "{what}: {error}");
    assert_followed(failure);
    server.seen.ended.notified().await;
    let sent = server.seen.sent();
    assert!(sent < TAKEN, "{what}: {sent} bytes were taken");
}

/// Guarantee: Bounded
#[tokio::test]
async fn a_hundred_megabytes_where_a_few_bytes_belong_are_not_taken() {
    const BYTES: u64 = 100 * MIB;
    let ok = "HTTP/1.1 200 OK\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let many = lines("X-Filler: ", BYTES);
    let one = Act::Repeat(vec![b'x'; 1000], BYTES / 1000);
    let passing = Failure::Passing;
    offered(ok, many.clone(), passing, "headers").await;
    offered(&format!("{ok}X: "), one.clone(), passing, "a header").await;
    offered("HTTP/1.1 200 ", one.clone(), passing, "a reason").await;
    offered(
        &format!("{chunked}4;"),
        one.clone(),
        passing,
        "an extension",
    )
    .await;
    offered(&format!("{chunked}0\r\n"), many, passing, "trailers").await;
    offered(&format!("{chunked}0"), one.clone(), passing, "digits").await;
    let page = "HTTP/1.1 200 OK\r\n\r\n<html>";
    offered(page, one.clone(), Failure::BadAnswer, "a page").await;
    let error = "HTTP/1.1 500 Oh\r\n\r\n{\"error\":";
    offered(error, one, passing, "an error").await;
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn a_service_that_only_ever_says_continue_is_too_slow() {
    let stillness = Stillness::begin();
    let endless = Act::Repeat(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), u64::MAX);
    let server = Server::always(Shown::Right.tls(), Script::of([endless])).await;
    let client = client(server.port);
    let (got, _) = stillness.pass(download(&client), &server.seen.stalls).await;
    assert_eq!(got.unwrap_err().failure, Failure::TooSlow);
}

/// Guarantee: Isolated
#[tokio::test]
async fn what_is_no_http_or_contradicts_itself_passes_for_a_torn_answer() {
    let zip = "PK\u{5}\u{6}";
    let answers = [
        "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
        "PK\u{3}\u{4}".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n".to_owned() + zip,
        "HTTP/1.1 200 OK\r\nContent-Length: 4x\r\n\r\n".to_owned() + zip,
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".to_owned() + zip,
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 2\r\n\r\n".to_owned() + zip,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned() + zip,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n".to_owned() + zip,
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n".to_owned() + zip,
    ];
    for answer in answers {
        let script = Script::of([Act::Send(answer.clone().into()), Act::Finish]);
        let server = Server::always(Shown::Right.tls(), script).await;
        let error = download(&client(server.port)).await.unwrap_err();
        assert_eq!(error.failure, Failure::Passing, "{answer:?}: {error}");
    }
}

/// A cycle of one window against a service whose every answer is this; returns the requests.
async fn nothing_is_published(answer: Vec<u8>) -> usize {
    let script = Script::of([Act::Send(answer.clone()), Act::Finish]);
    let server = Server::always(Shown::Right.tls(), script).await;
    let mut archiving = Archiving::new("shop", Arc::new(client(server.port)), BRISK);
    let outcome = archiving.cycle(1).await;
    let what = String::from_utf8_lossy(&answer).into_owned();
    assert_eq!(
        (outcome.archived, outcome.left),
        (0, 1),
        "{what}: {outcome:?}"
    );
    assert!(archiving.files().is_empty(), "{what}: {outcome:?}");
    server.seen.requests()
}

/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_length_that_lies_in_either_direction_publishes_nothing_and_is_tried_five_times() {
    let whole = String::from_utf8(empty_zip()).unwrap();
    for length in [0, 1, 4, 21, 23, 1000] {
        let lie = whole.replace("Content-Length: 22", &format!("Content-Length: {length}"));
        assert_eq!(nothing_is_published(lie.into()).await, 5, "{length}");
    }
    // 3 GiB are announced; not a byte of them is waited for.
    let huge = "HTTP/1.1 200 OK\r\nContent-Length: 3221225472\r\n\r\nPK\x03\x04";
    assert_eq!(nothing_is_published(huge.into()).await, 5);
}

/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_without_end_is_left_at_its_bound() {
    let script = Script::of([
        Act::Send(b"HTTP/1.1 200 OK\r\n\r\nPK\x03\x04".to_vec()),
        Act::Repeat(vec![0; 1 << 18], u64::MAX),
    ]);
    let server = Server::always(Shown::Right.tls(), script).await;
    let client = client(server.port);
    let job = job("shop");
    let mut answer = client
        .ask(&Request::new(&job, ToBound::Inclusive, hour(0)))
        .await
        .unwrap();
    let mut received = 0;
    let error = loop {
        match answer.chunk().await {
            Ok(piece) => received += piece.unwrap().len() as u64,
            Err(error) => break error,
        }
    };
    assert_eq!(error.failure, Failure::BadAnswer, "{error}");
    assert_followed(error.failure);
    assert!(received <= 2048 * MIB, "{received}");
}

/// Guarantee: Isolated
#[tokio::test]
async fn a_connection_that_was_closed_while_idle_costs_no_attempt() {
    let script = Script::of([Act::Send(empty_zip()), Act::Finish]);
    let server = Server::always(Shown::Right.tls(), script).await;
    let client = client(server.port);
    for asked in 1..=20 {
        download(&client).await.unwrap();
        // The client has noticed, or it would not have closed its own side.
        server.seen.ended.notified().await;
        assert_eq!(server.seen.requests(), asked);
    }
}

/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_closed_just_when_the_next_request_comes_is_made_good() {
    for how in [End::Closed, End::Reset] {
        let script = Script {
            most: 1,
            last: how,
            ..Script::of([Act::Send(empty_zip())])
        };
        let server = Server::start(Shown::Right.tls(), move |_| script.clone()).await;
        let mut archiving = Archiving::new("shop", Arc::new(client(server.port)), BRISK);
        let outcome = archiving.cycle(5).await;
        assert!(
            outcome.is_complete() && outcome.archived == 5,
            "{how:?}: {outcome:?}"
        );
        // The first request of a connection is answered. A second one is not, and is made again; whether it comes is
        // a matter of when the client takes the connection for idle. Five attempts are enough for five windows.
        let requests = server.seen.requests();
        assert!((5..=9).contains(&requests), "{how:?}: {requests}");
    }
}
