//! `bitcoind`: node, wallet and RPC server in one process.

use std::process::ExitCode;

use common::args::Program;

#[path = "../../details.rs"]
mod details;

/// Requests with passphrases and keys leave nothing in memory that was freed.
#[global_allocator]
static ALLOCATOR: secret::WipingAllocator = secret::WIPING_ALLOCATOR;

fn main() -> ExitCode {
    common::version::set_build_details(&details::text());
    node::run(
        std::env::args_os().collect(),
        Program::Bitcoind,
        node::Parties { wallet: Some(Box::new(wallet::loader)), ..Default::default() },
    )
}
