//! What several commands take, and the commands of commands.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

/// A span of a job, in the archive or in a copy.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct OfSpan {
    #[command(flatten)]
    pub(in crate::cli) of: JobSpan,
    /// A copy of an archive anywhere, read from its manifests alone; needs no config. It may lie in object storage, as
    /// s3://bucket/prefix
    #[arg(long, value_name = "COPY")]
    pub(in crate::cli) dir: Option<PathBuf>,
}

/// A job and a span of it.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct JobSpan {
    /// The job
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) job: String,
    /// Where the span begins: RFC 3339, or a date in the archive's time zone
    #[arg(long, value_name = "T")]
    pub(in crate::cli) from: String,
    /// Where the span ends, likewise; the instant itself is not in it
    #[arg(long, value_name = "T")]
    pub(in crate::cli) to: String,
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum RecordFormat {
    /// One JSON object a line
    Json,
    /// CSV with one header
    Csv,
}

/// The language of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ReportLang {
    /// English
    En,
    /// Korean
    Ko,
}

/// What is done with receipts.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum OfReceipts {
    /// Take a receipt into the archive; one that is forged, older, or another archive's is refused
    Add {
        /// The receipt; `-` reads it from stdin
        file: PathBuf,
    },
    /// Show for each place the receipt that counts, and why others don't
    List,
}

/// What is done about heads.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum OfHeads {
    /// Make one now, and show it
    Now,
}
