//! `bitcoin-node`: node and RPC server, with the wallet in a process of its own.

use std::process::ExitCode;

use common::args::Program;

#[path = "../../details.rs"]
mod details;
mod wallet_process;

fn main() -> ExitCode {
    common::version::set_build_details(&details::text());
    node::run(std::env::args_os().collect(), Program::BitcoinNode, Some(Box::new(wallet_process::start)))
}
