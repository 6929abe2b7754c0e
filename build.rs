//! Tells the program which commit it is made of: `$ELSA_ARCHIVER_COMMIT`, for whoever packs it, else what git says of
//! the sources. Where neither is known it says nothing.
//!
//! Without the variable only a release says it: each commit would compile all tests anew. Whether a file differs from
//! the commit is not looked at: that would have to be asked at each build.

use std::env;
use std::path::Path;
use std::process::Command;

/// How much of a commit is shown; git needs no more to find it.
const SHOWN: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=ELSA_ARCHIVER_COMMIT");
    let given = env::var("ELSA_ARCHIVER_COMMIT").ok();
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = match given.filter(|given| !given.is_empty()) {
        Some(given) => Some(given),
        None if is_release => of_sources(),
        None => None,
    };
    let commit = commit.map(|commit| commit.chars().take(SHOWN).collect::<String>());
    let is_one = |commit: &String| commit.chars().all(|c| c.is_ascii_hexdigit());
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    match commit.filter(is_one) {
        Some(commit) => {
            println!("cargo::rustc-env=ELSA_ARCHIVER_VERSION={version} ({commit})");
            println!("cargo::rustc-env=ELSA_ARCHIVER_COMMIT={commit}");
        }
        None => println!("cargo::rustc-env=ELSA_ARCHIVER_VERSION={version}"),
    }
}

/// The commit that is checked out, if these sources are a repository of their own, and not a folder in another one.
fn of_sources() -> Option<String> {
    let sources = env::var("CARGO_MANIFEST_DIR").ok()?;
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let is_own = Path::new(&top).canonicalize().ok()? == Path::new(&sources).canonicalize().ok()?;
    if !is_own {
        return None;
    }
    // Each commit, and each checkout of another one, changes one of these.
    let mut places = vec![
        "HEAD".to_owned(),
        "logs/HEAD".to_owned(),
        "packed-refs".to_owned(),
    ];
    places.extend(git(&["symbolic-ref", "--quiet", "HEAD"]));
    for place in places {
        let path = git(&["rev-parse", "--git-path", &place]);
        // What is not there would be looked for, and count as changed, at each build.
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let said = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    let text = text.trim();
    (said.status.success() && !text.is_empty()).then(|| text.to_owned())
}
