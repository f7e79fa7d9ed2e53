//! `bitcoin-cli`.
fn main() {}
