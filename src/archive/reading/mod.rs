//! The records of a span, read from its windows' folders whichever way they are kept. Carries *Bounded*: one record of
//! each file, and so much as is read ahead, are in memory; and *Candid*: what can't be read is told, and the rest goes
//! on.

mod ahead;
mod cells;
mod extract;
mod filter;
mod folder;
mod newest;
mod whole;

pub(crate) use ahead::in_order;
pub(crate) use extract::{Extracted, Selection};
pub(crate) use filter::Filter;
pub(crate) use folder::{Found, Known, Note, Place, manifest, paths, read};
pub(crate) use newest::{Held, newest};
