//! `bitcoin`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    bitcoin_wrapper::run(std::env::args_os().collect())
}
