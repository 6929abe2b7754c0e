//! Object storage with the API of S3, in which a copy of an archive lies: requests, and the port's adapter.

mod client;
mod failure;
mod reading;
mod storage;

pub(crate) use storage::Bucket;
