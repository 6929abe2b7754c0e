//! What is not certain can be asked for again, or be said to be known.

use std::io::{Cursor, Write as _};

use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::simulator::{Fault, FaultPlan, Project};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{Row, Scene, Stage};
use crate::harness::{Due, PROJECT_ID, project_key, zip_of};

pub const SCENES: &[Scene] = &[unproven, names_like_ours, truncated, late, fewer_by_now];

/// Asks again for all of it.
fn again(span: &[String; 2]) -> [&str; 8] {
    [
        "backfill", "--again", "--job", "shop", "--from", &span[0], "--to", &span[1],
    ]
}

fn whole(stage: &Stage) -> [String; 2] {
    [
        stage.due.since().to_string(),
        stage.due.whole().to().to_string(),
    ]
}

fn unproven() -> Vec<Row> {
    let stage = Stage::due(3);
    let unreadable = Fault::Body(zip_of("logs.json", "[{\"a\":"));
    let faults = FaultPlan::script([unreadable]);
    stage.world.service.set_faults(faults);
    let played = stage.when("The service sends a zip that can't be counted", &["once"]);
    let mut rows = played
        .exits(1)
        .prints("unproven: …")
        .leaves("what came, as it came, `unproven`")
        .row();
    let played = stage.when("Then", &["status"]);
    let shown = played
        .exits(1)
        .prints("ask again: `elsa-archiver backfill --again --job shop --from … --to …`")
        .prints("known: `elsa-archiver status --ack shop`")
        .unwritten()
        .after_pasting("ask again: `")
        .exact()
        .green();
    rows.extend(shown.row());
    rows
}

fn names_like_ours() -> Vec<Row> {
    let stage = Stage::due(2);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("SHA256SUMS", SimpleFileOptions::default())
        .unwrap();
    zip.write_all(b"{\"a\":1}").unwrap();
    let zip = zip.finish().unwrap().into_inner();
    stage
        .world
        .service
        .set_faults(FaultPlan::script([Fault::Body(zip)]));
    stage.world.once().exits(1);
    let played = stage.when(
        "The service's zip holds a file called SHA256SUMS",
        &["verify"],
    );
    for folder in stage.folders() {
        folder.assert_sums_pass();
    }
    played
        .exits(1)
        .prints("shop: INCOMPLETE")
        .unwritten()
        .after_running(&again(&whole(&stage)))
        .exact()
        .green()
        .row()
}

fn truncated() -> Vec<Row> {
    let due = Due::hours(1);
    let at = due.since().plus(Millis(1_000));
    let times = (0..8)
        .map(|_| at)
        .chain((1..4).map(|n| at.plus(Millis(n * 60_000))));
    let project = Project::from_times(&project_key("shop"), PROJECT_ID, 7, times.collect());
    let stage = Stage::with(due, vec![project]);
    let few = stage.job().with("count", "5").with("limit", "5");
    stage.world.configure(&[few]);
    let played = stage.when(
        "A millisecond holds more logs than one answer can",
        &["once"],
    );
    let cut = [Span::new(at, at.plus(Millis(1))).unwrap()];
    played
        .exits(1)
        .prints("truncated: …")
        .exact_but_cut(&cut, "that millisecond, which is `truncated`")
        .after_running(&["status", "--ack", "shop"])
        .leaves("the same")
        .green()
        .row()
}

fn late() -> Vec<Row> {
    let due = Due::hours(3);
    let project = due.project("shop").with_late(5, Millis(1 << 40));
    let stage = Stage::with(due, vec![project]);
    stage.world.once().exits(0);
    stage.world.service.set_visible_at(Some(UtcMs(1 << 45)));
    let span = whole(&stage);
    let played = stage.when("The service has indexed more since", &again(&span));
    played.exits(0).prints("3 rechecked").exact().green().row()
}

fn fewer_by_now() -> Vec<Row> {
    let stage = Stage::archived(3);
    stage
        .world
        .service
        .forget_before(stage.due.windows[1].from().plus(Millis(1_800_000)));
    let span = whole(&stage);
    let played = stage.when("The service has fewer by now", &again(&span));
    played
        .exits(1)
        .prints(
            "the service has … records of it now, and 13 are archived; what is archived stays …",
        )
        .exact()
        .after_running(&["status", "--ack", "shop"])
        .exact()
        .green()
        .row()
}
