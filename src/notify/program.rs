//! The program that is run for each published folder, one at a time. No shell reads its words, and its environment
//! holds no key. Carries *Isolated* (it has a deadline, and its process group ends with it), *Bounded* (of what it
//! prints the end is kept) and *Suspicious*.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::select;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::receiver::{Consequence, Delivery, Refusal};
use super::tally::Who;
use crate::domain::job::JobName;
use crate::domain::notice::{Event, Folder, Kind};
use crate::domain::retry::{Failure, Policy};
use crate::domain::span::Millis;
use crate::printable::{printable, whole};

/// What it may know of our environment.
const KEPT: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];
/// How long it may run for one folder.
const DEADLINE: Duration = Duration::from_secs(600);
/// How long it may take to end once it is told to.
const TO_END: Duration = Duration::from_secs(5);
/// The same when the program ends, which has little time itself.
const TO_END_AT_LAST: Duration = Duration::from_millis(500);
/// How long it may go on when the program ends.
const LAST: Duration = Duration::from_secs(2);
/// How long what it leaves behind may keep its output open.
const OUTPUT: Duration = Duration::from_millis(500);
/// How many lines of its output are kept, and how many bytes of each.
const MOST_LINES: usize = 20;
const MOST_OF_A_LINE: usize = 1024;

/// The program, and what is run with it.
#[derive(Debug)]
pub(super) struct Program {
    words: Vec<String>,
    environment: Vec<(&'static str, OsString)>,
    deadline: Duration,
}

/// One run of it.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) job: JobName,
    pub(super) folder: Folder,
    /// Absolute.
    pub(super) path: PathBuf,
    pub(super) manifest: PathBuf,
    /// The window's bounds in RFC 3339, with the zone's offset.
    pub(super) from: String,
    pub(super) to: String,
}

/// How one run has ended.
enum End {
    Itself(ExitStatus),
    InTime,
    AtLast,
}

impl Program {
    /// A program and its arguments, with what it may know of this process's environment.
    pub(super) fn of(words: Vec<String>) -> Self {
        let known = |name| Some((name, std::env::var_os(name)?));
        Self {
            words,
            environment: KEPT.into_iter().filter_map(known).collect(),
            deadline: DEADLINE,
        }
    }

    fn start(&self, run: &Run) -> io::Result<Child> {
        let (name, arguments) = match self.words.split_first() {
            Some((name, arguments)) => (name.as_str(), arguments),
            None => ("", self.words.as_slice()),
        };
        let mut command = Command::new(name);
        command
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .env("ELSA_ARCHIVER_FOLDER", &run.path)
            .env("ELSA_ARCHIVER_JOB", run.job.as_str())
            .env("ELSA_ARCHIVER_MANIFEST", &run.manifest)
            .env("ELSA_ARCHIVER_FROM", &run.from)
            .env("ELSA_ARCHIVER_TO", &run.to)
            // Never the archive: what it leaves where it stands would lie there.
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command.spawn()
    }

    async fn run(&self, run: &Run, hurry: &CancellationToken) -> Result<(), Refusal> {
        let mut child = self.start(run).map_err(|error| self.not_started(&error))?;
        let mut group = Group::of(&child);
        let (mut tail, mut errors) = (Tail::default(), Tail::default());
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let end = {
            let reading = async {
                tokio::join!(tail.read(out), errors.read(err));
            };
            tokio::pin!(reading);
            let ending = self.end(&mut child, &group, hurry);
            tokio::pin!(ending);
            let mut is_read = false;
            let end = loop {
                select! {
                    end = &mut ending => break end,
                    () = &mut reading, if !is_read => is_read = true,
                }
            };
            if !is_read {
                // Something that it has left behind may hold it open for ever.
                let _ = timeout(OUTPUT, &mut reading).await;
            }
            end
        };
        group.is_over();
        let end = end.map_err(|error| self.not_started(&error))?;
        let is_well = matches!(end, End::Itself(status) if status.success());
        for line in tail.lines().chain(errors.lines()) {
            match is_well {
                true => {
                    tracing::info!(job = %run.job, folder = %run.folder.path, "on_archived says: {line}")
                }
                false => {
                    tracing::warn!(job = %run.job, folder = %run.folder.path, "on_archived says: {line}")
                }
            }
        }
        let (failure, what) = match end {
            End::Itself(status) if status.success() => return Ok(()),
            // "exit status: 3", or "signal: 9 (SIGKILL)".
            End::Itself(status) => (Failure::Passing, format!("ended with {status}")),
            End::InTime => {
                let minutes = self.deadline.as_secs() / 60;
                let what = format!(
                    "was ended after {minutes} min, which is as long as it may run for a folder"
                );
                (Failure::Rejected, what)
            }
            End::AtLast => (Failure::Stopped, "was ended with the program".to_owned()),
        };
        Err(Refusal {
            failure,
            message: format!("{} {what} ({})", self.shown(), run.folder.path),
        })
    }

    /// Waits for the end, and brings it about when it is time.
    async fn end(
        &self,
        child: &mut Child,
        group: &Group,
        hurry: &CancellationToken,
    ) -> io::Result<End> {
        let last = async {
            hurry.cancelled().await;
            sleep(LAST).await;
        };
        let (end, grace) = select! {
            status = child.wait() => return Ok(End::Itself(status?)),
            () = sleep(self.deadline) => (End::InTime, TO_END),
            () = last => (End::AtLast, TO_END_AT_LAST),
        };
        group.send(Signal::TERM);
        let _ = timeout(grace, child.wait()).await;
        group.send(Signal::KILL);
        child.wait().await?;
        Ok(end)
    }

    fn shown(&self) -> String {
        printable(self.words.first().map_or("", String::as_str))
    }

    fn not_started(&self, error: &io::Error) -> Refusal {
        let advice = match error.kind() {
            io::ErrorKind::NotFound => {
                "; check notify.on_archived, and that what its first line names is there too"
            }
            io::ErrorKind::PermissionDenied => "; make it executable for the user that archives",
            _ => "",
        };
        Refusal {
            failure: Failure::Rejected,
            message: format!("{} can't be run: {error}{advice}", self.shown()),
        }
    }
}

impl Delivery for Program {
    type One = Run;
    type Target = Self;
    const WHO: Who = Who::Program;
    const POLICY: Policy = Policy {
        attempts: 3,
        base: Millis::from_secs(1),
        longest: Millis::from_secs(30),
        quota: Millis::from_secs(30),
    };
    const MOST: usize = 10_000;

    async fn deliver(target: &Self, one: &Run, hurry: &CancellationToken) -> Result<(), Refusal> {
        if hurry.is_cancelled() {
            return Err(Refusal {
                failure: Failure::Stopped,
                message: format!("{} is not run any more: the program ends", target.shown()),
            });
        }
        target.run(one, hurry).await
    }

    fn is_critical(_: &Run) -> bool {
        false
    }

    fn failed(one: &Run, why: &str) -> Option<Consequence> {
        Some(Event {
            job: Some(one.job.clone()),
            seq: None,
            kind: Kind::ProgramFailed(one.folder.clone(), why.to_owned()),
        })
    }
}

/// The processes that a run has begun. They end when it is dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    fn send(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // Nobody may be left.
            let _ = kill_process_group(group, signal);
        }
    }

    /// It has ended. What it has left behind on purpose goes on.
    const fn is_over(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.send(Signal::KILL);
    }
}

/// The last lines of an output.
#[derive(Default)]
struct Tail {
    lines: VecDeque<Vec<u8>>,
    is_within: bool,
}

impl Tail {
    async fn read(&mut self, from: Option<impl AsyncRead + Unpin>) {
        let Some(mut from) = from else { return };
        let mut piece = vec![0; 8192];
        while let Ok(read @ 1..) = from.read(&mut piece).await {
            self.take(&piece[..read]);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_whole) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (part, false),
            };
            if !self.is_within {
                if self.lines.len() == MOST_LINES {
                    self.lines.pop_front();
                }
                self.lines.push_back(Vec::new());
            }
            if let Some(line) = self.lines.back_mut() {
                let room = MOST_OF_A_LINE.saturating_sub(line.len());
                line.extend_from_slice(&text[..text.len().min(room)]);
            }
            self.is_within = !is_whole;
        }
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.lines
            .iter()
            .filter(|line| !line.trim_ascii().is_empty())
            .map(|line| whole(String::from_utf8_lossy(line).trim_end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::span::{Span, UtcMs};
    use crate::domain::split::Status;
    use crate::domain::window::Window;

    fn run() -> Run {
        let window = Window::of(Span::new(UtcMs(0), UtcMs(1)).unwrap());
        Run {
            job: JobName::parse("shop").unwrap(),
            folder: Folder {
                window,
                status: Status::Complete,
                records: Some(1),
                bytes: 1,
                path: "shop/day/window".to_owned(),
                manifest_sha256: String::new(),
            },
            path: "/archive/shop/day/window".into(),
            manifest: "/archive/shop/day/window/manifest.json".into(),
            from: "from".to_owned(),
            to: "to".to_owned(),
        }
    }

    fn program(script: &str, deadline: Duration) -> Program {
        let words = ["/bin/sh", "-c", script].map(str::to_owned);
        Program {
            deadline,
            ..Program::of(words.to_vec())
        }
    }

    /// Guarantee: Isolated
    #[tokio::test]
    async fn a_program_that_hangs_is_ended_with_all_that_it_has_begun() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("child");
        let script = format!(
            "trap '' TERM; sleep 1000 & echo $! > {}; wait; wait",
            file.display()
        );
        let program = Program {
            deadline: Duration::from_millis(700),
            ..program(&script, DEADLINE)
        };
        let hurry = CancellationToken::new();
        let refusal = program.run(&run(), &hurry).await.unwrap_err();
        assert_eq!(refusal.failure, Failure::Rejected, "{refusal:?}");
        assert!(
            refusal.message.contains("/bin/sh was ended after"),
            "{refusal:?}"
        );
        let child: i32 = std::fs::read_to_string(file)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        // It is killed, and ends as soon as it runs; it may be a zombie that nobody has reaped.
        let is_over = || {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        while !is_over() {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Guarantee: Isolated
    #[tokio::test]
    async fn what_a_program_leaves_behind_does_not_hold_the_next_run_up() {
        let program = program("sleep 1000 & echo $!; exit 0", DEADLINE);
        program
            .run(&run(), &CancellationToken::new())
            .await
            .unwrap();
    }

    /// Guarantee: Bounded
    #[test]
    fn of_an_endless_output_the_last_lines_are_kept_and_of_those_the_beginning() {
        let mut tail = Tail::default();
        for number in 0..10_000 {
            tail.take(format!("{number}\n").as_bytes());
        }
        for _ in 0..10_000 {
            tail.take(&[b'x'; 1000]);
        }
        tail.take(b"\n\n \x1b[2J\xff\n");
        let lines: Vec<String> = tail.lines().collect();
        assert_eq!(lines[0], "9983");
        assert_eq!(lines[lines.len() - 2].len(), MOST_OF_A_LINE);
        assert_eq!(lines[lines.len() - 1], " \\u{1b}[2J\u{fffd}");
        assert!(tail.lines.iter().map(Vec::capacity).sum::<usize>() < 100_000);
    }
}
