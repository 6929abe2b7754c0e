//! The ways in which the service may behave where its pages say nothing (`ELSA-API.md`,
//! *Unknown*): each is a setting, so that a client can be tried against all of them.

use crate::domain::job::ToBound;
use crate::domain::span::{Millis, Span, UtcMs};

use super::noise::Noise;

/// One way to answer. The default is the likeliest one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Whether a record at exactly `to` is in the answer.
    pub to_bound: ToBound,
    /// The order of the records, which decides what a cap cuts off.
    pub order: Order,
    /// A cap that the pages don't mention, in records.
    pub hidden_cap: Option<u64>,
    /// What is in the zip when JSON is asked for.
    pub json: JsonLayout,
    /// What is in the zip when CSV is asked for.
    pub csv: CsvLayout,
    /// How a line of CSV ends.
    pub newline: Newline,
    /// The answer to a span without records.
    pub empty: EmptyAnswer,
    /// How `logTime` and `sendTime` are written.
    pub time: TimeStyle,
    /// How the length of an answer is told.
    pub framing: Framing,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            to_bound: ToBound::Inclusive,
            order: Order::Descending,
            hidden_cap: None,
            json: JsonLayout::Array,
            csv: CsvLayout::Whole,
            newline: Newline::Crlf,
            empty: EmptyAnswer::NoEntry,
            time: TimeStyle::Number,
            framing: Framing::ContentLength,
        }
    }
}

impl Dialect {
    /// The half-open span that a request means by `from` and `to`.
    pub(super) fn span(&self, from: UtcMs, to: UtcMs) -> Option<Span> {
        match self.to_bound {
            ToBound::Inclusive => Span::new(from, to.plus(Millis(1))),
            ToBound::Exclusive => Span::new(from, to),
        }
    }
}

/// The order of the records in an answer; a cap keeps the first ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
    /// In no order, but the same one whenever the same records are found.
    Shuffled {
        /// Another seed, another order.
        seed: u64,
    },
}

impl Order {
    /// Puts ascending numbers of records in this order.
    pub(super) fn arrange(self, seqs: &mut [u64]) {
        match self {
            Self::Ascending => {}
            Self::Descending => seqs.reverse(),
            Self::Shuffled { seed } => Noise::new(seed).shuffle(seqs),
        }
    }
}

/// The files of a JSON answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonLayout {
    /// One file with one array.
    Array,
    /// One file with an object a line.
    Lines,
    /// One file with objects one after another, with a space, a tab or nothing between them and
    /// no newline anywhere.
    Concatenated,
    /// A file for each `limit` records, each with an array.
    Pages,
}

/// The files of a CSV answer, each beginning with a header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsvLayout {
    /// One file.
    Whole,
    /// A file for each `limit` records.
    Pages,
}

/// The end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newline {
    /// Carriage return and line feed, as RFC 4180 has it.
    Crlf,
    /// Line feed alone.
    Lf,
}

impl Newline {
    pub(super) const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Crlf => b"\r\n",
            Self::Lf => b"\n",
        }
    }
}

/// What a span without records is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyAnswer {
    /// A zip without an entry.
    NoEntry,
    /// A zip with one file of no bytes.
    EmptyFile,
    /// A zip with one file in the layout of its kind that lists nothing: an empty array, a header
    /// alone, or (where objects just follow each other) no bytes.
    EmptyList,
    /// HTTP 404 with error code 300.
    NotFound,
    /// HTTP 204, and nothing else.
    NoContent,
    /// HTTP 200 with the error of code 300.
    NotFoundIn200,
}

/// How an instant is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeStyle {
    /// UTC milliseconds, in JSON a number.
    Number,
    /// UTC milliseconds, in JSON a string.
    Decimal,
    /// RFC 3339 with this offset from UTC, as many digits of the second as it needs.
    Rfc3339 {
        /// Seconds east of UTC, a whole number of minutes within a day; UTC when it is not.
        offset_seconds: i32,
    },
    /// UTC microseconds, in JSON a number.
    Micros,
    /// UTC milliseconds, in JSON a number with an exponent.
    Exponent,
    /// As RFC 3339 in UTC, without the offset.
    Civil,
    /// Not at all: `null`, or an empty cell.
    Null,
}

impl TimeStyle {
    /// Whether JSON has it without quotes.
    pub(super) const fn is_bare(self) -> bool {
        matches!(
            self,
            Self::Number | Self::Micros | Self::Exponent | Self::Null
        )
    }
}

/// How the end of an answer's body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By a `Content-Length`.
    ContentLength,
    /// By `Transfer-Encoding: chunked`.
    Chunked,
}
