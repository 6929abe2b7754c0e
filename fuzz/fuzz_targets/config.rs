//! Any text as the config. Either every value is valid, or each problem is reported on one line.

#![no_main]

use elsa_archiver::config::Config;
use elsa_archiver::domain::span::{Millis, UtcMs};
use elsa_archiver_fuzz::printable::assert_printable;
use libfuzzer_sys::fuzz_target;

const NOW: UtcMs = UtcMs(1_795_000_000_000);

fuzz_target!(|text: &str| {
    match Config::parse(text, NOW) {
        Ok(config) => {
            assert!(config.archive.root.is_absolute() && config.state_dir.is_absolute());
            assert!(config.archive.limits.entries > 0 && config.archive.limits.ratio > 0);
            assert!(!config.jobs.is_empty());
            for (at, job) in config.jobs.iter().enumerate() {
                assert!(config.accounts.contains_key(&job.account));
                assert!(config.jobs[..at].iter().all(|other| other.name != job.name));
                assert!(job.since < NOW, "{}", job.since);
                assert!(job.settle >= Millis::ZERO && job.count > 0 && job.limit > 0);
            }
        }
        Err(problems) => {
            let lines = 1 + text.bytes().filter(|byte| *byte == b'\n').count();
            let problems = problems.as_slice();
            assert!(!problems.is_empty());
            assert!(problems.is_sorted_by_key(|problem| problem.line));
            for problem in problems {
                assert!((1..=lines).contains(&problem.line), "{problem}");
                assert_printable(&problem.to_string(), 4000);
            }
        }
    }
});
