//! Each fault as it is seen on the wire.

use std::io::ErrorKind;
use std::time::Duration;

use super::answers::{instant, records};
use super::*;

/// A simulator whose first answer suffers `fault`, the length of the honest answer, and a client
/// that has asked.
async fn struck(fault: Fault) -> (Simulator, Answer, Client) {
    let simulator = speaking(shop(300), Dialect::default()).await;
    let honest = answer_to(&simulator, &ask()).await;
    simulator.clear_journal();
    simulator.set_faults(FaultPlan::script([fault.clone()]));
    let mut client = Client::connect(&simulator).await;
    client.ask(&ask()).await;
    (simulator, honest, client)
}

async fn answered(fault: Fault) -> (Answer, Answer) {
    let (simulator, honest, mut client) = struck(fault.clone()).await;
    let answer = client.answer().await.unwrap();
    let entry = simulator.journal().remove(0);
    assert_eq!(
        (entry.fault, entry.status),
        (Some(fault), Some(answer.status))
    );
    assert_eq!(entry.bytes, answer.body.len() as u64);
    // The script is used up: the next request is answered honestly.
    assert_eq!(answer_to(&simulator, &ask()).await.body, honest.body);
    (answer, honest)
}

/// Lets the server go on until something shows in the journal.
async fn until(simulator: &Simulator, shows: impl Fn(&Entry) -> bool) {
    let looking = async {
        while !simulator.journal().first().is_some_and(&shows) {
            tokio::task::yield_now().await;
        }
    };
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, looking).await.unwrap();
}

#[tokio::test]
async fn a_status_comes_with_code_message_and_retry_after() {
    let (answer, _) = answered(Fault::Status {
        http: 429,
        error_code: "410".into(),
        message: "Throttle \"Limited\"".into(),
        retry_after: Some("7\r\nX-Smuggled: 1".into()),
    })
    .await;
    assert_eq!(answer.error(), (429, "410".to_owned()));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["error"]["message"], "Throttle \"Limited\"");
    assert_eq!(answer.header("retry-after"), Some("7X-Smuggled: 1"));
    assert_eq!(answer.header("x-smuggled"), None);
}

#[tokio::test]
async fn a_success_may_be_a_page_an_error_nothing_or_anything() {
    let (html, _) = answered(Fault::Html200).await;
    assert_eq!(html.status, 200);
    assert_eq!(
        html.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let (error, _) = answered(Fault::ErrorIn200).await;
    assert_eq!(error.error(), (200, "900".to_owned()));
    let (empty, _) = answered(Fault::EmptyBody200).await;
    assert_eq!((empty.status, empty.body.len()), (200, 0));
    assert_eq!(empty.header("content-type"), Some("application/zip"));
    let (body, _) = answered(Fault::Body(b"PK nothing".to_vec())).await;
    assert_eq!(
        (body.status, body.body.as_slice()),
        (200, &b"PK nothing"[..])
    );
}

#[tokio::test]
async fn a_cut_answer_ends_before_the_length_it_promised() {
    for (after, expected) in [(0, 0), (100, 100), (u64::MAX, usize::MAX)] {
        let (answer, honest) = answered(Fault::CutAfter(after)).await;
        let length = honest.body.len();
        assert_eq!(
            answer.header("content-length"),
            Some(length.to_string().as_str())
        );
        assert!(!answer.is_whole);
        assert_eq!(answer.body, honest.body[..expected.min(length - 1)]);
    }
}

#[tokio::test]
async fn a_cut_chunked_answer_has_no_last_chunk() {
    let dialect = Dialect {
        framing: Framing::Chunked,
        ..Dialect::default()
    };
    let simulator = speaking(shop(300), dialect).await;
    simulator.set_faults(FaultPlan::always(Fault::CutAfter(100)));
    let answer = answer_to(&simulator, &ask()).await;
    assert_eq!((answer.body.len(), answer.is_whole), (100, false));
    assert_eq!(answer.header("content-length"), None);
}

#[tokio::test]
async fn a_reset_is_a_reset_and_no_close() {
    let (simulator, _, mut client) = struck(Fault::Reset).await;
    assert_eq!(client.failure().await, ErrorKind::ConnectionReset);
    let entry = simulator.journal().remove(0);
    assert_eq!((entry.status, entry.bytes), (None, 0));
}

#[tokio::test]
async fn a_stall_before_the_headers_lasts_until_the_simulator_ends() {
    let (simulator, _, mut client) = struck(Fault::StallBeforeHeaders).await;
    until(&simulator, |entry| entry.fault.is_some()).await;
    assert_eq!(simulator.journal()[0].finished_at, None);
    simulator.shutdown().await;
    assert!(client.rest().await.is_empty());
}

#[tokio::test]
async fn a_stall_ends_when_the_client_goes() {
    for fault in [Fault::StallBeforeHeaders, Fault::StallInBody(9)] {
        let (simulator, _, mut client) = struck(fault).await;
        client.close_writing().await;
        until(&simulator, |entry| entry.finished_at.is_some()).await;
    }
}

#[tokio::test]
async fn a_stall_in_the_body_comes_after_so_many_bytes() {
    let (simulator, honest, mut client) = struck(Fault::StallInBody(100)).await;
    let head = client.head().await.unwrap();
    let length = honest.body.len().to_string();
    assert_eq!(head.header("content-length"), Some(length.as_str()));
    assert!(client.have(100).await.unwrap());
    assert_eq!(simulator.journal()[0].finished_at, None);
    simulator.shutdown().await;
    assert_eq!(client.rest().await, honest.body[..100]);
}

#[tokio::test]
async fn a_drip_is_whole_in_the_end_and_can_be_watched() {
    let pause = Duration::ZERO;
    let (answer, honest) = answered(Fault::Drip { pause }).await;
    assert!(answer.is_whole);
    assert_eq!(answer.body, honest.body);

    let pause = Duration::from_secs(3600);
    let (simulator, honest, mut client) = struck(Fault::Drip { pause }).await;
    client.head().await.unwrap();
    assert!(client.have(1).await.unwrap());
    simulator.shutdown().await;
    assert_eq!(client.rest().await, honest.body[..1]);
}

#[tokio::test]
async fn a_lying_length_is_too_long_or_too_short() {
    let (simulator, honest, mut client) = struck(Fault::LyingLength(10)).await;
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.is_whole, answer.body), (false, honest.body.clone()));
    drop(simulator);

    let (_simulator, honest, mut client) = struck(Fault::LyingLength(-10)).await;
    let answer = client.answer().await.unwrap();
    let (told, kept_back) = honest.body.split_at(honest.body.len() - 10);
    assert_eq!((answer.is_whole, answer.body.as_slice()), (true, told));
    assert_eq!(client.rest().await, kept_back);

    let (_simulator, honest, mut client) = struck(Fault::LyingLength(i64::MIN)).await;
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.is_whole, answer.body.len()), (true, 0));
    assert_eq!(client.rest().await, honest.body);
}

#[tokio::test]
async fn chunks_without_an_end_are_otherwise_whole() {
    let (answer, honest) = answered(Fault::ChunkedWithoutEnd).await;
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!((answer.is_whole, answer.body), (false, honest.body));
}

#[tokio::test]
async fn an_endless_body_goes_on_for_as_long_as_it_is_read() {
    let (simulator, _, mut client) = struck(Fault::EndlessBody).await;
    assert_eq!(client.head().await.unwrap().status, 200);
    let mut body = Vec::new();
    assert!(!client.chunks(&mut body, 20 << 20).await.unwrap());
    assert!(body.starts_with(b"PK\x03\x04") && body.len() >= 20 << 20);
    drop(client);
    until(&simulator, |entry| entry.finished_at.is_some()).await;
    assert!(simulator.journal()[0].bytes >= body.len() as u64);
}

#[tokio::test]
async fn huge_headers_come_before_the_honest_answer() {
    let (answer, honest) = answered(Fault::HugeHeaders).await;
    let size: usize = answer
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    assert!(size > 1 << 20, "{size}");
    assert_eq!(answer.body, honest.body);
}

#[tokio::test]
async fn one_byte_of_the_zip_is_flipped() {
    for place in [0, 500, u64::MAX] {
        let (answer, honest) = answered(Fault::CorruptZip(place)).await;
        let place = (place % honest.body.len() as u64) as usize;
        let differing: Vec<usize> = (0..honest.body.len())
            .filter(|&at| answer.body[at] != honest.body[at])
            .collect();
        assert_eq!(differing, [place]);
        assert_eq!(answer.body[place], !honest.body[place]);
    }
}

#[tokio::test]
async fn an_answer_can_be_full_however_short_the_span() {
    let simulator = speaking(shop(3), Dialect::default()).await;
    simulator.set_faults(FaultPlan::always(Fault::AlwaysFull));
    for last in [FROM, FROM.plus(Millis(1)), TO.plus(Millis(-1))] {
        let asked = ask_with(&json!({"to": last.0, "count": 50}));
        let told = records(&answer_to(&simulator, &asked).await);
        assert_eq!(told.len(), 50);
        let lies_inside = |record: &Value| (FROM..=last).contains(&instant(&record["logTime"]));
        assert!(told.iter().all(lies_inside), "{told:?}");
    }
}

#[tokio::test]
async fn a_redirect_names_the_place_that_must_not_be_followed() {
    let (answer, _) = answered(Fault::Redirect("http://127.0.0.1:1/x".into())).await;
    assert_eq!(answer.status, 307);
    assert_eq!(answer.header("location"), Some("http://127.0.0.1:1/x"));
}

#[tokio::test]
async fn a_refused_request_uses_up_no_fault() {
    let simulator = speaking(shop(3), Dialect::default()).await;
    simulator.set_faults(FaultPlan::script([Fault::Html200]));
    let refused = answer_to(&simulator, &ask_with(&json!({"limit": 0}))).await;
    assert_eq!(refused.error().1, "100");
    let struck = answer_to(&simulator, &ask()).await;
    assert!(struck.body.starts_with(b"<!DOCTYPE html>"));
}
