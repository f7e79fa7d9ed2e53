//! Commands about the peer-to-peer network. There is none in this node yet: they answer as a node without peers does,
//! and what would need one is refused with Core's error for that.

mod addnode;
mod getconnectioncount;
mod getnetworkinfo;
mod getpeerinfo;

use rpc::Command;

use crate::NodeContext;

pub(super) const COMMANDS: &[Command<NodeContext>] =
    &[getconnectioncount::COMMAND, getpeerinfo::COMMAND, addnode::COMMAND, getnetworkinfo::COMMAND];
