//! *Evident*: an auditor proves a span from a pack, with common tools alone, line by line of its VERIFY.txt.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Due, Job, World, files_below, left_out};

/// What the lines of VERIFY.txt may use, beside the shell.
const TOOLS: [&str; 10] = [
    "date",
    "sha256sum",
    "cut",
    "tr",
    "head",
    "tail",
    "cat",
    "jq",
    "ssh-keygen",
    "openssl",
];

/// What is told of the sums of windows.
const SUMS: &str = "Each window's SHA256SUMS";

/// A folder with these programs and no others; `None` where one is not here.
fn tools(world: &World) -> Option<PathBuf> {
    let folder = world.path("tools");
    fs::create_dir(&folder).unwrap();
    let path = std::env::var("PATH").unwrap();
    for tool in TOOLS {
        let found = path
            .split(':')
            .map(|dir| Path::new(dir).join(tool))
            .find(|at| at.exists());
        let Some(found) = found else {
            left_out("a pack for an auditor", tool);
            return None;
        };
        symlink(found, folder.join(tool)).unwrap();
    }
    Some(folder)
}

/// A pack that was made and unpacked.
struct Pack<'a> {
    world: &'a World,
    tools: PathBuf,
    dir: PathBuf,
}

impl<'a> Pack<'a> {
    fn of(world: &'a World, due: &Due, tools: &Path, further: &[&str]) -> Self {
        let out = world.path("pack.tar");
        let (from, to) = (due.since().to_string(), due.whole().to().to_string());
        let args = [
            "evidence",
            "--job",
            "shop",
            "--from",
            &from,
            "--to",
            &to,
            "--out",
            out.to_str().unwrap(),
        ];
        world.run(&[&args[..], further].concat()).exits(0);
        let pack = Self {
            world,
            tools: tools.to_owned(),
            dir: world.path("unpacked"),
        };
        pack.unpack();
        pack
    }

    fn unpack(&self) {
        let _ = fs::remove_dir_all(&self.dir);
        fs::create_dir(&self.dir).unwrap();
        let mut tar = tar::Archive::new(fs::File::open(self.world.path("pack.tar")).unwrap());
        tar.unpack(&self.dir).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join("evidence").join(name)
    }

    /// The lines of VERIFY.txt that fail, by what stands above them.
    fn failing(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("VERIFY.txt")).unwrap();
        let (mut above, mut failing) = (Vec::new(), Vec::new());
        for line in text.lines() {
            match line.strip_prefix("# ") {
                Some(told) => above.push(told),
                None if line.is_empty() => above.clear(),
                None => {
                    let ran = Command::new("/bin/sh")
                        .args(["-c", line])
                        .env_clear()
                        .env("PATH", &self.tools)
                        .current_dir(self.dir.join("evidence"))
                        .output()
                        .unwrap();
                    if !ran.status.success() {
                        failing.push(above.first().copied().unwrap_or_default().to_owned());
                    }
                }
            }
        }
        failing
    }

    /// Makes the pack's own sums fit again, as whoever changes it would.
    fn fit(&self) {
        let root = self.dir.join("evidence");
        let mut sums = String::new();
        for file in files_below(&root) {
            let name = file.strip_prefix(&root).unwrap().display().to_string();
            if name != "SHA256SUMS" && name != "stamped" && name != "authority.pem" {
                let digest = elsa_archiver::digest::Digest::of(&fs::read(&file).unwrap());
                sums += &format!("{digest}  {name}\n");
            }
        }
        fs::write(root.join("SHA256SUMS"), sums).unwrap();
    }
}

/// A window's folder in a pack.
fn window(pack: &Pack<'_>, number: usize) -> PathBuf {
    let mut all = files_below(&pack.path("archive"));
    all.retain(|path| path.ends_with("manifest.json"));
    all[number].parent().unwrap().to_owned()
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_a_pack_is_proven_by_common_tools_and_the_right_one_fails() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    let Some(tools) = tools(&world) else { return };
    let Some(authority) = crate::timestamps::authority::Authority::start(world.path("authority"))
    else {
        return;
    };
    world.configure(&[Job::new("shop", &due)]);
    world.sign_heads();
    let config = world.config();
    world.write_config(&format!("{config}timestamp = {:?}\n", authority.url()));
    world.once().exits(0);
    world.run(&["head", "now"]).exits(0);
    for further in [&["--data"][..], &[]] {
        let pack = Pack::of(&world, &due, &tools, further);
        let has_data = !further.is_empty();
        let same = fs::read(world.path("pack.tar")).unwrap();
        let again = Pack::of(&world, &due, &tools, further);
        assert!(
            fs::read(world.path("pack.tar")).unwrap() == same,
            "other bytes of the same archive"
        );
        let root = fs::read(world.path("authority/ca.pem")).unwrap();
        let begin = || {
            again.unpack();
            fs::write(pack.path("authority.pem"), &root).unwrap();
        };
        begin();
        assert_eq!(pack.failing(), [""; 0]);
        assert_eq!(
            files_below(&pack.path("archive")).len(),
            if has_data { 9 } else { 6 }
        );

        // One byte, of each kind of file.
        for (name, line) in [
            ("ledger.jsonl", "Each line of the ledger"),
            ("heads/000001.head", "Each head names the one before it"),
            ("heads/000002.head", "Heads are signed"),
            ("heads/000001.head.tsr", "An authority has timestamped"),
        ] {
            begin();
            let mut bytes = fs::read(pack.path(name)).unwrap();
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            fs::write(pack.path(name), bytes).unwrap();
            assert!(pack.failing().contains(
                &"Nothing of this pack was changed or lost since it was made.".to_owned()
            ));
            pack.fit();
            let failing = pack.failing();
            assert!(
                failing.iter().any(|found| found.starts_with(line)),
                "{name}: {failing:?}"
            );
        }
        begin();
        let manifest = window(&pack, 1).join("manifest.json");
        let text = fs::read_to_string(&manifest).unwrap();
        fs::write(&manifest, text.replace("complete", "Complete")).unwrap();
        pack.fit();
        let failing = pack.failing();
        assert_eq!(failing.len(), 2 + usize::from(has_data), "{failing:?}");
        assert!(
            failing[0].starts_with("Each folder that the ledger has recorded is here"),
            "{failing:?}"
        );
        // The sums, and whatever they would let pass.
        begin();
        let sums = window(&pack, 1).join("SHA256SUMS");
        let text = fs::read_to_string(&sums).unwrap();
        let only: String = text
            .lines()
            .take(1)
            .map(|line| format!("{line}\n"))
            .collect();
        fs::write(&sums, only).unwrap();
        pack.fit();
        let failing = pack.failing();
        assert!(failing[0].starts_with(SUMS), "{failing:?}");
        fs::remove_file(&sums).unwrap();
        pack.fit();
        assert!(pack.failing()[0].starts_with(SUMS));
        begin();
        fs::rename(&sums, sums.with_file_name("SHA256SUMS.pruned")).unwrap();
        if has_data {
            fs::remove_dir_all(window(&pack, 1).join("part-0001")).unwrap();
        }
        pack.fit();
        let failing = pack.failing();
        assert_eq!(failing.len(), 1, "{failing:?}");
        assert!(failing[0].starts_with("Where that is SHA256SUMS.pruned"));
        // Half a line at the ledger's end.
        begin();
        let ledger = fs::read_to_string(pack.path("ledger.jsonl")).unwrap();
        fs::write(pack.path("ledger.jsonl"), ledger + "{\"seq\":99}").unwrap();
        pack.fit();
        assert!(pack.failing()[0].starts_with("Each line of the ledger"));
        // A timestamp that the next head names.
        begin();
        fs::remove_file(pack.path("heads/000001.head.tsr")).unwrap();
        pack.fit();
        assert!(pack.failing()[0].starts_with("Each head names the one before it"));
        if has_data {
            begin();
            let data = files_below(&window(&pack, 1)).into_iter().find(|path| {
                path.ends_with("1.json") || path.display().to_string().contains("part-")
            });
            let data = data.unwrap();
            let mut bytes = fs::read(&data).unwrap();
            bytes[0] ^= 1;
            fs::write(&data, bytes).unwrap();
            pack.fit();
            let failing = pack.failing();
            assert_eq!(failing.len(), 1, "{failing:?}");
            assert!(failing[0].starts_with("And each file"), "{failing:?}");
            // And in the window's sums too.
            let sums = window(&pack, 1).join("SHA256SUMS");
            let text = fs::read_to_string(&sums).unwrap();
            let name = data
                .strip_prefix(window(&pack, 1))
                .unwrap()
                .to_str()
                .unwrap();
            let digest = elsa_archiver::digest::Digest::of(&fs::read(&data).unwrap());
            let lines = text.lines().map(|line| match line.ends_with(name) {
                true => format!("{digest}  {name}\n"),
                false => format!("{line}\n"),
            });
            fs::write(&sums, lines.collect::<String>()).unwrap();
            pack.fit();
            let failing = pack.failing();
            assert_eq!(failing.len(), 1, "{failing:?}");
            assert!(failing[0].starts_with(SUMS), "{failing:?}");
        }
        // A window that was taken out, and with its line too.
        begin();
        fs::remove_dir_all(window(&pack, 1)).unwrap();
        pack.fit();
        let failing = pack.failing();
        assert!(
            failing[0].starts_with("Each folder that the ledger has recorded is here"),
            "{failing:?}"
        );
        let ledger = fs::read_to_string(pack.path("ledger.jsonl")).unwrap();
        let kept: Vec<&str> = ledger.lines().collect();
        let without: String = kept
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != 2)
            .map(|(_, line)| format!("{line}\n"))
            .collect();
        fs::write(pack.path("ledger.jsonl"), without).unwrap();
        pack.fit();
        let failing = pack.failing();
        for line in [
            "Each line of the ledger",
            "The folders hold the whole span",
            "Each head names a line",
        ] {
            assert!(
                failing.iter().any(|found| found.starts_with(line)),
                "{line}: {failing:?}"
            );
        }
        // A head in another's place.
        begin();
        fs::copy(
            pack.path("heads/000001.head"),
            pack.path("heads/000002.head"),
        )
        .unwrap();
        pack.fit();
        let failing = pack.failing();
        for line in ["Each head names the one before it", "Heads are signed"] {
            assert!(
                failing.iter().any(|found| found.starts_with(line)),
                "{line}: {failing:?}"
            );
        }
    }
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_pack_tells_what_is_not_there_and_what_nothing_proves() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop"), due.project("mail")]).await;
    let Some(tools) = tools(&world) else { return };
    world.configure(&[Job::new("shop", &due), Job::new("mail", &due)]);
    let (from, middle) = (
        due.windows[0].from().to_string(),
        due.windows[1].from().to_string(),
    );
    world
        .run(&[
            "backfill", "--job", "shop", "--from", &from, "--to", &middle,
        ])
        .exits(0);
    let pack = Pack::of(&world, &due, &tools, &["--data"]);
    assert_eq!(pack.failing(), [""; 0]);
    let text = fs::read_to_string(pack.path("VERIFY.txt")).unwrap();
    for told in [
        "# Not archived: ".to_owned(),
        "# The newest head is not signed.".to_owned(),
        "# No head is timestamped".to_owned(),
    ] {
        assert!(text.contains(&told), "{told} is not in {text}");
    }
    // A head from before the job's first line names nothing of it.
    let head = world.root().join("_archive/heads/000001.head");
    let whole = fs::read_to_string(&head).unwrap();
    let lines = whole.lines().filter(|line| !line.starts_with("job.shop."));
    let without: String = lines.map(|line| format!("{line}\n")).collect();
    assert_ne!(without, whole);
    fs::write(&head, without).unwrap();
    let early = Pack::of(&world, &due, &tools, &[]);
    assert_eq!(early.failing(), [""; 0]);
    let text = fs::read_to_string(early.path("VERIFY.txt")).unwrap();
    assert!(text.contains("# No head names this job yet"), "{text}");
    fs::write(&head, whole).unwrap();
    // The newest head can't be left out, signed or not.
    let last = early.path("heads/000001.head");
    fs::remove_file(last).unwrap();
    early.fit();
    assert!(!early.failing().is_empty());
    // The sheets tell the same: two windows are due, and one is archived.
    let page = fs::read_to_string(pack.path("coverage.html")).unwrap();
    for told in ["late / ", "검토자", "Reviewed by", "default-src 'none'"] {
        assert!(page.contains(told), "{told} is not in {page}");
    }
    assert_eq!(page.matches("class=\"bad\"").count() % 2, 0, "{page}");
    for wrong in ["<script", " src=", "http://", "https://", "url("] {
        assert!(!page.contains(wrong), "{wrong}");
    }
    // Without a head nothing shows that it was not made anew.
    fs::remove_dir_all(world.root().join("_archive/heads")).unwrap();
    let pack = Pack::of(&world, &due, &tools, &[]);
    assert_eq!(pack.failing(), [""; 0]);
    let text = fs::read_to_string(pack.path("VERIFY.txt")).unwrap();
    assert!(text.contains("# There is no head in this pack"), "{text}");
    // A folder that is gone is told, and the rest is packed.
    let folder = world.folders("shop").pop().unwrap().path;
    fs::rename(&folder, world.path("gone")).unwrap();
    let to = due.whole().to().to_string();
    let out = world.path("pack.tar").display().to_string();
    let args = [
        "evidence", "--job", "shop", "--from", &from, "--to", &to, "--out", &out,
    ];
    world.run(&args).exits(1).says("No such file");
    pack.unpack();
    assert!(!pack.failing().is_empty());
    fs::rename(world.path("gone"), &folder).unwrap();
    world
        .run(&[
            "evidence", "--job", "none", "--from", &from, "--to", &to, "--out", &out,
        ])
        .exits(2);
    // Nothing outside of the archive is packed by a link that somebody has put there, nor what he adds, whatever its name.
    let secret = world.path("keys/secret");
    symlink(secret, folder.join("link")).unwrap();
    fs::write(folder.join("part-0001/a\nb"), "x").unwrap();
    world
        .run(&[&args[..], &["--data"]].concat())
        .exits(1)
        .says("link is not of it, and is not packed")
        .says("a\\nb is not of it");
    pack.unpack();
    assert_eq!(pack.failing(), [""; 0]);
    assert!(
        files_below(&pack.path("archive"))
            .iter()
            .all(|path| !path.ends_with("link"))
    );
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn kept_zips_data_that_were_let_go_of_and_nothing_at_all_are_proven_too() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    let Some(tools) = tools(&world) else { return };
    world.configure(&[Job::new("shop", &due)]);
    // A span of which nothing is archived yet.
    let first = (
        due.windows[0].from().to_string(),
        due.windows[0].to().to_string(),
    );
    world
        .run(&[
            "backfill", "--job", "shop", "--from", &first.0, "--to", &first.1,
        ])
        .exits(0);
    let none = due.windows[1].to().to_string();
    let out = world.path("pack.tar").display().to_string();
    let to = due.whole().to().to_string();
    let args = [
        "evidence", "--job", "shop", "--from", &none, "--to", &to, "--out", &out,
    ];
    world.run(&args).exits(0);
    let pack = Pack {
        world: &world,
        tools: tools.clone(),
        dir: world.path("unpacked"),
    };
    pack.unpack();
    assert_eq!(pack.failing(), [""; 0]);
    fs::remove_file(tools.join("jq")).unwrap();
    let failing = pack.failing();
    for line in [
        "The ledger has recorded no folder",
        "The folders hold the span but",
        "The windows were",
    ] {
        assert!(
            failing.iter().any(|found| found.starts_with(line)),
            "{line}: {failing:?}"
        );
    }
    fs::remove_dir_all(&tools).unwrap();
    let tools = self::tools(&world).unwrap();

    let before = due.windows[1].to().to_string();
    world.keep_zips(true);
    world.once().exits(0);
    let prune = ["prune", "--before", &before, "--need", "0", "--confirm"];
    world.run(&prune).exits(0);
    for further in [&["--data"][..], &[]] {
        let pack = Pack::of(&world, &due, &tools, further);
        assert_eq!(pack.failing(), [""; 0]);
        let pruned = files_below(&pack.path("archive"));
        let pruned = pruned
            .iter()
            .filter(|path| path.ends_with("SHA256SUMS.pruned"));
        assert_eq!(pruned.count(), 2);
    }
    // A ledger that was made anew is not what older heads name: that is told, and a newer one names it.
    for path in files_below(&world.path("state")) {
        if path.to_str().unwrap().contains("shop.ledger") {
            fs::remove_file(path).unwrap();
        }
    }
    world.once().exits(0);
    let args = [
        "evidence", "--job", "shop", "--from", &first.0, "--to", &to, "--out", &out,
    ];
    world.run(&["verify"]).exits(0);
    world.run(&args).exits(0);
    pack.unpack();
    assert_eq!(pack.failing(), [""; 0]);
    let text = fs::read_to_string(pack.path("VERIFY.txt")).unwrap();
    assert!(
        text.contains("names a line that this ledger does not have"),
        "{text}"
    );
    // A head between others is gone.
    fs::remove_file(world.root().join("_archive/heads/000002.head")).unwrap();
    world.run(&args).exits(0);
    pack.unpack();
    assert_eq!(pack.failing(), [""; 0]);
    let text = fs::read_to_string(pack.path("VERIFY.txt")).unwrap();
    assert!(
        text.contains("000003.head does not name the head that lies before it"),
        "{text}"
    );
}
