//! What proves an archive beyond itself.
//!
//! - `head`, `heads`, `making`: what names, once a day, how far each job reached, so that whoever keeps one elsewhere
//!   notices what was rewritten since
//! - `signers`: who has signed heads, and whether one key led to the next
//! - `stamping`, `timestamp`, `authority`: timestamps of heads by RFC 3161: which head, what is said, and over HTTP
//! - `request`: how a daemon is asked for one
//! - `named`, `against`: what heads name, and whether a ledger, or a copy's manifests, have it
//! - `claims`: what an auditor's pack says, and the commands that prove it
//! - `receipt`, `receipts`, `chain`: by these other places say which copies they have proven

pub(crate) mod against;
pub(crate) mod authority;
pub(crate) mod chain;
pub(crate) mod claims;
pub(crate) mod head;
pub(crate) mod heads;
pub(crate) mod making;
pub(crate) mod named;
pub(crate) mod receipt;
pub(crate) mod receipts;
pub(crate) mod request;
pub(crate) mod signers;
pub(crate) mod stamping;
pub(crate) mod timestamp;
