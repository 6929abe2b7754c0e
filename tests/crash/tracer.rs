//! Runs the real binary under ptrace: every system call that touches the disk is seen, and at any
//! one of them the program is killed, or the call fails, writes less, or is lied to. The program
//! itself is not changed for it.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::call::{Call, Disks, Kind};
use super::lie::{Lie, Lying};

/// Far longer than a cycle of these takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// One call among all: the n-th of its kind on its path. Which number it has among all calls
/// differs from run to run, since jobs run side by side; this does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    pub kind: Kind,
    pub path: String,
    pub nth: usize,
}

/// Where something happens.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    Point(&'a Point),
    /// The n-th call that changes anything, whichever that is.
    Nth(usize),
}

/// What happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// SIGKILL, and the call is not made.
    KillBefore,
    /// SIGKILL when half of it is done; of what can't be halved, before.
    KillMidway,
    /// SIGKILL as soon as it is made.
    KillAfter,
    /// The call fails.
    Fail(Errno),
    /// It and every later call of its kind fail that is about the same job.
    FailFromHereOn(Errno),
    /// A write writes half of what it was given.
    WriteHalf,
}

/// A call that was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    pub point: Point,
    pub call: Call,
    /// Whether it reached the kernel as it was.
    pub made: bool,
}

/// What became of a run.
#[derive(Debug, Default)]
pub struct Traced {
    /// Every call, in the order in which they were made.
    pub calls: Vec<Seen>,
    /// The call at which it happened, when there was one.
    pub hit: Option<Call>,
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub log: String,
}

/// A thread that is within a call.
struct Within {
    call: Option<Call>,
    /// What the call is made to return.
    returns: Option<i64>,
    kill_after: bool,
}

struct Tracer<'a> {
    leader: Pid,
    disks: &'a Disks,
    at: Option<(At<'a>, What)>,
    lying: Lying<'a>,
    threads: HashMap<Pid, Within>,
    seen: BTreeMap<(Kind, String), usize>,
    /// Calls so far that change anything.
    changes: usize,
    traced: Traced,
}

/// Runs a program to its end. `disks` is what counts as the disk; at the point `at`, that happens.
/// What it prints is left in the file `log`.
#[expect(
    clippy::zombie_processes,
    reason = "the tracer waits, for all of its threads"
)]
pub fn run(
    command: &Command,
    log: &Path,
    disks: &Disks,
    at: Option<(At<'_>, What)>,
    lie: Lie,
) -> Traced {
    let output = File::create(log).unwrap();
    // The shell waits until it is watched.
    let mut gate = Command::new("sh");
    gate.args(["-c", "read go; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap_or(Path::new("/")))
        .stdin(Stdio::piped())
        .stdout(output.try_clone().unwrap())
        .stderr(output);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => gate.env(name, value),
            None => gate.env_remove(name),
        };
    }
    let mut child = gate.spawn().unwrap();
    let leader = Pid::from_raw(child.id().cast_signed());
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(leader, options).unwrap();
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let (ended, watched) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        if watched.recv_timeout(DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = kill(leader, Signal::SIGKILL);
        }
    });
    let mut tracer = Tracer {
        leader,
        disks,
        at,
        lying: Lying::new(lie, disks),
        threads: HashMap::new(),
        seen: BTreeMap::new(),
        changes: 0,
        traced: Traced::default(),
    };
    tracer.follow();
    drop(ended);
    watchdog.join().unwrap();
    let mut traced = tracer.traced;
    traced.log = String::from_utf8_lossy(&fs::read(log).unwrap()).into_owned();
    traced
}

impl Tracer<'_> {
    fn follow(&mut self) {
        // Only this thread's children: other tests of this process have theirs.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            let signal = match waitpid(Pid::from_raw(-1), Some(flags)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == self.leader => {
                    self.traced.code = Some(code);
                    return;
                }
                Ok(WaitStatus::Signaled(pid, ..)) if pid == self.leader => return,
                Ok(WaitStatus::PtraceSyscall(pid)) => {
                    match self.threads.remove(&pid) {
                        None => self.enter(pid),
                        Some(within) => self.leave(pid, &within),
                    }
                    Some((pid, None))
                }
                Ok(WaitStatus::PtraceEvent(pid, _, event)) => {
                    if event
                        == Options::PTRACE_O_TRACEEXEC
                            .bits()
                            .trailing_zeros()
                            .cast_signed()
                    {
                        self.threads.insert(
                            pid,
                            Within {
                                call: None,
                                returns: None,
                                kill_after: false,
                            },
                        );
                    }
                    Some((pid, None))
                }
                Ok(WaitStatus::Stopped(pid, signal)) => Some((pid, Some(signal))),
                Ok(_) | Err(Errno::EINTR) => None,
                Err(error) => panic!("the child is gone: {error}"),
            };
            if let Some((pid, signal)) = signal {
                // A thread that was killed meanwhile is not there any more.
                let _ = ptrace::syscall(pid, signal);
            }
        }
    }

    fn enter(&mut self, thread: Pid) {
        let Ok(mut registers) = ptrace::getregs(thread) else {
            return;
        };
        let mut within = Within {
            call: Call::of(thread, &registers, self.disks),
            returns: None,
            kill_after: false,
        };
        if let Some(call) = within.call.clone() {
            let point = self.point(&call);
            match self.planned(&point, &call) {
                Some(What::KillBefore) => within.returns = Some(self.kill()),
                Some(What::KillMidway) if call.kind == Kind::Write => {
                    registers.rdx /= 2;
                    within.kill_after = true;
                }
                Some(What::KillMidway) => {
                    self.lying.half(&call);
                    within.returns = Some(self.kill());
                }
                Some(What::Fail(errno) | What::FailFromHereOn(errno)) => {
                    within.returns = Some(-i64::from(errno as i32));
                }
                Some(What::WriteHalf) => registers.rdx = registers.rdx.div_ceil(2),
                other => {
                    within.kill_after = other == Some(What::KillAfter);
                    within.returns = self.lying.instead(&call);
                }
            }
            self.traced.calls.push(Seen {
                point,
                call,
                made: within.returns.is_none(),
            });
            if within.returns.is_some() {
                // No such call.
                registers.orig_rax = u64::MAX;
            }
            let _ = ptrace::setregs(thread, registers);
        }
        self.threads.insert(thread, within);
    }

    /// What is to happen at this call.
    fn planned(&mut self, point: &Point, call: &Call) -> Option<What> {
        let (at, what) = self.at?;
        let here = match (&self.traced.hit, at) {
            (Some(hit), _) => {
                matches!(what, What::FailFromHereOn(_))
                    && hit.kind == call.kind
                    && hit.job() == call.job()
            }
            (None, At::Point(at)) => at == point,
            (None, At::Nth(nth)) => {
                self.changes += usize::from(call.changes());
                call.changes() && self.changes == nth
            }
        };
        if here && self.traced.hit.is_none() {
            self.traced.hit = Some(call.clone());
        }
        here.then_some(what)
    }

    fn leave(&mut self, thread: Pid, within: &Within) {
        if let Some(value) = within.returns
            && let Ok(mut registers) = ptrace::getregs(thread)
        {
            registers.rax = value.cast_unsigned();
            let _ = ptrace::setregs(thread, registers);
        }
        if within.kill_after {
            self.kill();
        } else if let Some(call) = &within.call {
            self.lying.after(call);
        }
    }

    fn kill(&self) -> i64 {
        let _ = kill(self.leader, Signal::SIGKILL);
        0
    }

    fn point(&mut self, call: &Call) -> Point {
        let path = call.path.display().to_string();
        let nth = self.seen.entry((call.kind, path.clone())).or_insert(0);
        *nth += 1;
        Point {
            kind: call.kind,
            path,
            nth: *nth,
        }
    }
}
