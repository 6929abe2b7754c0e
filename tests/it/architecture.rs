//! The shape that ARCHITECTURE.md promises: who uses whom, without a circle, in files that a person
//! reads in one sitting. A `use` that the table does not allow fails here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Most lines of a file of `src`, its unit tests aside.
const MOST_LINES: usize = 400;

type Uses = BTreeMap<String, BTreeSet<String>>;

/// A file of `src` without its unit tests, and the module below `src` that it belongs to.
struct Source {
    path: PathBuf,
    module: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of `src`, those apart that hold nothing but tests.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            if name == "tests" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(root().join("src")).unwrap();
                let first = below.components().next().unwrap().as_os_str();
                let module = first.to_str().unwrap().trim_end_matches(".rs").to_owned();
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                found.push(Source {
                    module,
                    text: text.to_owned(),
                    path,
                });
            }
        }
    }
    found
}

/// The first part of each path behind `prefix` in the code, comments apart.
fn paths_behind(text: &str, prefix: &str) -> BTreeSet<String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let part = |rest: &str| {
        rest.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    code.flat_map(|line| line.split(prefix).skip(1).map(part).collect::<Vec<_>>())
        .filter(|part| !part.is_empty())
        .collect()
}

/// What ARCHITECTURE.md allows: the table under "Who may use whom".
fn allowed() -> Uses {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let section = page.split("## Who may use whom").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let names = |cell: &str| -> BTreeSet<String> {
        let quoted = cell.split('`').skip(1).step_by(2);
        quoted.map(str::to_owned).collect()
    };
    section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let mut cells = line.split('|').skip(1);
            let module = names(cells.next().unwrap()).pop_first().unwrap();
            (module, names(cells.next().unwrap()))
        })
        .collect()
}

/// A way from a module back to itself.
fn circle(uses: &Uses) -> Option<Vec<String>> {
    fn walk(uses: &Uses, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        let here = way.last().unwrap().clone();
        for next in uses.get(&here).into_iter().flatten() {
            if let Some(at) = way.iter().position(|module| module == next) {
                way.drain(..at);
                return true;
            }
            if !done.contains(next) {
                way.push(next.clone());
                if walk(uses, way, done) {
                    return true;
                }
                way.pop();
            }
        }
        done.insert(here);
        false
    }
    let mut done = BTreeSet::new();
    uses.keys().find_map(|module| {
        let mut way = vec![module.clone()];
        walk(uses, &mut way, &mut done).then_some(way)
    })
}

#[test]
fn modules_use_each_other_as_the_table_says_and_no_otherwise() {
    let allowed = allowed();
    let entries = ["main", "lib"];
    for source in sources() {
        if entries.contains(&source.module.as_str()) {
            continue;
        }
        let Some(may_use) = allowed.get(&source.module) else {
            panic!("{} is not in the table of ARCHITECTURE.md", source.module);
        };
        for used in paths_behind(&source.text, "crate::") {
            assert!(
                used == source.module || may_use.contains(&used) || !allowed.contains_key(&used),
                "{} uses crate::{used}, which ARCHITECTURE.md does not allow to `{}`",
                source.path.display(),
                source.module
            );
        }
    }
}

#[test]
fn the_table_has_no_circle_and_names_no_module_that_is_gone() {
    let allowed = allowed();
    assert_eq!(circle(&allowed), None);
    let modules: BTreeSet<_> = sources().into_iter().map(|found| found.module).collect();
    for module in allowed.keys() {
        assert!(modules.contains(module), "{module} is gone");
    }
}

#[test]
fn a_circle_would_be_noticed() {
    let uses = |pairs: &[(&str, &str)]| -> Uses {
        let mut uses = Uses::new();
        for (module, used) in pairs {
            let known = uses.entry((*module).to_owned()).or_default();
            known.insert((*used).to_owned());
        }
        uses
    };
    assert_eq!(circle(&uses(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    let found = circle(&uses(&[("a", "b"), ("b", "c"), ("c", "b")]));
    assert_eq!(found, Some(vec!["b".to_owned(), "c".to_owned()]));
}

/// Each file of the simulator uses files below it only. So do those of `fetch` and `job`.
#[test]
fn files_beside_each_other_use_each_other_in_one_direction() {
    for folder in ["simulator", "fetch", "job"] {
        let mut uses = Uses::new();
        for source in sources().iter().filter(|found| found.module == folder) {
            let name = source.path.file_stem().unwrap().to_str().unwrap();
            if name != "mod" {
                uses.insert(name.to_owned(), paths_behind(&source.text, "super::"));
            }
        }
        assert!(uses.len() > 3, "{folder}");
        assert_eq!(circle(&uses), None, "{folder}");
    }
}

#[test]
fn a_file_is_read_in_one_sitting() {
    for source in sources() {
        let lines = source.text.lines().count();
        assert!(
            lines <= MOST_LINES,
            "{} has {lines} lines; look for the seam",
            source.path.display()
        );
    }
}
