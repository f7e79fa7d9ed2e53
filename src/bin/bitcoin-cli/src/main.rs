//! `bitcoin-cli`.

#![forbid(unsafe_code)]

#[path = "../../details.rs"]
mod details;

/// Requests with passphrases and keys leave nothing in memory that was freed.
#[global_allocator]
static ALLOCATOR: secret::WipingAllocator = secret::WIPING_ALLOCATOR;

fn main() {
    common::version::set_build_details(&details::text());
    std::process::exit(bitcoin_cli::run(std::env::args_os().map(common::lossless::from_os).collect()));
}
