//! A service that echoes the keys of whoever asks, in its errors and in the names of a zip. What
//! is printed or written of it has a redact in their place, and [`World`] finds no trace of them.

use elsa_archiver::simulator::{Fault, FaultPlan};

use super::forge::{ENCRYPTED, Entry, Zip};
use crate::harness::{ACCESS_KEY, Due, Job, SECRET_KEY, World, escaped, zip_of};

/// Most bytes that are read of an answer that is no zip.
const READ: usize = 16 * 1024;

/// `text` at the place where reading ends, so that `kept` bytes of it are read.
fn cut(text: &str, kept: usize) -> Fault {
    Fault::Body((" ".repeat(READ - kept) + text + "and more").into_bytes())
}

/// A zip whose reader complains of an entry by its name.
fn complaint(name: &str) -> Fault {
    let entry = Entry::stored(name, b"").central(|header| header.flags |= ENCRYPTED);
    Fault::Body(Zip::of([entry]).bytes())
}

/// Answers by name, and the exit code of a cycle that gets one.
fn echoes() -> [(&'static str, Fault, i32); 10] {
    let in_escapes = format!("{} {}", escaped(ACCESS_KEY), escaped(SECRET_KEY));
    let body = |text: String| Fault::Body(text.into_bytes());
    let refused = Fault::Status {
        http: 400,
        error_code: "100".into(),
        message: format!("{ACCESS_KEY} with {SECRET_KEY} is none"),
        retry_after: None,
    };
    // An error, and then the end of an empty zip: as much of it is shown as ends within the key.
    let mut before_an_end = format!("{}{SECRET_KEY} is none", "x".repeat(60)).into_bytes();
    before_an_end.extend_from_slice(b"PK\x05\x06");
    before_an_end.extend_from_slice(&[0; 18]);
    [
        ("refused", refused, 1),
        ("cut-before-the-end-of-a-zip", Fault::Body(before_an_end), 0),
        (
            "escaped",
            body(format!(
                r#"{{"error":{{"errorCode":"100","message":"{in_escapes}"}}}}"#
            )),
            1,
        ),
        (
            "escaped-elsewhere",
            body(format!(r#"{{"headers":["{in_escapes}"]}}"#)),
            0,
        ),
        (
            "escaped-before-a-cut",
            body(format!(
                r#"{{"message":"{in_escapes}{}"}}"#,
                "x".repeat(READ)
            )),
            0,
        ),
        ("cut-secret-key", cut(SECRET_KEY, 39), 0),
        ("cut-access-key", cut(ACCESS_KEY, 10), 0),
        ("cut-escapes", cut(&escaped(SECRET_KEY), 6 * 30 + 4), 0),
        ("secret-key-as-a-name", complaint(SECRET_KEY), 0),
        (
            "access-key-in-a-name",
            complaint(&format!("{}{ACCESS_KEY}.json", "x".repeat(80))),
            0,
        ),
    ]
}

/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_echoes_the_keys_gets_them_nowhere() {
    let due = Due::hours(1);
    let echoes = echoes();
    let names = echoes.each_ref().map(|(name, ..)| *name);
    let world = World::of(names.map(|name| due.project(name))).await;
    world.configure(&names.map(|name| Job::new(name, &due)));
    for (name, fault, code) in echoes {
        world.service.set_faults(FaultPlan::script([fault]));
        let ran = world.run(&["once", "--job", name]).exits(code);
        assert!(ran.stderr.contains("[key]"), "{name}: {ran:#?}");
    }
    for name in ["refused", "escaped"] {
        let error = &world.status(name)["last_error"]["message"];
        assert_eq!(error.to_string().matches("[key]").count(), 2, "{error}");
    }
    let reasons = super::quarantine(&world);
    assert_eq!(reasons.len(), 3);
    for kept in reasons {
        let reason = kept.reason["reason"].as_str().unwrap();
        assert!(reason.contains("[key]"), "{reason}");
    }
    world.run(&["status"]).exits(1).shows("[key]");
    world.run(&["verify"]).exits(1).shows("INCOMPLETE");

    // Also where an answer is only looked at.
    let fault = Fault::Body(zip_of(&format!("{SECRET_KEY}.json"), "no log"));
    world.service.set_faults(FaultPlan::always(fault));
    let ran = world.run(&["check", "--live"]).exits(0);
    assert!(ran.stdout.contains("[key].json"), "{ran:#?}");
}
