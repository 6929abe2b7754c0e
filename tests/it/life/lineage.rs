//! A job is one project; what goes on under another name says so; what is removed stays in sight.

use std::fs;

use super::{Row, Scene, Stage};
use crate::harness::{Due, Job, files_below, project_key};

pub const SCENES: &[Scene] = &[
    another_project,
    another_project_at_a_start,
    rotated,
    renamed,
    renamed_and_said,
    succeeds_nobody,
    succeeds_the_one_before_last,
    back_to_the_old_name,
    renamed_and_state_lost,
    renamed_while_the_state_is_lost,
    renamed_and_no_longer_said_and_state_lost,
    retired_and_state_lost,
    twice,
    other_settings,
    other_window_in_the_middle,
    other_zone,
    retired,
    retired_and_damaged,
    disabled,
    none_enabled,
];

fn another_project() -> Vec<Row> {
    let stage = Stage::archived(2);
    stage
        .world
        .configure(&[stage.job().with("project_id", "4711")]);
    let played = stage.when("`project_id` was changed", &["check"]);
    played
        .exits(2)
        .prints("… a job is one project, or its archive is mixed. Put project_id back, or give the other project a job of another name")
        .unwritten()
        .after("putting it back", |stage| stage.world.configure(&[stage.job()]))
        .after_running(&["once"])
        .exact()
        .green()
        .row()
}

fn another_project_at_a_start() -> Vec<Row> {
    let stage = Stage::archived(2);
    stage
        .world
        .configure(&[stage.job().with("project_id", "4711")]);
    let played = stage.when_each(
        "The same",
        &[&["once"], &["status"], &["repair", "--confirm"]],
    );
    played
        .exits(1)
        .prints("project_id is 4711, and what is archived as shop is project 16706: a job is one project, or its archive is mixed …")
        .unwritten()
        .asking(0)
        .after("putting it back", |stage| {
            stage.world.configure(&[stage.job()])
        })
        .after_running(&["once"])
        .exact()
        .green()
        .row()
}

fn rotated() -> Vec<Row> {
    let stage = Stage::archived(2);
    stage
        .world
        .configure(&[stage.job().with("project_key", "\"Pb_rotated\"")]);
    let played = stage.when("`project_key` was changed alone", &["once"]);
    played
        .exits(0)
        .prints("the job's settings have changed: project_key was Pb_shop and is Pb_rotated …")
        .exact()
        .green()
        .row()
}

fn store(due: &Due) -> Job {
    Job::new("store", due).with("project_key", &format!("{:?}", project_key("shop")))
}

/// A job `shop` that has the first three of five windows, and is now called `store`.
fn moved() -> Stage {
    let mut stage = Stage::due(5);
    let (from, to) = (
        stage.due.since().to_string(),
        stage.due.windows[2].to().to_string(),
    );
    let backfill = ["backfill", "--job", "shop", "--from", &from, "--to", &to];
    stage.world.run(&backfill).exits(0);
    stage.world.service.clear_journal();
    stage.world.configure(&[store(&stage.due)]);
    stage.projects[0].1.push("store".into());
    stage
}

fn renamed() -> Vec<Row> {
    let stage = moved();
    let played = stage.when("A job was given another name", &["check"]);
    played
        .exits(2)
        .prints("project 16706 was archived by the job shop, which the configuration has no more: what that one has would be archived twice. Give the job its name back, or say `succeeds = \"shop\"`, and it goes on where that one ended")
        .unwritten()
        .after("saying it", |stage| {
            let job = store(&stage.due).with("succeeds", "\"shop\"");
            stage.world.configure(&[job]);
        })
        .after_running(&["once"])
        .asking(2)
        .exact()
        .green()
        .row()
}

fn renamed_and_said() -> Vec<Row> {
    let stage = moved();
    let played = stage.when("The same", &["once"]);
    played
        .exits(1)
        .prints("the job can't run: project 16706 was archived by the job shop, which the configuration has no more: what that one has would be archived twice …")
        .unwritten()
        .asking(0)
        .row()
}

fn succeeds_nobody() -> Vec<Row> {
    let stage = moved();
    stage
        .world
        .configure(&[store(&stage.due).with("succeeds", "\"shpo\"")]);
    let played = stage.when("`succeeds` names no job that there was", &["check"]);
    played
        .exits(2)
        .prints("… has no ledger of that job … Correct the name, or leave succeeds out")
        .unwritten()
        .row()
}

fn mall(due: &Due, succeeds: &str) -> Job {
    Job::new("mall", due)
        .with("project_key", &format!("{:?}", project_key("shop")))
        .with("succeeds", &format!("{succeeds:?}"))
}

/// A job `shop` with three windows of five, and `store`, which went on from it with one more.
fn moved_on() -> Stage {
    let mut stage = moved();
    let (from, to) = (
        stage.due.windows[3].from().to_string(),
        stage.due.windows[3].to().to_string(),
    );
    let job = store(&stage.due).with("succeeds", "\"shop\"");
    stage.world.configure(&[job]);
    let backfill = ["backfill", "--job", "store", "--from", &from, "--to", &to];
    stage.world.run(&backfill).exits(0);
    stage.world.service.clear_journal();
    stage.projects[0].1.push("mall".into());
    stage
}

fn succeeds_the_one_before_last() -> Vec<Row> {
    let stage = moved_on();
    stage.world.configure(&[mall(&stage.due, "shop")]);
    let played = stage.when("`succeeds` names the name before the last", &["check"]);
    played
        .exits(2)
        .prints("project 16706 was archived by the job store, which the configuration has no more: what that one has would be archived twice. Give the job its name back, or say `succeeds = \"store\"`, and it goes on where that one ended")
        .unwritten()
        .after("saying it", |stage| {
            stage.world.configure(&[mall(&stage.due, "store")]);
        })
        .after_running(&["once"])
        .asking(1)
        .exact()
        .green()
        .row()
}

fn back_to_the_old_name() -> Vec<Row> {
    let stage = moved_on();
    stage.world.configure(&[stage.job()]);
    let played = stage.when("A renamed job was given its old name back", &["check"]);
    played
        .exits(2)
        .prints("… was archived by the job store … say `succeeds = \"store\"` …")
        .unwritten()
        .after("saying it", |stage| {
            let job = stage.job().with("succeeds", "\"store\"");
            stage.world.configure(&[job]);
        })
        .after_running(&["once"])
        .asking(1)
        .exact()
        .green()
        .row()
}

fn renamed_and_state_lost() -> Vec<Row> {
    let stage = moved_on();
    fs::remove_dir_all(stage.state()).unwrap();
    let played = stage.when(
        "A job was renamed, with `succeeds`, and STATE is lost",
        &["once"],
    );
    played
        .exits(0)
        .prints("adopted")
        .asking(1)
        .exact()
        .green()
        .row()
}

fn renamed_while_the_state_is_lost() -> Vec<Row> {
    let stage = moved();
    fs::remove_dir_all(stage.state()).unwrap();
    let played = stage.when(
        "STATE was lost, and a job was given another name",
        &["check"],
    );
    played
        .exits(2)
        .prints("project 16706 was archived by the job shop, which the configuration has no more: what that one has would be archived twice …")
        .unwritten()
        .after("saying it", |stage| {
            let job = store(&stage.due).with("succeeds", "\"shop\"");
            stage.world.configure(&[job]);
        })
        .after_running(&["once"])
        .asking(2)
        .exact()
        .green()
        .row()
}

fn renamed_and_no_longer_said_and_state_lost() -> Vec<Row> {
    let stage = moved_on();
    let job = store(&stage.due);
    stage.world.configure(&[job]);
    fs::remove_dir_all(stage.state()).unwrap();
    let played = stage.when(
        "A job was renamed, `succeeds` was taken out again, and STATE was lost",
        &["check"],
    );
    played
        .exits(2)
        .prints("project 16706 was archived by the job shop, which the configuration has no more: what that one has would be archived twice. Give the job its name back, or say `succeeds = \"shop\"`, and it goes on where that one ended")
        .unwritten()
        .after("saying it", |stage| {
            let job = store(&stage.due).with("succeeds", "\"shop\"");
            stage.world.configure(&[job]);
        })
        .after_running(&["once"])
        .asking(1)
        .exact()
        .green()
        .row()
}

fn retired_and_state_lost() -> Vec<Row> {
    let stage = without_shop();
    fs::remove_dir_all(stage.state()).unwrap();
    stage.world.once().exits(0);
    let played = stage.when(
        "A job was removed from the config, and STATE was lost",
        &["status"],
    );
    played
        .exits(0)
        .prints("shop: retired")
        .unwritten()
        .exact()
        .green()
        .row()
}

fn twice() -> Vec<Row> {
    let stage = Stage::archived(2);
    stage.world.configure(&[stage.job(), store(&stage.due)]);
    let played = stage.when("Two jobs read one project", &["check"]);
    played
        .exits(0)
        .prints("the jobs shop and store archive the same project 16706 in the same form: all of it is asked for and kept twice")
        .unwritten()
        .exact()
        .row()
}

fn other_settings() -> Vec<Row> {
    let stage = Stage::archived(4);
    let job = stage
        .job()
        .with("retention", "\"30d\"")
        .with("format", "\"csv\"");
    stage.world.configure(&[job.with("window", "\"2h\"")]);
    let played = stage.when("`window`, `format` and `retention` were changed", &["once"]);
    played
        .exits(0)
        .prints("the job's settings have changed: window was 1h and is 2h …")
        .asking(0)
        .exact()
        .green()
        .row()
}

fn other_window_in_the_middle() -> Vec<Row> {
    let stage = Stage::due(6);
    let (from, to) = (stage.due.since(), stage.due.windows[2].to());
    let (from, to) = (from.to_string(), to.to_string());
    let backfill = ["backfill", "--job", "shop", "--from", &from, "--to", &to];
    stage.world.run(&backfill).exits(0);
    stage.world.service.clear_journal();
    let job = stage.job().with("window", "\"15m\"");
    stage.world.configure(&[job]);
    let played = stage.when("`window` was changed while windows are due", &["once"]);
    played
        .exits(0)
        .prints("the job's settings have changed: window was 1h and is 15m …")
        .exact()
        .green()
        .row()
}

fn other_zone() -> Vec<Row> {
    let stage = Stage::archived(4);
    let config = stage.world.config();
    stage
        .world
        .write_config(&config.replace("[archive]", "[archive]\ntimezone = \"UTC\""));
    let played = stage.when("`timezone` was changed", &["once"]);
    played
        .exits(0)
        .prints("the job's settings have changed: timezone was Asia/Seoul and is UTC …")
        .asking(0)
        .exact()
        .green()
        .row()
}

/// A job `shop` that was removed, beside a job `site`.
fn without_shop() -> Stage {
    let due = Due::hours(3);
    let (shop, site) = (due.project("shop"), due.project("site"));
    let mut stage = Stage::with(due, vec![shop, site]);
    stage.projects.push(("site".into(), vec!["site".into()]));
    let site = Job::new("site", &stage.due);
    stage.world.configure(&[stage.job(), site.clone()]);
    stage.world.once().exits(0);
    stage.world.configure(&[site]);
    stage.world.once().exits(0);
    stage
}

fn retired() -> Vec<Row> {
    let stage = without_shop();
    let played = stage.when("A job was removed from the config", &["status"]);
    played
        .exits(0)
        .prints("shop: retired")
        .unwritten()
        .exact()
        .green()
        .row()
}

fn retired_and_damaged() -> Vec<Row> {
    let stage = without_shop();
    let folder = stage.folders().swap_remove(1);
    fs::write(files_below(&folder.path.join("part-0001")).remove(0), "[]").unwrap();
    let played = stage.when("A folder of a removed job is damaged", &["verify"]);
    let played = played
        .exits(4)
        .prints("shop: DAMAGED")
        .unwritten()
        .after_running(&["repair", "--job", "shop", "--confirm"]);
    assert!(
        stage
            .world
            .root()
            .join(".damaged")
            .join(&folder.name)
            .is_dir()
    );
    played
        .leaves("what is left is whole, the folder is in ROOT/.damaged")
        .green()
        .row()
}

fn disabled() -> Vec<Row> {
    let stage = Stage::due(2);
    stage
        .world
        .configure(&[stage.job().with("enabled", "false")]);
    let played = stage.when("A job is not enabled", &["once", "--job", "shop"]);
    played
        .exits(2)
        .prints("the job shop is not enabled … `elsa-archiver backfill --job shop …")
        .unwritten()
        .asking(0)
        .row()
}

fn none_enabled() -> Vec<Row> {
    let stage = Stage::archived(2);
    stage
        .world
        .configure(&[stage.job().with("enabled", "false")]);
    let played = stage.when_running("No job is enabled", &[], |daemon| {
        daemon.wait_until_it_says("running");
    });
    played
        .exits(0)
        .prints("no job is enabled …")
        .asking(0)
        .exact()
        .row()
}
