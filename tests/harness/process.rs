//! The real binary as a child process: what it prints is collected, and it is killed when it
//! takes longer than any of these tests should, so that a hang is a failure.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Far longer than anything here takes, on any machine.
const DEADLINE: Duration = Duration::from_secs(90);

/// Between two looks at something that is waited for.
const POLL: Duration = Duration::from_millis(10);

/// Waits until `condition` holds; panics, naming `what`, when it never does.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < DEADLINE, "waited in vain until {what}");
        thread::sleep(POLL);
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    /// What it was started with.
    pub args: String,
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its results.
    pub stdout: String,
    /// Its log.
    pub stderr: String,
}

impl Ran {
    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Asserts that the log, or the message at the end, says `what`.
    #[track_caller]
    pub fn says(self, what: &str) -> Self {
        assert!(self.stderr.contains(what), "{what:?} is not in {self:#?}");
        self
    }

    /// Asserts that the results say `what`.
    #[track_caller]
    pub fn shows(self, what: &str) -> Self {
        assert!(self.stdout.contains(what), "{what:?} is not in {self:#?}");
        self
    }

    /// The results as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(json) => json,
            Err(error) => panic!("{error} in {self:#?}"),
        }
    }
}

/// The program, about to run in the world at `home` and to know of nothing else.
pub fn command(args: &[&str], home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elsa-archiver"));
    for variable in [
        "RUST_LOG",
        "JOURNAL_STREAM",
        "NOTIFY_SOCKET",
        "CREDENTIALS_DIRECTORY",
        "NCLOUD_ACCESS_KEY",
        "NCLOUD_SECRET_KEY",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
    ] {
        command.env_remove(variable);
    }
    command
        .args(args)
        .env("ELSA_ARCHIVER_CONFIG", home.join("config.toml"))
        .env("HOME", home)
        .current_dir(home);
    command
}

/// The same, started by another program, which is given it with its arguments.
pub fn command_by(starter: &[&str], args: &[&str], home: &Path) -> Command {
    let program = command(args, home);
    let mut started = Command::new(starter[0]);
    started.args(&starter[1..]).arg(program.get_program());
    for (variable, value) in program.get_envs() {
        match value {
            Some(value) => started.env(variable, value),
            None => started.env_remove(variable),
        };
    }
    started.args(args).current_dir(home);
    started
}

/// A command that is running.
pub struct Running {
    args: String,
    child: Child,
    stdout: Pipe,
    stderr: Pipe,
    printed: Arc<Mutex<Vec<u8>>>,
}

impl Running {
    pub(super) fn start(mut command: Command, printed: Arc<Mutex<Vec<u8>>>) -> Self {
        let args: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        let args = args.join(" ");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            args,
            stdout: Pipe::of(child.stdout.take().unwrap()),
            stderr: Pipe::of(child.stderr.take().unwrap()),
            child,
            printed,
        }
    }

    /// The same, its results on one terminal and its log on another, each so many columns wide.
    pub(super) fn start_on_terminals(
        mut command: Command,
        columns: u16,
        printed: Arc<Mutex<Vec<u8>>>,
    ) -> Self {
        let args: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        let args = args.join(" ");
        let size = nix::pty::Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let [out, err] = [(); 2].map(|()| nix::pty::openpty(&size, None).unwrap());
        let child = command
            .stdin(Stdio::null())
            .stdout(out.slave)
            .stderr(err.slave)
            .spawn()
            .unwrap();
        // A terminal that somebody can still write to does not end.
        drop(command);
        Self {
            args,
            stdout: Pipe::of(File::from(out.master)),
            stderr: Pipe::of(File::from(err.master)),
            child,
            printed,
        }
    }

    /// Waits until the log says `what`.
    #[track_caller]
    pub fn wait_until_it_says(&mut self, what: &str) {
        self.wait_until_it_has_said(what, 1);
    }

    /// Waits until the log has said `what` so many times.
    #[track_caller]
    pub fn wait_until_it_has_said(&mut self, what: &str, times: usize) {
        let text = Arc::clone(&self.stderr.bytes);
        let says = move || {
            let text = text.lock().unwrap();
            String::from_utf8_lossy(&text).matches(what).count() >= times
        };
        until(&format!("`{}` said {what:?}", self.args), || {
            says() || self.child.try_wait().unwrap().is_some()
        });
        assert!(says(), "`{}` ended without a word of {what:?}", self.args);
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.stderr.bytes.lock().unwrap()).into_owned()
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.send("-TERM");
    }

    /// Sends SIGHUP.
    pub fn hang_up(&self) {
        self.send("-HUP");
    }

    fn send(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(mut self) -> Ran {
        self.child.kill().unwrap();
        self.wait()
    }

    /// Waits for the end.
    #[track_caller]
    pub fn wait(mut self) -> Ran {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break Some(status);
            }
            if begun.elapsed() > DEADLINE {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                break None;
            }
            thread::sleep(POLL);
        };
        let ran = Ran {
            args: self.args.clone(),
            code: status.and_then(|status| status.code()),
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
        };
        let mut printed = self.printed.lock().unwrap();
        printed.extend_from_slice(ran.stdout.as_bytes());
        printed.extend_from_slice(ran.stderr.as_bytes());
        assert!(status.is_some(), "it hung, and was killed: {ran:#?}");
        ran
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only a test that has failed leaves a child behind.
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// One of the child's outputs, read as it comes so that the child never waits for its reader.
struct Pipe {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Pipe {
    fn of(mut source: impl Read + Send + 'static) -> Self {
        let bytes: Arc<Mutex<Vec<u8>>> = Arc::default();
        let collected = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = source.read(&mut piece) {
                collected.lock().unwrap().extend_from_slice(&piece[..read]);
            }
        });
        Self {
            bytes,
            reader: Some(reader),
        }
    }

    fn finish(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}
