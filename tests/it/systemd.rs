//! *Candid* towards systemd: what its STATUS says is true from the first moment on until right before the end, and each
//! line in the journal has its priority.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use elsa_archiver::simulator::{Fault, FaultPlan};

use crate::harness::{Due, Job, Running, World, command, left_out, own_namespace, sh, until};

/// What ends the messages of a process that has ended.
const END: &str = "END";

/// The socket that systemd reads. It is read at once, since a full one would hold the daemon up.
pub(crate) struct Notified {
    path: PathBuf,
    told: Receiver<String>,
}

impl Notified {
    pub(crate) fn new(world: &World) -> Self {
        let path = world.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let (tell, told) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(length) = socket.recv(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                if tell.send(text).is_err() {
                    break;
                }
            }
        });
        Self { path, told }
    }

    pub(crate) fn run(&self, world: &World) -> Running {
        world.spawn_with(&["run"], &[("NOTIFY_SOCKET", &self.path)])
    }

    /// The next message.
    fn told(&self) -> String {
        let far_longer = Duration::from_secs(60);
        self.told.recv_timeout(far_longer).unwrap()
    }

    /// The STATUS of the next message that has one.
    fn status(&self) -> String {
        loop {
            if let Some(status) = status_in(&self.told()) {
                return status;
            }
        }
    }

    /// Waits for a STATUS that says `what`.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str) -> String {
        let mut last = String::new();
        until(&format!("a status says {what:?}"), || {
            last = self.status();
            last.contains(what)
        });
        last
    }

    /// The last STATUS of a process that has ended.
    fn last_status(&self) -> String {
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to(END.as_bytes(), &self.path).unwrap();
        let all = std::iter::from_fn(|| Some(self.told()).filter(|told| told != END));
        all.filter_map(|told| status_in(&told))
            .last()
            .unwrap_or_default()
    }
}

fn status_in(told: &str) -> Option<String> {
    let mut lines = told.lines();
    let status = lines.find_map(|line| line.strip_prefix("STATUS="))?;
    Some(status.to_owned())
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn from_the_first_moment_on_the_status_says_what_is_due_and_until_when_all_is_covered() {
    let due = Due::hours(16);
    let world = World::of([due.project("shop")]).await;
    // The second window's download hangs for a while, so the first cycle is not over.
    let stalls = [None, Some(Fault::StallInBody(300))];
    world.service.set_faults(FaultPlan::steps(stalls));
    world.configure(&[Job::new("shop", &due)]);
    let systemd = Notified::new(&world);
    let daemon = systemd.run(&world);
    let first = systemd.told();
    assert!(first.lines().any(|line| line == "READY=1"), "{first}");
    let status = status_in(&first).unwrap();
    assert!(
        status.starts_with("jobs: 1; archiving: 16 windows are due; all is covered until 20"),
        "{status}"
    );
    // It goes with what is archived, though the cycle goes on.
    let status = systemd.wait_for("archiving: 15 windows are due");
    assert_ne!(status_in(&first).unwrap()[60..], status[60..]);
    daemon.terminate();
    daemon.wait().exits(0);

    world.service.set_faults(FaultPlan::script([]));
    let daemon = systemd.run(&world);
    systemd.wait_for("jobs: 1; everything due is archived; all is covered until 20");
    daemon.terminate();
    daemon.wait().exits(0);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_can_t_run_and_jobs_that_are_paused_are_named_with_the_reason() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop"), due.project("torn")]).await;
    world.configure(&[Job::new("torn", &due)]);
    world.once().exits(0);
    let whole = fs::read_to_string(world.ledger("torn")).unwrap();
    fs::write(
        world.ledger("torn"),
        whole.replacen("\"seq\":1", "\"seq\":7", 1),
    )
    .unwrap();
    world.configure(&[
        Job::new("shop", &due),
        Job::new("torn", &due),
        Job::new("keyless", &due).with("account", "\"second\""),
        Job::new("refused", &due).with("account", "\"third\""),
    ]);
    let account = |name: &str, key: &str| {
        format!(
            "[account.{name}]\nendpoint = {:?}\naccess_key = {{ file = {:?} }}\n\
             secret_key = {{ file = {key:?} }}\n",
            world.service.endpoint(),
            world.path("keys/access"),
        )
    };
    let wrong = world.path("wrong-key");
    fs::write(&wrong, "WRONG0KEY").unwrap();
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    let absent = world.path("absent-key");
    let more =
        account("second", absent.to_str().unwrap()) + &account("third", wrong.to_str().unwrap());
    world.write_config(&format!("{more}{}", world.config()));

    let systemd = Notified::new(&world);
    let daemon = systemd.run(&world);
    let first = systemd.status();
    for words in [
        "jobs: 4; ",
        "archiving: 4 windows are due",
        "can't run: ",
        "torn (",
        "keyless (account.second: can't read ",
        "absent-key",
        "; of the jobs that are known all is covered until 20",
    ] {
        assert!(first.contains(words), "{words:?} is not in {first}");
    }
    let paused = systemd.wait_for("paused: refused (");
    assert!(paused.contains("windows not archived: 2"), "{paused}");
    assert!(paused.contains("tried again after 20"), "{paused}");
    assert!(paused.contains("torn ("), "{paused}");
    systemd.wait_for("; 2 windows are due; ");
    daemon.terminate();
    daemon.wait().exits(0);
}

/// A world with a job that is archived.
async fn archived(due: &Due) -> World {
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", due)]);
    world.once().exits(0);
    world
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn right_before_a_fatal_end_the_status_says_why_and_what_to_do_on_one_line() {
    let due = Due::hours(1);
    let world = archived(&due).await;
    let systemd = Notified::new(&world);
    let config = world.config();
    let ends = |code: i32, words: &[&str]| {
        let ran = systemd.run(&world).wait().exits(code);
        let status = systemd.last_status();
        for &words in words {
            assert!(status.contains(words), "{words:?} is not in {status:?}");
        }
        assert!(status.len() < 1500, "{status}");
        // The log ends with the same words.
        let log = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        let status = status.split('…').next().unwrap().to_owned();
        assert!(log.contains(&status), "{status} is not in {log}");
    };
    let root = world.root().display().to_string();

    // The root is not there, as where its disk is not mounted.
    fs::rename(world.root(), world.path("away")).unwrap();
    ends(1, &[&root, "Mount the disk"]);
    fs::rename(world.path("away"), world.root()).unwrap();

    // Another instance has the lock.
    let mut other = world.spawn(&["run"]);
    other.wait_until_it_says("running");
    ends(3, &["another elsa-archiver works on", "stop it first"]);
    other.terminate();
    other.wait().exits(0);

    // A key that can't be read.
    fs::rename(world.path("keys/secret"), world.path("kept")).unwrap();
    ends(
        2,
        &[
            "keys/secret",
            "check that it is there and readable to this user",
        ],
    );
    fs::rename(world.path("kept"), world.path("keys/secret")).unwrap();

    // One that systemd could not find: the unit has an empty default for it.
    let credentials = world.path("credentials");
    fs::create_dir(&credentials).unwrap();
    let empty = credentials.join("secret-key");
    fs::write(&empty, "\n").unwrap();
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o600)).unwrap();
    let file = format!("{{ file = {:?} }}", world.path("keys/secret"));
    world.write_config(&config.replace(&file, "{ credential = \"secret-key\" }"));
    let variables = [
        ("NOTIFY_SOCKET", &*systemd.path),
        ("CREDENTIALS_DIRECTORY", &*credentials),
    ];
    world.spawn_with(&["run"], &variables).wait().exits(2);
    let status = systemd.last_status();
    for words in [
        "credential secret-key is empty",
        "LoadCredential=secret-key:",
        "restart the service",
    ] {
        assert!(status.contains(words), "{status}");
    }
    world.write_config(&config);

    // The only job has a ledger that is damaged.
    let whole = fs::read_to_string(world.ledger("shop")).unwrap();
    fs::write(world.ledger("shop"), "{}\n{}\n").unwrap();
    ends(1, &["no job can run", "shop (", "line 1"]);
    fs::write(world.ledger("shop"), whole).unwrap();

    // A configuration with many problems, and one that is not there.
    let wrong = (0..99)
        .map(|n| format!("nonsense{n} = 1\n"))
        .collect::<String>();
    world.write_config(&format!("{wrong}{config}"));
    ends(2, &["config.toml", "nonsense0", "the log has the rest"]);
    fs::remove_file(world.path("config.toml")).unwrap();
    ends(2, &["config.toml", "can't read"]);
    world.write_config(&config);

    // What is not understood.
    let ran = world.spawn_with(&["run", "--now"], &[("NOTIFY_SOCKET", &systemd.path)]);
    ran.wait().exits(2);
    assert!(systemd.last_status().contains("--now"));
}

/// What a command writes to its stderr, which is the journal's stream where it `is_journal`, and else another one.
fn to_the_journal(world: &World, args: &[&str], is_journal: bool) -> String {
    let path = world.path("journal");
    let file = File::create(&path).unwrap();
    let stat = file.metadata().unwrap();
    let inode = stat.ino() + u64::from(!is_journal);
    let mut command = command(args, &world.path(""));
    command
        .env("JOURNAL_STREAM", format!("{}:{inode}", stat.dev()))
        .env("RUST_LOG", "elsa_archiver=debug")
        .stderr(file);
    command.output().unwrap();
    fs::read_to_string(&path).unwrap()
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn in_the_journal_each_line_has_its_priority_and_elsewhere_none() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due), Job::new("gone", &due)]);
    let log = to_the_journal(&world, &["once"], true);
    for begin in ["<3>ERROR ", "<6> INFO ", "<7>DEBUG "] {
        assert!(log.lines().any(|line| line.starts_with(begin)), "{log}");
    }
    let is_prefixed = |line: &str| ["<3>", "<4>", "<6>", "<7>"].contains(&&line[..3]);
    assert!(log.lines().all(is_prefixed), "{log}");

    // Without JOURNAL_STREAM as with that of another stream: a line begins with its time.
    let log = to_the_journal(&world, &["once"], false);
    assert!(log.lines().all(|line| line.starts_with("20")), "{log}");

    // Programs read JSON; its lines have a level.
    let log = to_the_journal(&world, &["--log-format", "json", "once"], true);
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");

    // What ends a command, on each of its lines.
    world.write_config(&format!("nonsense = 1\nfolly = 2\n{}", world.config()));
    let log = to_the_journal(&world, &["once"], true);
    assert!(
        log.starts_with("<3>elsa-archiver: ") && log.lines().count() == 2,
        "{log}"
    );
    assert!(log.lines().all(|line| line.starts_with("<3>")), "{log}");
    let log = to_the_journal(&world, &["once"], false);
    assert!(log.starts_with("elsa-archiver: "), "{log}");
    let log = to_the_journal(&world, &["once", "--folly"], true);
    assert!(log.contains("--folly"), "{log}");
    assert!(log.lines().all(|line| line.starts_with("<3>")), "{log}");
}

/// Guarantee: Candid
/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_does_not_exist_where_the_unit_forbids_to_make_it_is_told_with_the_command_that_does()
 {
    let due = Due::hours(1);
    let mut world = World::of([due.project("shop")]).await;
    let sandbox = world.path("sandbox");
    fs::create_dir(&sandbox).unwrap();
    if let Err(why) = own_namespace() {
        return left_out("a root that the unit forbids to make", why);
    }
    let at = sandbox.to_str().unwrap();
    sh(&["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", at]);
    let (root, state) = (sandbox.join("elsa"), world.path("state"));
    world.place(root.clone(), state);
    world.configure(&[Job::new("shop", &due)]);
    let systemd = Notified::new(&world);
    systemd.run(&world).wait().exits(1);
    let status = systemd.last_status();
    let make = format!(" -m 750 {}` as root", root.display());
    for words in [
        "there is no such directory",
        &make,
        "mount its disk",
        "ReadWritePaths=",
    ] {
        assert!(status.contains(words), "{words:?} is not in {status}");
    }
    // Then it goes on by itself, at the next start by systemd.
    sh(&["mount", "-o", "remount,rw", at]);
    fs::create_dir(&root).unwrap();
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
    sh(&["umount", at]);
}

/// Guarantee: Candid
/// Guarantee: Self-healing
#[test]
fn the_unit_starts_the_program_whatever_is_missing_and_tries_again() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/elsa-archiver.service");
    let unit = fs::read_to_string(unit).unwrap();
    let lines: Vec<&str> = unit.lines().filter(|line| !line.starts_with('#')).collect();
    // A dependency that fails leaves a unit inactive for good; a path or a key that is missing ends it before the
    // program can say why.
    let begins = |what: &str| lines.iter().any(|line| line.starts_with(what));
    assert!(!begins("Requires") && !begins("BindsTo") && !begins("Condition") && !begins("Assert"));
    assert!(begins("Wants=var-backups-elsa.mount") && begins("Restart=on-failure"));
    for line in &lines {
        if let Some(paths) = line.strip_prefix("ReadWritePaths=") {
            assert!(paths.split(' ').all(|path| path.starts_with('-')), "{line}");
        }
        if let Some((name, _)) = line
            .strip_prefix("LoadCredential=")
            .and_then(|key| key.split_once(':'))
        {
            assert!(
                lines.contains(&&*format!("SetCredential={name}:\\n")),
                "{line}"
            );
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("elsa-archiver.service");
    let program = env!("CARGO_BIN_EXE_elsa-archiver");
    fs::write(&copy, unit.replace("/usr/local/bin/elsa-archiver", program)).unwrap();
    match Command::new("systemd-analyze")
        .arg("verify")
        .arg(&copy)
        .output()
    {
        Err(error) => left_out("systemd's look at the unit", error),
        Ok(verified) => {
            let told = String::from_utf8_lossy(&verified.stderr).into_owned();
            assert!(
                verified.status.success() && !told.contains("elsa-archiver.service:"),
                "{told}"
            );
        }
    }
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn the_watchdog_is_fed_while_a_service_is_waited_for() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world
        .service
        .set_faults(FaultPlan::always(Fault::StallBeforeHeaders));
    world.configure(&[Job::new("shop", &due)]);
    let systemd = Notified::new(&world);
    let within = [
        ("NOTIFY_SOCKET", systemd.path.as_path()),
        ("WATCHDOG_USEC", Path::new("100000")),
    ];
    let daemon = world.spawn_with(&["run"], &within);
    until("a request is waited for", || {
        !world.requests("shop").is_empty()
    });
    let mut fed = 0;
    until("it is fed", || {
        fed += usize::from(systemd.told().contains("WATCHDOG=1"));
        fed == 20
    });
    daemon.terminate();
    daemon.wait().exits(0);
}

/// Guarantee: Candid
#[test]
fn the_unit_of_several_instances_is_the_unit_with_a_place_of_its_own_for_each() {
    let read = |name: &str| {
        let path = format!("{}/systemd/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let mut expected = read("elsa-archiver.service");
    for (one, each) in [
        ("NAVER Cloud ELSA\n", "NAVER Cloud ELSA (%i)\n"),
        ("/var/backups/elsa` ", "/var/backups/elsa-NAME` "),
        ("var-backups-elsa.", r"var-backups-elsa\x2d%i."),
        (
            "elsa-archiver run",
            "elsa-archiver --config /etc/elsa-archiver/%i/config.toml run",
        ),
        ("-key:/etc/elsa-archiver/", "-key:/etc/elsa-archiver/%i/"),
        (
            "StateDirectory=elsa-archiver\n",
            "StateDirectory=elsa-archiver-%i\n",
        ),
        (
            "Paths=-/var/backups/elsa\n",
            "Paths=-/var/backups/elsa-%i\n",
        ),
    ] {
        assert!(expected.contains(one), "{one}");
        expected = expected.replace(one, each);
    }
    let template = read("elsa-archiver@.service");
    let (_, unit) = template.split_at(template.find("[Unit]").unwrap());
    assert_eq!(unit, expected);
}
