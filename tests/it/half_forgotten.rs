//! A job whose first window begins implausibly late: perhaps the service has forgotten its beginning.

use elsa_archiver::domain::span::{Millis, Span};
use elsa_archiver::simulator::{Fault, FaultPlan, Project, Search, SearchAccess};

use crate::harness::{Due, PROJECT_ID, World, project_key};
use crate::second_opinion::{job, world};

/// Two windows, of the first of which only the last twenty minutes are left.
async fn half_forgotten(due: &Due, access: SearchAccess) -> World {
    let from = due.windows[0].to().minus(Millis::from_mins(20));
    let left = Span::new(from, due.whole().to()).unwrap();
    let project = Project::uniform(&project_key("shop"), PROJECT_ID, 7, left, 3000);
    let search = Search {
        access,
        ..Search::default()
    };
    world(project, search).await
}

/// Guarantee: Confirmed
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_first_window_that_begins_late_is_unproven_unless_search_or_retention_vouches_for_it() {
    let cases = [
        (SearchAccess::Denied, None, false),
        (SearchAccess::Denied, Some("\"30d\""), true),
        (SearchAccess::Permitted, None, true),
    ];
    let both = ["\"json\"", "\"csv\""].into_iter();
    for (format, (access, retention, is_well)) in
        both.flat_map(|format| cases.map(|case| (format, case)))
    {
        let due = Due::hours(2);
        let world = half_forgotten(&due, access).await;
        let mut job = job(&due).with("format", format);
        if let Some(retention) = retention {
            job = job.with("retention", retention);
        }
        world.configure(&[job]);
        let ran = world.once().exits(i32::from(!is_well));
        let folders = world.folders("shop");
        assert_eq!(folders.len(), 2);
        let status = if is_well { "complete" } else { "unproven" };
        assert_eq!(folders[0].manifest["status"], status, "{retention:?}");
        assert_eq!(folders[1].manifest["status"], "complete");
        if !is_well {
            let ran = ran.says("may have forgotten its beginning");
            let reason = &folders[0].manifest["confirmed"]["reason"];
            assert!(
                reason.as_str().unwrap().contains("too long for chance"),
                "{reason}"
            );
            drop(ran);
        }
    }
}

/// Guarantee: Confirmed
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_first_window_that_begins_late_stays_the_first_whatever_was_archived_before_it() {
    // It fails at first, or is asked for again the next day.
    let due = Due::hours(2);
    let gone = Fault::Status {
        http: 403,
        error_code: "300".to_owned(),
        message: "gone".to_owned(),
        retry_after: None,
    };
    for faults in [FaultPlan::none(), FaultPlan::script([gone])] {
        let world = half_forgotten(&due, SearchAccess::Denied).await;
        let recheck = format!("\"{}s\"", due.settle_s + 60);
        world.configure(&[job(&due).with("recheck", &recheck)]);
        world.service.set_faults(faults);
        world.once().exits(1);
        world.once();
        world.make_ledger_older("shop", &due);
        world.once();
        assert_eq!(world.status("shop")["unproven"], 1);
        let mut folders = world.folders("shop");
        folders.sort_by_key(|folder| folder.window.from());
        assert_eq!(folders.len(), 2);
        assert_eq!(folders[0].manifest["status"], "unproven");
    }
}
