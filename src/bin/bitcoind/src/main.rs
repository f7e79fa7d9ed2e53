//! `bitcoind`.
fn main() {}
