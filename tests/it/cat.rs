//! *Exactly once* and *Candid* where an archive is read: `cat` writes each record of a span once, as it was logged, and
//! what it can't read it tells. Held against what the service knows to be true.

use std::fs;

use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::simulator::{
    CsvLayout, Dialect, Fault, FaultPlan, JsonLayout, Order, Settings, TimeStyle,
};

use crate::harness::{Due, Found, Job, Ran, World, in_csv, in_json, project_key, zip_of};

/// `cat` of a span.
fn cat(world: &World, span: Span, more: &[&str]) -> Ran {
    let bounds = [span.from(), span.to()].map(|bound| bound.to_string());
    let args = [
        "cat", "--job", "shop", "--from", &bounds[0], "--to", &bounds[1],
    ];
    world.run(&[&args, more].concat())
}

/// The records of a span in the order in which they lie in the archive, read with nothing of the program's own.
fn expected(world: &World, span: Span) -> Vec<u64> {
    let mut folders = world.folders("shop");
    folders.retain(|folder| folder.window.intersection(span).is_some());
    // The newest of each window.
    folders.sort_by_key(|folder| (folder.window, folder.name.len(), folder.name.clone()));
    let mut newest = Vec::new();
    for folder in &folders {
        if folders
            .iter()
            .rfind(|other| other.window == folder.window)
            .unwrap()
            .name
            == folder.name
        {
            newest.push(folder);
        }
    }
    let records = newest.iter().flat_map(|folder| folder.records());
    let inside = records.filter(|record| span.contains(record.log_time));
    inside.map(|record| record.seq).collect()
}

/// Asserts that `cat` of these spans writes exactly what was logged in them, in the order of the archive.
#[track_caller]
fn assert_exact(world: &World, format: &str, spans: &[Span]) {
    let project = world.service.project(&project_key("shop")).unwrap();
    for &span in spans {
        let ran = cat(world, span, &[]).exits(0);
        let found: Vec<Found> = match format {
            "csv" => in_csv(ran.stdout.as_bytes()),
            _ => {
                let lines = ran.stdout.lines();
                lines.flat_map(|line| in_json(line.as_bytes())).collect()
            }
        };
        let seqs: Vec<u64> = found.iter().map(|record| record.seq).collect();
        assert_eq!(seqs, expected(world, span), "{span}");
        let mut sorted = seqs;
        sorted.sort_unstable();
        let truth: Vec<u64> = project.truth(span).map(|truth| truth.seq).collect();
        assert_eq!(sorted, truth, "{span}");
        for record in found {
            let logged = project.record(record.seq).unwrap();
            assert_eq!(
                (record.log_time, record.body),
                (logged.log_time, logged.body)
            );
        }
        if format == "csv" {
            let header = ran.stdout.lines().next();
            let headers = ran.stdout.lines().filter(|line| Some(*line) == header);
            assert!(headers.count() <= 1, "{header:?}");
        }
    }
}

/// Spans that begin and end at windows' bounds, and at records, to the millisecond.
fn spans(world: &World, due: &Due) -> Vec<Span> {
    let project = world.service.project(&project_key("shop")).unwrap();
    let mut times: Vec<UtcMs> = project
        .truth(due.whole())
        .map(|truth| truth.log_time)
        .collect();
    times.sort_unstable();
    let (first, last) = (times[2], times[times.len() - 3]);
    let ms = |at: UtcMs, by: i64| at.plus(Millis(by));
    let mut spans = vec![due.whole(), due.windows[1]];
    for (from, to) in [(0, 0), (1, 0), (0, 1), (1, 1), (-1, -1)] {
        spans.extend(Span::new(ms(first, from), ms(last, to)));
    }
    spans.extend(Span::new(first, ms(first, 1)));
    spans
}

async fn is_read_exactly(format: &str, count: &str, dialect: Dialect) {
    let due = Due::hours(4);
    let world = World::start(Settings {
        projects: vec![due.project("shop")],
        dialect,
        ..Settings::default()
    })
    .await;
    world.configure(&[Job::new("shop", &due)
        .with("format", &format!("{format:?}"))
        .with("count", count)
        .with("limit", "5")]);
    // Both stores lie in one archive.
    let half = due.windows[1].to().to_string();
    let from = due.since().to_string();
    world
        .run(&["backfill", "--job", "shop", "--from", &from, "--to", &half])
        .exits(0);
    world.keep_zips(true);
    world.once().exits(0);
    assert_exact(&world, format, &spans(&world, &due));
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn arrays_are_read_exactly_one_record_a_line() {
    is_read_exactly("json", "1000", Dialect::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_read_exactly() {
    let dialect = Dialect {
        json: JsonLayout::Lines,
        order: Order::Shuffled { seed: 5 },
        ..Dialect::default()
    };
    is_read_exactly("json", "1000", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_one_after_another_are_read_exactly() {
    let dialect = Dialect {
        json: JsonLayout::Concatenated,
        time: TimeStyle::Decimal,
        ..Dialect::default()
    };
    is_read_exactly("json", "1000", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_a_page_is_read_exactly() {
    let dialect = Dialect {
        json: JsonLayout::Pages,
        ..Dialect::default()
    };
    is_read_exactly("json", "1000", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_window_that_was_split_are_read_exactly() {
    is_read_exactly("json", "8", Dialect::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_is_read_exactly_with_one_header() {
    is_read_exactly("csv", "1000", Dialect::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_a_page_a_file_is_read_exactly_with_one_header() {
    let dialect = Dialect {
        csv: CsvLayout::Pages,
        ..Dialect::default()
    };
    is_read_exactly("csv", "8", dialect).await;
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn of_a_window_that_was_published_anew_the_newest_folder_is_read() {
    let due = Due::hours(6);
    let world = World::with_revisions("shop", &due, 16, [false; 2]).await;
    assert_exact(&world, "json", &spans(&world, &due));
    // The same of a copy, which needs no config.
    let before = cat(&world, due.whole(), &[]).stdout;
    let copy = world.copy_and_nothing_else();
    let after = cat(&world, due.whole(), &["--dir", &copy]).exits(0).stdout;
    assert!(!before.is_empty() && before == after);
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn both_stores_come_to_the_same_bytes() {
    let due = Due::hours(4);
    let mut read = Vec::new();
    for zips in [false, true] {
        let world = World::of([due.project("shop")]).await;
        world.configure(&[Job::new("shop", &due)]);
        world.keep_zips(zips);
        world.once().exits(0);
        let output = world.path("out.jsonl");
        fs::write(&output, "what was there before").unwrap();
        let to_file = cat(&world, due.whole(), &["--output", output.to_str().unwrap()]);
        assert_eq!(to_file.exits(0).stdout, "");
        let ran = cat(&world, due.whole(), &[]).exits(0);
        assert_eq!(fs::read_to_string(&output).unwrap(), ran.stdout);
        read.push(ran.stdout);
    }
    assert!(read[0] == read[1] && !read[0].is_empty());
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_or_missing_is_told_and_the_rest_goes_on() {
    for zips in [false, true] {
        let due = Due::hours(4);
        let world = World::of([due.project("shop")]).await;
        world.configure(&[Job::new("shop", &due)]);
        world.keep_zips(zips);
        world.once().exits(0);
        let all = cat(&world, due.whole(), &[]).exits(0).stdout;
        let folders = world.folders("shop");
        let window = |at: usize| cat(&world, due.windows[at], &[]).stdout;
        assert!(all.starts_with(&window(0)) && all.ends_with(&window(3)));

        // A folder that the ledger knows is gone, and the bytes of another were changed.
        fs::rename(&folders[1].path, world.path("taken")).unwrap();
        let data = match zips {
            true => folders[2].path.join("part-0001.zip"),
            false => {
                let file = &folders[2].manifest["parts"][0]["files"][0]["path"];
                folders[2].path.join(file.as_str().unwrap())
            }
        };
        let mut bytes = fs::read(&data).unwrap();
        bytes[40] ^= 1;
        fs::write(&data, bytes).unwrap();

        let ran = cat(&world, due.whole(), &[])
            .exits(4)
            .says(&format!("{}: is missing", folders[1].name))
            .says("nothing is archived from")
            .says("not all of the span: 3 lines above say why");
        let ran = ran.says("was changed after it was published");
        assert!(ran.stdout.starts_with(&window(0)) && ran.stdout.ends_with(&window(3)));
        if zips {
            let rest = [window(0), window(3)].concat();
            assert!(ran.stdout == rest, "nothing of a changed zip is written");
        }
    }
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_archived_is_told() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    let beyond = Span::new(due.since().plus(Millis(-1)), due.whole().to()).unwrap();
    cat(&world, beyond, &[])
        .exits(1)
        .says("nothing is archived from")
        .says("not all of the span: 1 line above says why; `elsa-archiver status` says what is to be done");
    world
        .run(&[
            "cat",
            "--job",
            "shpo",
            "--from",
            "2026-01-01",
            "--to",
            "2026-01-02",
        ])
        .exits(2)
        .says("did you mean \"shop\"?");
    world
        .run(&[
            "cat",
            "--job",
            "shop",
            "--from",
            "2026-01-02",
            "--to",
            "2026-01-01",
        ])
        .exits(2);
    world
        .run(&[
            "cat",
            "--job",
            "shop",
            "--from",
            "2026-01-01",
            "--to",
            "2026-01-02",
            "--where",
            "x",
        ])
        .exits(2)
        .says("no FIELD=TEXT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_chooses_records_and_files_lists_what_is_read() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    let all = cat(&world, due.whole(), &[]).exits(0).stdout;
    let first = in_json(all.lines().next().unwrap().as_bytes());
    let wanted = format!("seq={}", first[0].seq);
    let ran = cat(&world, due.whole(), &["--where", &wanted]).exits(0);
    assert_eq!(ran.stdout.lines().count(), 1);
    assert!(all.starts_with(&ran.stdout));

    let bounds = [due.since(), due.whole().to()].map(|bound| bound.to_string());
    let args = [
        "files", "--job", "shop", "--from", &bounds[0], "--to", &bounds[1],
    ];
    let listed = world.run(&args).exits(0).stdout;
    let files: Vec<&str> = listed.lines().collect();
    let records = files
        .iter()
        .flat_map(|file| in_json(&fs::read(file).unwrap()));
    assert_eq!(records.count(), all.lines().count());
    let ended = world.run(&[&args[..], &["-0"]].concat()).exits(0).stdout;
    assert_eq!(ended, listed.replace('\n', "\0"));
}

/// The format of a job may change: what is asked for is written, and what can't be is told.
///
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn windows_of_another_format_are_converted_or_told() {
    let due = Due::hours(4);
    let world = World::of([due.project("shop")]).await;
    let job = |format: &str| Job::new("shop", &due).with("format", &format!("{format:?}"));
    world.configure(&[job("csv")]);
    let half = due.windows[1].to().to_string();
    let from = due.since().to_string();
    world
        .run(&["backfill", "--job", "shop", "--from", &from, "--to", &half])
        .exits(0);
    world.configure(&[job("json")]);
    world.once().exits(0);

    let ran = cat(&world, due.whole(), &[]).exits(0);
    let ran = ran.says("files of CSV, written as JSON objects of text");
    let lines = ran.stdout.lines();
    let seqs: Vec<u64> = lines
        .flat_map(|line| in_json(line.as_bytes()))
        .map(|one| one.seq)
        .collect();
    assert_eq!(seqs, expected(&world, due.whole()));
    cat(&world, due.whole(), &["--format", "csv"])
        .exits(1)
        .says("files that are JSON are left out (1)");
}

/// One window of CSV is no CSV, and one has other columns: neither takes the others with it.
///
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_csv_or_has_other_columns_is_told_and_leaves_the_others_alone() {
    let due = Due::hours(4);
    let world = World::of([due.project("shop")]).await;
    let job = |fields: &str| {
        Job::new("shop", &due)
            .with("format", "\"csv\"")
            .with("include_fields", fields)
    };
    let until = |at: usize| {
        let [from, to] = [due.since(), due.windows[at].to()].map(|bound| bound.to_string());
        world.run(&["backfill", "--job", "shop", "--from", &from, "--to", &to])
    };
    world.configure(&[job("[]")]);
    let page = zip_of("logs.csv", "<html>\r\n<p>sorry, \"later\"</p>\r\n");
    let page = Fault::Body(page);
    world.service.set_faults(FaultPlan::always(page));
    until(0).exits(1);
    world.service.set_faults(FaultPlan::none());
    until(1);
    world.configure(&[job("[\"logTime\", \"seq\", \"body\"]")]);
    until(2);
    world.configure(&[job("[]")]);
    world.once();
    assert_eq!(world.folders("shop").len(), 4);

    let ran = cat(&world, due.whole(), &[])
        .exits(1)
        .says("unproven: what it holds is not certain")
        .says("can't be counted")
        .says("its columns are others than those before")
        .says("not all of the span: 3 lines above say why");
    let seqs = |ran: &Ran| -> Vec<u64> {
        let found = in_csv(ran.stdout.as_bytes());
        found.iter().map(|record| record.seq).collect()
    };
    let mut whole = expected(&world, due.windows[1]);
    whole.extend(expected(&world, due.windows[3]));
    assert_eq!(seqs(&ran), whole);

    // What somebody knows changes no exit code, and is told all the same.
    world.run(&["status", "--ack", "shop"]);
    let first = cat(&world, due.windows[0], &[])
        .exits(0)
        .says("(acknowledged)");
    assert_eq!(first.stdout, "");
    let files = |at: usize| {
        let [from, to] =
            [due.windows[at].from(), due.windows[at].to()].map(|bound| bound.to_string());
        world.run(&["files", "--job", "shop", "--from", &from, "--to", &to])
    };
    files(0).exits(0).says("unproven").shows("logs.csv");
    files(1).exits(0);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_was_set_aside_is_told_while_an_older_one_is_read() {
    let due = Due::hours(3);
    let world = World::with_revisions("shop", &due, 4, [false; 2]).await;
    let folders = world.folders("shop");
    let newest = folders.iter().find(|folder| folder.name.ends_with(".r2"));
    let newest = newest.expect("a revision");
    fs::write(newest.path.join("manifest.json"), "{}").unwrap();
    cat(&world, newest.window, &[]).exits(4);
    world.run(&["repair", "--confirm"]).exits(0);
    let ran = cat(&world, newest.window, &[])
        .exits(1)
        .says("the folder archived last is missing, or was set aside");
    assert!(!ran.stdout.is_empty(), "what there is of it");
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_job_a_date_or_a_window_is_read_and_another_s_is_refused() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop"), due.project("mail")]).await;
    world.configure(&[Job::new("shop", &due), Job::new("mail", &due)]);
    world.once().exits(0);
    let all = cat(&world, due.whole(), &[]).exits(0).stdout;
    let one = cat(&world, due.windows[1], &[]).exits(0).stdout;
    let folder = &world.folders("shop")[1].path;
    let root = world.root();
    for place in [&root, &root.join("shop")] {
        let ran = cat(&world, due.whole(), &["--dir", place.to_str().unwrap()]);
        assert_eq!(ran.exits(0).stdout, all);
    }
    for place in [folder.parent().unwrap(), folder] {
        let ran = cat(&world, due.windows[1], &["--dir", place.to_str().unwrap()]);
        assert_eq!(ran.exits(0).stdout, one);
    }
    // Copied out of their places.
    for (from, windows, expected) in [
        (root.join("shop"), due.whole(), &all),
        (folder.parent().unwrap().to_owned(), due.windows[1], &one),
        (folder.clone(), due.windows[1], &one),
    ] {
        let to = world.path("restored").join(from.file_name().unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let copied = std::process::Command::new("cp")
            .arg("-r")
            .args([&from, &to])
            .status();
        assert!(copied.unwrap().success());
        let ran = cat(&world, windows, &["--dir", to.to_str().unwrap()]);
        assert_eq!(ran.exits(0).stdout, *expected, "{from:?}");
        fs::remove_dir_all(to).unwrap();
    }
    for place in [root.join("mail"), world.folders("mail")[0].path.clone()] {
        cat(&world, due.whole(), &["--dir", place.to_str().unwrap()])
            .exits(1)
            .says("there is no window of shop in");
    }
    let dates = [
        "cat",
        "--job",
        "shop",
        "--from",
        "2026-01-01",
        "--to",
        "2026-01-02",
    ];
    let dir = ["--dir", root.to_str().unwrap()];
    world
        .run(&[&dates[..], &dir].concat())
        .exits(2)
        .says("nothing says in which time zone");
    // Another disk, or none, is where the archive was.
    fs::rename(&root, world.path("elsewhere")).unwrap();
    fs::create_dir(&root).unwrap();
    cat(&world, due.whole(), &[]).exits(1);
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_day_that_lies_beside_it_is_passed_over() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    let all = cat(&world, due.whole(), &[]).exits(0).stdout;
    let day = world.folders("shop")[0].path.parent().unwrap().to_owned();
    let mut beside = day.clone().into_os_string();
    beside.push(".bak");
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .args([day.as_os_str(), &beside])
        .status();
    assert!(copied.unwrap().success());
    assert_eq!(cat(&world, due.whole(), &[]).exits(0).stdout, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn output_goes_through_a_link_and_a_pipe_and_a_reader_may_leave() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    let all = cat(&world, due.whole(), &[]).exits(0).stdout;
    let (file, link) = (world.path("file.jsonl"), world.path("latest.jsonl"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    cat(&world, due.whole(), &["--output", link.to_str().unwrap()]).exits(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), all);
    fs::write(&file, "x".repeat(all.len() + 100)).unwrap();
    cat(&world, due.whole(), &["--output", link.to_str().unwrap()]).exits(0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&file).unwrap(), all);
    cat(&world, due.whole(), &["--output", "/dev/null"]).exits(0);
    cat(&world, due.whole(), &["--output", "/dev/full"])
        .exits(1)
        .says("can't write /dev/full");
    // In JSON, notes are lines of JSON like the log's.
    let beyond = Span::new(due.since().plus(Millis(-1)), due.whole().to()).unwrap();
    let ran = cat(&world, beyond, &["--log-format", "json"]).exits(1);
    for line in ran.stderr.lines() {
        let told: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(told["message"].is_string(), "{line}");
    }
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_ledger_is_told_and_hides_no_record_and_a_reader_may_leave() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    let all = cat(&world, due.whole(), &[]).exits(0).stdout;
    let bounds = [due.since(), due.whole().to()].map(|bound| bound.to_string());
    let args = [
        "cat", "--job", "shop", "--from", &bounds[0], "--to", &bounds[1],
    ];
    let half = "\"$0\" \"$@\" | head -c 10 >/dev/null; exit ${PIPESTATUS[0]}";
    let left = world.spawn_by(&["bash", "-c", half], &args).wait().exits(0);
    assert_eq!(left.stderr, "");

    let ledger = fs::read_to_string(world.ledger("shop")).unwrap();
    fs::write(
        world.ledger("shop"),
        ledger.replacen("\"seq\":2", "\"seq\":7", 1),
    )
    .unwrap();
    let ran = cat(&world, due.whole(), &[])
        .exits(4)
        .says("shop.ledger.jsonl")
        .says("`elsa-archiver repair` says what cures it");
    assert_eq!(ran.stdout, all);
}
