//! `listunspent`

use std::collections::BTreeSet;

use bitcoin::hex::DisplayHex;
use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Call, Command, Default as ArgDefault, Res, RpcError, json};
use serde_json::{Map, Value};

use super::{CATEGORY, parent_descriptors, parse_address, synced_wallet};
use crate::loader::Loader;
use crate::state::{State, flags};
use crate::wallet::coins::{Coin, CoinFilter};

const OPTIONS: &[Arg] = &[
    Arg::or("minimumAmount", ArgType::Amount, "\"0.00\"", "Least value of a coin in BTC"),
    Arg::new("maximumAmount", ArgType::Amount, ArgDefault::Hint("unlimited"), "Most value of a coin in BTC"),
    Arg::new("maximumCount", ArgType::Num, ArgDefault::Hint("unlimited"), "Most coins"),
    Arg::new("minimumSumAmount", ArgType::Amount, ArgDefault::Hint("unlimited"), "Stop at this sum in BTC"),
    Arg::or("include_immature_coinbase", ArgType::Bool, "false", "Include coins of young coinbases"),
];

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "listunspent",
    category: CATEGORY,
    args: &[
        Arg::or("minconf", ArgType::Num, "1", "Least confirmations"),
        Arg::or("maxconf", ArgType::Num, "9999999", "Most confirmations"),
        Arg::or("addresses", ArgType::Arr, "[]", "Only coins on these addresses").inner(&[Arg::optional(
            "address",
            ArgType::Str,
            "bitcoin address",
        )]),
        Arg::or("include_unsafe", ArgType::Bool, "true", "Include coins that are not safe to spend"),
        Arg::optional("query_options", ArgType::ObjNamed, "").inner(OPTIONS).oneline("query_options"),
    ],
    description: "Lists unspent outputs of the wallet.",
    result: &[Res::arr(
        "",
        "",
        &[Res::obj(
            "",
            "",
            &[
                Res::hex("txid", "the transaction id"),
                Res::num("vout", "the vout value"),
                Res::str("address", "the bitcoin address").optional(),
                Res::str("label", "label of the address").optional(),
                Res::str("scriptPubKey", "the output script"),
                Res::amount("amount", "the value in BTC"),
                Res::num("confirmations", "The number of confirmations"),
                Res::num("ancestorcount", "number of unconfirmed ancestors, itself included (if in the mempool)")
                    .optional(),
                Res::hex("redeemScript", "The redeem script if the output script is P2SH").optional(),
                Res::str("witnessScript", "The witness script if there is one").optional(),
                Res::bool("spendable", "(DEPRECATED) Always true"),
                Res::bool("solvable", "Whether the wallet knows how to spend it, keys aside"),
                Res::bool("reused", "(only in wallets with avoid_reuse) Whether the address was spent from before")
                    .optional(),
                Res::str("desc", "(only when solvable) A descriptor for spending it").optional(),
                Res::arr(
                    "parent_descs",
                    "The wallet's descriptors that make the output script",
                    &[Res::str("desc", "The descriptor")],
                ),
                Res::bool(
                    "safe",
                    "Whether it can be relied on: confirmed, or made by the wallet and not a replacement",
                ),
            ],
        )],
    )],
    examples: &[
        example_cli!("listunspent", ""),
        example_cli!("listunspent", "6 9999999 '[]' true '{ \"minimumAmount\": 0.005 }'"),
        example_rpc!("listunspent", "6, 9999999, [] , true, { \"minimumAmount\": 0.005 } "),
    ],
    run: |loader, call| {
        let network = loader.options.network;
        let mut addresses = BTreeSet::new();
        for address in call.array("addresses")? {
            let text = json::as_str(address)?;
            let parsed = parse_address(text, network)
                .ok_or_else(|| RpcError::invalid_address_or_key(format!("Invalid Bitcoin address: {text}")))?;
            if !addresses.insert(parsed.to_string()) {
                return Err(RpcError::invalid_parameter(format!("Invalid parameter, duplicated address: {text}")));
            }
        }
        let filter = filter(call)?;
        let wallet = synced_wallet(loader, call)?;
        let state = wallet.state();
        let coins = state.coins(&filter, wallet.options.spend_unconfirmed_change);
        let unconfirmed: Vec<_> = coins.iter().filter(|coin| coin.depth == 0).map(|coin| coin.outpoint.txid).collect();
        let ancestry =
            if unconfirmed.is_empty() { Vec::new() } else { wallet.chain.mempool_ancestry(unconfirmed.clone())? };
        let ancestors = |coin: &Coin| {
            let at = unconfirmed.iter().position(|txid| coin.depth == 0 && *txid == coin.outpoint.txid)?;
            ancestry.get(at)?.as_ref().map(|known| known.ancestors)
        };
        let listed = coins.iter().filter_map(|coin| {
            let address = state.address(&coin.output.script_pubkey);
            let wanted = addresses.is_empty() || address.as_ref().is_some_and(|address| addresses.contains(address));
            wanted.then(|| entry(&state, coin, address, ancestors(coin)))
        });
        Ok(listed.collect())
    },
}];

fn filter(call: &Call<'_>) -> Result<CoinFilter, RpcError> {
    let option = |name: &str| Some(call.option("query_options", name)).filter(|value| !value.is_null());
    let given = call.value("query_options").as_object();
    let mut keys = given.into_iter().flat_map(serde_json::Map::keys);
    if let Some(unknown) = keys.find(|key| !OPTIONS.iter().any(|option| option.names == *key)) {
        return Err(RpcError::type_error(format!("Unexpected key {unknown}")));
    }
    let mut filter = CoinFilter {
        min_depth: call.int("minconf")?,
        max_depth: call.int("maxconf")?,
        unsafe_too: call.bool("include_unsafe")?,
        used_too: true,
        ..CoinFilter::default()
    };
    if let Some(amount) = option("minimumAmount") {
        filter.min_amount = json::parse_amount(amount)?;
    }
    if let Some(amount) = option("maximumAmount") {
        filter.max_amount = json::parse_amount(amount)?;
    }
    if let Some(amount) = option("minimumSumAmount") {
        filter.sum = json::parse_amount(amount)?;
    }
    if let Some(count) = option("maximumCount") {
        filter.count = usize::try_from(json::as_int::<i64>(count)?).unwrap_or(0);
    }
    if let Some(immature) = option("include_immature_coinbase") {
        filter.immature_too = json::as_bool(immature)?;
    }
    Ok(filter)
}

fn entry(state: &State, coin: &Coin, address: Option<String>, ancestors: Option<u64>) -> Value {
    let script = &coin.output.script_pubkey;
    let mut entry = Map::new();
    let mut put = |key: &str, value: Value| drop(entry.insert(key.to_owned(), value));
    put("txid", coin.outpoint.txid.to_string().into());
    put("vout", coin.outpoint.vout.into());
    if let Some(address) = address {
        let label = state.label(&address).map(str::to_owned);
        put("address", address.into());
        if let Some(label) = label {
            put("label", label.into());
        }
    }
    let scripts = state.inner_scripts(script);
    if let Some(redeem) = scripts.redeem {
        put("redeemScript", redeem.as_bytes().to_lower_hex_string().into());
    }
    if let Some(witness) = scripts.witness {
        put("witnessScript", witness.as_bytes().to_lower_hex_string().into());
    }
    put("scriptPubKey", script.as_bytes().to_lower_hex_string().into());
    put("amount", json::amount(coin.output.value));
    put("confirmations", coin.depth.into());
    if let Some(ancestors) = ancestors {
        put("ancestorcount", ancestors.into());
    }
    put("spendable", true.into());
    put("solvable", coin.solvable.into());
    if let Some(descriptor) = state.inferred_descriptor(script) {
        put("desc", descriptor.into());
    }
    put("parent_descs", parent_descriptors(state, script).into());
    if state.has_flag(flags::AVOID_REUSE) {
        put("reused", state.is_used(script).into());
    }
    put("safe", coin.safe.into());
    entry.into()
}
