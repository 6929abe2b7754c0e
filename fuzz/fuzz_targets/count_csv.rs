//! The counter of CSV against the csv crate: the same records with the same times, or a reason
//! that the crate shares, or that is stricter than it.

#![no_main]

use csv::{ByteRecord, ReaderBuilder};
use elsa_archiver::archive::count::log_time::{self, LogTime};
use elsa_archiver::archive::count::{Kind, LOG_TIME, Problem, Uncountable};
use elsa_archiver_fuzz::counting::{count, count_expecting};
use libfuzzer_sys::fuzz_target;

/// The header, and the records up to the first that has another number of fields; whether there is none.
fn read(file: &[u8]) -> (ByteRecord, Vec<ByteRecord>, bool) {
    let mut reader = ReaderBuilder::new().flexible(false).from_reader(file);
    let header = reader
        .byte_headers()
        .expect("any bytes are a header")
        .clone();
    let mut records = Vec::new();
    let whole = reader
        .byte_records()
        .try_for_each(|record| record.map(|record| records.push(record)));
    (header, records, whole.is_ok())
}

fn time(header: &ByteRecord, record: &ByteRecord) -> Option<LogTime> {
    let column = header
        .iter()
        .rposition(|name| name == LOG_TIME.as_bytes())?;
    let field = record.get(column).filter(|field| field.len() <= 64)?;
    log_time::parse(str::from_utf8(field).ok()?, None)
}

fuzz_target!(|file: &[u8]| {
    let (told, counted) = count(Kind::Csv, file);
    let expecting = count_expecting(Kind::Csv, file, LOG_TIME);
    let (header, records, is_whole) = read(file);
    match &counted {
        Ok(ours) => {
            assert!(is_whole && !records.contains(&header));
            assert_eq!(*ours, records.len() as u64);
            let theirs: Vec<_> = records.iter().map(|record| time(&header, record)).collect();
            let times: Vec<_> = told.iter().map(|record| record.time).collect();
            assert_eq!(times, theirs);
        }
        Err(fault) => match &fault.problem {
            Problem::FieldCount { .. } => assert!(!is_whole),
            Problem::HeaderAgain => assert!(records.contains(&header)),
            Problem::TwoColumns => {
                let times = header.iter().filter(|name| *name == LOG_TIME.as_bytes());
                assert!(times.count() > 1);
            }
            Problem::BlankLine => assert_eq!(header.len(), 1),
            Problem::OpenQuote => {
                // One more quote is all that is missing.
                let closed = [file, b"\""].concat();
                let again = count(Kind::Csv, &closed).1;
                let still = again.is_err_and(|again| again.problem == Problem::OpenQuote);
                assert!(!still);
            }
            other => panic!("{other}"),
        },
    }
    let named = header.is_empty() || header.iter().any(|name| name == LOG_TIME.as_bytes());
    match &expecting.1 {
        Err(fault) if matches!(fault.problem, Problem::NoColumn(_)) => assert!(!named),
        // Where a column is expected, each record must show something.
        Err(Uncountable {
            problem: Problem::NoCell | Problem::ObjectInCsv | Problem::OtherTime,
            ..
        }) => assert!(named),
        _ => {
            let open = counted
                .as_ref()
                .is_err_and(|fault| fault.problem == Problem::OpenQuote);
            assert!(named || open);
            assert_eq!(expecting, (told, counted));
        }
    }
});
