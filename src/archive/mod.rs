//! One window on disk: unpacked and counted below `.staging`, published whole, adopted after a
//! crash, verified for ever after.

pub mod adopt;
pub mod count;
mod directory;
pub mod entry_name;
pub mod manifest;
pub mod plain_file;
pub mod publish;
pub mod quarantine;
pub mod store;
pub mod unpack;
pub mod verify;
