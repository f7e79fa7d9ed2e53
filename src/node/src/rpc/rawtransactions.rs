//! Commands about transactions as data.

mod createrawtransaction;
mod decoderawtransaction;
mod decodescript;
mod getrawtransaction;

use rpc::Command;

use crate::NodeContext;

pub(super) const COMMANDS: &[Command<NodeContext>] =
    &[getrawtransaction::COMMAND, createrawtransaction::COMMAND, decoderawtransaction::COMMAND, decodescript::COMMAND];
