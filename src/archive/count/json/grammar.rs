//! What may come next in JSON (RFC 8259). Small, since it is kept for each byte between strings.

use super::number::Digits;

/// What may come next.
#[derive(Clone, Copy)]
pub(super) enum Next {
    /// A record, an array of records, or the end.
    Top,
    Value(Role),
    /// An array's first element, or its end.
    ElementOrEnd,
    Key,
    KeyOrEnd,
    /// The colon before a value.
    Colon(Role),
    CommaOrEnd,
    /// More of a string.
    Text(Role),
    /// The rest of an escape, after the backslash.
    Escape(Role),
    /// That many hexadecimal digits of a `\u` escape.
    Hex(Role, u8),
    Number(Role, Digits),
    /// The rest of a word, of which so many bytes have come.
    Word(Word, u8),
}

/// A value that is a word.
#[derive(Clone, Copy)]
pub(super) enum Word {
    True,
    False,
    Null,
}

impl Word {
    /// All of it.
    pub(super) const fn bytes(self) -> &'static [u8] {
        match self {
            Self::True => b"true",
            Self::False => b"false",
            Self::Null => b"null",
        }
    }
}

/// What a string or number is for.
#[derive(Clone, Copy)]
pub(super) enum Role {
    /// A key of the record itself.
    RecordKey,
    /// A key further inside.
    Key,
    /// The value of the record's `logTime`.
    Time,
    /// Any other value.
    Value,
}
