//! A service that is down for all jobs of an account: it is asked little, `status` shows it, and no other
//! account's jobs notice.

use elsa_archiver::simulator::{Fault, FaultPlan, KeyPair, Permitted, Settings, Simulator};
use serde_json::Value;

use crate::harness::{ACCESS_KEY, Due, Job, SECRET_KEY, World};

fn down() -> Fault {
    Fault::Status {
        http: 503,
        error_code: "500".into(),
        message: "Endpoint Error".into(),
        retry_after: None,
    }
}

/// A service of another account, which is well.
async fn another(due: &Due) -> Simulator {
    Simulator::start(Settings {
        accounts: vec![KeyPair {
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
            permitted: Permitted::All,
        }],
        projects: vec![due.project("well")],
        ..Settings::default()
    })
    .await
    .unwrap()
}

/// Guarantee: Bounded
/// Guarantee: Isolated
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_down_is_asked_little_and_status_shows_it_until_it_answers() {
    let due = Due::hours(20);
    let names = ["a", "b", "c", "d"];
    // The world knows what is true of the other account's project too.
    let projects = names.into_iter().chain(["well"]);
    let world = World::of(projects.map(|name| due.project(name))).await;
    let other = another(&due).await;
    let mut jobs: Vec<Job> = names.iter().map(|name| Job::new(name, &due)).collect();
    jobs.push(Job::new("well", &due).with("account", "\"other\""));
    world.configure(&jobs);
    let config = world.config();
    let account = config.split("\n\n").next().unwrap();
    let account = account
        .replace("[account.default]", "[account.other]")
        .replace(&world.service.endpoint(), &other.endpoint());
    world.write_config(&format!("{account}\n\n{config}"));

    world.service.set_faults(FaultPlan::always(down()));
    let ran = world.once().exits(1).says("asked by one request");
    // Three windows, whose they may be, and what was under way; not each of 80 windows five times.
    let asked = world.service.journal().len();
    assert!(asked <= 3 * 5 + 4 * 5, "{asked} requests");
    assert_eq!(
        ran.stderr.matches("asked by one request").count(),
        1,
        "{ran:#?}"
    );
    world.assert_archived("well", &due.windows);

    crate::colours::shown("the service is down", [1, 1, 0], &["next"], &world);
    let ran = world.run(&["status"]).exits(1);
    let shown = ran.shows("account default: the service is down\n");
    assert_eq!(shown.stdout.matches("account ").count(), 1, "{shown:#?}");
    let status = world.run(&["status", "--json"]).json();
    let [outage] = &status["accounts"].as_array().unwrap()[..] else {
        panic!("{status}")
    };
    assert_eq!(outage["account"], "default");
    let ms = |name: &str| outage[name].as_i64().unwrap();
    assert!(ms("since_ms") <= ms("last_ms"));
    assert_eq!(ms("next_ms") - ms("last_ms"), 60_000);
    assert!(
        outage["message"]
            .as_str()
            .unwrap()
            .contains("Endpoint Error")
    );

    world.service.set_faults(FaultPlan::none());
    world.once().exits(0);
    for name in names {
        world.assert_archived(name, &due.windows);
    }
    let status = world.run(&["status", "--json"]).exits(0).json();
    assert_eq!(status["accounts"], Value::Null);
}
