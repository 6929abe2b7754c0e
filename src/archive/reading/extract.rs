//! The records of one file that lie in a span, written out one after another. Pure. Carries *Exactly once*: a record
//! is cut by its own time; and *Bounded*: one record, and a piece of the file, are in memory.

use std::borrow::Cow;
use std::ops::Range;

use super::cells::Cells;
use super::filter::Filter;
use crate::archive::count::log_time::LogTime;
use crate::archive::count::{Counter, Kind, Record, Uncountable, expected_fields};
use crate::domain::job::Format;
use crate::domain::span::{Span, UtcMs};
use crate::domain::window::Zone;

/// The longest record that is taken apart, in bytes; the service's are far shorter.
pub(super) const LONGEST_RECORD: usize = 64 * 1024 * 1024;

/// What is wanted of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection<'a> {
    /// Records of this span.
    pub(crate) span: Span,
    /// With these fields.
    pub(crate) filter: &'a Filter,
    /// How they are written out.
    pub(crate) format: Format,
    /// The zone of times without an offset; `None` when they are not known.
    pub(crate) zone: Option<&'a Zone>,
}

/// Where a file comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// The part that it is of.
    pub(crate) part: Span,
    /// Whether nothing in it can lie outside.
    pub(crate) is_complete: bool,
    /// Its first and its last time, as they were read when it was archived.
    pub(crate) times: Option<(UtcMs, UtcMs)>,
}

/// What comes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extracted {
    /// The header of its columns, with its line break. It comes before any record.
    Header(Vec<u8>),
    /// Records, each with its line break, and how many.
    Records(Vec<u8>, u64),
}

impl Extracted {
    /// How many bytes it has.
    pub(crate) const fn bytes(&self) -> usize {
        match self {
            Self::Header(bytes) | Self::Records(bytes, _) => bytes.len(),
        }
    }
}

/// What is to be told of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doubts {
    /// Records without a readable time, in a part that reaches beyond the span. They are written.
    pub(crate) undated: u64,
    /// Records of a complete part whose time lies outside of it. It can't hold any, so times are not read as they were
    /// when it was archived. They are written.
    pub(crate) outside: u64,
    /// Records of another part whose time lies outside of it and in the wanted span. They are written, and may be
    /// in another window too.
    pub(crate) beyond: u64,
    /// Records of another part whose time lies outside of the wanted span, and is none that the file held when it was
    /// archived. They are left out.
    pub(crate) shifted: u64,
    /// Records whose fields can't be compared. They are left out.
    pub(crate) uncompared: u64,
    /// Records of CSV with bytes that are no UTF-8, written as JSON: those bytes are replaced.
    pub(crate) replaced: u64,
    /// How many records were found in a file that is wanted whole, and how many were counted when it was archived, where
    /// the two differ.
    pub(crate) miscounted: Option<(u64, u64)>,
    /// Why what follows can't be told apart.
    pub(crate) uncountable: Option<Uncountable>,
    /// Whether a record is longer than is taken apart; it, and what follows, is left out.
    pub(crate) too_long: bool,
}

/// The records of one file on their way.
pub(crate) struct Extract<'a> {
    selection: Selection<'a>,
    origin: Origin,
    kind: Kind,
    counter: Counter,
    /// The end of what came, which may belong to a record that is not whole.
    tail: Vec<u8>,
    /// Bytes of the file so far.
    taken: u64,
    /// Records that the latest bytes complete.
    complete: Vec<Record>,
    columns: Option<Cells>,
    /// What ends a line of CSV here.
    line_break: &'static [u8],
    doubts: Doubts,
}

impl<'a> Extract<'a> {
    /// Nothing yet of a file of which a record shows one of these fields.
    pub(crate) fn new(
        selection: Selection<'a>,
        origin: Origin,
        kind: Kind,
        include_fields: &[String],
    ) -> Self {
        let expected = expected_fields(kind, include_fields);
        Self {
            counter: Counter::new(kind, &expected, selection.zone),
            selection,
            origin,
            kind,
            tail: Vec::new(),
            taken: 0,
            complete: Vec::new(),
            columns: None,
            line_break: b"\n",
            doubts: Doubts::default(),
        }
    }

    /// Takes the file's next bytes, and hands on what they complete. Returns whether more is wanted.
    pub(crate) fn feed(&mut self, piece: &[u8], out: &mut dyn FnMut(Extracted)) -> bool {
        let mut complete = std::mem::take(&mut self.complete);
        self.counter
            .feed(piece, &mut |record| complete.push(record));
        self.hand_on(&complete, piece, out);
        let end = complete.last().map(|record| record.to);
        complete.clear();
        self.complete = complete;
        if self.counter.has_failed() {
            // Nothing of what follows is a record.
            self.tail = Vec::new();
            self.taken += piece.len() as u64;
            return true;
        }
        self.keep_tail(piece, end);
        if self.tail.len() > LONGEST_RECORD {
            self.doubts.too_long = true;
        }
        !self.doubts.too_long
    }

    /// After the file's last byte.
    pub(crate) fn finish(mut self, out: &mut dyn FnMut(Extracted)) -> Doubts {
        if self.doubts.too_long {
            return self.doubts;
        }
        if self.kind == Kind::Csv && self.counter.header().is_none() {
            // A header alone, which no line break ends.
            self.counter.feed(b"\n", &mut |_| {});
        }
        let header = self.counter.header();
        let counter = std::mem::replace(&mut self.counter, Counter::new(self.kind, &[], None));
        let mut last = Vec::new();
        let counted = counter.finish(&mut |record| last.push(record));
        self.doubts.uncountable = counted.err();
        if self.doubts.uncountable.is_none() {
            self.tell_header(header, &[], out);
        }
        self.hand_on(&last, &[], out);
        self.doubts
    }

    /// The bytes at a place that is not behind us: in what was kept of earlier pieces, or in this one.
    fn bytes<'b>(&'b self, place: Range<u64>, piece: &'b [u8]) -> Cow<'b, [u8]> {
        let kept_at = self.taken - self.tail.len() as u64;
        let at = |place: u64| usize::try_from(place.saturating_sub(kept_at)).unwrap_or(usize::MAX);
        let (from, to) = (at(place.start), at(place.end));
        let kept = self.tail.len();
        if from >= kept {
            return piece.get(from - kept..to - kept).unwrap_or_default().into();
        }
        match to <= kept {
            true => self.tail.get(from..to).unwrap_or_default().into(),
            false => {
                let mut whole = self.tail.get(from..).unwrap_or_default().to_owned();
                whole.extend_from_slice(piece.get(..to - kept).unwrap_or_default());
                whole.into()
            }
        }
    }

    /// Keeps what follows `end`, the end of the last record that is whole, if there was one in this piece.
    fn keep_tail(&mut self, piece: &[u8], end: Option<u64>) {
        match end.and_then(|end| end.checked_sub(self.taken)) {
            Some(end) => {
                self.tail.clear();
                let end = usize::try_from(end).unwrap_or(usize::MAX);
                self.tail
                    .extend_from_slice(piece.get(end..).unwrap_or_default());
            }
            None => self.tail.extend_from_slice(piece),
        }
        self.taken += piece.len() as u64;
    }

    /// Tells the header once, and learns what ends a line.
    fn tell_header(
        &mut self,
        header: Option<Range<u64>>,
        piece: &[u8],
        out: &mut dyn FnMut(Extracted),
    ) {
        let Some(header) = header.filter(|_| self.columns.is_none()) else {
            return;
        };
        let behind = self.bytes(header.end..header.end + 2, piece);
        self.line_break = match &*behind {
            b"\r\n" => b"\r\n",
            [b'\r', ..] => b"\r",
            _ => b"\n",
        };
        let line = self.bytes(header, piece).into_owned();
        self.columns = Some(Cells::of(&line));
        if self.selection.format == Format::Csv {
            out(Extracted::Header([&line, self.line_break].concat()));
        }
    }

    /// Hands on those of the `complete` records that are chosen.
    fn hand_on(&mut self, complete: &[Record], piece: &[u8], out: &mut dyn FnMut(Extracted)) {
        if complete.is_empty() {
            return;
        }
        self.tell_header(self.counter.header(), piece, out);
        let mut written = Vec::with_capacity(piece.len());
        let mut count = 0;
        for record in complete {
            if !self.is_inside(record.time) {
                continue;
            }
            let bytes = self.bytes(record.from..record.to, piece);
            let is_written = self.write(&bytes, &mut written);
            let is_converted = self.kind == Kind::Csv && self.selection.format == Format::Json;
            let is_replaced = is_converted && str::from_utf8(&bytes).is_err();
            count += u64::from(is_written == Some(true));
            self.doubts.uncompared += u64::from(is_written.is_none());
            self.doubts.replaced += u64::from(is_replaced && is_written == Some(true));
        }
        if count > 0 {
            if written.len() < written.capacity() / 2 {
                // It may wait for long.
                written.shrink_to_fit();
            }
            out(Extracted::Records(written, count));
        }
    }

    /// Whether a record of that time lies in the span.
    fn is_inside(&mut self, time: Option<LogTime>) -> bool {
        let span = self.selection.span;
        match time {
            Some(time) => match time.within(self.origin.part) {
                // What is coarser than milliseconds lies where its part is.
                Some(at) => span.contains(at),
                None if self.origin.is_complete => {
                    self.doubts.outside += 1;
                    true
                }
                None => {
                    let is_inside = span.contains(time.at);
                    let held = self.origin.times;
                    let was_held =
                        held.is_some_and(|(first, last)| (first..=last).contains(&time.at));
                    self.doubts.beyond += u64::from(is_inside);
                    self.doubts.shifted += u64::from(!is_inside && !was_held);
                    is_inside
                }
            },
            None => {
                self.doubts.undated += u64::from(!span.covers(self.origin.part));
                true
            }
        }
    }

    /// Writes a record out, if its fields are those that are asked for; `None` where that can't be known.
    fn write(&self, record: &[u8], out: &mut Vec<u8>) -> Option<bool> {
        let Selection { filter, format, .. } = self.selection;
        if self.kind == Kind::Json {
            let is_chosen = filter.has_json(record)?;
            if is_chosen {
                one_line(record, out);
            }
            return Some(is_chosen);
        }
        if filter.is_empty() && format == Format::Csv {
            out.extend_from_slice(record);
            out.extend_from_slice(self.line_break);
            return Some(true);
        }
        let columns = self.columns.as_ref()?;
        let cells = Cells::of(record);
        let is_chosen = filter.has_csv(columns, &cells);
        if is_chosen && format == Format::Csv {
            out.extend_from_slice(record);
            out.extend_from_slice(self.line_break);
        } else if is_chosen {
            as_object(columns, &cells, out);
        }
        Some(is_chosen)
    }
}

/// Writes a JSON record as one line. A raw line break lies between its tokens alone: in a string it is no JSON.
pub(super) fn one_line(record: &[u8], out: &mut Vec<u8>) {
    match memchr::memchr2(b'\r', b'\n', record) {
        None => out.extend_from_slice(record),
        Some(_) => {
            let is_kept = |byte: &&u8| !matches!(byte, b'\r' | b'\n');
            out.extend(record.iter().filter(is_kept));
        }
    }
    out.push(b'\n');
}

/// Writes a CSV record as one line with a JSON object of strings.
fn as_object(columns: &Cells, cells: &Cells, out: &mut Vec<u8>) {
    let text = |bytes: &[u8]| serde_json::Value::from(String::from_utf8_lossy(bytes)).to_string();
    let mut before = b'{';
    for (column, cell) in columns.iter().zip(cells.iter()) {
        out.push(before);
        out.extend_from_slice(text(column).as_bytes());
        out.push(b':');
        out.extend_from_slice(text(cell).as_bytes());
        before = b',';
    }
    out.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests;
