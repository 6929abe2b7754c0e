//! How much the files of one zip have become, held against the limits. Pure; carries *Bounded*.

use super::UnpackError;
use crate::domain::limits::Limits;

/// Up to here the compression ratio of a zip does not matter: it can do no harm.
const RATIO_FREE_BYTES: u64 = 16 * 1024 * 1024;

/// What the files of one zip have become so far.
#[derive(Debug, Default)]
pub(super) struct Size {
    bytes: u64,
    packed: u64,
}

impl Size {
    /// One file alone.
    pub(super) const fn of(bytes: u64, packed: u64) -> Self {
        Self { bytes, packed }
    }

    /// Bytes so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds one more file.
    pub(super) const fn and(&self, bytes: u64, packed: u64) -> Self {
        Self {
            bytes: self.bytes.saturating_add(bytes),
            packed: self.packed.saturating_add(packed),
        }
    }

    /// Checks it against `limits`.
    ///
    /// # Errors
    /// When there are too many bytes, or too many for those that they came from.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), UnpackError> {
        if self.bytes > limits.unpacked_bytes {
            let what = format!("more than {} bytes unpacked", limits.unpacked_bytes);
            return Err(UnpackError::Refused(what));
        }
        let expected = self.packed.saturating_mul(limits.ratio);
        if self.bytes > expected.max(RATIO_FREE_BYTES) {
            let what = format!("it unpacks to over {} times its size", limits.ratio);
            return Err(UnpackError::Refused(what));
        }
        Ok(())
    }
}
