//! The service: what is sent to ELSA and how its answers are understood (`ELSA-API.md`).

pub mod signature;
