//! `bitcoin`.
fn main() {}
