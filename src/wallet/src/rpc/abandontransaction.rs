//! `abandontransaction`

use bitcoin::Txid;
use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Command, Res, RpcError};
use serde_json::Value;

use super::{CATEGORY, synced_wallet};
use crate::loader::Loader;
use crate::records::TxState;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "abandontransaction",
    category: CATEGORY,
    args: &[Arg::required("txid", ArgType::StrHex, "The transaction id")],
    description: "Gives up a transaction that is neither in a block nor in the mempool, and those that spend from it, so \
                  that its inputs can be spent again.",
    result: &[Res::none()],
    examples: &[
        example_cli!("abandontransaction", "\"1075db55d416d3ca199f55b6084e2115b9345e16c5cf302fc80e9d5fbf5d48d\""),
        example_rpc!("abandontransaction", "\"1075db55d416d3ca199f55b6084e2115b9345e16c5cf302fc80e9d5fbf5d48d\""),
    ],
    run: |loader, call| {
        let wallet = synced_wallet(loader, call)?;
        let txid: Txid = call.hash("txid")?;
        let mut state = wallet.state();
        let tx = state
            .txs
            .get(&txid)
            .ok_or_else(|| RpcError::invalid_address_or_key("Invalid or non-wallet transaction id"))?;
        if state.depth(tx) != 0 || tx.state == TxState::InMempool {
            return Err(RpcError::invalid_address_or_key("Transaction not eligible for abandonment"));
        }
        let changes = state.cascade(txid, |tx| match tx.state {
            TxState::Inactive { abandoned: false } => Some(TxState::Inactive { abandoned: true }),
            _ => None,
        });
        state.commit(changes)?;
        wallet.publish(state);
        Ok(Value::Null)
    },
}];
