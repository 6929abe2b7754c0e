//! The service: what is sent to ELSA and how its answers are understood (`ELSA-API.md`). Carries
//! *Suspicious* and, with the limiter, *Bounded*.

pub mod answer;
pub mod client;
pub mod foreign;
pub mod limiter;
pub mod network;
pub mod request;
pub mod signature;
