//! Commands that make blocks, take them, or say what the next one needs.

mod generate;
mod generateblock;
mod getblocktemplate;
mod getmininginfo;
mod getnetworkhashps;
mod submitblock;
mod submitheader;
mod work;

use rpc::Command;

use crate::NodeContext;

pub(super) const COMMANDS: &[Command<NodeContext>] = &[
    getnetworkhashps::COMMAND,
    getmininginfo::COMMAND,
    getblocktemplate::COMMAND,
    submitblock::COMMAND,
    submitheader::COMMAND,
    generate::TO_ADDRESS,
    generate::TO_DESCRIPTOR,
    generate::GONE,
    generateblock::COMMAND,
];
