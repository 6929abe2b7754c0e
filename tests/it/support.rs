//! `support`: one tar, in which there is no secret, whatever the config says and wherever it says it; and there is one
//! whatever can't be had. The real binary.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use memchr::memmem;

use crate::harness::{Due, Job, Ran, World};

/// What must not be in the tar. Each stands somewhere else.
const SECRETS: [&str; 10] = [
    "CANARYCOMMENT01",
    "CANARYPROXYPASSWORD",
    "CANARYPROXYUSER",
    "CANARYWEBHOOK",
    "CANARYPROGRAM",
    "CANARYENVIRONMENT",
    "CANARYKEYFILE0001",
    "CANARYMISPLACED",
    "CANARYVARIABLE",
    "CANARYINCLUDED",
];

/// The files of a tar, by name.
fn unpacked(path: &Path) -> Vec<(String, String)> {
    let mut tar = tar::Archive::new(fs::File::open(path).unwrap());
    let entries = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        (name.replacen("elsa-archiver-support/", "", 1), text)
    });
    entries.collect()
}

#[track_caller]
fn assert_no_secret(path: &Path) {
    let bytes = fs::read(path).unwrap();
    for secret in SECRETS {
        let half = &secret.as_bytes()[..secret.len() - 2];
        assert!(
            memmem::find(&bytes, half).is_none(),
            "{secret} is in it: {:#?}",
            unpacked(path)
        );
    }
}

fn support(world: &World, name: &str) -> (Ran, PathBuf) {
    let out = world.path(name);
    let shown = out.display().to_string();
    let variables = [
        (
            "HTTPS_PROXY",
            Path::new("http://kim:CANARYVARIABLE@proxy.example:3128"),
        ),
        ("ELSA_KEY", Path::new("CANARYENVIRONMENT")),
    ];
    let ran = world
        .spawn_with(&["support", "--out", &shown], &variables)
        .wait();
    (ran, out)
}

/// A config with a secret in each place where one may stand, or stands by mistake.
fn secretive(world: &World) -> String {
    let key = world.path("keys/other");
    fs::write(&key, "CANARYKEYFILE0001").unwrap();
    fs::create_dir_all(world.path("conf.d")).unwrap();
    let included = "[account.far] # CANARYINCLUDED\nproxy = \"http://kim:CANARYINCLUDED@far.example:3128\"\n\
                    access_key = { file = \"/nowhere\" }\nsecret_key = { file = \"/nowhere\" }\n";
    fs::write(world.path("conf.d/far.toml"), included).unwrap();
    "include = \"conf.d/*.toml\"\n".to_owned()
        + &world.config()
        + &format!(
            "\n# CANARYCOMMENT01\n[account.env]\naccess_key = {{ env = \"ELSA_KEY\" }} # CANARYCOMMENT01\n\
             secret_key = {{ file = {key:?} }}\n\
             proxy = \"http://CANARYPROXYUSER:CANARYPROXYPASSWORD@proxy.example:3128\"\n"
        )
}

/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn the_tar_has_what_a_bug_report_needs_and_no_secret() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    let config = secretive(&world);
    world.write_config(&config);
    let (ran, tar) = support(&world, "a.tar");
    let ran = ran.exits(0).shows("Look at it before you send it");
    assert_no_secret(&tar);
    let files = unpacked(&tar);
    let text = |name: &str| {
        let found = files.iter().find(|(found, _)| found == name);
        found
            .map(|(_, text)| text.as_str())
            .unwrap_or_else(|| panic!("{name} is not in {files:#?}"))
    };
    for (name, says) in [
        ("version.txt", "elsa-archiver 0."),
        ("config.toml", "[[job]]"),
        ("config.toml", "project_key = \"Pb_shop\""),
        ("config.toml", "proxy = \"http://proxy.example:3128\""),
        ("check.txt", "password"),
        ("status.json", "\"covered_until_ms\":"),
        ("plan.txt", "shop: 0 windows due"),
        ("file-systems.txt", "  space: "),
        ("file-systems.txt", "  mount: "),
        ("system.txt", "kernel: Linux"),
        ("ledgers/shop.jsonl", "\"event\":\"archived\""),
    ] {
        assert!(
            text(name).contains(says),
            "{says} is not in {name}: {}",
            text(name)
        );
    }
    for name in ["log.txt", "systemd.txt"] {
        assert!(!text(name).is_empty(), "{name}");
    }
    assert_eq!(
        text("ledgers/shop.jsonl"),
        fs::read_to_string(world.ledger("shop")).unwrap()
    );
    // Whoever looks into it finds what was listed.
    let listed = Command::new("tar").arg("tvf").arg(&tar).output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let listed = String::from_utf8(listed.stdout).unwrap();
    for (name, _) in &files {
        assert!(
            listed.contains(name.as_str()) && ran.stdout.contains(name.as_str()),
            "{name}: {listed}"
        );
    }
    // It asks nobody, and replaces nothing.
    let before = fs::read(&tar).unwrap();
    let (ran, _) = support(&world, "a.tar");
    ran.exits(1).says("is there already, and stays as it is");
    assert_eq!(fs::read(&tar).unwrap(), before);
    world.run(&["support", "--out", "-"]).exits(2);
    world
        .run(&["support"])
        .exits(0)
        .shows("elsa-archiver-support-2");
}

/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_tar_without_secrets_whatever_is_wrong_with_the_config() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let valid = secretive(&world);
    for (number, (config, has, says)) in [
        // Keys that nobody knows, and secrets in the place of their source.
        (
            format!(
                "{valid}\n[account.wrong]\naccess_key = \"CANARYMISPLACED\"\nendpoint = \"https://a:CANARYMISPLACED@b\"\n\
                 [nottify]\nwebhook = \"https://hooks.example/CANARYWEBHOOK\"\nrun = [\"CANARYPROGRAM\"]\n"
            ),
            "config.toml",
            "[not shown]",
        ),
        // A text that is not closed: what follows may seem to be a job's name.
        (
            format!("[[job]]\nname = '''CANARYMISPLACED\n{valid}"),
            "config.txt",
            "is not TOML",
        ),
        (
            format!("{valid}\nproxy = CANARYMISPLACED\n"),
            "config.txt",
            "is not TOML",
        ),
        ("\u{0}".to_owned(), "config.txt", "is not TOML"),
    ]
    .into_iter()
    .enumerate()
    {
        world.write_config(&config);
        let (ran, tar) = support(&world, &format!("{number}.tar"));
        ran.exits(0);
        assert_no_secret(&tar);
        let files = unpacked(&tar);
        let found = files.iter().find(|(name, _)| name == has);
        assert!(found.is_some_and(|(_, text)| text.contains(says)), "{files:#?}");
        let problems = files.iter().find(|(name, _)| name == "check.txt").unwrap();
        assert!(problems.1.len() > 5, "{files:#?}");
        assert!(files.iter().any(|(name, _)| name == "status.txt"), "{files:#?}");
    }
    fs::remove_file(world.path("config.toml")).unwrap();
    let (ran, tar) = support(&world, "none.tar");
    ran.exits(0);
    let files = unpacked(&tar);
    let why = files.iter().find(|(name, _)| name == "config.txt").unwrap();
    assert!(why.1.contains("can't read"), "{files:#?}");
}
