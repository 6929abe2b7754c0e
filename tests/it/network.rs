//! *Suspicious*, *Bounded* and *Atomic* through a real socket with real TLS: whatever the network
//! does, an attempt ends within its deadline, is told apart, is followed as its failure says, and
//! nothing torn is ever published. Time is moved, not waited for.
mod answers;
mod archiving;
mod asking;
mod authority;
mod cuts;
mod liars;
mod phases;
mod program;
mod proxy;
mod server;
mod stillness;
mod throttling;
mod trust;
mod unreachable;
mod wall;
mod wire;
