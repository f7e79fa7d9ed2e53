//! The interfaces over real connections, both ends in this process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod asynchronous;
mod calls;
mod cancel;
mod contract;
mod disconnect;
mod fuzz;
mod generator;
mod limits;
mod link;
mod pool;
mod probe;
mod returned;
mod script;
mod socket;
mod stream;
mod threads;
mod tls;
mod types;
mod wire;
