//! The tests of the real binary and of the library as a whole, in one program, so that the linker
//! runs once. Each module breaks one kind of promise; `docs/guarantees.md` says which.

#![allow(unreachable_pub, reason = "a test program has no users")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a test makes the disk and the clock that it needs"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod acknowledge;
mod adoption;
mod again;
mod alive;
mod another_user;
mod architecture;
mod archive;
mod bad_input;
mod by_hand;
mod cat;
mod check_live;
mod clock;
mod collecting;
mod colours;
mod commands;
mod complete;
mod confirmed_later;
mod daemon;
mod date;
mod disk;
mod earlier;
mod evidence;
mod faults;
mod file_systems;
mod flawed;
mod guarantees;
mod habits;
mod half_forgotten;
mod heads;
mod honest;
mod hostile;
mod identity;
mod intruder;
mod leaving_out;
mod life;
mod lineage;
mod loss;
mod manual;
mod many_jobs;
mod network;
mod notify;
mod object_storage;
mod observe;
mod older_state;
mod outage;
mod page;
mod places;
mod price;
mod prune;
mod prune_history;
mod random_liars;
mod reading;
mod recheck;
mod records_digest;
mod recovery;
mod reload;
mod repair;
mod retired;
mod second_opinion;
mod side_by_side;
mod signing;
mod start;
mod store_zip;
mod support;
mod systemd;
mod timestamps;
mod told;
mod unmounted;
mod verify;
mod year;
