//! Which events follow from what, and what a dead man's switch hears of all jobs together.

use super::*;
use crate::domain::span::Span;

const NOON: UtcMs = UtcMs(1_795_348_800_000);
const MINUTE: i64 = 60_000;

fn name(text: &str) -> JobName {
    JobName::parse(text).unwrap()
}

fn names(all: &[&str]) -> BTreeSet<JobName> {
    all.iter().map(|text| name(text)).collect()
}

fn window() -> Window {
    Window::of(Span::new(NOON, UtcMs(NOON.0 + 1)).unwrap())
}

fn well() -> Standing {
    Standing {
        due: 0,
        unchecked: 0,
        lost: 0,
        covered_until: Some(NOON),
        state: State::AtWork,
    }
}

fn failing() -> Standing {
    Standing {
        due: 2,
        state: State::Failing {
            message: Some("404: none".to_owned()),
        },
        ..well()
    }
}

fn paused() -> Standing {
    Standing {
        due: 2,
        state: State::Paused {
            until: NOON,
            message: "401: the key is refused".to_owned(),
        },
        ..well()
    }
}

fn kinds(told: &Told) -> Vec<&'static str> {
    told.events.iter().map(|event| event.kind.name()).collect()
}

/// Guarantee: Candid
#[test]
fn each_line_of_the_ledger_is_one_event_and_what_is_not_complete_is_two() {
    let folder = |status| Folder {
        window: window(),
        status,
        records: Some(3),
        bytes: 9,
        path: "a/b".to_owned(),
        manifest_sha256: "00".to_owned(),
    };
    let message = String::new();
    for (what, told) in [
        (What::Archived(folder(Status::Complete)), vec!["archived"]),
        (
            What::Archived(folder(Status::Truncated)),
            vec!["archived", "truncated"],
        ),
        (
            What::Archived(folder(Status::Unproven)),
            vec!["archived", "unproven"],
        ),
        (What::Lost(window()), vec!["lost"]),
        (
            What::Failed {
                window: window(),
                message: message.clone(),
            },
            vec!["failed"],
        ),
        (
            What::RecheckFailed {
                window: window(),
                message,
            },
            vec!["recheck_failed"],
        ),
    ] {
        let events = events(&name("a"), &News { seq: 7, what });
        let kinds: Vec<_> = events.iter().map(|event| event.kind.name()).collect();
        assert_eq!(kinds, told);
        assert!(events.iter().all(|event| event.seq == Some(7)));
    }
}

/// Guarantee: Candid
#[test]
fn a_circuit_is_told_when_it_opens_and_closes_and_catching_up_when_something_was_left() {
    let (mut teller, job) = (Teller::default(), name("a"));
    let at = Millis(0);
    // Nothing was due at the start: nothing to tell.
    assert_eq!(kinds(&teller.rests(&job, 0, &well(), at)), [""; 0]);
    assert_eq!(
        kinds(&teller.rests(&job, 0, &paused(), at)),
        ["circuit_open"]
    );
    assert_eq!(kinds(&teller.rests(&job, 0, &paused(), at)), [""; 0]);
    assert_eq!(kinds(&teller.stands(&job, &paused())), [""; 0]);
    assert_eq!(kinds(&teller.stands(&job, &well())), ["circuit_closed"]);
    assert_eq!(kinds(&teller.rests(&job, 2, &well(), at)), ["caught_up"]);
    assert_eq!(kinds(&teller.rests(&job, 1, &well(), at)), [""; 0]);
    assert_eq!(kinds(&teller.rests(&job, 1, &failing(), at)), [""; 0]);
    assert_eq!(kinds(&teller.rests(&job, 2, &well(), at)), ["caught_up"]);
    // The backlog of a first start.
    let first = Teller::default().rests(&job, 700, &well(), at);
    assert_eq!(kinds(&first), ["caught_up"]);
}

/// Guarantee: Candid
#[test]
fn success_is_told_only_while_all_is_well_with_every_job() {
    let mut teller = Teller::default();
    let (a, b) = (name("a"), name("b"));
    teller.is_about(&names(&["a", "b"]));
    let mut minute = 0;
    let mut rests = |teller: &mut Teller, job: &JobName, standing: &Standing| {
        minute += 1;
        teller.switch().began(job, Millis(minute * MINUTE));
        teller.rests(job, 0, standing, Millis(minute * MINUTE)).ping
    };
    // Nobody knows of the other one yet.
    assert_eq!(rests(&mut teller, &a, &well()), None);
    assert_eq!(rests(&mut teller, &b, &well()), Some(Ping::Success));
    assert_eq!(rests(&mut teller, &a, &well()), Some(Ping::Success));
    for wrong in [
        failing(),
        paused(),
        Standing::stopped("the ledger is damaged".to_owned(), None),
        Standing { lost: 1, ..well() },
    ] {
        let told = rests(&mut teller, &b, &wrong);
        assert!(matches!(told, Some(Ping::Fail(_))), "{wrong:?}: {told:?}");
        // Also while nothing is wrong with the one that looks.
        let told = rests(&mut teller, &a, &well());
        assert!(matches!(told, Some(Ping::Fail(_))), "{wrong:?}: {told:?}");
        assert_eq!(rests(&mut teller, &b, &well()), Some(Ping::Success));
    }
    teller.switch().lacks(&b, 2);
    let Some(Ping::Fail(why)) = rests(&mut teller, &a, &well()) else {
        panic!("what is truncated is red");
    };
    assert!(why.ends_with("(status --ack): 2"), "{why}");
    // A job that is gone is not waited for.
    teller.is_about(&names(&["a"]));
    assert_eq!(rests(&mut teller, &a, &well()), Some(Ping::Success));
}

/// Guarantee: Candid
#[test]
fn a_job_that_hangs_is_no_success_and_one_at_work_is_no_failure() {
    let mut teller = Teller::default();
    let (a, b) = (name("a"), name("b"));
    teller.is_about(&names(&["a", "b"]));
    teller.switch().began(&b, Millis(0));
    let hours = |hours: i64| Millis::from_hours(hours);
    let at = |teller: &mut Teller, at| teller.rests(&a, 1, &well(), at).ping;
    // Nobody knows yet how it stands: it may have failed before a restart.
    assert_eq!(at(&mut teller, hours(0)), None);
    teller.stands(&b, &well());
    assert_eq!(at(&mut teller, hours(1)), Some(Ping::Success));
    assert_eq!(at(&mut teller, hours(3)), None);
    teller.switch().progressed(&b, hours(4));
    assert_eq!(at(&mut teller, hours(5)), Some(Ping::Success));
}

/// Guarantee: Bounded
#[test]
fn pings_are_few_however_often_jobs_look_and_each_start_has_an_end() {
    let mut teller = Teller::default();
    let all: Vec<JobName> = (0..50).map(|at| name(&format!("j{at}"))).collect();
    teller.is_about(&all.iter().cloned().collect());
    let mut told = Vec::new();
    // Each second each job looks, and each ten seconds one has something to do.
    for second in 0..600_i64 {
        let at = Millis(second * 1000);
        for job in &all {
            teller.switch().began(job, at);
        }
        if second % 10 == 0 {
            told.extend(teller.switch().planned(&all[3], 1, at));
            // A second queue of the same cycle.
            told.extend(teller.switch().planned(&all[3], 1, at));
        }
        for job in &all {
            told.extend(teller.rests(job, 0, &well(), at).ping);
        }
    }
    let starts = told.iter().filter(|ping| **ping == Ping::Start).count();
    assert!((15..=21).contains(&starts), "{starts}");
    assert!(told.len() <= 45, "{}", told.len());
    for (at, ping) in told.iter().enumerate() {
        let is_followed = told.get(at + 1) == Some(&Ping::Success);
        assert!(*ping != Ping::Start || is_followed, "{told:?}");
    }
    // What changes is told at once.
    let at = Millis(600_000);
    let told = teller.rests(&all[0], 0, &failing(), at).ping;
    assert!(matches!(told, Some(Ping::Fail(_))));
    let told = teller.rests(&all[0], 0, &well(), at).ping;
    assert_eq!(told, Some(Ping::Success));
}
