//! `getbalances`

use bitcoin::SignedAmount;
use rpc::command::{example_cli, example_rpc};
use rpc::{Command, Res, json};
use serde_json::{Map, json as object};

use super::{CATEGORY, LAST_PROCESSED, last_processed, synced_wallet};
use crate::loader::Loader;
use crate::state::flags;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "getbalances",
    category: CATEGORY,
    args: &[],
    description: "Returns all balances in BTC.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::obj(
                "mine",
                "coins the wallet can sign for",
                &[
                    Res::amount("trusted", "confirmed, or made by the wallet"),
                    Res::amount("untrusted_pending", "in the mempool, from others"),
                    Res::amount("immature", "from young coinbases"),
                    Res::amount("nonmempool", "coins that transactions outside the mempool spend"),
                    Res::amount("used", "on addresses spent from before (only in wallets with avoid_reuse)").optional(),
                ],
            ),
            LAST_PROCESSED,
        ],
    )],
    examples: &[example_cli!("getbalances", ""), example_rpc!("getbalances", "")],
    run: |loader, call| {
        let wallet = synced_wallet(loader, call)?;
        let state = wallet.state();
        let balance = state.balance(0, true, true, wallet.options.spend_unconfirmed_change);
        let nonmempool = -balance.nonmempool.to_signed().unwrap_or(SignedAmount::ZERO);
        let mut mine = Map::new();
        mine.insert("trusted".to_owned(), json::amount(balance.trusted));
        mine.insert("untrusted_pending".to_owned(), json::amount(balance.untrusted_pending));
        mine.insert("immature".to_owned(), json::amount(balance.immature));
        mine.insert("nonmempool".to_owned(), json::signed_amount(nonmempool));
        if state.has_flag(flags::AVOID_REUSE) {
            mine.insert("used".to_owned(), json::amount(balance.used));
        }
        Ok(object!({"mine": mine, "lastprocessedblock": last_processed(&state)}))
    },
}];
