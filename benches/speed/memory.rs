//! Counting, beside other walks over the same bytes in memory.

use std::hint::black_box;

use elsa_archiver::archive::count::{Counter, Kind, LOG_TIME};
use sha2::{Digest as _, Sha256};

use crate::turns::over_the_first;

const CHUNK: usize = 256 * 1024;

const BODIES: [&str; 4] = [
    "connection pool: idle 4, busy 817143; the worker picked up a task from queue orders and waits",
    "GET /api/v2/orders/588477?from=2026-11-20&to=2026-11-21 answered 200 in 431 ms for \\\"shop\\\"",
    "retrying delivery of message 163662\\n\\tat com.example.shop.Orders.place(Orders.java:118)\\n",
    "결제 요청이 접수되었습니다: 주문 478934, 고객 김민지, payment accepted, receipt 478934",
];

/// Records as the service writes them, some 450 bytes each, in all `bytes` at least.
fn records(bytes: usize) -> Vec<u8> {
    let mut text = String::from("[");
    let mut seq: usize = 0;
    while text.len() < bytes {
        let body: String = (0..3).map(|at| BODIES[(seq + at) % BODIES.len()]).collect();
        let separator = if seq == 0 { "" } else { "," };
        text += &format!(
            "{separator}{{\"projectName\":\"Pb_shop\",\"projectVersion\":\"1.0.1\",\"logTime\":{},\
             \"sendTime\":{},\"logLevel\":\"INFO\",\"logType\":\"nelo2-log\",\"logSource\":\"http\",\
             \"host\":\"10.0.2.{}\",\"body\":\"{body}\",\"seq\":\"{seq}\"}}",
            1_795_136_399_999 + seq,
            1_795_136_399_992 + seq,
            seq % 256,
        );
        seq += 1;
    }
    (text + "]").into_bytes()
}

/// The same as CSV.
fn csv(bytes: usize) -> Vec<u8> {
    let mut text = String::from("projectName,logTime,logLevel,host,body,seq\n");
    let mut seq: usize = 0;
    while text.len() < bytes {
        let body: String = (0..3).map(|at| BODIES[(seq + at) % BODIES.len()]).collect();
        let body = body.replace("\\\"", "\"\"");
        text += &format!(
            "Pb_shop,{},INFO,10.0.2.{},\"{body}\",{seq}\n",
            1_795_136_399_999 + seq,
            seq % 256,
        );
        seq += 1;
    }
    text.into_bytes()
}

fn count(kind: Kind, text: &[u8]) -> u64 {
    let mut counter = Counter::new(kind, &[LOG_TIME], None);
    let mut hashes = 0_u128;
    let mut each = |record: elsa_archiver::archive::count::Record| {
        hashes = hashes.wrapping_add(record.hash);
    };
    for chunk in text.chunks(CHUNK) {
        counter.feed(chunk, &mut each);
    }
    let records = counter.finish(&mut each).unwrap_or_default();
    assert!(records > 0, "nothing was counted");
    black_box(hashes);
    records
}

/// Prints the table.
pub fn print() {
    let (json, csv) = (records(32 << 20), csv(32 << 20));
    println!("| in memory, over SHA-256 | median | lowest | highest |\n|---|--:|--:|--:|");
    let rows = over_the_first(vec![
        ("SHA-256", Box::new(|| _ = black_box(Sha256::digest(&json)))),
        (
            "counting JSON: records, times, hashes",
            Box::new(|| _ = black_box(count(Kind::Json, &json))),
        ),
        (
            "counting CSV: records, times, hashes",
            Box::new(|| _ = black_box(count(Kind::Csv, &csv))),
        ),
        (
            "UTF-8, by the standard library",
            Box::new(|| _ = black_box(str::from_utf8(&json))),
        ),
    ]);
    for (name, [median, lowest, highest]) in rows {
        println!("| {name} | {median:.2} | {lowest:.2} | {highest:.2} |");
    }
}
