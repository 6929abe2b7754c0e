//! The command line program; for now it does nothing.

fn main() {}
