//! `gettransaction`

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{SignedAmount, Txid};
use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Command, Res, RpcError, json};
use serde_json::{Map, Value};

use super::txdoc::{self, transaction_fields};
use super::{CATEGORY, LAST_PROCESSED, last_processed, synced_wallet};
use crate::loader::Loader;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "gettransaction",
    category: CATEGORY,
    args: &[
        Arg::required("txid", ArgType::Str, "The transaction id"),
        Arg::or("include_watchonly", ArgType::Bool, "false", "(DEPRECATED) No longer used"),
        Arg::or("verbose", ArgType::Bool, "false", "Include the decoded transaction, like decoderawtransaction"),
    ],
    description: "Returns what the wallet knows of one of its transactions.",
    result: &[Res::obj(
        "",
        "",
        transaction_fields![
            Res::amount("amount", "The amount in BTC"),
            Res::amount("fee", "The fee in BTC, negative; only if the wallet paid it").optional(),
            Res::arr(
                "details",
                "",
                &[Res::obj(
                    "",
                    "",
                    &[
                        Res::str("address", "The bitcoin address involved").optional(),
                        Res::str("category", "send, receive, generate (mature coinbase), immature or orphan"),
                        Res::amount("amount", "The amount in BTC"),
                        Res::str("label", "Label of the address").optional(),
                        Res::num("vout", "the vout value"),
                        Res::amount("fee", "The fee in BTC, negative; only when sending").optional(),
                        Res::bool("abandoned", "If the user gave it up"),
                        Res::arr(
                            "parent_descs",
                            "Only when receiving: the wallet's descriptors that make the output script",
                            &[Res::str("desc", "The descriptor")]
                        )
                        .optional(),
                    ]
                )]
            ),
            Res::hex("hex", "Raw data for transaction"),
            Res::obj("decoded", "The decoded transaction (only if verbose)", &[]).optional().skip_type_check(),
            LAST_PROCESSED,
        ],
    )],
    examples: &[
        example_cli!("gettransaction", "\"1075db55d416d3ca199f55b6084e2115b9345e16c5cf302fc80e9d5fbf5d48d\""),
        example_rpc!("gettransaction", "\"1075db55d416d3ca199f55b6084e2115b9345e16c5cf302fc80e9d5fbf5d48d\""),
    ],
    run: |loader, call| {
        let wallet = synced_wallet(loader, call)?;
        let txid: Txid = call.hash("txid")?;
        let state = wallet.state();
        let tx = state
            .txs
            .get(&txid)
            .ok_or_else(|| RpcError::invalid_address_or_key("Invalid or non-wallet transaction id"))?;
        let signed = |amount: bitcoin::Amount| amount.to_signed().unwrap_or(SignedAmount::ZERO);
        let net = signed(state.credit(&tx.tx)) - signed(state.debit(&tx.tx));
        let fee = txdoc::fee(&state, tx);
        let mut result = Map::new();
        let mut put = |key: &str, value: Value| drop(result.insert(key.to_owned(), value));
        put("amount", json::signed_amount(net - fee.unwrap_or(SignedAmount::ZERO)));
        if let Some(fee) = fee {
            put("fee", json::signed_amount(fee));
        }
        result.extend(txdoc::common(&wallet, &state, tx)?);
        let mut put = |key: &str, value: Value| drop(result.insert(key.to_owned(), value));
        put("details", txdoc::details(&wallet, &state, tx, false, None)?.into());
        put("hex", serialize_hex(&tx.tx).into());
        if call.bool("verbose")? {
            put("decoded", super::decoded::transaction(&tx.tx, state.network));
        }
        put("lastprocessedblock", last_processed(&state));
        Ok(result.into())
    },
}];
