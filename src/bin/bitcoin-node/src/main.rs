//! `bitcoin-node`: node and RPC server, with the wallet in a process of its own.

use std::process::ExitCode;

use common::args::Program;

mod companion;
#[path = "../../details.rs"]
mod details;
mod listen;
mod open_wallets;
mod reopen;
mod wallet_process;
mod watch;

/// Requests with passphrases and keys leave nothing in memory that was freed.
#[global_allocator]
static ALLOCATOR: secret::WipingAllocator = secret::WIPING_ALLOCATOR;

fn main() -> ExitCode {
    common::version::set_build_details(&details::text());
    let parties = node::Parties {
        wallet: Some(Box::new(wallet_process::start)),
        listen: Some(Box::new(listen::listen)),
        companion: Some(Box::new(companion::make)),
        counted: Some(Box::new(ipc::info)),
    };
    node::run(std::env::args_os().collect(), Program::BitcoinNode, parties)
}
