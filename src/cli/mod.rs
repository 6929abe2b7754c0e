//! The commands, and what they print: results to stdout, logs to stderr, and an exit code that
//! says whether everything is archived. Carries *Candid*.

mod args;
mod cat;
mod check;
mod clients;
mod conditional_writes;
mod demo;
mod evidence;
mod exit;
mod given;
mod head;
mod hold;
mod holdings;
mod identity;
mod init;
mod journal;
mod keygen;
mod ledgers;
mod lineage;
mod live;
mod logging;
mod notifying;
mod place;
mod plan;
mod print;
mod process;
mod progress;
mod prune;
mod receipt;
mod reload;
mod repair;
mod report;
mod retired;
mod run;
mod session;
mod signing;
mod status;
mod support;
mod timestamping;
mod unset_clock;
mod user;
mod verify;
mod wrap;

use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};
use tokio::runtime::Builder;

use crate::archive::verify::Depth;
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::daemon::systemd;
use crate::domain::job::Format;
use crate::domain::open_files::THREADS;
use crate::domain::span::show_instants_in;
use args::{Args, Command, LogFormat, OfHeads, OfReceipts, RecordFormat};
use exit::Stop;
use progress::Terminal;

/// How long blocking work may still take after a command has ended; what it leaves behind, the
/// next start cleans up.
const LAST_BREATH: Duration = Duration::from_millis(500);

/// Threads that wait for no disk, at most: what is archived waits for the service, and does not compute.
const MOST_WORKERS: usize = 8;

/// The command line as clap knows it, for completions and man pages.
#[must_use]
pub fn command() -> clap::Command {
    Args::command()
}

/// Runs the program with the process's own arguments.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse().and_then(Args::without_conflict) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are asked for and go to stdout; anything else is a usage error.
            let wrong = error.use_stderr();
            if wrong {
                systemd::ending(&error.to_string());
            }
            if wrong && args::asks_for_json(std::env::args_os()) {
                return Stop::usage(&error).tell(LogFormat::Json);
            }
            if wrong && journal::is_stderr() {
                return Stop::usage(&error).tell(LogFormat::Text);
            }
            let _ = error.print();
            return ExitCode::from(if wrong { 2 } else { 0 });
        }
    };
    process::set_up();
    let terminal = Terminal::new();
    logging::start(&args, &terminal);
    match dispatch(&args, &terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => stop.tell(args.log_format),
    }
}

/// A config that was read: instants are shown in its zone from here on. Until here the log is in UTC: what is
/// wrong with a config is told before its zone is known.
fn made_ready(config: Config) -> Config {
    show_instants_in(config.archive.zone.tz().clone());
    config
}

/// What every command works with.
struct Context<'a> {
    args: &'a Args,
    terminal: &'a Terminal,
    clock: Clock,
}

impl Context<'_> {
    /// The config, for a command that looks: jobs that go on from others begin where those ended.
    fn config(&self) -> Result<Config, Stop> {
        let mut config = self.config_as_written()?;
        let mut jobs = config.jobs.clone();
        lineage::resolve(&config, &mut jobs);
        config.jobs = jobs;
        Ok(config)
    }

    /// The config, for a command that archives: where its jobs begin, a [`session::Session`] finds out, once it
    /// has the lock.
    fn config_as_written(&self) -> Result<Config, Stop> {
        let config = Config::load(&self.args.config, self.clock.now());
        config.map(made_ready).map_err(|error| Stop::usage(&error))
    }

    fn environment() -> Environment {
        Environment::of_process()
    }

    fn block_on<T>(future: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        let workers = available_parallelism().map_or(1, usize::from);
        let workers = workers.min(MOST_WORKERS);
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .worker_threads(workers)
            .max_blocking_threads(THREADS - workers)
            .build()
            .map_err(|error| Stop::failed(format!("can't start the runtime: {error}")))?;
        let done = runtime.block_on(future);
        runtime.shutdown_timeout(LAST_BREATH);
        done
    }
}

const fn depth_of(deep: bool) -> Depth {
    match deep {
        true => Depth::Entries,
        false => Depth::Stored,
    }
}

fn dispatch(args: &Args, terminal: &Terminal) -> Result<(), Stop> {
    let context = Context {
        args,
        terminal,
        clock: Clock::system(),
    };
    match &args.command {
        Command::Run => run::run(&context),
        Command::Once { jobs } => run::once(&context, jobs),
        Command::Backfill {
            job,
            from,
            to,
            again,
            newest_first,
        } => {
            let how = run::How {
                is_again: *again,
                is_newest_first: *newest_first,
            };
            run::backfill(&context, job, (from, to), how)
        }
        Command::Plan { jobs, json } => plan::plan(&context, jobs, *json),
        Command::Status { json, ack } => status::status(&context, *json, ack),
        Command::Verify {
            jobs,
            threads,
            deep,
            json,
            receipt,
            out,
            after,
            head,
            dir,
        } => {
            let receipt = receipt.as_deref().map(|place| receipt::Wanted {
                place,
                output: out.as_deref(),
                after: after.as_deref(),
            });
            let asked = verify::Asked {
                jobs,
                dir: dir.as_deref(),
                depth: depth_of(*deep),
                threads: *threads,
                json: *json,
                receipt,
                head: head.as_deref(),
            };
            verify::verify(&context, asked)
        }
        Command::Cat {
            span,
            format,
            output,
            filter,
        } => {
            let how = cat::How {
                format: format.map(|format| match format {
                    RecordFormat::Json => Format::Json,
                    RecordFormat::Csv => Format::Csv,
                }),
                output: output.as_deref(),
                filter,
            };
            cat::cat(&context, span.into(), (&span.of.from, &span.of.to), &how)
        }
        Command::Files { span, null } => {
            cat::files(&context, span.into(), (&span.of.from, &span.of.to), *null)
        }
        Command::Repair {
            jobs,
            deep,
            confirm,
        } => repair::repair(&context, jobs, depth_of(*deep), *confirm),
        Command::Prune {
            before,
            keep,
            jobs,
            need,
            confirm,
        } => {
            let how = prune::How {
                jobs,
                before: before.as_deref(),
                keep: keep.as_deref(),
                need: *need,
                confirm: *confirm,
            };
            prune::prune(&context, how)
        }
        Command::Hold { of, reason } => hold::hold(&context, &of.job, (&of.from, &of.to), reason),
        Command::Release { of, reason } => {
            hold::release(&context, &of.job, (&of.from, &of.to), reason.as_deref())
        }
        Command::Receipt { what } => match what {
            OfReceipts::Add { file } => receipt::add(&context, file),
            OfReceipts::List => receipt::list(&context),
        },
        Command::Evidence { of, out, data } => evidence::evidence(&context, of, out, *data),
        Command::Keygen { out } => keygen::keygen(out),
        Command::Head { what } => match what {
            Some(OfHeads::Now) => head::now(&context),
            None => head::show(&context),
        },
        Command::Report { html, lang } => report::report(&context, html, *lang),
        Command::Check { live, bucket } => match bucket {
            Some(bucket) => conditional_writes::check(&context, bucket),
            None => check::check(&context, *live),
        },
        Command::Init { dir } => init::init(dir),
        Command::Support { out } => support::support(&context, out.as_deref()),
        Command::Demo { dir } => demo::demo(&context, dir.as_deref()),
    }
}
