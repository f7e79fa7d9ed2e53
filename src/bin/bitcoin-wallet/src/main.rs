//! `bitcoin-wallet`.
fn main() {}
