//! What the gateway refuses, and that it refuses nothing else.

use super::client::{signed, with_headers};
use super::*;

async fn send(simulator: &Simulator, request: &str) -> Answer {
    let mut client = Client::connect(simulator).await;
    client.send(request.as_bytes()).await;
    client.answer().await.unwrap()
}

fn error(http: u16, code: &str) -> (u16, String) {
    (http, code.to_owned())
}

#[tokio::test]
async fn a_request_as_documented_is_answered_with_a_zip() {
    let simulator = speaking(shop(5), Dialect::default()).await;
    let answer = answer_to(&simulator, &ask()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/zip"));
    assert_eq!(answer.header("date"), Some("Wed, 15 Nov 2023 00:13:20 GMT"));
    assert!(answer.is_whole && answer.body.starts_with(b"PK"));
}

#[tokio::test]
async fn wrong_missing_and_other_accounts_credentials_get_the_same_answer() {
    let simulator = speaking(shop(5), Dialect::default()).await;
    let fine = KeyPair::default();
    let right = signed(&fine, NOW.0, &ask().to_string());
    let wrong_secret = KeyPair {
        secret_key: "guessed".into(),
        ..KeyPair::default()
    };
    let unknown = KeyPair {
        access_key: "NOBODY".into(),
        ..KeyPair::default()
    };
    let body = ask().to_string();
    let mut answers = Vec::new();
    for request in [
        signed(&wrong_secret, NOW.0, &body),
        signed(&unknown, NOW.0, &body),
        with_headers("", &body),
        right.replace(&format!("timestamp: {}", NOW.0), "timestamp: soon"),
        right.replace(
            &format!("timestamp: {}", NOW.0),
            &format!("timestamp: {}", NOW.0 + 1),
        ),
        right.replace("signature-v2: ", "signature-v2: A"),
        right.replace("signature-v2", "signature-v1"),
        // Credentials are looked at before the body.
        signed(&wrong_secret, NOW.0, "not JSON"),
    ] {
        let answer = send(&simulator, &request).await;
        assert_eq!(answer.error(), error(401, "200"), "{request}");
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(send(&simulator, &right).await.status, 200);
}

#[tokio::test]
async fn a_clock_five_minutes_off_is_refused_and_a_millisecond_less_is_not() {
    let simulator = speaking(shop(5), Dialect::default()).await;
    let minutes = 5 * 60 * 1000;
    for (off_ms, status) in [
        (-minutes, 401),
        (-minutes + 1, 200),
        (minutes - 1, 200),
        (minutes, 401),
        (i64::MAX - NOW.0, 401),
        (i64::MIN, 401),
    ] {
        let at_ms = NOW.0.wrapping_add(off_ms);
        let request = signed(&KeyPair::default(), at_ms, &ask().to_string());
        let answer = send(&simulator, &request).await;
        assert_eq!(answer.status, status, "off by {off_ms} ms");
    }
}

#[tokio::test]
async fn the_date_of_a_refusal_shows_the_clock_that_refused() {
    let simulator = speaking(shop(5), Dialect::default()).await;
    simulator.set_clock(ServiceClock::Frozen(NOW.plus(Millis(600_000))));
    let answer = answer_to(&simulator, &ask()).await;
    assert_eq!(answer.error(), error(401, "200"));
    assert_eq!(answer.header("date"), Some("Wed, 15 Nov 2023 00:23:20 GMT"));
}

#[tokio::test]
async fn a_skewed_date_moves_no_other_clock() {
    let simulator = speaking(shop(5), Dialect::default()).await;
    simulator.set_date_skew(Some(Millis(-600_000)));
    let answer = answer_to(&simulator, &ask()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("date"), Some("Wed, 15 Nov 2023 00:03:20 GMT"));
    let refused = answer_to(&simulator, &ask_with(&json!({"limit": 0}))).await;
    assert_eq!(
        refused.header("date"),
        Some("Wed, 15 Nov 2023 00:03:20 GMT")
    );
    assert_eq!(simulator.now(), NOW);
    simulator.set_date_skew(None);
    let answer = answer_to(&simulator, &ask()).await;
    assert_eq!(answer.header("date"), Some("Wed, 15 Nov 2023 00:13:20 GMT"));
}

#[tokio::test]
async fn a_skewed_clock_runs_with_the_machines() {
    let simulator = speaking(shop(5), Dialect::default()).await;
    let day_ms = 24 * 3_600_000;
    simulator.set_clock(ServiceClock::Skewed(Millis(-day_ms)));
    let before = UtcMs::from(jiff::Timestamp::now());
    let seen = simulator.now();
    let after = UtcMs::from(jiff::Timestamp::now());
    assert!(before <= seen.plus(Millis(day_ms)) && seen.plus(Millis(day_ms)) <= after);
}

#[tokio::test]
async fn each_field_has_a_type_and_a_range() {
    let simulator = speaking(shop(5), Dialect::default()).await;
    for wrong in [
        json!({"projectKey": ""}),
        json!({"projectKey": "k".repeat(54)}),
        json!({"projectKey": 5}),
        json!({"projectId": "16706"}),
        json!({"projectId": null}),
        json!({"from": "1700000000000"}),
        json!({"from": 1.5}),
        json!({"from": TO.0}),
        json!({"to": "now"}),
        json!({"to": FROM.0 - 1}),
        json!({"format": "json"}),
        json!({"format": 1}),
        json!({"limit": 0}),
        json!({"limit": 1001}),
        json!({"limit": "5"}),
        json!({"count": 0}),
        json!({"count": 200_001}),
        json!({"count": -1}),
        json!({"count": i64::MAX}),
        json!({"includeFields": "body"}),
        json!({"includeFields": [1]}),
    ] {
        let answer = answer_to(&simulator, &ask_with(&wrong)).await;
        assert_eq!(answer.error(), error(400, "100"), "{wrong}");
    }
    for fine in [
        json!({"format": "JSON", "limit": 1, "count": 1, "includeFields": []}),
        json!({"format": "CSV", "limit": 1000, "count": 200_000}),
        json!({"to": FROM.0}),
    ] {
        let answer = answer_to(&simulator, &ask_with(&fine)).await;
        assert_eq!(answer.status, 200, "{fine}");
    }
    for missing in ["projectKey", "projectId", "from"] {
        let mut body = ask();
        body.as_object_mut().unwrap().remove(missing);
        let answer = answer_to(&simulator, &body).await;
        assert_eq!(answer.error(), error(400, "100"), "without {missing}");
    }
}

#[tokio::test]
async fn a_request_without_an_end_goes_up_to_now() {
    let simulator = speaking(shop(5), Dialect::default()).await;
    let mut body = ask();
    body.as_object_mut().unwrap().remove("to");
    assert_eq!(answer_to(&simulator, &body).await.status, 200);
    assert_eq!(simulator.journal()[0].to, Some(NOW));
}

#[tokio::test]
async fn a_project_is_found_by_key_and_number_and_opened_by_permission() {
    let other = Project::silent("P0002_other", 2);
    let settings = Settings {
        projects: vec![shop(5), other],
        accounts: vec![KeyPair {
            permitted: Permitted::Only(vec![KEY.to_owned()]),
            ..KeyPair::default()
        }],
        ..settings(shop(0))
    };
    let simulator = Simulator::start(settings).await.unwrap();
    for (key, id, expected) in [
        ("P0002_other", 2, error(401, "210")),
        ("P0002_other", 3, error(404, "300")),
        ("P0003", 2, error(404, "300")),
    ] {
        let body = ask_with(&json!({"projectKey": key, "projectId": id}));
        assert_eq!(answer_to(&simulator, &body).await.error(), expected);
    }
    assert_eq!(answer_to(&simulator, &ask()).await.status, 200);
}

#[tokio::test]
async fn there_are_two_paths_and_one_method() {
    let simulator = speaking(shop(5), Dialect::default()).await;
    let right = signed(&KeyPair::default(), NOW.0, &ask().to_string());
    for wrong in [
        right.replacen("POST", "GET", 1),
        right.replacen("download", "count", 1),
        right.replacen("download", "download/", 1),
    ] {
        assert_eq!(send(&simulator, &wrong).await.error(), error(404, "300"));
    }
    // A query is no other path, but it is signed, as is which of the calls is meant.
    for other in ["download?a=b", "search"] {
        let wrong = right.replacen("download", other, 1);
        assert_eq!(send(&simulator, &wrong).await.error(), error(401, "200"));
    }
    let calls: Vec<_> = simulator.journal().iter().map(|entry| entry.call).collect();
    let [download, search] = [Some(Call::Download), Some(Call::Search)];
    assert_eq!(calls, [download, None, None, download, search]);
}

#[tokio::test]
async fn requests_follow_each_other_on_one_connection_unless_it_is_to_be_closed() {
    let simulator = speaking(shop(5), Dialect::default()).await;
    let mut client = Client::connect(&simulator).await;
    let request = signed(&KeyPair::default(), NOW.0, &ask().to_string());
    let last = request.replacen("Host", "Connection: close\r\nHost", 1);
    // The second and the third are under way before the first is answered.
    client
        .send(format!("{request}{request}{last}").as_bytes())
        .await;
    let first = client.answer().await.unwrap();
    assert_eq!(first.header("connection"), None);
    assert_eq!(client.answer().await.unwrap().body, first.body);
    let third = client.answer().await.unwrap();
    assert_eq!(third.header("connection"), Some("close"));
    assert!(third.is_whole && client.rest().await.is_empty());
}

#[tokio::test]
async fn a_request_in_pieces_is_put_together() {
    let simulator = speaking(shop(5), Dialect::default()).await;
    let mut client = Client::connect(&simulator).await;
    let request = signed(&KeyPair::default(), NOW.0, &ask().to_string());
    for byte in request.as_bytes() {
        client.send(&[*byte]).await;
    }
    assert_eq!(client.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn what_is_no_request_is_refused_within_bounds() {
    let simulator = speaking(shop(5), Dialect::default()).await;
    let right = signed(&KeyPair::default(), NOW.0, &ask().to_string());
    let length = format!("Content-Length: {}", ask().to_string().len());
    let long_line = format!("POST / HTTP/1.1\r\nX: {}", "x".repeat(70 << 10));
    for (wrong, expected) in [
        ("\u{1}\u{2}\r\n\r\n".to_owned(), error(400, "100")),
        (long_line.clone(), error(400, "100")),
        (format!("{long_line}\r\n\r\n"), error(400, "100")),
        (
            right.replace(&length, "Content-Length: -1"),
            error(400, "100"),
        ),
        (
            right.replace(&length, "Transfer-Encoding: chunked"),
            error(400, "100"),
        ),
        (
            right.replace(&length, "Content-Length: 1048577"),
            error(413, "430"),
        ),
        (
            right.replace(&length, "Content-Length: 99999999999999999999999"),
            error(413, "430"),
        ),
    ] {
        let mut client = Client::connect(&simulator).await;
        client.send(wrong.as_bytes()).await;
        assert_eq!(client.answer().await.unwrap().error(), expected);
        assert!(client.rest().await.is_empty());
    }
    assert_eq!(send(&simulator, &right).await.status, 200);
}
