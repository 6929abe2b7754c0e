//! SIGHUP: the configuration is read anew and checked whole. What is wrong with it changes nothing; what is right is
//! in force between windows. Carries *Self-healing*, *Candid* and *Exactly once*.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use elsa_archiver::simulator::{Fault, FaultPlan};

use crate::harness::{Due, Job, PROJECT_ID, World, until};

fn is_archived(world: &World, job: &str) -> bool {
    world.folders(job).len() == 3
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn jobs_come_go_and_change_while_the_others_run_on() {
    let due = Due::hours(3);
    let projects = ["shop", "pay", "mail", "news"].map(|job| due.project(job));
    let world = World::of(projects).await;
    let [shop, pay, mail] = ["shop", "pay", "mail"].map(|job| Job::new(job, &due));
    world.configure(&[shop, pay, mail]);
    let mut daemon = world.spawn(&["run"]);
    until("all is archived", || {
        ["shop", "pay", "mail"]
            .iter()
            .all(|job| is_archived(&world, job))
    });
    let asked = world.requests("shop").len();

    // `mail` goes, `news` comes, `pay` asks in the other format from now on.
    world.configure(&[
        Job::new("shop", &due),
        Job::new("pay", &due).with("format", "\"csv\""),
        Job::new("mail", &due).with("enabled", "false"),
        Job::new("news", &due),
    ]);
    daemon.hang_up();
    daemon.wait_until_it_says("added=1 removed=1 changed=1");
    daemon.wait_until_it_says("the configuration is in force");
    until("the one that came is archived", || {
        is_archived(&world, "news")
    });
    daemon.terminate();
    daemon.wait().exits(0);
    for job in ["shop", "pay", "news"] {
        world.assert_archived(job, &due.windows);
    }
    assert_eq!(world.requests("shop").len(), asked);
    world.run(&["verify"]).exits(0);
    // What the ledger says of its settings is that it changed between two windows.
    let lines = world.all_ledger_lines("pay");
    let settings = lines.iter().filter(|line| line["event"] == "job");
    assert_eq!(settings.count(), 2);
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_window_in_flight_is_archived_before_its_job_goes_on_otherwise() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    // Slow enough to be in flight when the configuration changes, and well within every deadline.
    let drip = Fault::Drip {
        pause: Duration::from_millis(2),
    };
    world
        .service
        .set_faults(FaultPlan::steps([None, Some(drip)]));
    world.configure(&[Job::new("shop", &due)]);
    let mut daemon = world.spawn(&["run"]);
    until("a window is in flight", || {
        world.requests("shop").len() == 2
    });
    world.configure(&[Job::new("shop", &due).with("format", "\"csv\"")]);
    daemon.hang_up();
    daemon.wait_until_it_says("the configuration is in force");
    until("all is archived", || is_archived(&world, "shop"));
    daemon.terminate();
    daemon.wait().exits(0);
    world.assert_archived("shop", &due.windows);
    // Nothing was asked for twice.
    let downloads = world.requests("shop");
    assert_eq!(downloads.len(), 3, "{downloads:?}");
    let formats: Vec<_> = world
        .folders("shop")
        .iter()
        .map(|folder| folder.manifest["request"]["format"].clone())
        .collect();
    assert_eq!(formats, ["json", "json", "csv"]);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_is_wrong_is_refused_and_the_one_before_stays_in_force() {
    let due = Due::minutes_of_which_one_is_about_to_settle(4);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let right = world.config();
    let path = world.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let patience = Some(Duration::from_secs(60));
    socket.set_read_timeout(patience).unwrap();
    let told = || {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let mut daemon = world.spawn_with(&["run"], &[("NOTIFY_SOCKET", &path)]);
    daemon.wait_until_it_says("running");
    let moved = right.replace("archive\"\n", "elsewhere\"\n");
    let lax = right.replace("[archive]\n", "[archive]\ndurable_folders = false\n");
    let other = right.replace(&PROJECT_ID.to_string(), "4711");
    let unreadable = right.replace("keys/secret", "keys/none");
    let wrongs = [
        ("did you mean", format!("{right}widow = \"1h\"\n")),
        ("archive.root: can't change", moved),
        ("archive.durable_folders: can't change", lax),
        ("job.shop: ", other),
        ("keys/none", unreadable),
    ];
    for (times, (what, wrong)) in wrongs.iter().enumerate() {
        assert_ne!(wrong, &right);
        world.write_config(wrong);
        daemon.hang_up();
        daemon.wait_until_it_has_said("the configuration is refused", times + 1);
        daemon.wait_until_it_says(what);
        until("systemd is told that it is reloading", || {
            told().lines().any(|line| line == "RELOADING=1")
        });
        until("systemd is told the reason", || {
            let told = told();
            told.contains("READY=1") && told.contains("STATUS=the configuration is refused")
        });
    }
    // It goes on as before: the newest window settles after that.
    until("the newest window is archived", || {
        world.folders("shop").len() >= due.windows.len()
    });
    world.write_config(&right);
    daemon.hang_up();
    daemon.wait_until_it_says("the configuration is in force");
    until("nothing is refused any more", || {
        let told = told();
        told.contains("READY=1") && !told.contains("refused")
    });
    daemon.terminate();
    daemon.wait().exits(0);
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_were_replaced_are_in_force_after_a_reload() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    let right = std::fs::read_to_string(world.path("keys/secret")).unwrap();
    world.set_secret_key("WRONGWRONGWRONGWRONGWRONGWRONGWRONGWRONG");
    world.configure(&[Job::new("shop", &due)]);
    let mut daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("not archived");
    world.set_secret_key(&right);
    daemon.hang_up();
    daemon.wait_until_it_says("the configuration is in force");
    until("all is archived", || is_archived(&world, "shop"));
    daemon.terminate();
    daemon.wait().exits(0);
    world.assert_archived("shop", &due.windows);
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_job_in_a_file_of_its_own_comes_with_a_reload_and_goes_with_its_file() {
    let due = Due::hours(3);
    let world = World::of(["shop", "pay"].map(|job| due.project(job))).await;
    world.configure(&[Job::new("pay", &due)]);
    let config = world.config();
    let (_, pay) = config.split_at(config.find("[[job]]").unwrap());
    let pay = pay.to_owned();
    world.configure(&[Job::new("shop", &due)]);
    let main = format!("include = \"conf.d/*.toml\"\n{}", world.config());
    world.write_config(&main);
    let folder = world.path("conf.d");
    world.run(&["check"]).exits(2).says("conf.d: No such file");
    std::fs::create_dir(&folder).unwrap();
    let mut daemon = world.spawn(&["run"]);
    until("the job of the config is archived", || {
        is_archived(&world, "shop")
    });

    let file = folder.join("pay.toml");
    std::fs::write(&file, pay.replace("project_key", "projet_key")).unwrap();
    daemon.hang_up();
    daemon.wait_until_it_says("conf.d/pay.toml:");
    daemon.wait_until_it_says("did you mean project_key?");
    std::fs::write(&file, &pay).unwrap();
    daemon.hang_up();
    daemon.wait_until_it_says("added=1 removed=0 changed=0");
    until("the job of the file is archived", || {
        is_archived(&world, "pay")
    });
    std::fs::remove_file(&file).unwrap();
    daemon.hang_up();
    daemon.wait_until_it_says("added=0 removed=1 changed=0");
    daemon.terminate();
    daemon.wait().exits(0);
    world.run(&["verify"]).exits(0);
}
