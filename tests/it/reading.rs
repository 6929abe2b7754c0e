//! What docs/reading.md shows is true: its Python, its SQL and its jq filter are taken from the page, run over an archive
//! with revisions, and come to what the service knows to be true. Where a tool is not installed, that is said.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::{Due, Folder, World, in_json, left_out, project_key};

/// Runs SQL, each statement of a list, with DuckDB's Python module, and prints the last one's rows as JSON.
const DUCKDB: &str = "import duckdb, json, sys\nfor sql in sys.argv[1:]:\n    rows = duckdb.sql(sql)\n\
                      print(json.dumps(rows.fetchall(), default=str))\n";

/// The blocks of a language on the page.
fn snippets(language: &str) -> Vec<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reading.md"));
    let page = page.unwrap();
    let begin = format!("```{language}\n");
    let blocks = page.split(&begin).skip(1);
    let until_end = |block: &str| block.split("```").next().unwrap().to_owned();
    blocks.map(until_end).collect()
}

/// An archive in which some windows have revisions, and its job's name on the page.
async fn archived(zips: bool) -> (World, Vec<u64>) {
    let due = Due::hours(6);
    let world = World::with_revisions("shop-api", &due, 16, [zips; 2]).await;
    let project = world.service.project(&project_key("shop-api")).unwrap();
    let truth: Vec<u64> = project.truth(due.whole()).map(|truth| truth.seq).collect();
    (world, truth)
}

/// What a program prints; `None` where it can't be run.
fn output(command: &mut Command) -> Option<String> {
    let ran = command.output().ok()?;
    let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
    let is_there = !stderr.contains("No module named");
    assert!(ran.status.success() || !is_there, "{command:?}: {stderr}");
    is_there.then(|| String::from_utf8(ran.stdout).unwrap())
}

fn newest(world: &World) -> Vec<Folder> {
    let mut folders = world.folders("shop-api");
    let superseded: Vec<String> = folders
        .iter()
        .filter_map(|folder| Some(folder.manifest["supersedes"]["folder"].as_str()?.to_owned()))
        .collect();
    folders.retain(|folder| !superseded.contains(&folder.name));
    folders
}

fn sorted(mut seqs: Vec<u64>) -> Vec<u64> {
    seqs.sort_unstable();
    seqs
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn python_s_own_library_reads_both_stores() {
    let script = snippets("python").swap_remove(0);
    for zips in [false, true] {
        let (world, truth) = archived(zips).await;
        let path = world.path("read.py");
        fs::write(&path, &script).unwrap();
        let folders: Vec<_> = newest(&world)
            .into_iter()
            .map(|folder| folder.path)
            .collect();
        let Some(printed) = output(Command::new("python3").arg(path).args(folders)) else {
            return left_out("Python's snippet", "there is no python3");
        };
        let seqs = printed.lines().map(|line| in_json(line.as_bytes())[0].seq);
        assert_eq!(sorted(seqs.collect()), truth, "zips: {zips}");
    }
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn duckdb_s_view_has_each_record_once() {
    let (world, truth) = archived(false).await;
    let root = world.root().display().to_string();
    let sql = |text: &str| text.replace("/srv/elsa", &root);
    let blocks = snippets("sql");
    let (view, copy) = blocks[0].split_once("COPY").unwrap();
    let parquet = world.path("shop-api.parquet").display().to_string();
    let copy = format!("COPY{}", copy.replace("shop-api.parquet", &parquet));
    let duckdb = |statements: &[&str]| {
        output(
            Command::new("python3")
                .args(["-c", DUCKDB])
                .args(statements),
        )
    };
    let view = sql(view);
    let Some(seqs) = duckdb(&[&view, "SELECT seq::BIGINT FROM shop_api ORDER BY ALL"]) else {
        return left_out("DuckDB's snippets", "Python has no module duckdb");
    };
    let rows: Vec<(u64,)> = serde_json::from_str(&seqs).unwrap();
    assert_eq!(
        rows.into_iter().map(|(seq,)| seq).collect::<Vec<_>>(),
        truth
    );

    let counted = format!("SELECT count(*) FROM '{parquet}'");
    let counted = duckdb(&[&view, &copy, &counted]).unwrap();
    assert_eq!(counted.trim(), format!("[[{}]]", truth.len()));

    let all = duckdb(&[&sql(&blocks[1])]).unwrap();
    let folders = world.folders("shop-api");
    let records = folders
        .iter()
        .map(|folder| folder.manifest["records"].as_u64().unwrap());
    let (number, records) = (folders.len(), records.sum::<u64>());
    assert_eq!(all.trim(), format!("[[\"shop-api\", {number}, {records}]]"));
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn jq_reads_what_files_lists_and_what_cat_writes() {
    let (world, truth) = archived(false).await;
    let due = Due::hours(6);
    let bounds = [due.since(), due.whole().to()].map(|bound| bound.to_string());
    let span = [
        "--job", "shop-api", "--from", &bounds[0], "--to", &bounds[1],
    ];
    let listed = world.run(&[&["files"], &span[..]].concat()).exits(0).stdout;
    let jq =
        |filter: &str, files: &[&str]| output(Command::new("jq").args(["-r", filter]).args(files));
    // The page's own filter, of which the first step takes records out of what the service wrote.
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reading.md"));
    let page = page.unwrap();
    let filter = page.split("jq -c '").nth(1).unwrap();
    let filter = filter.split('\'').next().unwrap();
    let (records, _) = filter.split_once(" | ").unwrap();
    let files: Vec<&str> = listed.lines().collect();
    let Some(printed) = jq(&format!("{records} | .seq"), &files) else {
        return left_out("jq's snippets", "there is no jq");
    };
    let errors = jq(&format!("{filter} | .host"), &files).unwrap();
    assert!(!errors.is_empty() && errors.lines().count() < truth.len());
    let seqs = |text: &str| sorted(text.lines().map(|line| line.parse().unwrap()).collect());
    assert_eq!(seqs(&printed), truth);
    let out = world.path("day.jsonl").display().to_string();
    world
        .run(&[&["cat", "--output", &out], &span[..]].concat())
        .exits(0);
    assert_eq!(seqs(&jq(".seq", &[&out]).unwrap()), truth);
}
