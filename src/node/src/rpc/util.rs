//! Commands that need no more of the node than which chain it runs.

mod deriveaddresses;
mod getdescriptorinfo;
mod getindexinfo;
mod validateaddress;

use rpc::Command;

use crate::NodeContext;

pub(super) const COMMANDS: &[Command<NodeContext>] =
    &[validateaddress::COMMAND, deriveaddresses::COMMAND, getdescriptorinfo::COMMAND, getindexinfo::COMMAND];
