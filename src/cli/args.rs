//! The command line, as the contract names it.

mod examples;
mod parts;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory as _, Error, Parser, Subcommand, ValueEnum};

pub(in crate::cli) use parts::{JobSpan, OfHeads, OfReceipts, OfSpan, RecordFormat, ReportLang};

/// What stands above the options that every command has.
const EVERYWHERE: &str = "Options of every command";

/// Copies every log of NAVER Cloud ELSA projects into dated folders, and proves that none is
/// missing.
#[derive(Debug, Parser)]
#[command(
    version = env!("ELSA_ARCHIVER_VERSION"),
    after_help = examples::PROGRAM
)]
pub(super) struct Args {
    /// The configuration
    #[arg(
        long,
        global = true,
        help_heading = EVERYWHERE,
        value_name = "FILE",
        env = "ELSA_ARCHIVER_CONFIG",
        default_value = "/etc/elsa-archiver/config.toml"
    )]
    pub config: PathBuf,

    /// How log lines are written to stderr
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Log more: each request; twice: everything. `RUST_LOG` wins where it is set
    #[arg(short, long, global = true, help_heading = EVERYWHERE, action = ArgAction::Count)]
    pub verbose: u8,

    /// Log less: warnings and errors; twice: errors alone. `RUST_LOG` wins where it is set
    #[arg(short, long, global = true, help_heading = EVERYWHERE, action = ArgAction::Count)]
    pub quiet: u8,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people and the journal
    Text,
    /// One JSON object a line
    Json,
}

impl Args {
    /// Both of two options that contradict each other. They may stand on both sides of the command, where clap does not
    /// compare them.
    ///
    /// # Errors
    /// As clap says it.
    pub(super) fn without_conflict(self) -> Result<Self, Error> {
        match self.verbose > 0 && self.quiet > 0 {
            false => Ok(self),
            true => Err(Self::command().error(
                ErrorKind::ArgumentConflict,
                "--verbose (-v) and --quiet (-q) contradict each other; give one of them",
            )),
        }
    }
}

/// Whether arguments that can't be understood ask for a log in JSON all the same.
pub(super) fn asks_for_json(args: impl Iterator<Item = OsString>) -> bool {
    let mut before = OsString::new();
    for arg in args {
        if arg == "--log-format=json" || (before == "--log-format" && arg == "json") {
            return true;
        }
        before = arg;
    }
    false
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run as a daemon, in the foreground
    #[command(after_help = examples::RUN)]
    Run,
    /// Archive everything due now, then exit
    #[command(after_help = examples::ONCE)]
    Once {
        /// Only this job; may be given several times
        #[arg(long = "job", value_name = "NAME")]
        jobs: Vec<String>,
    },
    /// Show what is due and what would be asked; no network, no write
    #[command(after_help = examples::PLAN)]
    Plan {
        /// Only this job; may be given several times
        #[arg(long = "job", value_name = "NAME")]
        jobs: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Archive the uncovered windows of a span, before `since` too
    #[command(after_help = examples::BACKFILL)]
    Backfill {
        /// The job
        #[arg(long, value_name = "NAME")]
        job: String,
        /// Where the span begins: RFC 3339, or a date in the archive's time zone
        #[arg(long, value_name = "T")]
        from: String,
        /// Where the span ends, likewise; the instant itself is not in it
        #[arg(long, value_name = "T")]
        to: String,
        /// Ask once more for what is archived of the span too: what differs, or is better proven, is published
        /// beside the folder that there is
        #[arg(long)]
        again: bool,
        /// Begin with the newest window; the default is the oldest, which the service forgets first
        #[arg(long)]
        newest_first: bool,
    },
    /// Show coverage, gaps, due windows, last success and last error of each job
    #[command(after_help = examples::STATUS)]
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// What is lost, truncated or unproven of this job so far is known, and is not reported as a
        /// failure any more; may be given several times
        #[arg(long = "ack", value_name = "JOB")]
        ack: Vec<String>,
    },
    /// Re-hash folders, walk the chain, list gaps and what is missing or changed
    #[command(after_help = examples::VERIFY)]
    Verify {
        /// Only this job; may be given several times
        #[arg(long = "job", value_name = "NAME", conflicts_with = "dir")]
        jobs: Vec<String>,
        /// How many folders are read at once; as many as there are cores if left out
        #[arg(long = "jobs", value_name = "N")]
        threads: Option<NonZeroUsize>,
        /// Unpack the zips that are kept under `store = "zip"` too, and hash what is in them
        #[arg(long)]
        deep: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Write a receipt of what is whole in the copy, in the name of the place where it lies; to stdout, and the
        /// rest to stderr
        #[arg(long, value_name = "PLACE", requires = "dir", conflicts_with = "json")]
        receipt: Option<String>,
        /// Write the receipt to this file instead
        #[arg(long, value_name = "FILE", requires = "receipt")]
        out: Option<PathBuf>,
        /// The receipt that this place gave before, where the copy lacks it
        #[arg(long, value_name = "FILE", requires = "receipt")]
        after: Option<PathBuf>,
        /// A head that was kept elsewhere, as a file or as its SHA-256: what it names must be here unchanged
        #[arg(long, value_name = "HEAD")]
        head: Option<String>,
        /// A copy of an archive anywhere, verified from its manifests alone; needs no config. It may lie in object
        /// storage, as s3://bucket/prefix
        dir: Option<PathBuf>,
    },
    /// Write the records of a span to stdout, from the newest revisions, whatever the store
    ///
    /// JSON is written as one record a line, CSV with one header. What is missing or damaged is told on stderr and in
    /// the exit code, and the rest goes on.
    #[command(after_help = examples::CAT)]
    Cat {
        #[command(flatten)]
        span: OfSpan,
        /// How records are written; as the newest window has them if left out. CSV becomes JSON objects of text
        #[arg(long, value_name = "FORMAT")]
        format: Option<RecordFormat>,
        /// Write to this file; a plain file that is there is replaced once all is written
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Only records whose field has this text; may be given several times, and then all must hold
        #[arg(long = "where", value_name = "FIELD=TEXT")]
        filter: Vec<String>,
    },
    /// List the paths that `cat` would read, for other tools
    #[command(after_help = examples::FILES)]
    Files {
        #[command(flatten)]
        span: OfSpan,
        /// End each path with a zero byte, for `xargs -0`
        #[arg(short = '0', long)]
        null: bool,
    },
    /// Cure what `verify` finds; shows what it would do, unless `--confirm` is given
    ///
    /// What is missing or damaged becomes due again, and a new or emptied root is bound to the state. Nothing is
    /// deleted: what is damaged is moved to `.damaged` below the archive's root. A good folder of a copy may be
    /// put in its place first.
    #[command(after_help = examples::REPAIR)]
    Repair {
        /// Only this job; may be given several times
        #[arg(long = "job", value_name = "NAME")]
        jobs: Vec<String>,
        /// Look into the zips of `store = "zip"` too, as `verify --deep` does
        #[arg(long)]
        deep: bool,
        /// Do it
        #[arg(long)]
        confirm: bool,
    },
    /// Let go of old data by rule, and keep the proof; shows what would go, unless `--confirm` is given
    ///
    /// Data files go; manifest.json stays, and SHA256SUMS as SHA256SUMS.pruned, so that the chain still proves what was
    /// there. The newest window stays, and what is held, due, failing, not known to be complete, or not proven by enough
    /// receipts of other places.
    #[command(after_help = examples::PRUNE)]
    Prune {
        /// Windows that end by then: RFC 3339, or a date in the archive's time zone
        #[arg(long, value_name = "T", conflicts_with = "keep")]
        before: Option<String>,
        /// Windows that ended at least this long ago, like 400d
        #[arg(long, value_name = "D")]
        keep: Option<String>,
        /// Only this job; may be given several times
        #[arg(long = "job", value_name = "NAME")]
        jobs: Vec<String>,
        /// How many places must have proven a copy by a receipt; 0 lets go without
        #[arg(long, value_name = "N", default_value_t = 1)]
        need: u32,
        /// Do it
        #[arg(long)]
        confirm: bool,
    },
    /// Hold the data of a span: no rule lets go of them until `release`
    #[command(
        after_help = examples::HOLD,
        override_usage = "elsa-archiver hold --job <NAME> --from <T> --to <T> --reason <TEXT>"
    )]
    Hold {
        #[command(flatten)]
        of: JobSpan,
        /// Why; it is recorded in the ledger
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// End a hold of exactly this span
    #[command(after_help = examples::RELEASE)]
    Release {
        #[command(flatten)]
        of: JobSpan,
        /// Its reason, where several holds have this span
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// What other places have proven of this archive
    ///
    /// A receipt is made where a copy lies: `verify DIR --receipt PLACE`. Of each place the newest one counts, as one
    /// proven copy of the windows that it names.
    #[command(after_help = examples::RECEIPT)]
    Receipt {
        #[command(subcommand)]
        what: OfReceipts,
    },
    /// Show the newest head: what names how far each job is archived, for whoever keeps it elsewhere
    ///
    /// One is made each day, and after `backfill`, `repair` and `prune`. A copy of it, or its SHA-256, kept where this
    /// machine can't write, notices whatever is rewritten or removed later: `verify --head`.
    #[command(after_help = examples::HEAD)]
    Head {
        #[command(subcommand)]
        what: Option<OfHeads>,
    },
    /// Pack what an auditor needs to prove a span, with common tools alone
    ///
    /// Ledger, heads, signatures, timestamps, manifests and sums; VERIFY.txt: each claim with the command that proves it;
    /// coverage.html: a sheet a month, to be printed and signed. The same archive makes the same bytes.
    #[command(
        after_help = examples::EVIDENCE,
        override_usage = "elsa-archiver evidence --job <NAME> --from <T> --to <T> --out <FILE>"
    )]
    Evidence {
        #[command(flatten)]
        of: JobSpan,
        /// The tar; a plain file that is there is replaced
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// With the data, and not only what proves them
        #[arg(long)]
        data: bool,
    },
    /// Make a key that signs heads, and say how to use it
    ///
    /// It is OpenSSH's, without a passphrase, so that `ssh-keygen -Y verify` proves what it signed. Its line for that is
    /// added to the file `allowed_signers` beside it: keep a copy where this machine can't write.
    #[command(after_help = examples::KEYGEN)]
    Keygen {
        /// The private key's file, which must not be there yet
        #[arg(
            long,
            value_name = "FILE",
            default_value = "/etc/elsa-archiver/signing-key"
        )]
        out: PathBuf,
    },
    /// Write the coverage of the archive as one page that a browser shows, without a network
    #[command(after_help = examples::REPORT)]
    Report {
        /// The file; one that is there is replaced
        #[arg(long, value_name = "FILE")]
        html: PathBuf,
        /// The language; default: what LC_ALL, LC_MESSAGES or LANG says
        #[arg(long, value_name = "LANG")]
        lang: Option<ReportLang>,
    },
    /// Validate the configuration, all problems at once
    #[command(after_help = examples::CHECK)]
    Check {
        /// Ask the service for a few records a job: whether it answers, what `to` means, and what search
        /// is good for
        #[arg(long)]
        live: bool,
        /// Find out, by writing there, whether this object storage lets only one of several writers be the first
        #[arg(long, value_name = "ADDRESS", conflicts_with = "live")]
        bucket: Option<String>,
    },
    /// Write a commented configuration, and say the next three steps
    #[command(after_help = examples::INIT)]
    Init {
        /// The folder for config.toml, which must not be there yet
        #[arg(long, default_value = "/etc/elsa-archiver")]
        dir: PathBuf,
    },
    /// Pack what a bug report needs into one tar, without secrets
    ///
    /// Version, configuration without secrets, status, plan, the last lines of the log, file systems, and the end of
    /// each ledger. It sends nothing.
    #[command(after_help = examples::SUPPORT)]
    Support {
        /// The tar, which must not be there yet; default: elsa-archiver-support-TIME.tar in this folder
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Run the whole thing against a built-in simulator, no account needed
    #[command(after_help = examples::DEMO)]
    Demo {
        /// An empty or new folder for the demo; default: a new temporary one
        #[arg(long)]
        dir: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn options_of_the_program_may_follow_the_command() {
        let args = Args::parse_from(["elsa-archiver", "once", "--job", "a", "--config", "/c"]);
        assert_eq!(args.config, PathBuf::from("/c"));
        assert!(Args::try_parse_from(["elsa-archiver", "verify", "--job", "a", "/dir"]).is_err());
    }
}
