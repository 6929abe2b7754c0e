//! What the command line asks for.

use std::path::PathBuf;

use crate::ours::Ours;

/// How to call it.
pub const USAGE: &str = "cargo bench --bench speed -- [SECTION...] [OPTION...]\n\n\
    Sections, all but `tls`, `trace` and `stores` when none is named:\n  \
    memory   counting in memory over SHA-256\n  \
    unpack   one zip unpacked, hashed and counted, over unzip\n  \
    wire     windows archived over HTTP, over other tools\n  \
    tls      the same over HTTPS\n  \
    small    nearly empty windows a second\n  \
    latency  many windows with 300 ms latency, over the ideal\n  \
    trace    one window: bytes, syncs, last byte to durable rename\n  \
    stores   both stores: archiving, bytes on the disk, `cat`\n\n\
    Options:\n  \
    --rounds N          how often each is run; default 3\n  \
    --windows N         windows of a run of `wire`; default 2\n  \
    --quick             one round, one window, a tenth of the small windows\n  \
    --ours LABEL=PATH   a program to measure, instead of this one; may be given several times\n  \
    --dir DIR           where to write, on the disk that counts; default below target/";

/// The sections, in the order in which they are printed.
pub const SECTIONS: [&str; 8] = [
    "memory", "unpack", "wire", "tls", "small", "latency", "trace", "stores",
];

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Of [`SECTIONS`].
    pub sections: Vec<String>,
    /// How often each way is run, 1 or more.
    pub rounds: usize,
    /// Windows of a run, 1 or more.
    pub windows: usize,
    /// Nearly empty windows are divided by it.
    pub fewer: usize,
    /// The programs; the first is what others are compared with.
    pub ours: Vec<Ours>,
    /// Where to write.
    pub folder: PathBuf,
}

impl Options {
    /// Reads the arguments; the error is for the user.
    pub fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            sections: Vec::new(),
            rounds: 3,
            windows: 2,
            fewer: 1,
            ours: Vec::new(),
            folder: env!("CARGO_TARGET_TMPDIR").into(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let missing = || format!("{argument} needs a value\n\n{USAGE}");
                arguments.next().ok_or_else(missing)
            };
            match argument.as_str() {
                // Cargo's own.
                "--bench" => {}
                "--rounds" => options.rounds = number(&value()?)?,
                "--windows" => options.windows = number(&value()?)?,
                "--quick" => (options.rounds, options.windows, options.fewer) = (1, 1, 10),
                "--dir" => options.folder = value()?.into(),
                "--ours" => options.ours.push(ours(&value()?)?),
                "--help" => return Err(USAGE.to_owned()),
                section if SECTIONS.contains(&section) => options.sections.push(argument),
                _ => return Err(format!("{argument:?} is not understood\n\n{USAGE}")),
            }
        }
        if options.ours.is_empty() {
            options.ours.push(Ours {
                label: "ours".to_owned(),
                path: env!("CARGO_BIN_EXE_elsa-archiver").into(),
            });
        }
        if options.sections.is_empty() {
            let usual = SECTIONS
                .iter()
                .filter(|section| !["tls", "trace", "stores"].contains(section));
            options.sections = usual.map(ToString::to_string).collect();
        }
        Ok(options)
    }
}

fn number(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| format!("{text:?} is no number above 0\n\n{USAGE}"))
}

fn ours(text: &str) -> Result<Ours, String> {
    let (label, path) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not LABEL=PATH\n\n{USAGE}"))?;
    Ok(Ours {
        label: label.to_owned(),
        path: std::path::absolute(path).map_err(|error| format!("{path:?}: {error}"))?,
    })
}
