//! Commands about the mempool: what is in it, what would get in, and handing transactions in.

mod entry;
mod getmempoolcluster;
mod getmempoolentry;
mod getmempoolfeeratediagram;
pub(super) mod getmempoolinfo;
mod getmempoolrelatives;
mod getrawmempool;
mod gettxspendingprevout;
mod persistence;
mod prioritised;
mod sendrawtransaction;
mod submitpackage;
mod testmempoolaccept;

use rpc::Command;

use crate::NodeContext;

pub(super) const COMMANDS: &[Command<NodeContext>] = &[
    sendrawtransaction::COMMAND,
    testmempoolaccept::COMMAND,
    getmempoolrelatives::ANCESTORS,
    getmempoolrelatives::DESCENDANTS,
    getmempoolentry::COMMAND,
    getmempoolcluster::COMMAND,
    getmempoolfeeratediagram::COMMAND,
    gettxspendingprevout::COMMAND,
    getmempoolinfo::COMMAND,
    getrawmempool::COMMAND,
    persistence::IMPORT,
    persistence::SAVE,
    submitpackage::COMMAND,
    prioritised::PRIORITISE,
    prioritised::LIST,
];
