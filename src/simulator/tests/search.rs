//! What a search answers, what it refuses, and how far it is from the download.

use super::answers::{instant, seq, seqs};
use super::client::signed_search;
use super::*;
use crate::domain::job::ToBound;

/// A simulator whose search behaves like this.
async fn searched(project: Project, search: Search) -> Simulator {
    let settings = Settings {
        search,
        ..settings(project)
    };
    Simulator::start(settings).await.unwrap()
}

/// The records of an answer in the default form.
fn logs(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200);
    assert!(answer.is_whole);
    let mut told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told.as_object().unwrap().len(), 1);
    serde_json::from_value(told["logs"].take()).unwrap()
}

pub(super) async fn found(simulator: &Simulator, fields: &Value) -> Vec<u64> {
    let answer = found_by(simulator, &ask_with(fields)).await;
    logs(&answer).iter().map(seq).collect()
}

fn error(http: u16, code: &str) -> (u16, String) {
    (http, code.to_owned())
}

#[tokio::test]
async fn a_search_finds_the_newest_ten_as_the_download_would_write_them() {
    let project = shop(25);
    let simulator = searched(project.clone(), Search::default()).await;
    let answer = found_by(&simulator, &ask()).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let told = logs(&answer);
    assert_eq!(
        told.iter().map(seq).collect::<Vec<_>>(),
        (15..25).rev().collect::<Vec<_>>()
    );
    let mut first = Vec::new();
    Rendering::new(&[], TimeStyle::Number)
        .json(&project.record(24).unwrap(), &mut first)
        .unwrap();
    assert!(
        answer
            .body
            .starts_with(&[b"{\"logs\":[", &first[..]].concat())
    );
    assert_eq!(told[0].as_object().unwrap().len(), FIELDS.len());

    let entry = simulator.journal().remove(0);
    assert_eq!(entry.call, Some(Call::Search));
    assert_eq!((entry.offset, entry.limit), (Some(0), Some(10)));
    assert_eq!((entry.count, entry.records), (None, 10));
    assert_eq!((entry.from, entry.to), (Some(FROM), Some(UtcMs(TO.0 - 1))));
    assert_eq!(entry.project_key.as_deref(), Some(KEY));
    assert_eq!(entry.bytes, answer.body.len() as u64);
    assert!(!entry.lied);
    answer_to(&simulator, &ask()).await;
    assert_eq!(simulator.journal()[1].offset, None);
}

#[tokio::test]
async fn each_form_holds_the_same_records() {
    let simulator = searched(shop(25), Search::default()).await;
    let honest = logs(&found_by(&simulator, &ask()).await);
    let wrapped: Vec<Value> = honest.iter().map(|log| json!({"_source": log})).collect();
    for (form, with_total, expected) in [
        (SearchForm::Logs, true, json!({"logs": honest})),
        (
            SearchForm::ResultList,
            true,
            json!({"result": {"list": honest}}),
        ),
        (SearchForm::Hits, false, json!({"hits": {"hits": wrapped}})),
        (
            SearchForm::Hits,
            true,
            json!({"hits": {"total": 25, "hits": wrapped}}),
        ),
    ] {
        simulator.set_search(Search {
            form,
            with_total,
            ..Search::default()
        });
        let answer = found_by(&simulator, &ask()).await;
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(told, expected, "{form:?}");
    }
}

#[tokio::test]
async fn nothing_is_an_empty_list_in_each_form() {
    for (form, with_total, expected) in [
        (SearchForm::Logs, false, r#"{"logs":[]}"#),
        (SearchForm::ResultList, false, r#"{"result":{"list":[]}}"#),
        (SearchForm::Hits, false, r#"{"hits":{"hits":[]}}"#),
        (SearchForm::Hits, true, r#"{"hits":{"total":0,"hits":[]}}"#),
    ] {
        let search = Search {
            form,
            with_total,
            ..Search::default()
        };
        let simulator = searched(Project::silent(KEY, ID), search).await;
        let answer = found_by(&simulator, &ask()).await;
        assert_eq!(answer.body, expected.as_bytes());
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap_also_where_times_are_equal() {
    let project = shop(50).with_spike(FROM.plus(Millis(7)), 50, Millis(1));
    let simulator = searched(project, Search::default()).await;
    let ascending = json!([{"logTime": "ASC"}]);
    let descending = json!([{"logTime": "DESC"}]);
    for (sorts, mut expected) in [
        (ascending, (0..100).collect::<Vec<u64>>()),
        (descending, (0..100).rev().collect()),
    ] {
        let mut told = Vec::new();
        for offset in (0..126).step_by(7) {
            let page = json!({"offset": offset, "limit": 7, "sorts": sorts});
            told.extend(found(&simulator, &page).await);
        }
        assert_eq!(told, expected);
        // What a client asks to learn whether there are a hundred.
        let last = json!({"offset": 99, "limit": 1, "sorts": sorts});
        assert_eq!(
            found(&simulator, &last).await,
            expected.split_off(expected.len() - 1)
        );
        let beyond = json!({"offset": 100, "limit": 1, "sorts": sorts});
        assert!(found(&simulator, &beyond).await.is_empty());
    }
}

#[tokio::test]
async fn each_field_of_a_search_has_a_type_and_a_range() {
    let simulator = searched(shop(5), Search::default()).await;
    for wrong in [
        json!({"projectKey": ""}),
        json!({"projectId": "16706"}),
        json!({"from": 1.5}),
        json!({"to": null}),
        json!({"to": FROM.0 - 1}),
        json!({"limit": 0}),
        json!({"limit": 1001}),
        json!({"limit": "5"}),
        json!({"offset": -1}),
        json!({"offset": 9991}),
        json!({"offset": 10_000, "limit": 1}),
        json!({"offset": 9001, "limit": 1000}),
        json!({"offset": i64::MAX, "limit": 1}),
        json!({"sorts": {"logTime": "ASC"}}),
        json!({"sorts": [{"logTime": "asc"}]}),
        json!({"sorts": [{"logLevel": "ASC"}]}),
        json!({"sorts": [{"logTime": "ASC"}, {"host": "ASC"}]}),
        json!({"sorts": [{"logTime": "ASC", "host": "ASC"}]}),
        json!({"sorts": [{}]}),
        json!({"query": "logLevel:ERROR"}),
        json!({"query": ""}),
    ] {
        let answer = found_by(&simulator, &ask_with(&wrong)).await;
        assert_eq!(answer.error(), error(400, "100"), "{wrong}");
    }
    for fine in [
        json!({"offset": 9990}),
        json!({"offset": 9999, "limit": 1}),
        json!({"offset": 9000, "limit": 1000}),
        json!({"sorts": []}),
        json!({"to": FROM.0}),
    ] {
        let answer = found_by(&simulator, &ask_with(&fine)).await;
        assert_eq!(answer.status, 200, "{fine}");
    }
    for missing in ["projectKey", "projectId", "from", "to"] {
        let mut body = ask();
        body.as_object_mut().unwrap().remove(missing);
        let answer = found_by(&simulator, &body).await;
        assert_eq!(answer.error(), error(400, "100"), "without {missing}");
    }
}

#[tokio::test]
async fn a_search_is_authenticated_and_permitted_like_a_download() {
    let settings = Settings {
        projects: vec![shop(5), Project::silent("P0002_other", 2)],
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
        (KEY, ID + 1, error(404, "300")),
    ] {
        let body = ask_with(&json!({"projectKey": key, "projectId": id}));
        assert_eq!(found_by(&simulator, &body).await.error(), expected);
    }
    let right = signed_search(&KeyPair::default(), NOW.0, &ask().to_string());
    let late = signed_search(&KeyPair::default(), NOW.0 - 300_000, &ask().to_string());
    for (request, expected) in [
        (right.replacen("search", "download", 1), error(401, "200")),
        (right.replacen("search", "search?a=b", 1), error(401, "200")),
        (right.replacen("POST", "GET", 1), error(404, "300")),
        (late, error(401, "200")),
    ] {
        let mut client = Client::connect(&simulator).await;
        client.send(request.as_bytes()).await;
        assert_eq!(client.answer().await.unwrap().error(), expected);
    }
    assert_eq!(found_by(&simulator, &ask()).await.status, 200);
}

#[tokio::test]
async fn a_search_may_be_refused_where_the_download_is_not() {
    let simulator = searched(shop(5), Search::default()).await;
    for (access, expected) in [
        (SearchAccess::Denied, error(401, "210")),
        (SearchAccess::Forbidden, error(403, "210")),
        (SearchAccess::NotFound, error(404, "300")),
    ] {
        simulator.set_search(Search {
            access,
            ..Search::default()
        });
        simulator.clear_journal();
        assert_eq!(found_by(&simulator, &ask()).await.error(), expected);
        assert_eq!(answer_to(&simulator, &ask()).await.status, 200);
        // What was asked shows all the same.
        let entry = simulator.journal().remove(0);
        assert_eq!(entry.call, Some(Call::Search));
        assert_eq!(entry.project_key.as_deref(), Some(KEY));
        assert_eq!(entry.status, Some(expected.0));
        assert_eq!(entry.error_code, Some(expected.1));
    }
    // Who it is comes before what it may.
    let stranger = signed_search(&KeyPair::default(), 0, &ask().to_string());
    let mut client = Client::connect(&simulator).await;
    client.send(stranger.as_bytes()).await;
    assert_eq!(client.answer().await.unwrap().error(), error(401, "200"));
    simulator.set_search(Search::default());
    assert_eq!(found(&simulator, &json!({})).await.len(), 5);
}

#[tokio::test]
async fn a_record_at_exactly_the_end_is_found_when_the_end_is_inclusive() {
    for (to_bound, expected) in [
        (ToBound::Inclusive, vec![2, 1, 0]),
        (ToBound::Exclusive, vec![1, 0]),
    ] {
        let times = (0..4).map(|ms| FROM.plus(Millis(ms))).collect();
        let dialect = Dialect {
            to_bound,
            ..Dialect::default()
        };
        let simulator = speaking(Project::from_times(KEY, ID, 1, times), dialect).await;
        assert_eq!(
            found(&simulator, &json!({"to": FROM.0 + 2})).await,
            expected
        );
    }
}

#[tokio::test]
async fn caps_and_orders_of_the_download_are_none_of_the_search() {
    let dialect = Dialect {
        hidden_cap: Some(5),
        order: Order::Shuffled { seed: 5 },
        time: TimeStyle::Decimal,
        framing: Framing::Chunked,
        ..Dialect::default()
    };
    let simulator = speaking(shop(20), dialect).await;
    let answer = found_by(&simulator, &ask_with(&json!({"limit": 1000, "count": 1}))).await;
    assert_eq!(answer.header("content-length"), None);
    let told = logs(&answer);
    let numbers: Vec<_> = told.iter().map(seq).collect();
    assert_eq!(numbers, (0..20).rev().collect::<Vec<_>>());
    // But how a record is written is the service's way in both.
    assert!(told[0]["logTime"].is_string());
    assert!((FROM..TO).contains(&instant(&told[0]["logTime"])));
}

#[tokio::test]
async fn a_search_lags_behind_the_download() {
    let times = vec![FROM, FROM.plus(Millis(1000))];
    let lag = Search {
        lag: Millis(60_000),
        ..Search::default()
    };
    let simulator = searched(Project::from_times(KEY, ID, 1, times), lag).await;
    for (after, downloaded, searched) in [
        (0, vec![0], vec![]),
        (1000, vec![1, 0], vec![]),
        (59_999, vec![1, 0], vec![]),
        (60_000, vec![1, 0], vec![0]),
        (60_999, vec![1, 0], vec![0]),
        (61_000, vec![1, 0], vec![1, 0]),
    ] {
        simulator.set_visible_at(Some(FROM.plus(Millis(after))));
        assert_eq!(seqs(&simulator, &ask()).await, downloaded, "{after}");
        assert_eq!(found(&simulator, &json!({})).await, searched, "{after}");
    }
    simulator.set_visible_at(None);
    assert_eq!(found(&simulator, &json!({})).await, [1, 0]);
}

#[tokio::test]
async fn a_search_runs_ahead_of_the_download_and_not_ahead_of_time() {
    let project = Project::from_times(KEY, ID, 1, vec![FROM]).with_late(1, Millis(60_000));
    let ahead = |by: i64| Search {
        lag: Millis(-by),
        ..Search::default()
    };
    let simulator = searched(project, ahead(10_000)).await;
    for (by, after, downloaded, searched) in [
        (10_000, 49_999, 0, 0),
        (10_000, 50_000, 0, 1),
        (10_000, 60_000, 1, 1),
        (i64::MAX, -1, 0, 0),
        (i64::MAX, 0, 0, 1),
    ] {
        simulator.set_search(ahead(by));
        simulator.set_visible_at(Some(FROM.plus(Millis(after))));
        assert_eq!(seqs(&simulator, &ask()).await.len(), downloaded, "{after}");
        assert_eq!(
            found(&simulator, &json!({})).await.len(),
            searched,
            "{by} {after}"
        );
    }
}

#[tokio::test]
async fn a_fault_is_the_downloads_unless_it_is_also_for_search() {
    let simulator = searched(shop(5), Search::default()).await;
    simulator.set_faults(FaultPlan::script([Fault::Html200]));
    assert_eq!(found(&simulator, &json!({})).await.len(), 5);
    let struck = answer_to(&simulator, &ask()).await;
    assert!(struck.body.starts_with(b"<!DOCTYPE html>"));
    assert_eq!(simulator.journal()[0].fault, None);

    let both = FaultPlan::script([Fault::Html200, Fault::CutAfter(3)]).also_for_search();
    simulator.set_faults(both);
    let struck = found_by(&simulator, &ask()).await;
    assert!(struck.body.starts_with(b"<!DOCTYPE html>"));
    let struck = found_by(&simulator, &ask()).await;
    assert_eq!((struck.is_whole, &struck.body[..]), (false, &b"{\"l"[..]));
    assert_eq!(found(&simulator, &json!({})).await.len(), 5);

    simulator.set_faults(FaultPlan::always(Fault::AlwaysFull).also_for_search());
    let last = json!({"to": FROM.0, "offset": 9000, "limit": 1000});
    assert_eq!(found(&simulator, &last).await.len(), 1000);
}
