//! Each guarantee of README.md has tests: `docs/guarantees.md` names them, and is written from the
//! `/// Guarantee: NAME` lines above them. `UPDATE_DOCS=1` writes the page, otherwise it is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/guarantees.md";
const HEAD: &str = "\
# Guarantees and their tests

Written from the `/// Guarantee: NAME` lines above the tests: `UPDATE_DOCS=1 cargo test --test it guarantees`.
What is attacked, and how often, is in [attacks.md](attacks.md): begin there for the main test of a guarantee.
";

/// A test that breaks a guarantee, and its file below the project's root.
type Backing = (String, String);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The guarantees in README.md, in their order: `- **Complete.** …`.
fn promised(readme: &str) -> Vec<String> {
    let section = readme.split("## What it guarantees").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let names = section.lines().filter_map(|line| {
        let (name, _) = line.strip_prefix("- **")?.split_once(".**")?;
        Some(name.to_owned())
    });
    names.collect()
}

/// The name in `fn name(`, if the line declares a function.
fn function(line: &str) -> Option<&str> {
    let declaration = line.trim_start();
    let declaration = declaration.strip_prefix("async ").unwrap_or(declaration);
    let (name, _) = declaration.strip_prefix("fn ")?.split_once('(')?;
    Some(name.trim())
}

/// The guarantees that a file's tests name, or the line that names one above something else.
fn named(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let mut above = Vec::new();
    let mut is_test = false;
    for line in text.lines() {
        let code = line.trim_start();
        if let Some(guarantee) = code.strip_prefix("/// Guarantee: ") {
            above.push(guarantee.to_owned());
        } else if code.starts_with("#[test]") || code.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(name) = function(line) {
            if !is_test && !above.is_empty() {
                return Err(format!("{name} names a guarantee and is no test"));
            }
            found.extend(
                above
                    .drain(..)
                    .map(|guarantee| (guarantee, name.to_owned())),
            );
            is_test = false;
        }
    }
    Ok(found)
}

/// All Rust files of `src` and `tests`, below the root, in order.
fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("src"), root().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

/// The tests behind each guarantee.
fn backing() -> BTreeMap<String, Vec<Backing>> {
    let mut tests: BTreeMap<String, Vec<Backing>> = BTreeMap::new();
    for file in sources() {
        let shown = file.display().to_string();
        if shown == file!() {
            continue;
        }
        for (guarantee, test) in named(&read(&shown)).unwrap_or_else(|why| panic!("{shown}: {why}"))
        {
            tests
                .entry(guarantee)
                .or_default()
                .push((shown.clone(), test));
        }
    }
    tests
}

fn page(promised: &[String], tests: &BTreeMap<String, Vec<Backing>>) -> String {
    let mut page = HEAD.to_owned();
    for guarantee in promised {
        page += &format!("\n## {guarantee}\n\n| test | file |\n|---|---|\n");
        for (file, test) in tests.get(guarantee).into_iter().flatten() {
            page += &format!("| `{test}` | `{file}` |\n");
        }
    }
    page
}

#[test]
fn each_guarantee_has_tests_and_the_page_names_them() {
    let promised = promised(&read("README.md"));
    let tests = backing();
    assert!(promised.len() >= 10, "{promised:?}");
    for guarantee in &promised {
        assert!(
            tests.contains_key(guarantee),
            "no test has `/// Guarantee: {guarantee}`"
        );
    }
    for (guarantee, tests) in &tests {
        assert!(
            promised.contains(guarantee),
            "README.md promises no {guarantee}: {tests:?}"
        );
    }
    let page = page(&promised, &tests);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join(PAGE), &page).unwrap();
    }
    assert!(
        page == fs::read_to_string(root().join(PAGE)).unwrap_or_default(),
        "{PAGE} is stale; run UPDATE_DOCS=1 cargo test --test it guarantees"
    );
}

/// Tests that pages written by hand name.
#[test]
fn each_test_that_a_page_names_exists() {
    let functions: BTreeSet<String> = sources()
        .iter()
        .flat_map(|file| {
            let text = read(&file.display().to_string());
            let names = text.lines().filter_map(function);
            names.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let mut seen = 0;
    for page in ["docs/attacks.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        for quoted in read(page).split('`').skip(1).step_by(2) {
            let words = quoted.split('_').count();
            let plain = quoted
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if words > 3 && plain {
                assert!(
                    functions.contains(quoted),
                    "{page} names {quoted}, which is gone"
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "{seen}");
}

/// What stands between fences, what is linked, and how many rows the tables have.
fn facts(page: &str) -> (Vec<&str>, BTreeSet<&str>, usize) {
    let fenced = page.split("```").skip(1).step_by(2);
    let targets = page.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split(')').next());
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let targets = targets.filter(|target| !target.starts_with("README"));
    (fenced.collect(), targets.collect(), rows.count())
}

/// `.ci/run` runs the commands of README.md; these are the same.
#[test]
fn the_korean_page_has_the_commands_links_and_guarantees_of_the_english_one() {
    let (english, korean) = (read("README.md"), read("README.ko.md"));
    assert_eq!(facts(&english), facts(&korean));
    let headings = |page: &str| page.matches("\n## ").count();
    assert_eq!(headings(&english), headings(&korean));
    let names = korean.lines().filter_map(|line| {
        let (name, _) = line.strip_prefix("- **")?.split_once('(')?;
        Some(name.to_owned())
    });
    assert_eq!(promised(&english), names.collect::<Vec<_>>());
}

/// Files and folders that the pages name.
#[test]
fn each_path_that_a_page_names_exists() {
    let mut pages = vec![
        "README.md",
        "README.ko.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
    ]
    .into_iter()
    .map(PathBuf::from)
    .collect::<Vec<_>>();
    for folder in ["docs", "docs/decisions"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                pages.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    for page in pages {
        let page = page.display().to_string();
        for quoted in read(&page).split('`').skip(1).step_by(2) {
            let ours = [
                "src/",
                "tests/",
                "docs/",
                "benches/",
                "fuzz/",
                ".ci/",
                "systemd/",
                "contrib/",
                "packaging/",
            ];
            let names_a_path = ours.iter().any(|folder| quoted.starts_with(folder));
            if names_a_path && !quoted.contains(['*', ' ']) {
                assert!(
                    root().join(quoted).exists(),
                    "{page} names {quoted}, which is gone"
                );
            }
        }
    }
}

#[test]
fn a_guarantee_above_something_else_than_a_test_is_noticed() {
    let test = "    /// Guarantee: Atomic\n    /// Guarantee: Ordered\n    #[test]\n    fn all_or_nothing() {";
    let atomic = ("Atomic".to_owned(), "all_or_nothing".to_owned());
    let ordered = ("Ordered".to_owned(), "all_or_nothing".to_owned());
    assert_eq!(named(test), Ok(vec![atomic, ordered]));
    named("/// Guarantee: Atomic\nfn a_child() {").unwrap_err();
}
