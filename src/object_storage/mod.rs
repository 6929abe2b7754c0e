//! Object storage with the API of S3, in which a copy of an archive lies: requests, the port's adapter, and whether a store keeps
//! its word.

mod client;
mod failure;
mod probe;
mod reading;
mod storage;

pub(crate) use probe::{Probed, RACES, WRITERS, probe};
pub(crate) use storage::Bucket;
