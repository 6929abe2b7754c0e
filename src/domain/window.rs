//! Windows: how time is cut at the civil boundaries of a zone, and what a window's folder is
//! called.
//!
//! A boundary is an instant at which the local clock shows a whole multiple of the window's size
//! counted from midnight. Where the clock jumps forward over boundaries, the jump itself is one;
//! where it goes back, a boundary inside a day comes twice and both count, so that an hourly
//! window stays an hour long, while a midnight counts once. Days of 23 and 25 hours, and half
//! hours such as Lord Howe's, need no further rule.

use std::fmt;
use std::str::FromStr;

use jiff::civil;
use jiff::tz::{Offset, TimeZone};

use super::span::{Millis, Span, UtcMs};

const DAY: Millis = Millis::from_days(1);

/// A window: a span of a job that is archived as one folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window(Span);

impl Window {
    /// The window over `span`.
    #[must_use]
    pub const fn of(span: Span) -> Self {
        Self(span)
    }

    /// The instants in it.
    #[must_use]
    pub const fn span(self) -> Span {
        self.0
    }

    /// First instant inside.
    #[must_use]
    pub const fn from(self) -> UtcMs {
        self.0.from()
    }

    /// First instant after.
    #[must_use]
    pub const fn to(self) -> UtcMs {
        self.0.to()
    }

    /// What of it lies in `span`.
    #[must_use]
    pub fn clipped_to(self, span: Span) -> Option<Self> {
        self.0.intersection(span).map(Self)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far apart the boundaries of windows are, in civil time: 1 minute to 12 hours dividing a
/// day evenly, or one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSize {
    length: Millis,
}

impl WindowSize {
    /// One civil day.
    pub const DAY: Self = Self { length: DAY };

    /// A size; `None` unless it is 1 day, or 1 minute to 12 hours dividing a day evenly.
    #[must_use]
    pub const fn new(length: Millis) -> Option<Self> {
        let ms = length.0;
        let divides = ms >= Millis::from_mins(1).0 && ms <= DAY.0 && DAY.0 % ms == 0;
        if divides { Some(Self { length }) } else { None }
    }

    /// The civil length.
    #[must_use]
    pub const fn length(self) -> Millis {
        self.length
    }
}

/// A time zone by name, like `Asia/Seoul`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    tz: TimeZone,
}

impl Zone {
    /// Wraps a zone that the configuration has looked up.
    #[must_use]
    pub const fn new(tz: TimeZone) -> Self {
        Self { tz }
    }

    /// UTC.
    #[must_use]
    pub const fn utc() -> Self {
        Self { tz: TimeZone::UTC }
    }

    /// The library's zone.
    #[must_use]
    pub const fn tz(&self) -> &TimeZone {
        &self.tz
    }

    /// Seconds east of UTC in force at `instant`.
    #[must_use]
    pub fn offset_seconds(&self, instant: UtcMs) -> i32 {
        self.tz.to_offset(instant.timestamp()).seconds()
    }

    /// First instant of a civil date.
    ///
    /// # Errors
    /// When the instant is outside the years -9999 to 9999.
    pub fn start_of(&self, date: civil::Date) -> Result<UtcMs, jiff::Error> {
        Ok(date.to_zoned(self.tz.clone())?.timestamp().into())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tz.iana_name().unwrap_or("UTC"))
    }
}

/// The windows that a stretch of time is cut into, in order and without end.
#[derive(Debug)]
pub struct Windows<'a> {
    zone: &'a Zone,
    size: WindowSize,
    at: UtcMs,
}

impl<'a> Windows<'a> {
    /// Windows from `from` on. The first one starts at `from` itself, also between boundaries.
    #[must_use]
    pub const fn starting(zone: &'a Zone, size: WindowSize, from: UtcMs) -> Self {
        Self {
            zone,
            size,
            at: from,
        }
    }
}

impl Iterator for Windows<'_> {
    type Item = Window;

    fn next(&mut self) -> Option<Window> {
        let span = Span::new(self.at, boundary_after(self.zone, self.size, self.at)?)?;
        self.at = span.to();
        Some(Window(span))
    }
}

/// The first boundary later than `instant`; `None` at the end of the calendar.
#[must_use]
pub fn boundary_after(zone: &Zone, size: WindowSize, instant: UtcMs) -> Option<UtcMs> {
    if size == WindowSize::DAY {
        return next_midnight(zone, instant);
    }
    let timestamp = instant.timestamp();
    let offset_ms = i64::from(zone.offset_seconds(instant)) * 1000;
    let local = instant.0.checked_add(offset_ms)?;
    let next_local = local.checked_add(size.length().0 - local.rem_euclid(size.length().0))?;
    let candidate = UtcMs(next_local.checked_sub(offset_ms)?);
    // Every change of offset up to the candidate is looked at, not only the next one: zones have
    // had several within a window.
    for change in zone.tz.following(timestamp) {
        let at = UtcMs::from(change.timestamp());
        if at > candidate {
            break;
        }
        let new_offset_ms = i64::from(change.offset().seconds()) * 1000;
        let local_before = at.0.checked_add(offset_ms)?;
        let local_after = at.0.checked_add(new_offset_ms)?;
        if local_after.rem_euclid(size.length().0) == 0 {
            return Some(at);
        }
        if new_offset_ms == offset_ms {
            continue;
        }
        if local_after > local_before && local_before <= next_local && next_local < local_after {
            return Some(at);
        }
        // The rest of the way is under the new offset.
        return boundary_after(zone, size, at);
    }
    (candidate > instant).then_some(candidate)
}

fn next_midnight(zone: &Zone, instant: UtcMs) -> Option<UtcMs> {
    let mut date = instant.timestamp().to_zoned(zone.tz.clone()).date();
    // A midnight that came twice has its first instant before `instant`; a date that a zone left
    // out starts at the same instant as the one after it.
    for _ in 0..4 {
        date = date.tomorrow().ok()?;
        let start = zone.start_of(date).ok()?;
        if start > instant {
            return Some(start);
        }
    }
    None
}

/// The relative place of a window's folder below its job's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderName {
    /// `YYYY-MM-DD`, the local date of the window's start.
    pub date: String,
    /// `<from>--<to>`, both local and in ISO 8601 basic form.
    pub name: String,
}

impl FolderName {
    /// Names a window as the contract says: `20261122T000000+0900--20261122T010000+0900`, with a
    /// fraction (`20261122T000000.123+0900`) where a bound is not a whole second.
    #[must_use]
    pub fn of(window: Window, zone: &Zone) -> Self {
        let from = Stamp::at(window.from(), zone);
        let to = Stamp::at(window.to(), zone);
        Self {
            date: from.local.date().to_string(),
            name: format!("{from}--{to}"),
        }
    }

    /// Reads a folder's name back; the zone is not needed, since each bound carries its offset.
    #[must_use]
    pub fn parse(name: &str) -> Option<Named> {
        let (bounds, revision) = match name.rsplit_once(".r") {
            Some((bounds, number)) => (bounds, later_revision(number)?),
            None => (name, 1),
        };
        let (from, to) = bounds.split_once("--")?;
        let span = Span::new(
            from.parse::<Stamp>().ok()?.instant()?,
            to.parse::<Stamp>().ok()?.instant()?,
        )?;
        Some(Named {
            window: Window(span),
            revision,
        })
    }

    /// Which revision of its window a folder is, by its path; 1 where its name does not say.
    #[must_use]
    pub fn revision_of(folder: &str) -> u32 {
        let named = folder.rsplit('/').next().and_then(Self::parse);
        named.map_or(1, |named| named.revision)
    }

    /// The date whose folder holds a window's folder of this name; `None` when it is no window's.
    #[must_use]
    pub(crate) fn date_of(name: &str) -> Option<String> {
        let (from, _) = name.split_once("--")?;
        let from: Stamp = from.parse().ok()?;
        Some(from.local.date().to_string())
    }

    /// The name beside a window's folder under which the window is published anew: `.r2`, then
    /// `.r3`. `folder` may be a path; `None` when it is no window's.
    #[must_use]
    pub fn of_next_revision(folder: &str) -> Option<String> {
        let name = folder.rsplit('/').next()?;
        let next = Self::parse(name)?.revision.checked_add(1)?;
        let first = match next {
            2 => folder,
            _ => folder.rsplit_once(".r")?.0,
        };
        Some(format!("{first}.r{next}"))
    }

    /// `date/name`.
    #[must_use]
    pub fn relative(&self) -> String {
        format!("{}/{}", self.date, self.name)
    }
}

/// What a window's folder is called after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// The window.
    pub window: Window,
    /// 1 for the folder that was published first; later ones supersede it.
    pub revision: u32,
}

/// The number after `.r`, written as this program writes it: 2 or more.
fn later_revision(number: &str) -> Option<u32> {
    let revision: u32 = number.parse().ok()?;
    (revision >= 2 && number == revision.to_string()).then_some(revision)
}

/// A local time with its offset, in ISO 8601 basic form.
struct Stamp {
    local: civil::DateTime,
    offset: Offset,
}

impl Stamp {
    fn at(instant: UtcMs, zone: &Zone) -> Self {
        let timestamp = instant.timestamp();
        let offset = zone.tz.to_offset(timestamp);
        Self {
            local: offset.to_datetime(timestamp),
            offset,
        }
    }

    fn instant(&self) -> Option<UtcMs> {
        self.offset.to_timestamp(self.local).ok().map(UtcMs::from)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.local;
        write!(f, "{}", local.strftime("%Y%m%dT%H%M%S"))?;
        if local.millisecond() != 0 {
            write!(f, ".{:03}", local.millisecond())?;
        }
        let seconds = self.offset.seconds();
        let (sign, size) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
        write!(f, "{sign}{:02}{:02}", size / 3600, size / 60 % 60)?;
        // Only local mean time, before zones were standardised, has seconds in its offset.
        if size % 60 != 0 {
            write!(f, "{:02}", size % 60)?;
        }
        Ok(())
    }
}

impl FromStr for Stamp {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        // A year before zero brings a sign of its own, at the very start.
        let sign_at = text.rfind(['+', '-']).filter(|&at| at > 0).ok_or(())?;
        let (local, offset) = text.split_at(sign_at);
        let negative = offset.starts_with('-');
        let digits = &offset[1..];
        if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(());
        }
        let two = |at: usize| digits.get(at..at + 2).map_or(Ok(0), str::parse::<i32>);
        let size = (|| Ok::<_, std::num::ParseIntError>(two(0)? * 3600 + two(2)? * 60 + two(4)?))()
            .map_err(|_| ())?;
        let offset = Offset::from_seconds(if negative { -size } else { size }).map_err(|_| ())?;
        let local = civil::DateTime::strptime("%Y%m%dT%H%M%S%.f", local).map_err(|_| ())?;
        Ok(Self { local, offset })
    }
}

#[cfg(test)]
mod tests;
