//! Commands about the peer-to-peer network.

mod addconnection;
mod addnode;
mod disconnectnode;
mod getaddednodeinfo;
mod getblockfrompeer;
mod getconnectioncount;
mod getnettotals;
mod getnetworkinfo;
mod getorphantxs;
mod getpeerinfo;
mod mockscheduler;
mod ping;
mod sendmsgtopeer;
mod setnetworkactive;

use std::sync::Arc;

use p2p::Network;
use rpc::{Command, RpcError, code};

use crate::NodeContext;

pub(super) const COMMANDS: &[Command<NodeContext>] = &[
    addconnection::COMMAND,
    addnode::COMMAND,
    disconnectnode::COMMAND,
    getaddednodeinfo::COMMAND,
    getblockfrompeer::COMMAND,
    getconnectioncount::COMMAND,
    getnettotals::COMMAND,
    getnetworkinfo::COMMAND,
    getorphantxs::COMMAND,
    getpeerinfo::COMMAND,
    mockscheduler::COMMAND,
    ping::COMMAND,
    sendmsgtopeer::COMMAND,
    setnetworkactive::COMMAND,
];

/// Returns the network; it is there unless the node ends.
fn network(ctx: &NodeContext) -> Result<Arc<Network>, RpcError> {
    let missing = "Error: Peer-to-peer functionality missing or disabled";
    ctx.peers.network().ok_or_else(|| RpcError::new(code::CLIENT_P2P_DISABLED, missing))
}
