//! Measuring nodes: a chain that is the same for the same seed, a peer that serves it, and what is measured of programs
//! that are given it. Separate from the crates it measures, which it knows from outside alone: any program that takes
//! Bitcoin Core's options and speaks its RPC and its peers' protocol can stand in a column.

#![forbid(unsafe_code)]

pub mod chain;
pub mod measure;
pub mod node;
pub mod peer;
pub mod table;
mod wire;
