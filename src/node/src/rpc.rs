//! The node's RPC commands: what is answered from chain, mempool and miner.
//!
//! A command is one file with one [`rpc::Command`] entry; families that differ in a word share one. Commands hold no
//! state beyond the [`NodeContext`] they get, but for a scan's progress and the last template.

mod blockchain;
mod mempool;
mod mining;
mod network;
mod rawtransactions;
pub(crate) mod shape;
mod support;
mod test_only;
mod util;

use std::sync::Arc;

use rpc::{Command, CommandSet, Table};

use crate::NodeContext;

/// Returns the node's commands.
pub fn commands(context: Arc<NodeContext>) -> Arc<dyn CommandSet> {
    let check = context.args.get_bool("rpcdoccheck");
    let table = Table::new(context, GROUPS).check_results(check);
    Arc::new(table.at_once(AT_ONCE, |context, run| context.kernel.at_rest(run)))
}

/// Commands that look up one entry of the block tree, which the engine has in memory, and nothing else.
const AT_ONCE: &[&str] = &["getbestblockhash", "getblockcount", "getblockhash", "getblockheader", "getdifficulty"];

const GROUPS: &[&[Command<NodeContext>]] = &[
    blockchain::COMMANDS,
    mempool::COMMANDS,
    mining::COMMANDS,
    network::COMMANDS,
    rawtransactions::COMMANDS,
    test_only::COMMANDS,
    util::COMMANDS,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_unique_and_every_help_text_complete() {
        let mut names = BTreeSet::new();
        for command in GROUPS.iter().flat_map(|group| group.iter()) {
            assert!(names.insert(command.name), "{} is there twice", command.name);
            assert!(!command.description.is_empty(), "{} says nothing", command.name);
            let help = command.help();
            assert!(help.starts_with(command.name), "{help}");
        }
        assert!(AT_ONCE.iter().all(|name| names.contains(name)));
    }
}
