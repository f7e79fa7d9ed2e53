//! `abortrescan`

use rpc::command::{example_cli, example_rpc};
use rpc::{Command, Res};

use super::{CATEGORY, wallet};
use crate::loader::Loader;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "abortrescan",
    category: CATEGORY,
    args: &[],
    description: "Stops a running search of the chain, e.g. one started by rescanblockchain.",
    result: &[Res::bool("", "Whether a search was running and will stop")],
    examples: &[example_cli!("abortrescan", ""), example_rpc!("abortrescan", "")],
    run: |loader, call| Ok(wallet(loader, call)?.scan.abort().into()),
}];
