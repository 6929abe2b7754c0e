//! *Evident*: an authority says once a day when a head was there, `openssl ts -verify` proves it, and nothing waits for it.

pub mod authority;

use std::fs;
use std::path::PathBuf;

use elsa_archiver::digest::Digest;

use crate::harness::{Due, Job, World, files_below, until};
use authority::{Authority, Mode};

/// A world whose heads are signed and timestamped.
async fn stamped(due: &Due) -> Option<(World, Authority)> {
    let world = World::of([due.project("shop")]).await;
    let authority = Authority::start(world.path("authority"))?;
    world.configure(&[Job::new("shop", due)]);
    world.sign_heads();
    let config = world.config();
    world.write_config(&format!("{config}timestamp = {:?}\n", authority.url()));
    Some((world, authority))
}

/// The heads' files with this end.
fn files(world: &World, end: &str) -> Vec<PathBuf> {
    let mut files = files_below(&world.root().join("_archive/heads"));
    files.retain(|path| path.extension().is_some_and(|found| found == end));
    files
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn one_head_a_day_is_timestamped_and_openssl_proves_it() {
    let due = Due::hours(2);
    let Some((world, authority)) = stamped(&due).await else {
        return;
    };
    world
        .run(&["check", "--live"])
        .exits(0)
        .shows("evidence.timestamp: the authority answers");
    world
        .once()
        .exits(0)
        .says("a head of the archive was timestamped");
    world.run(&["head", "now"]).exits(0);
    world
        .run(&["status"])
        .exits(0)
        .shows("evidence: head 2 of ")
        .shows(", timestamped as of ");
    let (heads, stamps) = (files(&world, "head"), files(&world, "tsr"));
    assert_eq!((heads.len(), stamps.len()), (2, 1));
    assert!(authority.has_stamped(&heads[0]));
    // What comes after names it.
    let bytes = fs::read(&stamps[0]).unwrap();
    let next = fs::read_to_string(&heads[1]).unwrap();
    assert!(
        next.contains(&format!("\nprevious-timestamp: {}\n", Digest::of(&bytes))),
        "{next}"
    );
    world
        .run(&["verify"])
        .exits(0)
        .shows("timestamped last _archive/heads/000001.head, at ");
    let json = world.run(&["verify", "--json"]).exits(0).json();
    assert!(json["heads"]["timestamped_ms"].is_i64(), "{json}");

    // Not this answer, not one to something else, none at all.
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    world.run(&["check", "--live"]).exits(0);
    let other = fs::read(world.path("authority/answer")).unwrap();
    for (wrong, why) in [
        (changed, "is not the one that the head after it names"),
        (other, "something else than this head"),
        (b"answer".to_vec(), "no answer of RFC 3161"),
    ] {
        fs::write(&stamps[0], wrong).unwrap();
        world.run(&["verify"]).exits(4).shows(why);
        let copy = world.root().display().to_string();
        world.run(&["verify", &copy]).exits(4).shows(why);
    }
    fs::remove_file(&stamps[0]).unwrap();
    world.run(&["verify"]).exits(4).shows("000001.head.tsr");
    fs::write(&stamps[0], bytes).unwrap();
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Isolated
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_hangs_or_fails_delays_nothing_and_is_asked_again() {
    let due = Due::hours(3);
    let Some((world, authority)) = stamped(&due).await else {
        return;
    };
    authority.does(Mode::Hangs);
    let mut daemon = world.spawn(&["run"]);
    until("it is asked", || {
        !authority.asked.lock().unwrap().is_empty()
    });
    until("all is archived", || world.folders("shop").len() == 3);
    world.run(&["head", "now"]).exits(0).shows("signed with");
    assert!(files(&world, "tsr").is_empty());
    // It ends at once though it still waits.
    daemon.terminate();
    daemon.wait().exits(0);
    world.run(&["verify"]).exits(0);

    authority.does(Mode::Status(503));
    daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("it is tried again in 1 min: http://127.0.0.1:");
    authority.does(Mode::Answers);
    world.run(&["head", "now"]).exits(0);
    until("it is timestamped", || files(&world, "tsr").len() == 1);
    assert!(authority.has_stamped(files(&world, "head").last().unwrap()));
    daemon.terminate();
    daemon.wait().exits(0);
    world.run(&["verify"]).exits(0).shows("timestamped last");
}

/// Guarantee: Suspicious
/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_proves_nothing_is_not_kept_and_told() {
    let due = Due::hours(2);
    let Some((world, authority)) = stamped(&due).await else {
        return;
    };
    // One to another question.
    world.run(&["check", "--live"]).exits(0);
    let other = fs::read(world.path("authority/answer")).unwrap();
    for (mode, why) in [
        (
            Mode::Says(b"<html>\x1b[31m".to_vec()),
            "it is no answer of RFC 3161",
        ),
        (Mode::Says(Vec::new()), "it is no answer of RFC 3161"),
        (
            Mode::Says(other[..other.len() - 1].to_vec()),
            "it is no answer of RFC 3161",
        ),
        (Mode::Says(other), "it is of something else"),
        (Mode::Says(authority.refusal()), "it refuses, with status 2"),
        (Mode::Says(vec![0x30; 1 << 20]), "more than"),
        (Mode::Status(302), "a redirection, which is not followed"),
        (Mode::Status(500), "it answered 500"),
    ] {
        authority.does(mode);
        // What was to be done is done all the same.
        world.run(&["head", "now"]).exits(0).says(why);
        world
            .run(&["check", "--live"])
            .exits(1)
            .shows("evidence.timestamp: http://127.0.0.1:");
        assert!(files(&world, "tsr").is_empty());
    }
    world.once().exits(0).says("it answered 500");
    // The answer to the question before, about the same.
    authority.does(Mode::Answers);
    world.run(&["head", "now"]).exits(0);
    fs::remove_file(&files(&world, "tsr")[0]).unwrap();
    authority.does(Mode::Says(
        fs::read(world.path("authority/answer")).unwrap(),
    ));
    world
        .run(&["once"])
        .exits(0)
        .says("it is the answer to another question");
    world.run(&["verify"]).exits(0);
}
