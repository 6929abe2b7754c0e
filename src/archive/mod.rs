//! One window on disk: unpacked and counted below `.staging`, published whole, adopted after a
//! crash, verified later.

pub(crate) mod adopt;
pub(crate) mod compare;
pub mod count;
mod directory;
pub(crate) mod entry_name;
pub(crate) mod fits;
pub mod identity;
pub mod manifest;
pub(crate) mod newest;
pub(crate) mod plain_file;
pub(crate) mod prune;
pub(crate) mod publish;
pub mod quarantine;
pub(crate) mod read_back;
pub(crate) mod reading;
pub(crate) mod recorded;
pub(crate) mod repair;
pub(crate) mod storage;
pub mod store;
pub mod unpack;
pub(crate) mod verify;
