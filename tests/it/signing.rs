//! *Evident*: heads are signed so that `ssh-keygen -Y verify` proves it, and one key leads to the next.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::harness::{Due, Job, World, files_below, left_out, until};

/// What ssh-keygen says; `None` where there is none.
fn ssh_keygen(args: &[&str], stdin: Option<&Path>) -> Option<Output> {
    let stdin = match stdin {
        Some(path) => Stdio::from(fs::File::open(path).unwrap()),
        None => Stdio::null(),
    };
    let ran = Command::new("ssh-keygen").args(args).stdin(stdin).output();
    ran.map_err(|error| left_out("signatures by ssh-keygen", error))
        .ok()
}

/// Whether `ssh-keygen -Y verify` proves that a head was signed by one of these.
fn is_proven(head: &Path, allowed: &Path) -> bool {
    let signature = format!("{}.sig", head.display());
    let args = [
        "-Y",
        "verify",
        "-I",
        "elsa-archiver",
        "-n",
        "elsa-archiver-head",
        "-f",
        allowed.to_str().unwrap(),
        "-s",
        &signature,
    ];
    ssh_keygen(&args, Some(head)).is_none_or(|ran| ran.status.success())
}

fn heads(world: &World) -> Vec<PathBuf> {
    let mut files = files_below(&world.root().join("_archive/heads"));
    files.retain(|path| path.extension().is_some_and(|end| end == "head"));
    files
}

/// Has a key of this name sign, and whatever else is to be said.
fn sign_with(world: &World, key: &str, further: &str) {
    let config = world.config();
    let before = config.split("\n[evidence]").next().unwrap();
    let path = world.path(key);
    world.write_config(&format!(
        "{before}\n[evidence]\nkey = {{ file = {path:?} }}\n{further}\n"
    ));
}

/// Makes a key, and returns its public half as the config takes it.
fn keygen(world: &World, name: &str) -> String {
    let out = world.path(name);
    let ran = world
        .run(&["keygen", "--out", out.to_str().unwrap()])
        .exits(0);
    let (_, line) = ran.stdout.split_once("next_key = \"").unwrap();
    line.split('"').next().unwrap().to_owned()
}

/// Guarantee: Evident
/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_signed_as_ssh_keygen_would_and_proven_by_it_alone() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let public = keygen(&world, "signing-key");
    let key = world.path("signing-key");
    assert_eq!(
        fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let named = key.to_str().unwrap();
    world
        .run(&["keygen", "--out", named])
        .exits(1)
        .says("is there already");
    if let Some(ran) = ssh_keygen(&["-y", "-f", named], None) {
        let shown = String::from_utf8(ran.stdout).unwrap();
        assert!(shown.starts_with(&public), "{shown} is not {public}");
    }

    sign_with(&world, "signing-key", "");
    world.once().exits(0).says("signed_by=");
    world
        .run(&["status"])
        .exits(0)
        .shows("evidence: head 1 of ")
        .shows("signed with SHA256:");
    let allowed = world.path("allowed_signers");
    let [head] = &heads(&world)[..] else { panic!() };
    assert!(is_proven(head, &allowed));
    let (whole, signature) = (fs::read(head).unwrap(), head.with_extension("head.sig"));
    let signed = fs::read(&signature).unwrap();
    world.run(&["head"]).exits(0).shows("signed with SHA256:");
    let verified = world.run(&["verify"]).exits(0);
    let verified = verified.shows("signed since _archive/heads/000001.head with SHA256:");
    assert!(!verified.stdout.contains("not signed"), "{verified:#?}");
    let json = world.run(&["verify", "--json"]).exits(0).json();
    let fingerprint = json["heads"]["newest"]["signed_by"]
        .as_str()
        .unwrap()
        .to_owned();
    if let Some(ran) = ssh_keygen(&["-l", "-f", named], None) {
        let shown = String::from_utf8(ran.stdout).unwrap();
        assert!(shown.contains(&fingerprint), "{shown}");
    }

    // Ed25519 has one signature for one text: ssh-keygen makes the same.
    fs::remove_file(&signature).unwrap();
    let args = [
        "-Y",
        "sign",
        "-f",
        named,
        "-n",
        "elsa-archiver-head",
        head.to_str().unwrap(),
    ];
    if ssh_keygen(&args, None).is_some() {
        assert_eq!(fs::read(&signature).unwrap(), signed);
    }
    // One of another namespace, or of another key, proves nothing.
    for wrong in ["file", "elsa-archiver-head"] {
        keygen(&world, &format!("key-of-{wrong}"));
        fs::remove_file(&signature).unwrap();
        let by = if wrong == "file" {
            key.clone()
        } else {
            world.path(format!("key-of-{wrong}"))
        };
        let args = [
            "-Y",
            "sign",
            "-f",
            by.to_str().unwrap(),
            "-n",
            wrong,
            head.to_str().unwrap(),
        ];
        if ssh_keygen(&args, None).is_some() {
            world.run(&["verify"]).exits(4).shows("000001.head.sig");
        } else {
            fs::write(&signature, &signed).unwrap();
        }
    }
    fs::write(&signature, &signed).unwrap();
    world.run(&["verify"]).exits(0);
    // One byte of the head; no signature any more.
    let changed = String::from_utf8(whole.clone()).unwrap();
    fs::write(head, changed.replace("windows: 2", "windows: 1")).unwrap();
    assert!(ssh_keygen(&["-V"], None).is_none() || !is_proven(head, &allowed));
    world
        .run(&["verify"])
        .exits(4)
        .shows("does not sign this head");
    fs::write(head, &whole).unwrap();
    fs::remove_file(&signature).unwrap();
    world.run(&["verify"]).exits(4).shows("000001.head.sig");
    let copy = world.copy_and_nothing_else();
    world
        .run(&["verify", &copy])
        .exits(4)
        .shows("000001.head.sig");
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn the_next_key_is_named_under_the_signature_of_the_one_before() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    keygen(&world, "key-1");
    let next = keygen(&world, "key-2");
    sign_with(&world, "key-1", "");
    let mut daemon = world.spawn(&["run"]);
    until("the day's head is there", || !heads(&world).is_empty());
    for (key, further) in [
        ("key-1", format!("next_key = {next:?}")),
        ("key-2", String::new()),
    ] {
        sign_with(&world, key, &further);
        daemon.hang_up();
        daemon.wait_until_it_says("the configuration is in force");
        world.run(&["head", "now"]).exits(0);
    }
    let all = heads(&world);
    let text = |head: &PathBuf| fs::read_to_string(head).unwrap();
    let key = format!("\nkey: {next}\n");
    assert!(text(&all[all.len() - 2]).contains(&format!("\nnext-key: {next}\n")));
    assert!(text(&all[all.len() - 1]).contains(&key) && !text(&all[0]).contains(&next));
    // Both are in it.
    let allowed = world.path("allowed_signers");
    assert!(all.iter().all(|head| is_proven(head, &allowed)));
    let verified = world.run(&["verify"]).exits(0);
    assert_eq!(
        verified.stdout.matches("signed since").count(),
        2,
        "{verified:#?}"
    );
    assert!(!verified.stdout.contains("NO HEAD"), "{verified:#?}");

    // A key that is not there is refused as a whole, and the one that was goes on.
    sign_with(&world, "key-3", "");
    daemon.hang_up();
    daemon.wait_until_it_says("evidence.key: heads can't be signed");
    world.run(&["head", "now"]).exits(0);
    assert!(text(heads(&world).last().unwrap()).contains(&key));
    // One that nobody has named signs, and is told.
    keygen(&world, "key-3");
    daemon.hang_up();
    daemon.wait_until_it_says("the configuration is in force");
    world.run(&["head", "now"]).exits(0);
    daemon.terminate();
    daemon.wait().exits(0);
    world
        .run(&["verify"])
        .exits(0)
        .shows("A KEY THAT NO HEAD BEFORE");
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_can_t_sign_is_told_by_what_is_wrong_with_it_and_holds_up_nothing() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0).says("signed_by=\"nobody\"");
    // Nobody wants it signed.
    let status = world.run(&["status", "--json"]).exits(0).json();
    assert!(status["evidence"].is_null(), "{status}");
    world.run(&["status"]).exits(0).shows(", not signed");
    world.run(&["head"]).exits(0).shows("not signed");
    world
        .run(&["verify"])
        .exits(0)
        .shows("the newest head is not signed");
    let mut wrong = vec![
        ("none", "can't read"),
        ("other", "no private key of OpenSSH"),
    ];
    fs::write(world.path("other"), "a key\n").unwrap();
    let mode = |mode| fs::Permissions::from_mode(mode);
    fs::set_permissions(world.path("other"), mode(0o600)).unwrap();
    for (name, args, why) in [
        ("rsa", ["-t", "rsa", "-N", ""], "no Ed25519 key"),
        (
            "closed",
            ["-t", "ed25519", "-N", "passphrase"],
            "has a passphrase",
        ),
    ] {
        let path = world.path(name);
        let args = [&["-q", "-f", path.to_str().unwrap()], &args[..]].concat();
        if ssh_keygen(&args, None).is_some() {
            wrong.push((name, why));
        }
    }
    for (name, why) in wrong {
        sign_with(&world, name, "");
        world.run(&["head", "now"]).exits(1).says(why);
        // Whoever has the key makes the head.
        assert!(world.path("state/head.request").exists());
        fs::remove_file(world.path("state/head.request")).unwrap();
        world.run(&["check", "--live"]).exits(1).shows(why);
    }
    assert_eq!(heads(&world).len(), 1);
    let mut daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("heads are made, and not signed");
    // It says so before it has the locks.
    until("it makes one", || {
        let made = world.run(&["head", "now"]);
        made.code == Some(0) && made.stdout.contains("not signed")
    });
    world
        .run(&["status"])
        .exits(1)
        .shows("evidence.key is set, and this head is not signed by it");
    let status = world.run(&["status", "--json"]).exits(1).json();
    let evidence = &status["evidence"];
    assert!(evidence["head"].as_u64().unwrap() > 1, "{status}");
    assert!(evidence["signed_with"].is_null(), "{status}");
    assert_eq!(evidence["problems"].as_array().unwrap().len(), 1);
    daemon.terminate();
    daemon.wait().exits(0);

    keygen(&world, "signing-key");
    sign_with(&world, "signing-key", "next_key = \"ssh-rsa AAAA\"");
    world
        .run(&["check"])
        .exits(2)
        .says("evidence.next_key: it is no line like");
    sign_with(&world, "signing-key", "");
    world
        .run(&["check", "--live"])
        .exits(0)
        .shows("heads are signed with SHA256:");
    fs::set_permissions(world.path("signing-key"), mode(0o644)).unwrap();
    world
        .run(&["check"])
        .exits(2)
        .says("evidence.key: everybody on this machine can read");
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_somebody_has_added_and_a_state_that_can_t_be_read_are_told() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.sign_heads();
    world.once().exits(0);
    world.run(&["head", "now"]).exits(0).shows("signed with");
    world.run(&["verify"]).exits(0);
    let heads = world.root().join("_archive/heads");
    let newest = heads.join("000002.head");
    let text = fs::read_to_string(&newest).unwrap();
    let digest = elsa_archiver::digest::Digest::of(text.as_bytes());
    let kept = world.path("state/newest.head");

    fs::write(&kept, "x").unwrap();
    world.run(&["verify"]).exits(1).shows("newest.head");
    fs::write(&kept, &text).unwrap();

    // It names the key, which is no secret, and has no signature of it.
    let added: String = text
        .lines()
        .map(|line| match line.split_once(": ").unwrap().0 {
            "number" => "number: 3\n".to_owned(),
            "previous-head" => format!("previous-head: {digest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let third = heads.join("000003.head");
    fs::write(&third, &added).unwrap();
    world
        .run(&["verify"])
        .exits(4)
        .shows("000003.head.sig: is missing");
    // Nor one that names none: the state directory knows better.
    let without = added.lines().filter(|line| !line.starts_with("key: "));
    let without: String = without.map(|line| format!("{line}\n")).collect();
    fs::write(&third, &without).unwrap();
    world
        .run(&["verify"])
        .exits(1)
        .shows("somebody has removed, changed or added one");
    let heads = world.run(&["verify", "--json"]).json()["heads"].clone();
    assert_eq!(heads["unsigned_after_signed"], 1);
    assert_eq!(heads["signed"][0]["since"], 1);
    // A signature beside a head that names no key proves nothing.
    fs::copy(
        newest.with_extension("head.sig"),
        third.with_extension("head.sig"),
    )
    .unwrap();
    world
        .run(&["verify"])
        .exits(4)
        .shows("000003.head.sig: was added");
    // Where the state directory is taken in too, `head` vouches for nothing that has no signature.
    fs::remove_file(third.with_extension("head.sig")).unwrap();
    fs::write(&third, &added).unwrap();
    fs::write(&kept, &added).unwrap();
    world.run(&["head"]).exits(0).shows("NOT SIGNED");
}
