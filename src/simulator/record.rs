//! The content of a record, made from the project's seed and the record's number.
//!
//! Bodies hold what has broken readers of logs before: newlines of every kind, quotes, commas,
//! braces, Korean, JSON inside a string, backslashes, control characters, and nothing at all.

use crate::domain::span::{Millis, UtcMs};

use super::noise::{self, Noise};
use super::world::Project;

/// The fields of every record, in the order in which they are written.
pub const FIELDS: [&str; 10] = [
    "projectName",
    "projectVersion",
    "logTime",
    "sendTime",
    "logLevel",
    "logType",
    "logSource",
    "host",
    "body",
    "seq",
];

const PLAIN: &[&str] = &[
    "GET /api/v2/orders/ answered 200 in ms ",
    "cache miss for customer ",
    "payment accepted, receipt ",
    "worker picked up task from queue orders, waiting: ",
    "connection pool: idle 4, busy ",
    "user session renewed until ",
    "retrying delivery of message ",
    "stock of item updated by warehouse ",
];
const STACK_TRACE: &[&str] = &[
    "java.lang.IllegalStateException: no order\r\n\tat shop.Order.load(Order.java:",
    ")\n\tat shop.Cart.open(Cart.java:",
    ")\nCaused by: java.io.IOException: \"closed\", twice\n\t... ",
    ")\r\n\r\n\rat line ",
];
const QUOTED: &[&str] = &[
    "name=\"Kim, Min-ji\",\"\"\"qty\"\"\",",
    "\"\",,,\"a\"\"b\", 'c', =1+1,",
    "\",\"\r\n\"next,row\",",
];
const BRACED: &[&str] = &[
    "{\"order\":{\"items\":[{\"id\":1},{\"seq\":\"7\"}],\"note\":\"a \\\"b\\\" \\n\"}} ",
    "}{][ {{ ]} \"logTime\": ",
    "[{\"seq\":\"0\"},{\"seq\":\"1\"}]\n",
];
const KOREAN: &[&str] = &[
    "주문이 접수되었습니다. 번호: ",
    "결제 실패, 사유: \"잔액 부족\" ",
    "재고를 확인하는 중입니다…\n",
    "🚚 배송 시작 ",
];
const ESCAPED: &[&str] = &[
    "C:\\logs\\new\\table\\",
    "\\u0000 \\\" \\\\ \u{1}\u{1b}[31m\u{7f} ",
    "\t\u{2028}\u{feff}\u{85} \\",
];

/// What one body in 64 is made of; the places that are left are plain, and the first is empty.
const KINDS: &[(u64, &[&str])] = &[
    (4, STACK_TRACE),
    (7, QUOTED),
    (10, BRACED),
    (14, KOREAN),
    (16, ESCAPED),
];

/// One record, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number, unique in its project.
    pub seq: u64,
    /// When the service took it in.
    pub log_time: UtcMs,
    /// When the service was sent it, up to a fifth of a second before.
    pub send_time: UtcMs,
    /// The project's key.
    pub project_name: String,
    /// Version of the program that logged it.
    pub project_version: &'static str,
    /// `INFO` and its like.
    pub log_level: &'static str,
    /// What part of the program logged it.
    pub log_source: &'static str,
    /// The machine.
    pub host: String,
    /// What was logged: any text.
    pub body: String,
}

/// A field's value, before it is written in one of several ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Time(UtcMs),
    Number(u64),
}

impl Project {
    /// The record with that number; `None` when there is none.
    #[must_use]
    pub fn record(&self, seq: u64) -> Option<Record> {
        let log_time = self.log_time(usize::try_from(seq).ok()?)?;
        let mut noise = Noise::new(noise::at(self.seed, seq));
        Some(Record {
            seq,
            log_time,
            send_time: log_time.plus(Millis(-noise.below(200).cast_signed())),
            project_name: self.key.clone(),
            project_version: noise.pick(&["1.0.0", "1.0.1", "2.0.0-beta"]),
            log_level: noise.pick(&["INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"]),
            log_source: noise.pick(&["http", "scheduler", "결제"]),
            host: format!("10.0.{}.{}", noise.below(4), noise.below(250)),
            body: body(&mut noise, self.body_size),
        })
    }
}

impl Record {
    pub(super) fn value(&self, field: &str) -> Option<Value<'_>> {
        Some(match field {
            "projectName" => Value::Text(&self.project_name),
            "projectVersion" => Value::Text(self.project_version),
            "logTime" => Value::Time(self.log_time),
            "sendTime" => Value::Time(self.send_time),
            "logLevel" => Value::Text(self.log_level),
            "logType" => Value::Text("nelo2-log"),
            "logSource" => Value::Text(self.log_source),
            "host" => Value::Text(&self.host),
            "body" => Value::Text(&self.body),
            "seq" => Value::Number(self.seq),
            _ => return None,
        })
    }
}

fn body(noise: &mut Noise, average: usize) -> String {
    let kind = noise.below(64);
    let length = average / 2 + noise.below(average as u64 + 1) as usize;
    let mut body = String::new();
    if kind == 0 || length == 0 {
        return body;
    }
    let fragments = KINDS
        .iter()
        .find(|&&(below, _)| kind < below)
        .map_or(PLAIN, |&(_, fragments)| fragments);
    while body.len() < length {
        body.push_str(noise.pick(fragments));
        body.push_str(&noise.below(1_000_000).to_string());
        body.push(' ');
    }
    body.truncate(body.floor_char_boundary(length));
    body
}
