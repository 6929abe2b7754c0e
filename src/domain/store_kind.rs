//! What of an answer is kept in the archive.

/// What of an answer is kept in the archive, under `archive.store`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// The files of its zip, bytes unchanged.
    Unpacked,
    /// The zip itself, bytes unchanged.
    Zip,
}
