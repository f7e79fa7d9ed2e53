//! `bitcoin-node`.
fn main() {}
