//! `bitcoin-wallet`: the wallets, served to the `bitcoin-node` that started this process.

use std::process::ExitCode;

#[path = "../../details.rs"]
mod details;
mod serve;

/// Requests with passphrases and keys leave nothing in memory that was freed.
#[global_allocator]
static ALLOCATOR: secret::WipingAllocator = secret::WIPING_ALLOCATOR;

fn main() -> ExitCode {
    common::version::set_build_details(&details::text());
    serve::main(std::env::args_os().collect())
}
