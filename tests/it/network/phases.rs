//! A network that hangs, in every phase: each attempt ends by the deadline of the phase it is in,
//! the program's own, and its failure is told apart.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use elsa_archiver::domain::retry::Failure;
use elsa_archiver::elsa::error_response::CallError;
use elsa_archiver::elsa::network::Network;
use elsa_archiver::elsa::request::Search;
use reqwest::dns::{Name, Resolve, Resolving};
use tokio::sync::Notify;

use super::asking::{assert_followed, client, client_over, download, job, network};
use super::authority::Shown;
use super::server::{Act, Script, Server};
use super::stillness::Stillness;
use super::wire::{Cut, End};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";

/// Asserts that the attempt failed so, and not later than `seconds` allow (not earlier either).
#[track_caller]
fn assert_ended(
    (got, took): (Result<Vec<u8>, CallError>, Duration),
    failure: Failure,
    seconds: u64,
    what: &str,
) {
    let error = got.expect_err(what);
    assert_eq!(error.failure, failure, "{what}: {error}");
    assert_followed(failure);
    // The phase may have begun some moves of the clock late, since what led to it had to arrive.
    let allowed = Duration::from_secs(seconds)..Duration::from_secs(seconds + 10);
    assert!(allowed.contains(&took), "{what}: {took:?}: {error}");
}

async fn asked(script: Script) -> (Result<Vec<u8>, CallError>, Duration) {
    let stillness = Stillness::begin();
    let server = Server::always(Shown::Right.tls(), script).await;
    let client = client(server.port);
    stillness.pass(download(&client), &server.seen.stalls).await
}

/// A resolver that tells when it is asked, and answers never.
struct Silent(Arc<Notify>);

impl Resolve for Silent {
    fn resolve(&self, _: Name) -> Resolving {
        self.0.notify_one();
        Box::pin(std::future::pending())
    }
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn a_resolver_that_never_answers_is_given_up_after_ten_seconds() {
    let stillness = Stillness::begin();
    let reached = Arc::new(Notify::new());
    let network = Network {
        resolver: Arc::new(Silent(Arc::clone(&reached))),
        ..network()
    };
    let client = client_over(network, 443);
    let ended = stillness.pass(download(&client), &reached).await;
    let message = ended.0.as_ref().unwrap_err().message.clone();
    assert!(message.contains("looking up localhost"), "{message}");
    assert_ended(ended, Failure::Unreachable, 10, "look-up");
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_take_the_connection_is_given_up_after_25_seconds() {
    let stillness = Stillness::begin();
    // Nobody accepts: once the queue is full, the system answers nothing at all.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let _full = fill(address);
    let reached = Notify::new();
    reached.notify_one();
    let client = client(address.port());
    let ended = stillness.pass(download(&client), &reached).await;
    assert_ended(ended, Failure::Unreachable, 25, "TCP");
}

fn fill(address: SocketAddr) -> Vec<TcpStream> {
    // Should the queue be longer than that, TLS hangs in place of TCP, by the same deadline.
    let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
    (0..5000).map_while(connect).collect()
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn a_handshake_that_hangs_anywhere_is_given_up_after_25_seconds() {
    for after in [0, 1, 100, 300, 500] {
        let ended = asked(Script {
            cut: Some(Cut {
                after,
                end: End::Stalled,
            }),
            ..Script::of([])
        });
        let what = format!("TLS after {after} bytes");
        assert_ended(ended.await, Failure::Unreachable, 25, &what);
    }
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn a_handshake_of_a_byte_a_second_is_given_up_after_25_seconds() {
    for after in [0, 1, 300, 500] {
        let stillness = Stillness::begin();
        let drip = Script {
            cut: Some(Cut {
                after,
                end: End::Dripping,
            }),
            ..Script::of([])
        };
        let server = Server::always(Shown::Right.tls(), drip).await;
        let client = client(server.port);
        server.seen.stalls.notify_one();
        let ended = stillness.pass(download(&client), &server.seen.stalls).await;
        let what = format!("TLS that drips after {after} bytes");
        assert_ended(ended, Failure::Unreachable, 25, &what);
        // It did go on until then, and the server noticed the end of it soon.
        let noticed = server.seen.ended.notified();
        stillness
            .pass_by(Duration::from_secs(1), noticed, || ())
            .await;
        let dripped = server.seen.passed() - after;
        assert!((15..40).contains(&dripped), "{what}: {dripped}");
        assert_eq!(server.seen.handshake(), 0, "{what}");
    }
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn a_service_that_never_answers_is_too_slow_after_its_deadline() {
    // Look-up, connection and search have 205 seconds together.
    for sent in ["", "HTTP/1.1 200", &HEAD[..HEAD.len() - 2]] {
        let answer = [Act::Send(sent.into()), Act::Break(End::Stalled)];
        let what = format!("head after {} bytes", sent.len());
        assert_ended(
            asked(Script::of(answer)).await,
            Failure::TooSlow,
            205,
            &what,
        );
    }
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn an_answer_that_stalls_anywhere_is_given_up_after_a_minute() {
    for length in [0, 1, 4, 5000, 99_999] {
        let body = [b"PK\x03\x04".as_slice(), &vec![7; 99_996]].concat();
        let answer = [
            Act::Send(HEAD.into()),
            Act::Send(body[..length].to_vec()),
            Act::Break(End::Stalled),
        ];
        let what = format!("body after {length} bytes");
        assert_ended(asked(Script::of(answer)).await, Failure::Passing, 60, &what);
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nPK\x03\x04\r\n0\r\n";
    let answer = [Act::Send(chunked.into()), Act::Break(End::Stalled)];
    let ended = asked(Script::of(answer)).await;
    assert_ended(ended, Failure::Passing, 60, "the last chunk's end");
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn a_drip_of_a_byte_a_second_ends_by_the_deadline_of_what_drips() {
    let head = Script::of([Act::Drip(
        format!("HTTP/1.1 200 OK\r\nX: {:0500}\r\n\r\n", 0).into(),
    )]);
    assert_ended(asked(head).await, Failure::TooSlow, 205, "head");
    let zip = [b"PK\x03\x04".as_slice(), &vec![7; 99_996]].concat();
    let body = Script::of([Act::Send(HEAD.into()), Act::Drip(zip.clone())]);
    assert_ended(asked(body).await, Failure::TooSlow, 120, "body");
    let rest = Act::Drip(zip[50_000..].to_vec());
    let body = Script::of([
        Act::Send(HEAD.into()),
        Act::Send(zip[..50_000].into()),
        rest,
    ]);
    assert_ended(
        asked(body).await,
        Failure::TooSlow,
        120,
        "the rest of a body",
    );
    // What only looks like a drip: as much in two minutes as must come.
    let times = 99_996 / 40;
    let slowly = Act::Trickle(vec![7; 40], times);
    let body = Script::of([Act::Send(HEAD.into()), Act::Send(zip[..36].into()), slowly]);
    assert_ended(
        asked(body).await,
        Failure::TooSlow,
        1800,
        "a body that is slow",
    );
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn an_error_whose_text_drips_or_stalls_is_not_waited_for_long_and_counts_as_slow() {
    for (status, failure) in [
        ("503 Oh", Failure::TooSlow),
        ("200 OK", Failure::TooSlow),
        // What its status alone says stays true.
        ("401 No", Failure::WrongKey),
        ("404 No", Failure::Rejected),
    ] {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: 100000\r\n\r\n");
        let begins = || [Act::Send(head.clone().into()), Act::Send(b"<htm".into())];
        for act in [Act::Drip(vec![b'x'; 100_000]), Act::Break(End::Stalled)] {
            let what = format!("{status}, {:.9}", format!("{act:?}"));
            let (got, took) = asked(Script::of(begins().into_iter().chain([act]))).await;
            let error = got.unwrap_err();
            assert_eq!(error.failure, failure, "{what}: {error}");
            let allowed = Duration::from_secs(60)..Duration::from_secs(70);
            assert!(allowed.contains(&took), "{what}: {took:?}");
        }
    }
}

async fn searched(script: Script) -> (Result<Vec<u8>, CallError>, Duration) {
    let stillness = Stillness::begin();
    let server = Server::always(Shown::Right.tls(), script).await;
    let client = client(server.port);
    let asking = async {
        let job = job("shop");
        client
            .search(&Search::of_nothing(&job))
            .await
            .map(|_| Vec::new())
    };
    stillness.pass(asking, &server.seen.stalls).await
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn answers_that_only_announce_an_answer_end_by_the_deadline_of_the_head() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let one_a_second = Act::Drip(early.repeat(50).into());
    assert_ended(
        asked(Script::of([one_a_second])).await,
        Failure::TooSlow,
        205,
        "1xx, slowly",
    );

    let stillness = Stillness::begin();
    let at_once = Script::of([Act::Repeat(early.into(), u64::MAX)]);
    let server = Server::always(Shown::Right.tls(), at_once).await;
    let client = client(server.port);
    let ended = stillness.pass(download(&client), &server.seen.stalls).await;
    assert_ended(ended, Failure::TooSlow, 205, "1xx without end");
    // Nobody reads on in the background.
    let noticed = server.seen.ended.notified();
    stillness
        .pass_by(Duration::from_secs(1), noticed, || ())
        .await;
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn a_search_whose_answer_drips_is_too_slow_after_a_minute() {
    let drip = Act::Drip(vec![b' '; 100_000]);
    let ended = searched(Script::of([Act::Send(HEAD.into()), drip])).await;
    assert_ended(ended, Failure::TooSlow, 60, "a search");
}
