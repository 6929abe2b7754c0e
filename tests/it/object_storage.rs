//! A copy of an archive in object storage is proven and read as one in a folder is: the same commands, the same findings.

use std::fs;
use std::path::Path;

use crate::harness::{Due, Job, Lie, ObjectStorage, World, files_below};
use crate::prune::copy;

/// A world that has archived windows of both stores, and a copy of it at `s3://logs/copy` that is as whole.
async fn copied(due: &Due) -> (World, ObjectStorage) {
    let world = World::of([due.project("shop"), due.project("mail")]).await;
    world.configure(&[Job::new("shop", due), Job::new("mail", due)]);
    let (from, to) = (
        due.windows[0].from().to_string(),
        due.windows[1].to().to_string(),
    );
    world
        .run(&["backfill", "--job", "shop", "--from", &from, "--to", &to])
        .exits(0);
    world.keep_zips(true);
    world.once().exits(0);
    let store = ObjectStorage::start(&world).await;
    let config = world.config();
    world.write_config(&(config + &store.table(&world)));
    put(&world, &store);
    (world, store)
}

/// Puts the archive into the bucket anew, without what collectors skip.
fn put(world: &World, store: &ObjectStorage) {
    let to = store.folder("copy");
    let _ = fs::remove_dir_all(&to);
    for name in ["_archive", "shop", "mail"] {
        copy(&world.root().join(name), &to.join(name));
    }
}

/// A window's folder of the copy: its files.
fn window(copy: &Path) -> Vec<std::path::PathBuf> {
    let first = files_below(&copy.join("shop"));
    let folder = first[0].parent().unwrap();
    let mut folder = folder.to_owned();
    while !folder.join("manifest.json").exists() {
        folder.pop();
    }
    files_below(&folder)
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_a_bucket_is_verified_as_one_in_a_folder_is() {
    let due = Due::hours(4);
    let (world, store) = copied(&due).await;
    let folder = store.folder("copy");
    let folder_text = folder.to_str().unwrap().to_owned();
    let data = |end: &'static str| {
        move |copy: &Path| {
            let all = files_below(&copy.join("shop"));
            let found = all
                .into_iter()
                .find(|path| path.to_str().unwrap().ends_with(end));
            found.unwrap()
        }
    };
    type Damage = (&'static str, Box<dyn Fn(&Path)>);
    let damages: Vec<Damage> = vec![
        ("nothing", Box::new(|_| {})),
        (
            "a changed file",
            Box::new(move |copy| {
                let path = data("logs-0001.json")(copy);
                let mut bytes = fs::read(&path).unwrap();
                bytes[0] ^= 1;
                fs::write(path, bytes).unwrap();
            }),
        ),
        (
            "a changed zip",
            Box::new(move |copy| {
                let path = data("part-0001.zip")(copy);
                let mut bytes = fs::read(&path).unwrap();
                bytes[40] ^= 1;
                fs::write(path, bytes).unwrap();
            }),
        ),
        (
            "a file that is gone",
            Box::new(move |copy| fs::remove_file(data("logs-0001.json")(copy)).unwrap()),
        ),
        (
            "sums that are gone",
            Box::new(move |copy| fs::remove_file(data("SHA256SUMS")(copy)).unwrap()),
        ),
        (
            "a file too many",
            Box::new(move |copy| {
                fs::write(
                    data("manifest.json")(copy).with_file_name("more.json"),
                    "[]",
                )
                .unwrap();
            }),
        ),
        (
            "a window that is gone",
            Box::new(|copy| {
                for path in window(copy) {
                    fs::remove_file(path).unwrap();
                }
                let empty = files_below(copy);
                assert!(!empty.is_empty());
            }),
        ),
        (
            "a changed head",
            Box::new(|copy| {
                fs::write(copy.join("_archive/heads/000001.head"), "x").unwrap();
            }),
        ),
        (
            "no folder of the archive's own",
            Box::new(|copy| fs::remove_dir_all(copy.join("_archive")).unwrap()),
        ),
    ];
    for (what, damage) in damages {
        put(&world, &store);
        damage(&folder);
        // An object store has no empty folders.
        remove_empty(&folder);
        for further in [&["--json"][..], &["--json", "--deep"]] {
            let verify = |place: &str| world.run(&[&["verify"], further, &[place]].concat());
            let (local, bucket) = (verify(&folder_text), verify("s3://logs/copy"));
            assert_eq!(local.code, bucket.code, "{what}: {bucket:#?}");
            assert_eq!(local.json(), bucket.json(), "{what}");
            // A copy without them has no heads to be held against.
            assert_eq!(
                local.code == Some(0),
                what.starts_with("no"),
                "{what}: {bucket:#?}"
            );
        }
    }
    put(&world, &store);
    // This server does not encode what XML can't hold.
    let strange = data("manifest.json")(&folder).with_file_name("a\u{1}b");
    fs::write(strange, "[]").unwrap();
    world
        .run(&["verify", "s3://logs/copy"])
        .exits(1)
        .shows("a key with control characters may lie there");
    put(&world, &store);
    // A part of it, and one that is not there.
    world
        .run(&["verify", "s3://logs/copy/shop/"])
        .exits(0)
        .shows("shop: INTACT");
    world
        .run(&["verify", "s3://logs/nothing"])
        .exits(1)
        .says("can't read s3://logs/nothing");
    world
        .run(&["verify", "s3://logs//copy"])
        .exits(2)
        .says("give one like");
}

fn remove_empty(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            remove_empty(&path);
            let _ = fs::remove_dir(path);
        }
    }
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn records_are_read_from_a_bucket_as_from_a_folder() {
    let due = Due::hours(4);
    let (world, store) = copied(&due).await;
    let (from, to) = (
        due.windows[0].from().to_string(),
        due.whole().to().to_string(),
    );
    let folder = store.folder("copy");
    let cat = |place: &str| {
        let args = [
            "cat", "--job", "shop", "--from", &from, "--to", &to, "--dir", place,
        ];
        world.run(&args).exits(0).stdout
    };
    let local = cat(folder.to_str().unwrap());
    assert!(local.lines().count() > 4, "{local}");
    assert_eq!(cat("s3://logs/copy"), local);
    // A window's own folder: its name says which.
    let files = window(&folder);
    let own = files[0]
        .strip_prefix(store.folder(""))
        .unwrap()
        .parent()
        .unwrap();
    let own = own.to_str().unwrap().split("/part-").next().unwrap();
    assert!(
        local.starts_with(
            cat_of(&world, &format!("s3://logs/{own}"), &due)
                .lines()
                .next()
                .unwrap()
        )
    );
    let args = [
        "files",
        "--job",
        "shop",
        "--from",
        &from,
        "--to",
        &to,
        "--dir",
        "s3://logs/copy",
    ];
    let listed = world.run(&args).exits(0).stdout;
    assert!(
        listed
            .lines()
            .all(|line| line.starts_with("s3://logs/copy/shop/")),
        "{listed}"
    );
}

fn cat_of(world: &World, place: &str, due: &Due) -> String {
    let (from, to) = (
        due.windows[0].from().to_string(),
        due.windows[0].to().to_string(),
    );
    let args = [
        "cat", "--job", "shop", "--from", &from, "--to", &to, "--dir", place,
    ];
    world.run(&args).exits(0).stdout
}

/// Guarantee: Self-healing
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn what_is_torn_goes_on_and_what_can_t_be_read_is_no_damage() {
    let due = Due::hours(4);
    let (world, store) = copied(&due).await;
    world.run(&["verify", "s3://logs/copy"]).exits(0);
    // Every connection breaks after less than a file, and the first ones are refused.
    store.lets_through(1_500);
    store.refuses(2);
    let before = store.connections();
    let text = world
        .run(&["verify", "--deep", "s3://logs/copy"])
        .exits(0)
        .stdout;
    assert!(text.contains("shop: INTACT"), "{text}");
    assert!(store.connections() - before > 20);
    store.lets_through(u64::MAX);
    // Keys that are none: that says nothing of what lies there, and shows none of them.
    fs::write(
        world.path("keys/s3-secret"),
        "another0000000000000000000000000000000001",
    )
    .unwrap();
    world
        .run(&["verify", "s3://logs/copy"])
        .exits(1)
        .says("can't read s3://logs/copy: object storage answers 403: SignatureDoesNotMatch");
    world
        .run(&["verify", "s3://none/copy"])
        .exits(1)
        .says("can't read s3://none/copy");
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_without_a_config_goes_by_the_variables_of_other_tools() {
    let due = Due::hours(2);
    let (world, store) = copied(&due).await;
    let none = world.path("none.toml");
    let args = [
        "--config",
        none.to_str().unwrap(),
        "verify",
        "s3://logs/copy",
    ];
    world.run(&args).exits(2).says("AWS_ENDPOINT_URL");
    let variables = store.variables();
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    world
        .run_with(&args, &variables)
        .exits(0)
        .shows("shop: INTACT");
    // What a place has proven of a bucket is a receipt as any other.
    let receipt = world.path("bucket.receipt");
    let receipt = receipt.to_str().unwrap();
    world
        .run(&[
            "verify",
            "s3://logs/copy",
            "--receipt",
            "bucket",
            "--out",
            receipt,
        ])
        .exits(0);
    world
        .run(&["receipt", "add", receipt])
        .exits(0)
        .shows("taken");
}

/// Guarantee: Exactly once
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_keep_its_word_on_conditional_writes_is_found_out() {
    let due = Due::hours(2);
    let (world, store) = copied(&due).await;
    let check = || world.run(&["check", "--bucket", "s3://logs/copy"]);
    let kept = "s3://logs/copy keeps its word on conditional writes";
    check().exits(0).shows(kept);
    let broken = [
        (
            Lie::IgnoresConditions,
            "16 writers at once were all told that they were the first",
        ),
        (
            Lie::Overwrites { after: 1 },
            "2 writers at once were all told that they were the first",
        ),
        // Of those at once only one is the first.
        (
            Lie::Overwrites { after: 16 },
            "a later writer was told that it was the first too",
        ),
        (Lie::KnowsNoConditions, "it does not know them"),
        (
            Lie::RefusesAll,
            "it refused all writers, though nothing was there",
        ),
        (
            Lie::ReadsLate,
            "what is read is not what the first one wrote",
        ),
        (Lie::ListsLate, "its list lacks what was written"),
    ];
    for (lie, why) in broken {
        store.tells(lie);
        check()
            .exits(1)
            .shows("does not keep its word")
            .shows(why)
            .shows("one instance alone");
    }
    store.tells(Lie::None);
    // Nothing of all that is left.
    assert!(files_below(&store.folder("copy/_probe")).is_empty());
    // What can't be removed is told, and is no file of the archive.
    store.tells(Lie::KeepsAll);
    check()
        .exits(1)
        .shows(kept)
        .shows("can't remove s3://logs/copy/_probe/")
        .shows("AccessDenied");
    store.tells(Lie::None);
    assert_eq!(files_below(&store.folder("copy/_probe")).len(), 4);
    world
        .run(&["verify", "s3://logs/copy"])
        .exits(0)
        .shows("shop: INTACT");
    world
        .run(&["verify", store.folder("copy").to_str().unwrap()])
        .exits(0);
    fs::remove_dir_all(store.folder("copy/_probe")).unwrap();
    // An answer that says neither is no verdict, and another race is run.
    store.tells(Lie::BusyOnce);
    check().exits(0).shows(kept);
    for (wrong, why) in [
        ("logs", "it does not begin with s3://"),
        ("s3://x", "3 to 63 characters"),
    ] {
        world.run(&["check", "--bucket", wrong]).exits(2).says(why);
    }
    world
        .run(&["check", "--live", "--bucket", "s3://logs"])
        .exits(2);
    // Without a config too.
    let none = world.path("none.toml");
    let args = [
        "--config",
        none.to_str().unwrap(),
        "check",
        "--bucket",
        "s3://logs",
    ];
    let variables = store.variables();
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    world
        .run_with(&args, &variables)
        .exits(0)
        .shows("s3://logs keeps its word");
    // Whoever may not write there does not find it out.
    fs::write(
        world.path("keys/s3-secret"),
        "another0000000000000000000000000000000001",
    )
    .unwrap();
    check()
        .exits(1)
        .shows("could not be found out: object storage answers 403");
}
