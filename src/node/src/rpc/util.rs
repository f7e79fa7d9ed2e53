//! Commands that need no more of the node than which chain it runs, or nothing.

mod createmultisig;
mod deriveaddresses;
mod estimatesmartfee;
mod getdescriptorinfo;
mod getindexinfo;
mod getmemoryinfo;
mod signmessage;
mod validateaddress;

use rpc::Command;

use crate::NodeContext;

pub(super) const COMMANDS: &[Command<NodeContext>] = &[
    validateaddress::COMMAND,
    createmultisig::COMMAND,
    deriveaddresses::COMMAND,
    estimatesmartfee::COMMAND,
    getdescriptorinfo::COMMAND,
    signmessage::VERIFY,
    signmessage::SIGN,
    getindexinfo::COMMAND,
    getmemoryinfo::COMMAND,
];
