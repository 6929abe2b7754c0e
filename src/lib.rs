//! elsa-archiver: copies every log of NAVER Cloud ELSA projects into dated folders, and proves
//! that none is missing.

pub mod config;
pub mod domain;
pub mod elsa;
