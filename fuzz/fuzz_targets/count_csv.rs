//! The counter of CSV against the csv crate: the same records with the same times, or a reason
//! that the crate shares, or that is stricter than it.

#![no_main]

use csv::{ByteRecord, ReaderBuilder};
use elsa_archiver::archive::count::{Kind, LOG_TIME, Problem, log_time};
use elsa_archiver::domain::span::UtcMs;
use elsa_archiver_fuzz::counting::{count, count_expecting};
use libfuzzer_sys::fuzz_target;

/// The header and the records, as far as every record has as many fields as the header.
fn read(file: &[u8]) -> (ByteRecord, Result<Vec<ByteRecord>, csv::Error>) {
    let mut reader = ReaderBuilder::new().flexible(false).from_reader(file);
    let header = reader
        .byte_headers()
        .expect("any bytes are a header")
        .clone();
    let records = reader.byte_records().collect();
    (header, records)
}

fn time(header: &ByteRecord, record: &ByteRecord) -> Option<UtcMs> {
    let column = header
        .iter()
        .rposition(|name| name == LOG_TIME.as_bytes())?;
    let field = record.get(column).filter(|field| field.len() <= 64)?;
    log_time::parse(str::from_utf8(field).ok()?)
}

fuzz_target!(|file: &[u8]| {
    let (times, counted) = count(Kind::Csv, file);
    let expecting = count_expecting(Kind::Csv, file, LOG_TIME);
    let (header, records) = read(file);
    match &counted {
        Ok(ours) => {
            let records = records.expect("the csv crate reads it too");
            assert_eq!(*ours, records.len() as u64);
            let theirs: Vec<_> = records.iter().map(|record| time(&header, record)).collect();
            assert_eq!(times, theirs);
        }
        Err(fault) => match &fault.problem {
            Problem::FieldCount { .. } => assert!(records.is_err()),
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
        _ => {
            let open = counted
                .as_ref()
                .is_err_and(|fault| fault.problem == Problem::OpenQuote);
            assert!(named || open);
            assert_eq!(expecting, (times, counted));
        }
    }
});
