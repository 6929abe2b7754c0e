//! What a command takes, and all that it starts: time, processor time, memory.
//!
//! The bench runs itself as the command's parent. That process does nothing else, so the system's sums of its
//! children are the command's; and it is small, which matters because a child's peak begins with its parent's.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// The bench's first argument where it is the parent of a command: then where to write, and the command.
pub const ARGUMENT: &str = "--measure";

/// What a command has taken.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// Seconds from start to end.
    pub wall: f64,
    /// Seconds of processors, user and system.
    pub processor: f64,
    /// The largest memory of one of its processes, in MiB.
    pub peak: f64,
}

/// Runs `command` to its end. What it prints goes to `log`.
///
/// # Errors
/// When it can't be started or fails; the message ends with what it printed last.
pub fn run(command: &Command, log: &Path) -> Result<Spent, Box<dyn Error>> {
    let result = log.with_extension("spent");
    let printed = fs::File::create(log)?;
    let mut measured = Command::new(std::env::current_exe()?);
    measured
        .arg(ARGUMENT)
        .arg(&result)
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(printed.try_clone()?)
        .stderr(printed);
    for (variable, value) in command.get_envs() {
        match value {
            Some(value) => measured.env(variable, value),
            None => measured.env_remove(variable),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        measured.current_dir(folder);
    }
    let status = measured.status()?;
    if !status.success() {
        let log = fs::read_to_string(log).unwrap_or_default();
        let from = log.floor_char_boundary(log.len().saturating_sub(2000));
        return Err(format!("{command:?} failed, {status}: {}", &log[from..]).into());
    }
    let text = fs::read_to_string(&result)?;
    let mut numbers = text.split(' ').map(str::parse::<f64>);
    let mut next = || numbers.next().ok_or("too few numbers");
    Ok(Spent {
        wall: next()??,
        processor: next()??,
        peak: next()??,
    })
}

/// The other side: runs the command of these arguments, and writes what it took. Returns the exit code.
pub fn parent(mut arguments: impl Iterator<Item = OsString>) -> Result<i32, Box<dyn Error>> {
    let result = arguments.next().ok_or("no file for the result")?;
    let program = arguments.next().ok_or("no command")?;
    let begun = Instant::now();
    let status = Command::new(program).args(arguments).status()?;
    let wall = begun.elapsed().as_secs_f64();
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let processor = seconds(used.user_time()) + seconds(used.system_time());
    let peak = used.max_rss() as f64 / 1024.0;
    fs::write(result, format!("{wall} {processor} {peak}"))?;
    Ok(status.code().unwrap_or(1))
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}
