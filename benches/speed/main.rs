//! Prints how fast archiving is, whole and in parts, beside tools that do the same, as ratios of times taken in
//! turns: docs/performance.md.

#![allow(unreachable_pub, reason = "a benchmark has no users")]
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark makes the disk that it needs, and windows that have just come due"
)]
#![allow(clippy::print_stderr, reason = "a long run says where it is")]

mod baselines;
mod many;
mod measure;
mod memory;
mod options;
mod ours;
mod place;
mod ratios;
mod server;
mod stores;
mod strace;
mod tls;
mod trace;
mod turns;
mod unpack;
mod wire;
mod zips;

use std::error::Error;
use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let mut raw = std::env::args_os().skip(1).peekable();
    if raw.next_if(|first| first == measure::ARGUMENT).is_some() {
        let code = measure::parent(raw)?;
        return Ok(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from));
    }
    if raw.next_if(|first| first == unpack::ARGUMENT).is_some() {
        unpack::act(raw)?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options::read(std::env::args().skip(1))?;
    for section in &options.sections {
        match section.as_str() {
            "memory" => memory::print(),
            "unpack" => unpack::print(&options)?,
            "wire" => wire::print(&options, false)?,
            "tls" => wire::print(&options, true)?,
            "small" => many::print_small(&options)?,
            "latency" => many::print_latency(&options)?,
            "trace" => trace::print(&options)?,
            "stores" => stores::print(&options)?,
            other => return Err(format!("no section {other:?}").into()),
        }
        println!();
    }
    Ok(ExitCode::SUCCESS)
}
