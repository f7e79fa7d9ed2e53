//! `bitcoin`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

#[path = "../../details.rs"]
mod details;

fn main() -> ExitCode {
    common::version::set_build_details(&details::text());
    bitcoin_wrapper::run(std::env::args_os().collect())
}
