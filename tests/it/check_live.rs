//! `check --live` finds out what the service's `to` means and what search is good for, on data that is
//! there, with few requests and leaving nothing behind; where it can't, it says why.

use std::fs;

use crate::harness::{Due, Job, PROJECT_ID, Ran, World, project_key};
use elsa_archiver::domain::job::ToBound;
use elsa_archiver::domain::span::Millis;
use elsa_archiver::simulator::{
    Call, Dialect, EmptyAnswer, Fault, FaultPlan, Project, Search, SearchAccess, Settings,
    TimeStyle,
};

/// Most requests for one job: three to find a record, three and two searches around it, ten for the oldest.
const MOST_REQUESTS: usize = 18;

/// Runs it, and asserts that it asked little and left nothing behind.
#[track_caller]
fn check_live(world: &World) -> Ran {
    let scratch = world.path("scratch");
    assert!(fs::create_dir_all(&scratch).is_ok());
    world.service.clear_journal();
    let ran = world
        .spawn_with(&["check", "--live"], &[("TMPDIR", &scratch)])
        .wait();
    let asked = world.service.journal();
    for of in &asked {
        let same = asked.iter().filter(|a| a.project_key == of.project_key);
        assert!(same.count() <= MOST_REQUESTS, "{asked:#?}");
    }
    assert!(asked.iter().all(|asked| asked.count <= Some(1000)));
    let left = fs::read_dir(&scratch).map(Iterator::count);
    assert_eq!(left.ok(), Some(0));
    assert!(!world.path("state").exists() && !world.root().exists());
    ran
}

async fn world(projects: Vec<Project>, dialect: Dialect) -> World {
    World::start(Settings {
        projects,
        dialect,
        ..Settings::default()
    })
    .await
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn what_to_means_is_found_out_and_held_against_the_config() {
    let due = Due::hours(1);
    let rfc3339 = TimeStyle::Rfc3339 {
        offset_seconds: 32_400,
    };
    for (to_bound, empty, time, format) in [
        (ToBound::Inclusive, EmptyAnswer::NoEntry, rfc3339, "json"),
        (
            ToBound::Inclusive,
            EmptyAnswer::EmptyFile,
            TimeStyle::Number,
            "csv",
        ),
        (
            ToBound::Exclusive,
            EmptyAnswer::NotFound,
            TimeStyle::Decimal,
            "json",
        ),
        (ToBound::Exclusive, EmptyAnswer::EmptyList, rfc3339, "csv"),
    ] {
        let dialect = Dialect {
            to_bound,
            empty,
            time,
            ..Dialect::default()
        };
        let world = world(vec![due.project("shop")], dialect).await;
        let configure = |configured: &str| {
            let job = Job::new("shop", &due).with("format", &format!("{format:?}"));
            world.configure(&[job.with("to_bound", &format!("{configured:?}"))]);
        };
        let (right, wrong) = match to_bound {
            ToBound::Inclusive => ("inclusive", "exclusive"),
            ToBound::Exclusive => ("exclusive", "inclusive"),
        };
        configure(right);
        check_live(&world).exits(0).shows(&format!(
            "shop: the service answers; `to` is {right}, as configured\n"
        ));
        configure(wrong);
        check_live(&world).exits(1).shows(&format!(
            "shop: the service answers; `to` is {right}, but the config says to_bound = \
             \"{wrong}\": set to_bound = \"{right}\"\n"
        ));
    }
}

/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_looked_for_as_far_back_as_since() {
    let due = Due::hours(40);
    let silent_since = Due::project_of("shop", due.windows[..1].iter().copied());
    let world = world(vec![silent_since], Dialect::default()).await;
    world.configure(&[Job::new("shop", &due)]);
    check_live(&world)
        .exits(0)
        .shows("`to` is inclusive, as configured");
    assert!(world.service.journal().len() >= MOST_REQUESTS - 1);
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_refuses_a_span_without_length_is_understood() {
    let due = Due::hours(1);
    let dialect = Dialect {
        to_bound: ToBound::Exclusive,
        ..Dialect::default()
    };
    let world = world(vec![due.project("shop")], dialect).await;
    world.configure(&[Job::new("shop", &due).with("to_bound", "\"exclusive\"")]);
    let refused = Fault::Status {
        http: 400,
        error_code: "100".into(),
        message: "from must be before to".into(),
        retry_after: None,
    };
    let faults = FaultPlan::steps([None, None, Some(refused), None]);
    world.service.set_faults(faults);
    check_live(&world)
        .exits(0)
        .shows("`to` is exclusive, as configured");
    let asked = &world.service.journal()[2];
    assert_eq!(asked.from, asked.to);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_found_out_is_said_with_its_reason() {
    let due = Due::hours(1);
    let silent = Project::silent(&project_key("silent"), PROJECT_ID);
    let world = world(vec![due.project("shop"), silent], Dialect::default()).await;
    let unknown = |why: &str| {
        format!("the service answers; whether `to` is inclusive could not be found out: {why}")
    };

    world.configure(&[Job::new("silent", &due)]);
    check_live(&world)
        .exits(0)
        .shows(&unknown("there is no record since"));

    world.configure(&[Job::new("shop", &due).with("include_fields", "[\"body\"]")]);
    check_live(&world)
        .exits(0)
        .shows(&unknown("include_fields leaves out `logTime`"));

    world.configure(&[Job::new("shop", &due)]);
    let faults = [None, Some(Fault::Html200)];
    world.service.set_faults(FaultPlan::steps(faults));
    check_live(&world).exits(0).shows(&unknown("the service"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_answer_is_told_from_one_that_does() {
    let due = Due::hours(1);
    let world = world(vec![due.project("shop")], Dialect::default()).await;
    world.configure(&[Job::new("shpo", &due), Job::new("shop", &due)]);
    check_live(&world)
        .exits(1)
        .shows("shpo: ")
        .shows("check endpoint, project_key")
        .shows("shop: the service answers; `to` is inclusive, as configured");

    world.configure(&[Job::new("shop", &due)]);
    world.set_secret_key("CANARYSECRETKEYTHATISNOTTHERIGHTONE00002");
    check_live(&world)
        .exits(1)
        .shows("shop: ")
        .shows("access_key and secret_key");
    assert_eq!(world.service.journal().len(), 1);
}

/// What it says of search, with what the service does with it.
async fn said_of_search(search: Search, cross_check: &str) -> String {
    let due = Due::hours(1);
    let world = World::start(Settings {
        projects: vec![due.project("shop")],
        search,
        ..Settings::default()
    })
    .await;
    world.configure(&[Job::new("shop", &due).with("cross_check", &format!("{cross_check:?}"))]);
    let ran = check_live(&world).exits(0);
    let searches = world.service.journal();
    let searches = searches
        .iter()
        .filter(|asked| asked.call == Some(Call::Search));
    assert!((1..=2).contains(&searches.count()));
    let mut lines = ran.stdout.lines();
    let line = lines.find_map(|line| line.strip_prefix("shop: search: "));
    line.unwrap().to_owned()
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn what_search_is_good_for_is_told_and_is_no_error() {
    let permitted = "permitted; counts can be confirmed by it once it has agreed on three windows";
    assert_eq!(said_of_search(Search::default(), "all").await, permitted);
    let off = said_of_search(Search::default(), "off").await;
    assert_eq!(
        off.strip_prefix(permitted),
        Some("; cross_check = \"off\" asks for no second opinion")
    );
    for (access, http) in [
        (SearchAccess::Denied, "401"),
        (SearchAccess::Forbidden, "403"),
        (SearchAccess::NotFound, "404"),
    ] {
        let search = Search {
            access,
            ..Search::default()
        };
        let said = said_of_search(search, "all").await;
        let beginning = format!("refused (the service answered {http}");
        assert!(said.starts_with(&beginning), "{said}");
        let by_download =
            ": counts are confirmed by a second download of a piece, some 7 % more bytes";
        assert!(said.ends_with(by_download), "{said}");
    }
    // It does not find the record that was downloaded.
    let search = Search {
        lag: Millis::from_days(3),
        ..Search::default()
    };
    let said = said_of_search(search, "all").await;
    let blind = "answers, but does not tell a record from none: ";
    assert!(said.starts_with(blind), "{said}");
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn search_is_not_asked_for_a_record_that_nobody_has_found() {
    let due = Due::hours(1);
    let silent = Project::silent(&project_key("silent"), PROJECT_ID);
    let world = world(vec![silent], Dialect::default()).await;
    world.configure(&[Job::new("silent", &due)]);
    check_live(&world)
        .exits(0)
        .shows("silent: search: not asked, since no record is known to ask it for");
    let asked = world.service.journal();
    assert!(asked.iter().all(|asked| asked.call != Some(Call::Search)));
}
