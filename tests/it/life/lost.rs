//! Nothing is lost unasked.

use elsa_archiver::domain::span::Millis;
use elsa_archiver::simulator::{Fault, FaultPlan};

use super::{Row, Scene, Stage};
use crate::harness::Job;

pub const SCENES: &[Scene] = &[
    still_there,
    forgotten,
    refused,
    failing,
    known,
    there_after_all,
    about_to_be_lost,
    checked_live,
];

/// The job, with its first two windows past `retention` and the third in part.
pub fn past_retention(stage: &Stage) -> Job {
    let edge = stage.due.windows[1].to().plus(Millis(60_000));
    let keeps = (jiff::Timestamp::now().as_millisecond() - edge.0) / 1000;
    stage.job().with("retention", &format!("\"{keeps}s\""))
}

fn old() -> Stage {
    let stage = Stage::due(5);
    stage.world.configure(&[past_retention(&stage)]);
    stage
}

fn gone() -> Stage {
    let stage = old();
    stage
        .world
        .service
        .forget_before(stage.due.windows[2].from());
    stage
}

fn still_there() -> Vec<Row> {
    let stage = old();
    let played = stage.when(
        "Two windows are past `retention`, and the service has them",
        &["once"],
    );
    played
        .exits(1)
        .prints("unproven: what the window holds is not certain: the service may have forgotten its beginning already …")
        .exact()
        .after_running(&["status", "--ack", "shop"])
        .exact()
        .green()
        .row()
}

fn forgotten() -> Vec<Row> {
    let stage = gone();
    let played = stage.when(
        "Two windows are past `retention`, and the service has them no more",
        &["once"],
    );
    played
        .exits(1)
        .prints("lost: it was not archived before the service's retention was over, and the service has no logs of it any more; `status` shows it until `elsa-archiver status --ack shop` says that somebody knows")
        .asking(5)
        .exact_but_lost()
        .row()
}

fn refused() -> Vec<Row> {
    let stage = gone();
    let refused = Fault::Status {
        http: 400,
        error_code: "300".to_owned(),
        message: "out of retention".to_owned(),
        retry_after: None,
    };
    stage
        .world
        .service
        .set_faults(FaultPlan::script([refused.clone(), refused]));
    let played = stage.when("The same, and it refuses to answer for them", &["once"]);
    played
        .exits(1)
        .prints(
            "lost: it was not archived before the service's retention was over, and the service …",
        )
        .exact_but_lost()
        .row()
}

fn failing() -> Vec<Row> {
    let stage = old();
    let down = Fault::Status {
        http: 500,
        error_code: "900".to_owned(),
        message: "down".to_owned(),
        retry_after: None,
    };
    stage
        .world
        .service
        .set_faults(FaultPlan::script(vec![down; 5]));
    let played = stage.when(
        "A window is past `retention`, and the service fails",
        &["once"],
    );
    let played = played.exits(1).prints("1 not archived");
    assert_eq!(stage.world.status("shop")["due"], 1);
    played
        .leaves("the window is due, not lost")
        .after_running_with(&["once"], 1)
        .exact()
        .row()
}

fn known() -> Vec<Row> {
    let stage = gone();
    stage.world.once().exits(1);
    let played = stage.when("Windows are lost", &["status", "--ack", "shop"]);
    let played = played.exits(0).prints("lost … (acknowledged)");
    let until = &stage.world.status("shop")["covered_until_ms"];
    assert_eq!(*until, stage.due.whole().to().0);
    played
        .exact_but_lost()
        .after_running_with(&["once"], 0)
        .exact_but_lost()
        .green()
        .row()
}

fn there_after_all() -> Vec<Row> {
    let stage = gone();
    stage.world.once().exits(1);
    stage.world.service.forget_before(stage.due.since());
    let (from, to) = (
        stage.due.since().to_string(),
        stage.due.whole().to().to_string(),
    );
    let played = stage.when(
        "Windows are lost, and the service has them after all",
        &["backfill", "--job", "shop", "--from", &from, "--to", &to],
    );
    played.exits(1).prints("2 windows archived").exact().row()
}

fn about_to_be_lost() -> Vec<Row> {
    let stage = Stage::due(5);
    let job = stage.job().with("retention", "\"12h\"");
    stage.world.configure(&[job]);
    let played = stage.when("What is due is soon past `retention`", &["status"]);
    played
        .exits(1)
        .prints("lost from … unless archived by then")
        .unwritten()
        .after_running(&["once"])
        .exact()
        .green()
        .row()
}

fn checked_live() -> Vec<Row> {
    let stage = Stage::due(2);
    let played = stage.when("`retention` is not set", &["check", "--live"]);
    played
        .exits(0)
        .prints("the oldest log that the service hands out is 0 days old … set `retention`")
        .unwritten()
        .after_running(&["once"])
        .exact()
        .row()
}
