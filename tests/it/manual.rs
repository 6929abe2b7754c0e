//! Man pages and completions, as a package gets them: they are there for every command, and those who read them find
//! nothing wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::{files_below, left_out};

#[path = "../../examples/manual.rs"]
mod made;

/// Runs a checker on a file, if it is installed.
fn passes(checker: &[&str], file: &Path) {
    let found = Command::new(checker[0])
        .args(&checker[1..])
        .arg(file)
        .output();
    match found {
        Err(_) => left_out(
            "man pages and completions",
            format!("{} is not installed", checker[0]),
        ),
        Ok(said) => assert!(
            said.status.success() && said.stdout.is_empty() && said.stderr.is_empty(),
            "{checker:?} {}: {}{}",
            file.display(),
            String::from_utf8_lossy(&said.stdout),
            String::from_utf8_lossy(&said.stderr)
        ),
    }
}

#[test]
fn every_command_has_a_page_and_whoever_checks_finds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    made::write(dir.path()).unwrap();
    let man = dir.path().join("man");
    let mut commands = elsa_archiver::cli::command();
    commands.build();
    let names = commands
        .get_subcommands()
        .map(|command| command.get_name().to_owned());
    let names: Vec<String> = names.filter(|name| name != "help").collect();
    assert!(names.len() > 9, "{names:?}");
    for name in &names {
        let page = fs::read_to_string(man.join(format!("elsa-archiver-{name}.1"))).unwrap();
        assert!(
            page.contains(".SH EXAMPLES"),
            "{name} has no example: {page}"
        );
    }
    let all = fs::read_to_string(man.join("elsa-archiver.1")).unwrap();
    assert!(all.contains(".SH EXIT STATUS"), "{all}");
    for page in files_below(&man) {
        passes(&["mandoc", "-Tlint", "-Wwarning"], &page);
    }
    for (shell, file) in [
        ("bash", "elsa-archiver.bash"),
        ("zsh", "_elsa-archiver"),
        ("fish", "elsa-archiver.fish"),
    ] {
        let file = dir.path().join("completions").join(shell).join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            names.iter().all(|name| text.contains(name.as_str())),
            "{text}"
        );
        passes(&[shell, "-n"], &file);
    }
}

/// Whoever adds a key to the example has it in the manual.
#[test]
fn the_page_of_the_configuration_has_every_key_of_the_example() {
    let dir = tempfile::tempdir().unwrap();
    made::write(dir.path()).unwrap();
    let page = fs::read_to_string(dir.path().join("man/elsa-archiver.toml.5")).unwrap();
    for key in [
        "endpoint",
        "access_key",
        "proxy",
        "root",
        "min_free_space",
        "dir",
        "listen",
        "textfile",
        "schedule",
        "project_key",
        "since",
        "retention",
        "cross_check",
        "enabled",
    ] {
        assert!(
            page.contains(&format!(".TP\n.B {key}\n")),
            "{key} is not in {page}"
        );
    }
    for table in [
        "[account.default]",
        "[archive]",
        "[state]",
        "[observe]",
        "[[job]]",
    ] {
        assert!(
            page.contains(&format!(".SH {table}\n")),
            "{table} is not in {page}"
        );
    }
}
