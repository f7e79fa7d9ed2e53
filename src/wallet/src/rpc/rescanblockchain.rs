//! `rescanblockchain`

use std::sync::PoisonError;

use interfaces::BlockRange;
use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Command, Res, RpcError};
use serde_json::json;

use super::{CATEGORY, synced_wallet};
use crate::loader::Loader;
use crate::wallet::scan::ScanEnd;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "rescanblockchain",
    category: CATEGORY,
    args: &[
        Arg::or("start_height", ArgType::Num, "0", "First block to search."),
        Arg::optional("stop_height", ArgType::Num, "Last block to search; the tip if left out."),
    ],
    description: "Searches the local blocks for transactions of the wallet. getwalletinfo shows how far it is.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::num("start_height", "The first block searched"),
            Res::num("stop_height", "The last block searched; null if none was"),
        ],
    )],
    examples: &[example_cli!("rescanblockchain", "100000 120000"), example_rpc!("rescanblockchain", "100000, 120000")],
    run: |loader, call| {
        let wallet = synced_wallet(loader, call)?;
        let reservation = wallet.reserve_scan()?;
        let _unlocked = wallet.relock.lock().unwrap_or_else(PoisonError::into_inner);
        wallet.state().ensure_unlocked()?;
        let tip = wallet.state().tip.ok_or_else(|| RpcError::misc("the chain has no blocks yet"))?;
        let height = |name: &str| -> Result<Option<u32>, RpcError> {
            let Some(given) = call.opt_i64(name)? else { return Ok(None) };
            u32::try_from(given)
                .ok()
                .filter(|height| *height <= tip.height)
                .map(Some)
                .ok_or_else(|| RpcError::invalid_parameter(format!("Invalid {name}")))
        };
        let (start, stop) = (height("start_height")?.unwrap_or(0), height("stop_height")?);
        if stop.is_some_and(|stop| stop < start) {
            return Err(RpcError::invalid_parameter("stop_height must be greater than start_height"));
        }
        let range = BlockRange { last: tip.hash, min_height: start, max_height: stop };
        if !wallet.chain.has_blocks(range)? {
            let pruned = wallet.chain.status()?.first_stored_height.is_some_and(|first| first > start);
            return Err(RpcError::misc(if pruned {
                "Can't rescan beyond pruned data. Use RPC call getblockchaininfo to determine your pruned height."
            } else {
                "Failed to rescan unavailable blocks, potentially caused by data corruption. If the issue persists you \
                 may want to reindex (see -reindex option)."
            }));
        }
        match wallet.scan_blocks(start, stop, &reservation)? {
            ScanEnd::Done(last) => Ok(json!({"start_height": start, "stop_height": last.map(|(height, _)| height)})),
            ScanEnd::Unreadable(_) => Err(RpcError::misc("Rescan failed. Potentially corrupted data files.")),
            ScanEnd::Aborted => Err(RpcError::misc("Rescan aborted.")),
        }
    },
}];
