//! Commands about the block tree, the active chain and its unspent outputs.

mod getbestblockhash;
mod getblock;
pub(super) mod getblockchaininfo;
mod getblockcount;
mod getblockhash;
mod getblockheader;
mod getblockstats;
mod getchainstates;
mod getchaintips;
mod getchaintxstats;
mod getdeploymentinfo;
mod getdifficulty;
mod gettxout;
mod gettxoutproof;
mod gettxoutsetinfo;
mod invalidateblock;
mod preciousblock;
mod pruneblockchain;
mod scantxoutset;
mod syncwithvalidationinterfacequeue;
mod verifychain;
mod wait;

use rpc::Command;

use crate::NodeContext;

pub(super) const COMMANDS: &[Command<NodeContext>] = &[
    getblockchaininfo::COMMAND,
    getchaintxstats::COMMAND,
    getblockstats::COMMAND,
    getbestblockhash::COMMAND,
    getblockcount::COMMAND,
    getblock::COMMAND,
    getblockhash::COMMAND,
    getblockheader::COMMAND,
    getchainstates::COMMAND,
    getchaintips::COMMAND,
    getdifficulty::COMMAND,
    getdeploymentinfo::COMMAND,
    gettxout::COMMAND,
    gettxoutsetinfo::COMMAND,
    gettxoutproof::GET,
    gettxoutproof::VERIFY,
    verifychain::COMMAND,
    pruneblockchain::COMMAND,
    preciousblock::COMMAND,
    scantxoutset::COMMAND,
    invalidateblock::INVALIDATE,
    invalidateblock::RECONSIDER,
    wait::NEW_BLOCK,
    wait::BLOCK,
    wait::BLOCK_HEIGHT,
    syncwithvalidationinterfacequeue::COMMAND,
];
