//! What each lie leaves out, of which answers, and for how long.

use super::answers::{records, seqs};
use super::search::found;
use super::*;
use crate::domain::job::ToBound;

fn lie(kind: LieKind) -> Lie {
    Lie {
        kind,
        times: None,
        calls: LyingCalls::Both,
    }
}

/// A service whose every answer is a lie of this kind, and which speaks like this.
async fn liar(project: Project, dialect: Dialect, kind: LieKind) -> Simulator {
    let settings = Settings {
        dialect,
        lies: vec![lie(kind)],
        ..settings(project)
    };
    Simulator::start(settings).await.unwrap()
}

fn ascending() -> Dialect {
    Dialect {
        order: Order::Ascending,
        ..Dialect::default()
    }
}

/// A page that holds all there is.
fn all() -> Value {
    json!({"limit": 1000})
}

fn oldest_first() -> Value {
    json!({"limit": 1000, "sorts": [{"logTime": "ASC"}]})
}

/// What the journal says of each answer so far: whether it was a lie.
fn lied(simulator: &Simulator) -> Vec<bool> {
    let journal = simulator.journal();
    journal.iter().map(|entry| entry.lied).collect()
}

#[tokio::test]
async fn an_empty_answer_holds_nothing_in_the_dialects_way() {
    let simulator = liar(shop(20), Dialect::default(), LieKind::Empty).await;
    assert!(seqs(&simulator, &ask()).await.is_empty());
    assert!(found(&simulator, &all()).await.is_empty());
    assert_eq!(lied(&simulator), [true, true]);
    assert_eq!(simulator.journal()[0].records, 0);

    let dialect = Dialect {
        empty: EmptyAnswer::NotFound,
        ..Dialect::default()
    };
    let simulator = liar(shop(20), dialect, LieKind::Empty).await;
    let answer = answer_to(&simulator, &ask()).await;
    assert_eq!(answer.error(), (404, "300".to_owned()));
    assert_eq!(lied(&simulator), [true]);
}

#[tokio::test]
async fn what_is_empty_anyway_is_no_lie() {
    for kind in [
        LieKind::Empty,
        LieKind::OneIn(1),
        LieKind::CapRecords(0),
        LieKind::CapBytes(0),
        LieKind::Newest(Millis(0)),
        LieKind::Oldest(Millis(0)),
        LieKind::LostPage,
        LieKind::DoubledPage,
        LieKind::RepeatedPage,
    ] {
        let simulator = liar(Project::silent(KEY, ID), Dialect::default(), kind).await;
        assert!(seqs(&simulator, &ask()).await.is_empty());
        assert!(found(&simulator, &all()).await.is_empty());
        assert_eq!(lied(&simulator), [false, false], "{kind:?}");
    }
}

#[tokio::test]
async fn a_shard_leaves_out_the_same_records_whoever_asks_and_for_what() {
    let simulator = liar(shop(500), ascending(), LieKind::OneIn(5)).await;
    let told = seqs(&simulator, &ask()).await;
    let missing = truth::Difference::between(0..500, told.iter().copied()).missing;
    assert!((60..=140).contains(&missing.len()), "{}", missing.len());
    assert_eq!(found(&simulator, &oldest_first()).await, told);

    // Half of the span: the same shard. A cap is filled from the others.
    let middle = json!({"to": FROM.0 + 1_800_000});
    let half = seqs(&simulator, &ask_with(&middle)).await;
    assert_eq!(half, told[..half.len()]);
    assert!((150..250).contains(&half.len()));
    let capped = seqs(&simulator, &ask_with(&json!({"count": 100}))).await;
    assert_eq!(capped, told[..100]);
    // So is a page of a search.
    let mut paged = Vec::new();
    for offset in (0..500).step_by(50) {
        let page = json!({"offset": offset, "limit": 50, "sorts": [{"logTime": "ASC"}]});
        paged.extend(found(&simulator, &page).await);
    }
    assert_eq!(paged, told);

    simulator.set_lies(vec![lie(LieKind::OneIn(0))]);
    assert_eq!(seqs(&simulator, &ask()).await.len(), 500);
    simulator.set_lies(vec![lie(LieKind::OneIn(1))]);
    assert_eq!(seqs(&simulator, &ask()).await.len(), 0);
}

#[tokio::test]
async fn a_cap_of_records_keeps_the_first_ones_of_the_dialects_order() {
    for (order, newest) in [(Order::Ascending, false), (Order::Descending, true)] {
        let dialect = Dialect {
            order,
            ..Dialect::default()
        };
        let simulator = liar(shop(20), dialect, LieKind::CapRecords(8)).await;
        let kept: Vec<u64> = if newest {
            (12..20).rev().collect()
        } else {
            (0..8).collect()
        };
        assert_eq!(seqs(&simulator, &ask()).await, kept);
        // A search sorts them as it was asked to.
        let mut sorted = kept.clone();
        sorted.sort_unstable();
        assert_eq!(found(&simulator, &oldest_first()).await, sorted);
        // What is below the cap is not touched.
        let few = ask_with(&json!({"count": 8}));
        assert_eq!(seqs(&simulator, &few).await, kept);
        assert_eq!(lied(&simulator), [true, true, false]);
    }
    let dialect = Dialect {
        order: Order::Shuffled { seed: 3 },
        ..Dialect::default()
    };
    let simulator = liar(shop(20), dialect.clone(), LieKind::CapRecords(8)).await;
    let kept = seqs(&simulator, &ask()).await;
    let honest = seqs(&speaking(shop(20), dialect).await, &ask()).await;
    assert_eq!(kept, honest[..8]);
    let mut sorted = kept;
    sorted.sort_unstable();
    assert_eq!(found(&simulator, &oldest_first()).await, sorted);
}

#[tokio::test]
async fn a_cap_of_bytes_cuts_whole_records_until_the_zip_is_short_enough() {
    let project = shop(2000).with_body_size(400);
    let honest = speaking(project.clone(), Dialect::default()).await;
    let whole = answer_to(&honest, &ask()).await.body.len() as u64;
    for most in [0, 22, 300, 5000, whole / 2, whole - 1, whole] {
        let kind = LieKind::CapBytes(most);
        let simulator = liar(project.clone(), Dialect::default(), kind).await;
        let answer = answer_to(&simulator, &ask()).await;
        let told = records(&answer);
        let length = answer.body.len() as u64;
        // An empty zip has 22 bytes.
        assert!(length <= most.max(22), "{length} of {most}");
        assert_eq!(seqs(&simulator, &ask()).await, {
            let kept = told.len() as u64;
            (2000 - kept..2000).rev().collect::<Vec<_>>()
        });
        if most >= 5000 {
            assert!(length * 10 >= most * 9, "{length} of {most}");
        }
        assert_eq!(lied(&simulator)[0], most < whole);
        assert_eq!(simulator.journal()[0].records, told.len() as u64);
        assert_eq!(found(&simulator, &all()).await.len(), 1000);
        assert!(!lied(&simulator)[2]);
    }
}

#[tokio::test]
async fn the_newest_and_the_oldest_are_cut_to_the_millisecond() {
    let times: Vec<UtcMs> = (0..10).map(|ms| FROM.plus(Millis(ms))).collect();
    for to_bound in [ToBound::Inclusive, ToBound::Exclusive] {
        let dialect = Dialect {
            to_bound,
            ..ascending()
        };
        // The ten milliseconds from FROM on.
        let last = match to_bound {
            ToBound::Inclusive => FROM.0 + 9,
            ToBound::Exclusive => FROM.0 + 10,
        };
        let span = ask_with(&json!({"to": last}));
        let page = json!({"to": last, "sorts": [{"logTime": "ASC"}]});
        for (kind, expected) in [
            (LieKind::Newest(Millis(3)), 7..10),
            (LieKind::Oldest(Millis(3)), 0..3),
            (LieKind::Newest(Millis(10)), 0..10),
            (LieKind::Oldest(Millis::MAX), 0..10),
            (LieKind::Newest(Millis::MAX), 0..10),
            (LieKind::Newest(Millis(0)), 0..0),
            (LieKind::Oldest(Millis(-1)), 0..0),
        ] {
            let project = Project::from_times(KEY, ID, 1, times.clone());
            let simulator = liar(project, dialect.clone(), kind).await;
            let expected: Vec<u64> = expected.collect();
            assert_eq!(seqs(&simulator, &span).await, expected, "{kind:?}");
            assert_eq!(found(&simulator, &page).await, expected, "{kind:?}");
            assert_eq!(lied(&simulator), [expected.len() < 10; 2], "{kind:?}");
        }
    }
}

#[tokio::test]
async fn a_lost_page_is_a_whole_one_from_the_middle() {
    let simulator = liar(shop(50), ascending(), LieKind::LostPage).await;
    for (limit, count, missing) in [
        (10, 50, 20..30),
        (10, 40, 20..30),
        (10, 49, 20..30),
        (20, 50, 20..40),
        (50, 50, 0..50),
        (51, 50, 0..0),
        (1, 50, 25..26),
    ] {
        let body = ask_with(&json!({"limit": limit, "count": count}));
        let told = seqs(&simulator, &body).await;
        let expected = (0..count).filter(|seq| !missing.contains(seq));
        assert_eq!(told, expected.collect::<Vec<u64>>(), "{limit} {count}");
    }
    // A search loses a page of all it finds, and the pages behind it move up.
    for (offset, expected) in [(10, 10..20), (20, 30..40), (30, 40..50), (40, 0..0)] {
        let page = json!({"offset": offset, "limit": 10, "sorts": [{"logTime": "ASC"}]});
        let told = found(&simulator, &page).await;
        assert_eq!(told, expected.collect::<Vec<u64>>());
        let is_lie = simulator.journal().pop().unwrap().lied;
        assert_eq!(is_lie, offset > 10);
    }
}

#[tokio::test]
async fn a_page_comes_twice_or_in_place_of_the_next() {
    for (kind, limit, expected) in [
        (LieKind::DoubledPage, 2, vec![0, 1, 2, 3, 2, 3, 4]),
        (LieKind::DoubledPage, 5, vec![0, 1, 2, 3, 4, 0, 1, 2, 3, 4]),
        (LieKind::DoubledPage, 6, vec![0, 1, 2, 3, 4]),
        (LieKind::RepeatedPage, 2, vec![0, 1, 0, 1, 4]),
        (LieKind::RepeatedPage, 5, vec![0, 1, 2, 3, 4]),
    ] {
        let simulator = liar(shop(5), ascending(), kind).await;
        let body = ask_with(&json!({"limit": limit}));
        assert_eq!(seqs(&simulator, &body).await, expected, "{kind:?} {limit}");
        assert_eq!(lied(&simulator), [expected != [0, 1, 2, 3, 4]]);
        assert_eq!(found(&simulator, &all()).await.len(), 5);
    }
}

#[tokio::test]
async fn a_lie_is_told_by_the_calls_it_names() {
    for (calls, downloaded, searched) in [
        (LyingCalls::Download, 0, 20),
        (LyingCalls::Search, 20, 0),
        (LyingCalls::Both, 0, 0),
    ] {
        let simulator = speaking(shop(20), Dialect::default()).await;
        simulator.set_lies(vec![Lie {
            calls,
            ..lie(LieKind::Empty)
        }]);
        assert_eq!(seqs(&simulator, &ask()).await.len(), downloaded);
        assert_eq!(found(&simulator, &all()).await.len(), searched);
        assert_eq!(lied(&simulator), [downloaded == 0, searched == 0]);
        simulator.set_lies(Vec::new());
        assert_eq!(seqs(&simulator, &ask()).await.len(), 20);
        assert_eq!(found(&simulator, &all()).await.len(), 20);
    }
}

#[tokio::test]
async fn only_answers_that_a_lie_would_change_are_counted() {
    let simulator = speaking(shop(20), Dialect::default()).await;
    simulator.set_lies(vec![Lie {
        times: Some(2),
        ..lie(LieKind::CapRecords(15))
    }]);
    let nothing = ask_with(&json!({"from": FROM.0 - 10, "to": FROM.0 - 1}));
    let few = ask_with(&json!({"count": 15}));
    let refused = ask_with(&json!({"count": 0}));
    for body in [&nothing, &few, &refused] {
        answer_to(&simulator, body).await;
    }
    assert_eq!(found(&simulator, &json!({})).await.len(), 10);
    assert_eq!(lied(&simulator), [false; 4]);
    simulator.clear_journal();

    assert_eq!(seqs(&simulator, &ask()).await.len(), 15);
    let last = json!({"offset": 19, "limit": 1});
    assert!(found(&simulator, &last).await.is_empty());
    assert_eq!(seqs(&simulator, &ask()).await.len(), 20);
    assert_eq!(found(&simulator, &last).await.len(), 1);
    assert_eq!(lied(&simulator), [true, true, false, false]);

    // Told anew, it is counted anew.
    simulator.set_lies(vec![Lie {
        times: Some(0),
        ..lie(LieKind::Empty)
    }]);
    assert_eq!(seqs(&simulator, &ask()).await.len(), 20);
    simulator.set_lies(vec![Lie {
        times: Some(1),
        ..lie(LieKind::Empty)
    }]);
    assert_eq!(seqs(&simulator, &ask()).await.len(), 0);
    assert_eq!(seqs(&simulator, &ask()).await.len(), 20);
}

#[tokio::test]
async fn answers_made_at_the_same_time_are_counted_one_by_one() {
    let simulator = speaking(shop(20), Dialect::default()).await;
    simulator.set_lies(vec![Lie {
        times: Some(3),
        ..lie(LieKind::Empty)
    }]);
    let mut clients = Vec::new();
    for _ in 0..12 {
        let mut client = Client::connect(&simulator).await;
        client.ask(&ask()).await;
        clients.push(client);
    }
    let mut empty = 0;
    for mut client in clients {
        let told = records(&client.answer().await.unwrap());
        empty += u32::from(told.is_empty());
    }
    assert_eq!(empty, 3);
    assert_eq!(lied(&simulator).iter().filter(|lied| **lied).count(), 3);
}

#[tokio::test]
async fn of_several_lies_each_leaves_out_its_own() {
    let simulator = speaking(shop(100), ascending()).await;
    simulator.set_lies(vec![
        lie(LieKind::OneIn(4)),
        Lie {
            times: Some(1),
            ..lie(LieKind::CapRecords(50))
        },
    ]);
    let both = seqs(&simulator, &ask()).await;
    let one = seqs(&simulator, &ask()).await;
    assert!((60..90).contains(&one.len()), "{}", one.len());
    // Each keeps its first fifty at most, of which the shard lacks some.
    let first: Vec<u64> = one.into_iter().take(50).collect();
    assert_eq!(both, first);
    assert_eq!(lied(&simulator), [true, true]);
}

#[tokio::test]
async fn a_total_tells_what_is_left_and_that_is_a_lie_too() {
    let simulator = speaking(shop(20), Dialect::default()).await;
    simulator.set_search(Search {
        form: SearchForm::Hits,
        with_total: true,
        ..Search::default()
    });
    simulator.set_lies(vec![Lie {
        times: Some(1),
        ..lie(LieKind::CapRecords(15))
    }]);
    for total in [15, 20] {
        let answer = found_by(&simulator, &ask_with(&json!({"limit": 1}))).await;
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(told["hits"]["total"], total);
        assert_eq!(told["hits"]["hits"][0]["_source"]["seq"], "19");
    }
    assert_eq!(lied(&simulator), [true, false]);
}

#[tokio::test]
async fn a_fault_that_needs_no_honest_answer_uses_up_no_lie() {
    let simulator = speaking(shop(20), Dialect::default()).await;
    simulator.set_faults(FaultPlan::script([
        Fault::Html200,
        Fault::AlwaysFull,
        Fault::CutAfter(3),
    ]));
    simulator.set_lies(vec![Lie {
        times: Some(1),
        ..lie(LieKind::CapRecords(5))
    }]);
    assert!(answer_to(&simulator, &ask()).await.body.starts_with(b"<!"));
    let full = ask_with(&json!({"count": 50}));
    assert_eq!(seqs(&simulator, &full).await.len(), 50);
    // A cut answer is a lie as far as it goes.
    assert_eq!(answer_to(&simulator, &ask()).await.body.len(), 3);
    assert_eq!(simulator.journal()[2].records, 5);
    assert_eq!(seqs(&simulator, &ask()).await.len(), 20);
    assert_eq!(lied(&simulator), [false, false, true, false]);
}
