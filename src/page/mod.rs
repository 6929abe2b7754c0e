//! The coverage of the archive as a page: for each job a calendar of days, and what is missing. The listener of
//! `[observe]` shows it, and `report` writes it as one file. Carries *Candid*, and *Suspicious*: what comes from outside
//! is escaped, and nothing is loaded from anywhere.
//!
//! - `shown`: what a job's ledger shows, read without a lock; `state`: what a window, or a day, is
//! - `calendar`: days and windows with their states, pure; `openings`: what is not archived
//! - `sheet`: all of it at one instant; `route`: what an address asks for; `manifest`: a window's, as it is shown
//! - `html`: the markup; `words`: English and Korean; `style`: the colours, and what a browser may do

pub(crate) mod calendar;
pub(crate) mod html;
pub(crate) mod lang;
pub(crate) mod manifest;
pub(crate) mod openings;
pub(crate) mod route;
pub(crate) mod sheet;
pub(crate) mod shown;
pub(crate) mod state;
pub(crate) mod style;
mod words;
