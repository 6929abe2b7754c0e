//! *Evident* against an intruder: he rewrites records, manifests, sums, chain, ledger and heads to fit, backdates, removes
//! the newest, the oldest or all of a job, or puts an older archive back. What notices it, and what can't, is told in
//! docs/evidence.md, in a table that is written from what happens here.

mod forger;

use std::fs;
use std::path::{Path, PathBuf};

use elsa_archiver::simulator::{Fault, FaultPlan};
use serde_json::json;

use crate::harness::{Due, Job, World, files_below, zip_of};
use crate::prune::copy;
use forger::{Forger, sha256};

const PAGE: &str = "docs/evidence.md";

/// What stands around the table in the page.
const MARKS: [&str; 2] = ["<!-- attacks: begin -->\n", "<!-- attacks: end -->\n"];

/// What an intruder does.
struct Attack {
    /// In words.
    what: &'static str,
    /// What is changed.
    act: fn(&Forger, &Archived),
    /// Whether all else is made to fit.
    fits: bool,
}

/// An archive as it is attacked.
struct Archived {
    world: World,
    /// The newest head, kept elsewhere.
    outside: PathBuf,
    /// An older archive and its state, whole.
    older: [PathBuf; 2],
}

/// Archives six windows of two jobs, of which one failed once, and makes two heads. Where one is to be `unproven`, it can't
/// be counted, and the operator knows.
async fn archived(is_unproven: bool, is_signed: bool) -> Archived {
    let due = Due::hours(6);
    let world = World::of([due.project("shop"), due.project("mail")]).await;
    world.configure(&[Job::new("shop", &due), Job::new("mail", &due)]);
    if is_signed {
        world.sign_heads();
    }
    let (first, third) = (
        due.windows[0].from().to_string(),
        due.windows[2].to().to_string(),
    );
    for job in ["shop", "mail"] {
        let span = ["backfill", "--job", job, "--from", &first, "--to", &third];
        world.run(&span).exits(0);
    }
    let older = ["older", "older-state"].map(|name| world.path(name));
    copy(&world.root(), &older[0]);
    copy(&world.path("state"), &older[1]);
    let refused = Fault::Status {
        http: 400,
        error_code: "400".into(),
        message: "no".into(),
        retry_after: None,
    };
    let uncounted = is_unproven.then(|| Fault::Body(zip_of("logs.json", "hello\n")));
    for fault in [refused].into_iter().chain(uncounted) {
        world.service.set_faults(FaultPlan::script([fault]));
        world.run(&["once", "--job", "shop"]);
    }
    world.service.set_faults(FaultPlan::none());
    world.once();
    world.run(&["status", "--ack", "shop"]);
    world.once();
    world.run(&["head", "now"]).exits(0);
    world.run(&["verify"]).exits(0);
    let newest = Forger::new(world.root(), None, None).heads().pop().unwrap();
    let outside = world.path("outside.head");
    fs::copy(newest, &outside).unwrap();
    Archived {
        world,
        outside,
        older,
    }
}

/// Replaces a record's text by one of the same length, so that all sizes stay.
fn change_a_record(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() / 2;
    let letter = bytes[at..].iter().position(u8::is_ascii_lowercase).unwrap() + at;
    bytes[letter] = if bytes[letter] == b'x' { b'y' } else { b'x' };
    fs::write(path, bytes).unwrap();
}

/// Cuts the last record of a JSON array off.
fn cut_a_record(path: &Path) {
    let mut records: Vec<serde_json::Value> =
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    records.pop().unwrap();
    fs::write(path, serde_json::to_vec(&records).unwrap()).unwrap();
}

fn fewer(forger: &Forger) {
    cut_a_record(&forger.data("shop", 1));
    forger.manifest("shop", 1, |manifest| {
        let records = manifest["records"].as_u64().unwrap() - 1;
        manifest["records"] = json!(records);
        manifest["parts"][0]["records"] = json!(records);
        manifest["parts"][0]["files"][0]["records"] = json!(records);
    });
}

/// Puts a span that was archived down as lost, and as known to the operator.
fn call_lost(forger: &Forger, at: usize) {
    let gone = &forger.chains["shop"][at].0;
    let mut lines = forger.lines("shop");
    let Some(line) = lines.iter().find(|line| line.contains(gone)).cloned() else {
        return;
    };
    let known: serde_json::Value = serde_json::from_str(&line).unwrap();
    let last: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    // An acknowledgement of losses reaches back to the beginning of time.
    for (event, from) in [
        ("lost", known["from_ms"].clone()),
        ("acknowledged", json!(i64::MIN)),
    ] {
        lines.push(format!(
            "{{\"seq\":0,\"at\":{},\"event\":\"{event}\",\"prev\":null,\"from_ms\":{from},\"to_ms\":{}}}",
            last["at"], known["to_ms"]
        ));
    }
    forger.write_lines("shop", &lines);
}

const ATTACKS: &[Attack] = &[
    Attack {
        what: "changes a record",
        act: |forger, _| change_a_record(&forger.data("shop", 1)),
        fits: false,
    },
    Attack {
        what: "changes a record, and makes everything fit",
        act: |forger, _| change_a_record(&forger.data("shop", 1)),
        fits: true,
    },
    Attack {
        what: "takes a record out, and makes everything fit",
        act: |forger, _| fewer(forger),
        fits: true,
    },
    Attack {
        what: "changes the newest window, and makes everything fit",
        act: |forger, _| change_a_record(&forger.data("shop", forger.chains["shop"].len() - 1)),
        fits: true,
    },
    Attack {
        what: "exchanges the data of two windows, and makes everything fit",
        act: |forger, _| {
            let [one, other] = [1, 2].map(|at| forger.data("shop", at));
            let bytes = fs::read(&one).unwrap();
            fs::copy(&other, &one).unwrap();
            fs::write(other, bytes).unwrap();
        },
        fits: true,
    },
    Attack {
        what: "removes a window",
        act: |forger, _| forger.remove("shop", 1),
        fits: false,
    },
    Attack {
        what: "removes a window, and makes everything fit",
        act: |forger, _| forger.remove("shop", 1),
        fits: true,
    },
    Attack {
        what: "removes a window, puts it down as lost, and makes everything fit",
        act: |forger, _| {
            call_lost(forger, 1);
            forger.remove("shop", 1);
        },
        fits: true,
    },
    Attack {
        what: "removes the oldest windows, and makes everything fit",
        act: |forger, _| {
            let later = forger.chains["shop"][2].0.rsplit('/').next().unwrap()[..15].to_owned();
            [0, 1].into_iter().for_each(|at| forger.remove("shop", at));
            begin_later(forger, &later);
        },
        fits: true,
    },
    Attack {
        what: "removes the newest windows",
        act: |forger, _| {
            newest(forger)
                .into_iter()
                .for_each(|at| forger.remove("shop", at));
        },
        fits: false,
    },
    Attack {
        what: "removes the newest windows and heads, and makes everything fit",
        act: |forger, _| {
            newest(forger)
                .into_iter()
                .for_each(|at| forger.remove("shop", at));
            fs::remove_file(forger.heads().pop().unwrap()).unwrap();
        },
        fits: true,
    },
    Attack {
        what: "removes a job, and makes everything fit",
        act: |forger, _| {
            forger.remove_job("mail");
            forget_job(forger, "mail");
        },
        fits: true,
    },
    Attack {
        what: "backdates a window, and makes everything fit",
        act: |forger, _| {
            forger.manifest("shop", 4, |manifest| {
                manifest["archived_at"] = json!("2020-01-01T00:00:00.000+09:00");
            });
        },
        fits: true,
    },
    Attack {
        what: "calls a window complete that is not, and makes everything fit",
        act: |forger, _| {
            let at = unproven(forger);
            forger.manifest("shop", at, |manifest| {
                manifest["status"] = json!("complete");
                manifest["parts"][0]["status"] = json!("complete");
                manifest["records"] = json!(1);
                manifest["parts"][0]["records"] = json!(1);
                manifest["parts"][0]["files"][0]["records"] = json!(1);
            });
        },
        fits: true,
    },
    Attack {
        what: "says that a window's data were let go of, and makes everything fit",
        act: |forger, _| let_go(forger, 1),
        fits: true,
    },
    Attack {
        what: "takes a failure out of the ledger, and makes everything fit",
        act: |forger, _| {
            let mut lines = forger.lines("shop");
            let all = lines.len();
            lines.retain(|line| !line.contains("\"failed\""));
            assert!(forger.state.is_none() || lines.len() < all);
            forger.write_lines("shop", &lines);
        },
        fits: true,
    },
    Attack {
        what: "has the ledgers rebuilt",
        act: |forger, archived| rebuild(forger, &archived.world),
        fits: false,
    },
    Attack {
        what: "puts a changed window in the place of one, as if that had been lost and archived anew",
        act: |forger, _| archive_anew(forger, 1),
        fits: false,
    },
    Attack {
        what: "removes the archive's own folder, and a job",
        act: |forger, _| {
            fs::remove_dir_all(forger.root.join("_archive")).unwrap();
            fs::remove_dir_all(forger.root.join("mail")).unwrap();
        },
        fits: false,
    },
    Attack {
        what: "removes the newest head",
        act: |forger, _| fs::remove_file(forger.heads().pop().unwrap()).unwrap(),
        fits: false,
    },
    Attack {
        what: "removes all heads",
        act: |forger, _| {
            fs::remove_dir_all(forger.root.join("_archive/heads")).unwrap();
            if let Some(state) = &forger.state {
                fs::remove_file(state.join("newest.head")).unwrap();
            }
        },
        fits: false,
    },
    Attack {
        what: "changes a head",
        act: |forger, _| {
            let path = forger.heads().swap_remove(0);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replacen("time: 2", "time: 1", 1)).unwrap();
        },
        fits: false,
    },
    Attack {
        what: "puts an older archive in the place of this one",
        act: |forger, archived| {
            replace(&forger.root, &archived.older[0]);
            if let Some(state) = &forger.state {
                replace(state, &archived.older[1]);
            }
        },
        fits: false,
    },
    Attack {
        what: "of a signed archive changes a record, and makes everything fit",
        act: |forger, _| change_a_record(&forger.data("shop", 1)),
        fits: true,
    },
    Attack {
        what: "of a signed archive changes a record, and adds a head that fits and is not signed",
        act: |forger, _| {
            change_a_record(&forger.data("shop", 1));
            let digests = forger.mend_all_but_heads();
            forger.add_head(&digests);
        },
        fits: false,
    },
    Attack {
        what: "of a signed archive changes a record, makes everything fit, and takes all signatures away",
        act: |forger, _| {
            change_a_record(&forger.data("shop", 1));
            forger.unsign();
        },
        fits: true,
    },
];

/// Has the config say that the job begins later, at a local time like `20261122T030000`.
fn begin_later(forger: &Forger, local: &str) {
    let Some(config) = &forger.config else { return };
    let (date, time) = local.split_once('T').unwrap();
    let since = format!(
        "{}-{}-{}T{}:{}:{}+09:00",
        &date[..4],
        &date[4..6],
        &date[6..8],
        &time[..2],
        &time[2..4],
        &time[4..6]
    );
    let text = fs::read_to_string(config).unwrap();
    let lines = text.lines().map(|line| match line.starts_with("since = ") {
        true => format!("since = {since:?}\n"),
        false => format!("{line}\n"),
    });
    fs::write(config, lines.collect::<String>()).unwrap();
}

/// Has the config know a job no more.
fn forget_job(forger: &Forger, job: &str) {
    let Some(config) = &forger.config else { return };
    let text = fs::read_to_string(config).unwrap();
    let mut tables: Vec<&str> = text.split("\n[[job]]\n").collect();
    tables.retain(|table| !table.contains(&format!("name = {job:?}")));
    fs::write(config, tables.join("\n[[job]]\n")).unwrap();
}

/// The places in its chain of the last two windows.
fn newest(forger: &Forger) -> Vec<usize> {
    let mut all: Vec<usize> = (0..forger.chains["shop"].len()).collect();
    all.sort_by_key(|&at| &forger.chains["shop"][at].0);
    all.split_off(all.len() - 2)
}

/// The place in its chain of the window that is not known to be complete.
fn unproven(forger: &Forger) -> usize {
    let mut all = 0..forger.chains["shop"].len();
    let is_it = |at: &usize| {
        let text = fs::read_to_string(forger.folder("shop", *at).join("manifest.json")).unwrap();
        text.contains("\"status\": \"unproven\"")
    };
    all.find(is_it).unwrap()
}

fn let_go(forger: &Forger, at: usize) {
    let folder = forger.folder("shop", at);
    fs::rename(folder.join("SHA256SUMS"), folder.join("SHA256SUMS.pruned")).unwrap();
    fs::remove_dir_all(folder.join("part-0001")).unwrap();
    let mut lines = forger.lines("shop");
    let name = &forger.chains["shop"][at].0;
    let Some(line) = lines.iter().find(|line| line.contains(name)) else {
        return;
    };
    let known: serde_json::Value = serde_json::from_str(line).unwrap();
    let last: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    lines.push(format!(
        "{{\"seq\":0,\"at\":{},\"event\":\"pruned\",\"prev\":null,\"from_ms\":{},\"to_ms\":{},\"bytes\":{},\"reason\":\"old\"}}",
        last["at"], known["from_ms"], known["to_ms"], known["bytes"]
    ));
    forger.write_lines("shop", &lines);
}

/// Moves a window's folder to the name of its next revision, with another record, at the end of the chain.
fn archive_anew(forger: &Forger, at: usize) {
    let (folder, digest) = &forger.chains["shop"][at];
    let last = &forger.chains["shop"].last().unwrap().1;
    let new = forger.root.join(format!("{folder}.r2"));
    fs::rename(forger.root.join(folder), &new).unwrap();
    let data = files_below(&new)
        .into_iter()
        .find(|path| path.to_str().unwrap().contains("part-"));
    let data = data.unwrap();
    change_a_record(&data);
    let path = new.join("manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["parts"][0]["files"][0]["sha256"] = json!(sha256(&data));
    manifest["previous"] = json!(last);
    manifest["supersedes"] = json!({
        "folder": folder,
        "manifest_sha256": digest,
        "status": "complete",
        "records": manifest["records"],
        "bytes": manifest["parts"][0]["files"][0]["bytes"],
        "asked_ms": 1,
        "found_ms": 1,
        "missing": true,
    });
    forger::write_manifest(&path, &manifest);
    let sums: String = [&path, &data]
        .map(|file| {
            format!(
                "{}  {}\n",
                sha256(file),
                file.strip_prefix(&new).unwrap().display()
            )
        })
        .concat();
    fs::write(new.join("SHA256SUMS"), sums).unwrap();
}

/// Throws the ledgers away, and has the program make them anew.
fn rebuild(forger: &Forger, world: &World) {
    let (Some(state), Some(config)) = (&forger.state, &forger.config) else {
        return;
    };
    for path in files_below(state) {
        if path.to_str().unwrap().contains(".ledger.") {
            fs::remove_file(path).unwrap();
        }
    }
    world.run(&["--config", config.to_str().unwrap(), "once"]);
}

fn replace(folder: &Path, by: &Path) {
    fs::remove_dir_all(folder).unwrap();
    copy(by, folder);
}

/// What an intruder reaches, and what the auditor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The archive alone; the state directory is elsewhere.
    Root,
    /// Archive, state directory and configuration.
    All,
    /// A copy.
    Copy,
}

/// What `verify` says after an attack: with an outside head where there is `one`.
fn verdict(archived: &Archived, attack: &Attack, reach: Reach, head: Option<&str>) -> i32 {
    let world = &archived.world;
    let place = tempfile::tempdir_in(world.path("")).unwrap();
    let [root, state, config] =
        ["archive", "state", "config.toml"].map(|name| place.path().join(name));
    copy(&world.root(), &root);
    let text = world.config();
    let moved = text
        .replace(world.root().to_str().unwrap(), root.to_str().unwrap())
        .replace(
            world.path("state").to_str().unwrap(),
            state.to_str().unwrap(),
        );
    fs::write(&config, moved).unwrap();
    if reach != Reach::Copy {
        copy(&world.path("state"), &state);
    }
    let reaches_all = reach == Reach::All;
    let forger = Forger::new(
        root.clone(),
        reaches_all.then(|| state.clone()),
        reaches_all.then(|| config.clone()),
    );
    (attack.act)(&forger, archived);
    if attack.fits {
        forger.mend();
    }
    let [root, config] = [&root, &config].map(|path| path.to_str().unwrap());
    let mut args = vec!["--config", config, "verify"];
    if reach == Reach::Copy {
        args.push(root);
    }
    args.extend(head.iter().flat_map(|head| ["--head", head]));
    let ran = world.run(&args);
    let code = ran.code.unwrap();
    assert!([0, 1, 4].contains(&code), "{}: {ran:#?}", attack.what);
    code
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn an_outside_head_notices_every_attack_and_the_page_says_what_nothing_else_notices() {
    let signed = archived(false, true).await;
    let (archived, unclear) = (archived(false, false).await, archived(true, false).await);
    let file = archived.outside.to_str().unwrap();
    let digest = sha256(&archived.outside);
    let none = Attack {
        what: "does nothing",
        act: |_, _| {},
        fits: true,
    };
    let columns = [
        (Reach::Root, None),
        (Reach::All, None),
        (Reach::Copy, None),
        (Reach::All, Some(file)),
        (Reach::Copy, Some(file)),
        (Reach::All, Some(digest.as_str())),
    ];
    for (reach, head) in columns {
        assert_eq!(
            verdict(&archived, &none, reach, head),
            0,
            "{reach:?} {head:?}"
        );
    }
    let words = |code| match code {
        0 => "**not noticed**",
        1 => "incomplete",
        _ => "damaged",
    };
    let mut table = "\
| the intruder | reaches the archive alone | archive and state | a copy | archive and state, outside head | a copy, outside head |
|---|---|---|---|---|---|
".to_owned();
    for attack in ATTACKS {
        let of = match attack.what.split(' ').next() {
            Some("calls") => &unclear,
            Some("of") => &signed,
            _ => &archived,
        };
        let heads = [of.outside.display().to_string(), sha256(&of.outside)];
        let columns = [
            (Reach::Root, None),
            (Reach::All, None),
            (Reach::Copy, None),
            (Reach::All, Some(heads[0].as_str())),
            (Reach::Copy, Some(heads[0].as_str())),
            (Reach::All, Some(heads[1].as_str())),
        ];
        let codes = columns.map(|(reach, head)| verdict(of, attack, reach, head));
        // Who has changed nothing has nothing to be noticed: a copy has no ledger.
        for (code, (reach, head)) in codes.iter().zip(columns) {
            let is_idle = is_idle(attack, reach);
            assert!(
                head.is_none() || *code != 0 || is_idle,
                "{} is not noticed by an outside head: {reach:?}",
                attack.what
            );
        }
        let cells: Vec<&str> = codes[..5]
            .iter()
            .zip(columns)
            .map(|(&code, (reach, _))| {
                if is_idle(attack, reach) {
                    "-"
                } else {
                    words(code)
                }
            })
            .collect();
        table += &format!("| {} | {} |\n", attack.what, cells.join(" | "));
    }
    assert!(ATTACKS.len() >= 16);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(MARKS[0]).unwrap();
    let (_, after) = rest.split_once(MARKS[1]).unwrap();
    let written = format!("{before}{}{table}{}{after}", MARKS[0], MARKS[1]);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, &written).unwrap();
    } else {
        assert!(page == written, "{PAGE} is not what happens:\n{table}");
    }
}

/// Whether there is nothing for an attack to change where the ledger is out of reach.
fn is_idle(attack: &Attack, reach: Reach) -> bool {
    let is_of_ledger = attack.what.contains("ledger");
    is_of_ledger && reach != Reach::All
}
