//! `bitcoin-node`: node and RPC server, with the wallet in a process of its own.

use std::process::ExitCode;

use common::args::Program;

#[path = "../../details.rs"]
mod details;
mod listen;
mod wallet_process;

fn main() -> ExitCode {
    common::version::set_build_details(&details::text());
    let (wallet, listen) = (Box::new(wallet_process::start), Box::new(listen::listen));
    node::run(std::env::args_os().collect(), Program::BitcoinNode, Some(wallet), Some(listen))
}
