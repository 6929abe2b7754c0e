//! Progress bars on a terminal; a pipe gets none. Bars and log lines share stderr, so the log is
//! written through here.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::domain::job::{Job, JobName};
use crate::domain::notice::News;
use crate::domain::standing::Standing;
use crate::domain::window::Window;
use crate::job::{Outcome, Progress};
use crate::ledger::replay::Replay;

/// Stderr, with bars where it is a terminal.
#[derive(Clone, Debug)]
pub(super) struct Terminal {
    bars: MultiProgress,
    is_terminal: bool,
}

impl Terminal {
    /// The process's stderr.
    #[must_use]
    pub(super) fn new() -> Self {
        let is_terminal = io::stderr().is_terminal();
        let target = match is_terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            is_terminal,
        }
    }

    /// Whether stderr is a terminal.
    #[must_use]
    pub(super) const fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// A bar of `length` steps with a name in front.
    #[must_use]
    pub(super) fn bar(&self, name: &str, length: u64) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new(length));
        // A template that can't be read leaves the library's own style.
        if let Ok(style) =
            ProgressStyle::with_template("{msg:20!} [{bar:30}] {human_pos}/{human_len} {eta}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(name.to_owned());
        bar
    }

    /// A bar of `length` bytes with a name in front.
    #[must_use]
    pub(super) fn bar_of_bytes(&self, name: &str, length: u64) -> ProgressBar {
        let bar = self.bar(name, length);
        let template = "{msg:20!} [{bar:30}] {binary_bytes}/{binary_total_bytes} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar
    }

    /// Removes all bars.
    pub(super) fn clear(&self) {
        // Only the terminal itself can fail here, and then there is nothing left to clear.
        let _ = self.bars.clear();
    }
}

/// Writes a log line between the bars.
impl Write for Terminal {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.bars.suspend(|| io::stderr().lock().write_all(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// One bar a job, as long as it has windows due.
#[derive(Debug)]
pub(super) struct Bars {
    terminal: Terminal,
    bars: Mutex<BTreeMap<JobName, ProgressBar>>,
}

impl Bars {
    /// Bars on `terminal`.
    #[must_use]
    pub(super) fn new(terminal: &Terminal) -> Arc<Self> {
        Arc::new(Self {
            terminal: terminal.clone(),
            bars: Mutex::default(),
        })
    }
}

impl Progress for Bars {
    fn planned(&self, job: &Job, windows: usize) {
        if windows > 0 {
            let bar = self.terminal.bar(job.name.as_str(), windows as u64);
            let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
            bars.insert(job.name.clone(), bar);
        }
    }

    fn done(&self, job: &Job, _window: Window) {
        let bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = bars.get(&job.name) {
            bar.inc(1);
        }
    }
}

/// Several who are shown the same, in this order.
pub(super) struct All(pub(super) Vec<Arc<dyn Progress>>);

impl Progress for All {
    fn planned(&self, job: &Job, windows: usize) {
        self.0.iter().for_each(|who| who.planned(job, windows));
    }

    fn done(&self, job: &Job, window: Window) {
        self.0.iter().for_each(|who| who.done(job, window));
    }

    fn stands(&self, job: &Job, now: &Standing) {
        self.0.iter().for_each(|who| who.stands(job, now));
    }

    fn began(&self, job: &Job) {
        self.0.iter().for_each(|who| who.began(job));
    }

    fn ended(&self, job: &Job, outcome: &Outcome) {
        self.0.iter().for_each(|who| who.ended(job, outcome));
    }

    fn rests(&self, job: &Job, outcome: &Outcome, now: &Standing) {
        self.0.iter().for_each(|who| who.rests(job, outcome, now));
    }

    fn recorded(&self, job: &Job, news: &News) {
        self.0.iter().for_each(|who| who.recorded(job, news));
    }

    fn holds(&self, job: &Job, replay: &Replay) {
        self.0.iter().for_each(|who| who.holds(job, replay));
    }

    fn shows(&self, job: &Arc<Job>, replay: &Replay, is_open: bool) {
        self.0
            .iter()
            .for_each(|who| who.shows(job, replay, is_open));
    }
}
