//! What a row stands on: a world with an archive, a command that runs there, and what it left on the disk.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use elsa_archiver::domain::span::Span;
use elsa_archiver::simulator::truth::{Difference, seqs_in};
use elsa_archiver::simulator::{Project, Settings};
use tokio::runtime::Handle;

use crate::harness::{Due, Folder, Job, Ran, Running, World, project_key, until};

/// A row of the page.
#[derive(Debug)]
pub struct Row {
    before: String,
    command: String,
    printed: String,
    exit: String,
    disk: String,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = [
            &self.before,
            &self.command,
            &self.printed,
            &self.exit,
            &self.disk,
        ];
        for cell in cells {
            assert!(!cell.is_empty(), "a row lacks something: {self:?}");
            write!(f, "| {} ", cell.replace('|', "\\|"))?;
        }
        f.write_str("|")
    }
}

/// A world in which something happens.
pub struct Stage {
    pub world: World,
    pub due: Due,
    /// Projects, by the job that is named after each, and the jobs that archive it.
    pub projects: Vec<(String, Vec<String>)>,
}

/// A test's world, for whoever is not async.
pub fn given<T>(what: impl Future<Output = T>) -> T {
    Handle::current().block_on(what)
}

impl Stage {
    /// A world with a job `shop` that has so many whole hours to archive.
    pub fn due(hours: i64) -> Self {
        Self::of(Due::hours(hours))
    }

    /// The same, with the windows of `due`.
    pub fn of(due: Due) -> Self {
        let project = due.project("shop");
        Self::with(due, vec![project])
    }

    /// The same, with these projects at the service.
    pub fn with(due: Due, projects: Vec<Project>) -> Self {
        let world = given(World::start(Settings {
            projects,
            ..Settings::default()
        }));
        world.configure(&[Job::new("shop", &due)]);
        Self {
            world,
            due,
            projects: vec![("shop".into(), vec!["shop".into()])],
        }
    }

    /// The same, in which all of it is archived.
    pub fn archived(hours: i64) -> Self {
        let stage = Self::due(hours);
        stage.world.once().exits(0);
        stage.world.service.clear_journal();
        stage
    }

    /// The job, for a config.
    pub fn job(&self) -> Job {
        Job::new("shop", &self.due)
    }

    pub fn state(&self) -> PathBuf {
        self.world.path("state")
    }

    pub fn folders(&self) -> Vec<Folder> {
        self.world.folders("shop")
    }

    /// The archive's root is elsewhere, and an empty folder is where it was: a disk that is not mounted.
    pub fn unmount(&self) {
        fs::rename(self.world.root(), self.world.path("away")).unwrap();
        fs::create_dir(self.world.root()).unwrap();
    }

    pub fn mount(&self) {
        fs::remove_dir(self.world.root()).unwrap();
        fs::rename(self.world.path("away"), self.world.root()).unwrap();
    }

    /// Runs a command where it is `before`.
    pub fn when(&self, before: &str, args: &[&str]) -> Played<'_> {
        self.when_each(before, &[args])
    }

    /// Runs commands that all say and do the same.
    pub fn when_each(&self, before: &str, commands: &[&[&str]]) -> Played<'_> {
        let tree = self.tree();
        let ran = commands.iter().map(|args| self.world.run(args)).collect();
        self.played(before, commands, tree, ran)
    }

    /// Runs a command by another program, which the page does not show.
    pub fn when_by(&self, before: &str, starter: &[&str], args: &[&str]) -> Played<'_> {
        let tree = self.tree();
        let ran = self.world.spawn_by(starter, args).wait();
        self.played(before, &[args], tree, vec![ran])
    }

    /// Starts a command with variables in its environment.
    pub fn when_with(
        &self,
        before: &str,
        variables: &[(&str, &Path)],
        args: &[&str],
    ) -> Played<'_> {
        let tree = self.tree();
        let ran = self.world.spawn_with(args, variables).wait();
        self.played(before, &[args], tree, vec![ran])
    }

    /// Runs the daemon, which `meanwhile` sees working, and ends it.
    pub fn when_running(
        &self,
        before: &str,
        variables: &[(&str, &Path)],
        meanwhile: impl FnOnce(&mut Running),
    ) -> Played<'_> {
        let tree = self.tree();
        let mut daemon = self.world.spawn_with(&["run"], variables);
        meanwhile(&mut daemon);
        daemon.terminate();
        let ran = daemon.wait();
        self.played(before, &[&["run"]], tree, vec![ran])
    }

    fn played(&self, before: &str, commands: &[&[&str]], tree: Tree, ran: Vec<Ran>) -> Played<'_> {
        let shown = commands
            .iter()
            .map(|args| format!("`{}`", self.shown(&args.join(" "))));
        Played {
            stage: self,
            tree,
            ran,
            steps: Vec::new(),
            row: Row {
                before: before.into(),
                command: shown.collect::<Vec<_>>().join(", "),
                printed: String::new(),
                exit: String::new(),
                disk: String::new(),
            },
        }
    }

    /// A text with this world's places by their names.
    pub fn shown(&self, text: &str) -> String {
        let text = text.replace(&*self.world.root().to_string_lossy(), "ROOT");
        let text = text.replace(&*self.state().to_string_lossy(), "STATE");
        let text = text.replace(&*self.world.path("").to_string_lossy(), "");
        let (from, to) = (
            self.due.since().to_string(),
            self.due.whole().to().to_string(),
        );
        text.replace(&from, "T").replace(&to, "T")
    }

    /// Everything in root and state directory, but for the jobs' empty folders in `.staging`: they are swept at
    /// each start, and whatever is in one is seen here.
    fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        let mut below = vec![self.world.root(), self.state()];
        while let Some(path) = below.pop() {
            let Ok(kind) = fs::symlink_metadata(&path) else {
                continue;
            };
            let content = match kind.is_dir() {
                true => {
                    let entries = fs::read_dir(&path).unwrap();
                    below.extend(entries.map(|entry| entry.unwrap().path()));
                    Vec::new()
                }
                false => fs::read(&path).unwrap(),
            };
            let is_swept =
                kind.is_dir() && path.parent() == Some(&self.world.root().join(".staging"));
            if !is_swept {
                tree.insert(path, (kind.permissions().mode(), content));
            }
        }
        tree
    }

    /// The modes of everything in root and state directory.
    pub fn modes(&self) -> Vec<(u32, PathBuf)> {
        let tree = self.tree().into_iter();
        tree.map(|(path, (mode, _))| (mode, path)).collect()
    }

    /// The newest folder of each window of a job.
    fn newest(&self, job: &str) -> Vec<Folder> {
        let revision = |folder: &Folder| {
            let number = folder
                .name
                .rsplit_once(".r")
                .map(|(_, number)| number.parse::<u64>());
            number.map_or(1, Result::unwrap)
        };
        let mut newest = BTreeMap::<Span, Folder>::new();
        for folder in self.world.folders(job) {
            let is_older = newest
                .get(&folder.window)
                .is_some_and(|known| revision(known) > revision(&folder));
            if !is_older {
                newest.insert(folder.window, folder);
            }
        }
        newest.into_values().collect()
    }

    /// Asserts that the archive holds each log once, none of those that are `lost`, and perhaps not all of a span
    /// that is `cut`.
    #[track_caller]
    fn is_exact_but(&self, lost: &[Span], cut: &[Span]) {
        for (name, jobs) in &self.projects {
            let project = self.world.service.project(&project_key(name)).unwrap();
            let is_in = |seq: u64, spans: &[Span]| {
                let at = project.record(seq).unwrap().log_time;
                spans.iter().any(|span| span.contains(at))
            };
            let truth = seqs_in(project, self.due.whole());
            let truth = truth.into_iter().filter(|seq| !is_in(*seq, lost));
            let folders: Vec<Folder> = jobs.iter().flat_map(|job| self.newest(job)).collect();
            let found = folders
                .iter()
                .flat_map(Folder::records)
                .map(|record| record.seq);
            let mut difference = Difference::between(truth, found);
            difference.missing.retain(|seq| !is_in(*seq, cut));
            assert!(difference.is_none(), "{name}: {difference}");
            for folder in &folders {
                folder.assert_sums_pass();
            }
        }
        let verified = self.world.run(&["verify"]);
        assert!(matches!(verified.code, Some(0 | 1)), "{verified:#?}");
    }
}

type Tree = BTreeMap<PathBuf, (u32, Vec<u8>)>;

/// A command that has ended, and what was done since.
#[must_use]
pub struct Played<'a> {
    stage: &'a Stage,
    tree: Tree,
    ran: Vec<Ran>,
    steps: Vec<String>,
    row: Row,
}

/// Whether a line of `text` has the pieces of a pattern between `…`, one after the other.
fn has(text: &str, pattern: &str) -> bool {
    text.lines().any(|line| {
        let mut rest = Some(line);
        for piece in pattern.split('…').map(str::trim) {
            rest = rest.and_then(|rest| Some(rest.split_once(piece)?.1));
        }
        rest.is_some()
    })
}

impl Played<'_> {
    /// Asserts that each command printed this, in one line, and puts it on the page.
    #[track_caller]
    pub fn prints(mut self, pattern: &str) -> Self {
        self.is_printed(pattern);
        if !self.row.printed.is_empty() {
            self.row.printed += "<br>";
        }
        self.row.printed += pattern;
        self
    }

    /// Asserts that each command printed this too.
    #[track_caller]
    pub fn also_prints(self, pattern: &str) -> Self {
        self.is_printed(pattern);
        self
    }

    #[track_caller]
    fn is_printed(&self, pattern: &str) {
        for ran in &self.ran {
            let text = self.stage.shown(&format!("{}\n{}", ran.stdout, ran.stderr));
            assert!(has(&text, pattern), "{pattern:?} is not in {ran:#?}");
        }
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(mut self, code: i32) -> Self {
        for ran in &self.ran {
            assert_eq!(ran.code, Some(code), "{}: {ran:#?}", self.row.before);
        }
        self.row.exit = code.to_string();
        self
    }

    /// Asserts that root and state directory are what they were.
    #[track_caller]
    pub fn unwritten(self) -> Self {
        let tree = self.stage.tree();
        let changed = |from: &Tree, to: &Tree| -> Vec<PathBuf> {
            let of_both = from
                .iter()
                .filter(|(path, content)| to.get(*path) != Some(*content));
            of_both.map(|(path, _)| path.clone()).collect()
        };
        let (gone, new) = (changed(&self.tree, &tree), changed(&tree, &self.tree));
        assert!(
            gone.is_empty() && new.is_empty(),
            "{}: before {gone:#?}, after {new:#?}, {:#?}",
            self.row.before,
            self.ran
        );
        self.leaves("nothing written")
    }

    /// Says what is on the disk, which the row has asserted by itself.
    pub fn leaves(mut self, what: &str) -> Self {
        let after = match self.steps.is_empty() {
            true => String::new(),
            false => format!(" after {}", self.steps.join(", ")),
        };
        if !self.row.disk.is_empty() {
            self.row.disk += "; ";
        }
        self.row.disk += &format!("{what}{after}");
        self
    }

    /// Does what is printed, in these words.
    pub fn after(mut self, what: &str, act: impl FnOnce(&Stage)) -> Self {
        act(self.stage);
        self.steps.push(what.into());
        self
    }

    /// Runs a command, which must succeed.
    #[track_caller]
    pub fn after_running(self, args: &[&str]) -> Self {
        self.after_running_with(args, 0)
    }

    /// Runs a command, which must end so.
    #[track_caller]
    pub fn after_running_with(mut self, args: &[&str], code: i32) -> Self {
        let ran = self.stage.world.run(args).exits(code);
        self.steps
            .push(format!("`{}`", self.stage.shown(&args.join(" "))));
        self.ran = vec![ran];
        self
    }

    /// Runs the command that was printed after `lead`, up to the end of its line or a backtick, as it is.
    #[track_caller]
    pub fn after_pasting(mut self, lead: &str) -> Self {
        let command = self.printed_after(lead);
        let args: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(args[0], "elsa-archiver", "{command}");
        let ran = self.stage.world.run(&args[1..]);
        // It is not known here whether it shows or does something.
        assert!(matches!(ran.code, Some(0 | 1)), "{ran:#?}");
        self.steps.push(match args[1] {
            "backfill" => "the `backfill` that it prints".to_owned(),
            _ => format!("`{}`", args[1..].join(" ")),
        });
        self.ran = vec![ran];
        self
    }

    /// Runs the line that was printed after `lead` in a shell.
    #[track_caller]
    pub fn after_pasting_into_a_shell(mut self, what: &str, lead: &str) -> Self {
        let line = self.printed_after(lead);
        let ran = Command::new("bash").args(["-c", &line]).output().unwrap();
        assert!(ran.status.success(), "{line}: {ran:?}");
        self.steps.push(what.into());
        self
    }

    #[track_caller]
    fn printed_after(&self, lead: &str) -> String {
        let ran = self.ran.last().unwrap();
        let text = format!("{}\n{}", ran.stdout, ran.stderr);
        let Some((_, rest)) = text.split_once(lead) else {
            panic!("{lead:?} is not in {ran:#?}")
        };
        rest.split(['`', '\n']).next().unwrap().trim().to_owned()
    }

    /// Asserts that the archive is the truth.
    #[track_caller]
    pub fn exact(self) -> Self {
        self.stage.is_exact_but(&[], &[]);
        self.leaves("exact")
    }

    /// Asserts that the archive is the truth, but for spans that `status` lists as lost.
    #[track_caller]
    pub fn exact_but_lost(self) -> Self {
        let status = self.stage.world.status("shop");
        let lost = status["lost"].as_array().unwrap().iter();
        let bound = |lost: &serde_json::Value, name: &str| {
            elsa_archiver::domain::span::UtcMs(lost[name].as_i64().unwrap())
        };
        let lost: Vec<Span> = lost
            .map(|lost| Span::new(bound(lost, "from_ms"), bound(lost, "to_ms")).unwrap())
            .collect();
        assert!(!lost.is_empty());
        self.stage.is_exact_but(&lost, &[]);
        self.leaves("exact but for what is listed as lost")
    }

    /// Asserts that the archive is the truth, but for what was cut off from these spans.
    #[track_caller]
    pub fn exact_but_cut(self, cut: &[Span], what: &str) -> Self {
        self.stage.is_exact_but(&[], cut);
        self.leaves(&format!("exact but for {what}"))
    }

    /// Asserts that nothing is red.
    #[track_caller]
    pub fn green(mut self) -> Self {
        for command in ["status", "verify"] {
            self.stage.world.run(&[command]).exits(0);
        }
        self.row.disk += ", all green";
        self
    }

    /// Asserts that the service was asked so often since the journal was cleared.
    #[track_caller]
    pub fn asking(self, times: usize) -> Self {
        let asked = self.stage.world.service.journal();
        assert_eq!(asked.len(), times, "{}: {asked:#?}", self.row.before);
        self
    }

    /// The row.
    pub fn row(self) -> Vec<Row> {
        vec![self.row]
    }
}

/// Waits until the daemon has archived so many windows.
pub fn until_archived(stage: &Stage, windows: usize) {
    until("the windows are archived", || {
        stage.folders().len() >= windows
    });
}
