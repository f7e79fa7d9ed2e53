//! Commands about transactions as data.

mod combinerawtransaction;
mod createrawtransaction;
mod decoderawtransaction;
mod decodescript;
mod getrawtransaction;
mod signrawtransactionwithkey;

use rpc::Command;

use crate::NodeContext;

pub(super) const COMMANDS: &[Command<NodeContext>] = &[
    getrawtransaction::COMMAND,
    createrawtransaction::COMMAND,
    decoderawtransaction::COMMAND,
    decodescript::COMMAND,
    combinerawtransaction::COMMAND,
    signrawtransactionwithkey::COMMAND,
];
