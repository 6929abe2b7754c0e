//! `include`: files of jobs and accounts beside the config.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::*;

/// A config in a folder of its own.
struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn with(main: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        let folder = Self { folder };
        fs::write(folder.path("config.toml"), main).unwrap();
        for (name, text) in files {
            fs::write(folder.path(name), text).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What was read, or each problem with the folder left out.
    fn load(&self) -> Result<Config, String> {
        let prefix = format!("{}/", self.folder.path().display());
        let loaded = Config::load(&self.path("config.toml"), now());
        loaded.map_err(|error| error.to_string().replace(&prefix, ""))
    }

    fn names(&self) -> Vec<String> {
        let config = self.load().unwrap();
        config.jobs.iter().map(|job| job.name.to_string()).collect()
    }
}

const INCLUDE: &str =
    "include = 'conf.d/*.toml'\n[defaults]\nsince = '2026-11-01'\nsettle = '7m'\n";

fn job(name: &str) -> String {
    format!("[[job]]\nname = '{name}'\nproject_key = 'k'\nproject_id = 1\n")
}

#[test]
fn jobs_and_accounts_of_included_files_are_as_if_they_stood_in_the_config() {
    let files = [
        (
            "conf.d/20-b.toml",
            format!("\u{feff}# Of the shop.\n\n  {}account = 'b'", job("b")),
        ),
        (
            "conf.d/10-a.toml",
            format!(
                "[account.b]\nmax_in_flight = 5\n[account.default]\n{}",
                job("a")
            ),
        ),
        ("conf.d/empty.toml", "# nothing yet".to_owned()),
        ("conf.d/.hidden.toml", "not = [toml".to_owned()),
        ("conf.d/a.toml~", "not = [toml".to_owned()),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    // No newline ends the config.
    let folder = Folder::with(&format!("{INCLUDE}{}", job("main").trim_end()), &files);
    let config = folder.load().unwrap();
    assert_eq!(folder.names(), ["main", "a", "b"]);
    assert!(
        config
            .jobs
            .iter()
            .all(|job| job.settle == Millis(7 * 60_000))
    );
    assert_eq!(config.accounts[&account("b")].account.max_in_flight, 5);
    // An absolute pattern, and one file by its name.
    let one = folder.path("conf.d/10-a.toml");
    let main = INCLUDE.replace("conf.d/*.toml", one.to_str().unwrap());
    fs::write(folder.path("config.toml"), main).unwrap();
    assert_eq!(folder.names(), ["a"]);
}

#[test]
fn a_folder_whose_name_is_a_pattern_is_a_folder() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("[ab]*");
    fs::create_dir_all(folder.join("conf.d")).unwrap();
    fs::write(folder.join("config.toml"), INCLUDE).unwrap();
    fs::write(folder.join("conf.d/a.toml"), job("a")).unwrap();
    let config = Config::load(&folder.join("config.toml"), now()).unwrap();
    assert_eq!(config.jobs.len(), 1);
}

/// Guarantee: Candid
#[test]
fn every_problem_is_told_with_its_file_and_line() {
    let files = [
        ("conf.d/a.toml", format!("# a\n{}windwo = '1h'\n", job("a"))),
        (
            "conf.d/b.toml",
            format!("{}\n[archive]\nroot = '/x'\n", job("b")),
        ),
        ("conf.d/c.toml", format!("settle = '1m'\n{}", job("c"))),
        (
            "conf.d/c2.toml",
            "# c\naccount.other.max_in_flight = 1\n".to_owned(),
        ),
        ("conf.d/d.toml", "[[job]]\nname = \n".to_owned()),
        (
            "conf.d/e.toml",
            format!("{}[account.main]\n[account.new]\n", job("a")),
        ),
        (
            "conf.d/f.toml",
            format!("{}ca_file = 'x'\n", "[account.f]\n"),
        ),
        ("conf.d/g.toml", "\n[account.new]\n".to_owned()),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let main = format!("{INCLUDE}scheduel = ''\n[account.main]\n");
    let folder = Folder::with(&main, &files);
    fs::write(folder.path("conf.d/h.toml"), b"#\n\xff").unwrap();
    let _fifo = UnixListener::bind(folder.path("conf.d/i.toml")).unwrap();
    fs::create_dir(folder.path("conf.d/j.toml")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path("conf.d/k.toml")).unwrap();
    let told = folder.load().unwrap_err();
    let told: Vec<_> = told.lines().collect();
    let expected = [
        "config.toml:5: defaults.scheduel: unknown key; did you mean schedule?",
        "conf.d/a.toml:6: job.a.windwo: unknown key; did you mean window?",
        "conf.d/b.toml:6: \"archive\": an included file holds [[job]] and [account.NAME] tables only",
        "conf.d/c.toml:1: \"settle\": an included file holds",
        "conf.d/c2.toml:2: an included file begins with a header",
        "conf.d/d.toml:2: not TOML",
        "conf.d/e.toml:5: account.main: stands on line 6 too; an account has one table",
        "conf.d/f.toml:2: account.f.ca_file: \"x\" is not absolute",
        "conf.d/h.toml:2: not UTF-8",
        "conf.d/i.toml: is no file",
        "conf.d/j.toml: is no file",
        "conf.d/k.toml: can't be read: No such file",
    ];
    for (line, expected) in told.iter().zip(&expected) {
        assert!(line.starts_with(expected), "{line}\n{expected}\n{told:#?}");
    }
    // The account of a file that is left out has no table there.
    assert_eq!(told.len(), expected.len(), "{told:#?}");
}

#[test]
fn names_that_two_files_have_are_told_with_both_places() {
    let files = [
        ("conf.d/a.toml", format!("[account.x]\n{}", job("a"))),
        ("conf.d/b.toml", format!("{}{}", job("b"), job("a"))),
        ("conf.d/c.toml", "\n[account.x]\n".to_owned()),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let folder = Folder::with(INCLUDE, &files);
    let told = folder.load().unwrap_err();
    let place = folder.path("conf.d/a.toml");
    let place = place
        .display()
        .to_string()
        .replace(&format!("{}/", folder.folder.path().display()), "");
    assert!(
        told.contains(&format!(
            "conf.d/b.toml:6: job.a.name: the [[job]] on line 2 of {place} has this name"
        )),
        "{told}"
    );
    assert!(
        told.contains(&format!(
            "conf.d/c.toml:2: account.x: stands on line 1 of {place} too"
        )),
        "{told}"
    );
}

/// Guarantee: Candid
#[test]
fn what_cannot_be_included_takes_no_job_away_in_silence() {
    for (include, says) in [
        (
            "'config.d/*.toml'",
            "config.toml:1: include: \"config.d/*.toml\" can't be used: config.d: No such file",
        ),
        ("'conf.d/shop.toml'", "conf.d/shop.toml: No such file"),
        ("'conf.d/**.toml'", "config.toml:1: include: "),
        ("''", "config.toml:1: include: is empty"),
        (
            "['conf.d/*.toml']",
            "config.toml:1: include: must be a string like \"conf.d/*.toml\"",
        ),
    ] {
        let main = format!(
            "{}{}",
            INCLUDE.replace("'conf.d/*.toml'", include),
            job("a")
        );
        let told = Folder::with(&main, &[]).load().unwrap_err();
        assert!(told.contains(says), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    // A folder that is empty is meant.
    let folder = Folder::with(&format!("{INCLUDE}{}", job("a")), &[]);
    assert_eq!(folder.names(), ["a"]);
    // What is in no file is missed.
    assert!(
        Folder::with(INCLUDE, &[])
            .load()
            .unwrap_err()
            .contains("give at least one [[job]]")
    );
}

/// Guarantee: Bounded
#[test]
fn a_pattern_that_takes_in_more_than_any_configuration_is_refused() {
    let folder = Folder::with(&format!("{INCLUDE}{}", job("a")), &[]);
    let comment = format!("#{}", "x".repeat((1 << 20) - 1));
    for number in 0..16 {
        fs::write(folder.path(&format!("conf.d/{number}.toml")), &comment).unwrap();
    }
    assert_eq!(folder.names(), ["a"]);
    fs::write(folder.path("conf.d/one-more.toml"), "#").unwrap();
    let told = folder.load().unwrap_err();
    assert!(
        told.contains("config.toml:1: include: ") && told.contains("more than 16 MiB"),
        "{told}"
    );
}

/// Guarantee: Candid
#[test]
fn a_config_that_is_cut_makes_nothing_wrong_of_what_it_includes() {
    let folder = Folder::with(
        &format!("{INCLUDE}zone = '''"),
        &[("conf.d/a.toml", &job("a"))],
    );
    let told = folder.load().unwrap_err();
    assert!(
        told.lines().all(|line| line.starts_with("config.toml:5")),
        "{told}"
    );
}

proptest! {
    /// Guarantee: Suspicious
    #[test]
    fn no_two_texts_panic_and_every_problem_has_a_line_of_its_file(
        main in "(\\[\\[job\\]\\]\n|\\[account.[ab]\\]\n|name = 'a'\n|'''|\"|[\\[\\]{}=., #\n]|a|é)*",
        part in "(\\[\\[job\\]\\]\n|\\[account.[ab]\\]\n|name = 'a'\n|'''|\"|[\\[\\]{}=., #\n]|a|é)*",
    ) {
        let path = std::sync::Arc::from(Path::new("part.toml"));
        let sources = Sources::of(&main, vec![(path, Ok(part.clone()))], None);
        if let Err(problems) = Config::of(&sources, now()) {
            prop_assert!(!problems.as_slice().is_empty());
            for problem in problems.as_slice() {
                let text = if problem.file.is_some() { &part } else { &main };
                let lines = text.matches('\n').count() + 1;
                prop_assert!((1..=lines).contains(&problem.line), "{problem} of {lines}");
            }
        }
    }
}
