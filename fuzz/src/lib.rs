//! What several targets need: counting in chunks, and a place where zips are unpacked.

pub mod counting;
pub mod printable;
pub mod unpacking;
