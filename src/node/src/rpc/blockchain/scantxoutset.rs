//! `scantxoutset`: looks for the scripts of descriptors in the whole UTXO set.
//!
//! One scan runs at a time; its progress and the wish to end it are shared with the calls that ask about it.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use bitcoin::{Amount, OutPoint, ScriptBuf};
use kernel::Coin;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Value, json};

use crate::NodeContext;
use crate::rpc::shape::descriptor;
use crate::rpc::support::{engine_error, parse_range};

static SCANNING: AtomicBool = AtomicBool::new(false);
static ABORT: AtomicBool = AtomicBool::new(false);
static PERCENT: AtomicU8 = AtomicU8::new(0);

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "scantxoutset",
    category: "blockchain",
    args: &[
        Arg::required(
            "action",
            ArgType::Str,
            "What to do:\n\
             \"start\" scans and returns what was found\n\
             \"abort\" ends the scan that runs (true if there is one)\n\
             \"status\" reports the progress of the scan that runs",
        ),
        Arg::optional(
            "scanobjects",
            ArgType::Arr,
            "What to look for, needed to start. Each entry is a descriptor or an object:",
        )
        .inner(&[
            Arg::optional("descriptor", ArgType::Str, "An output descriptor"),
            Arg::optional("", ArgType::Obj, "A descriptor with the indexes to look at").inner(&[
                Arg::required("desc", ArgType::Str, "An output descriptor"),
                Arg::or("range", ArgType::Range, "1000", "The indexes: an end, or [begin,end]"),
            ]),
        ])
        .oneline("[scanobjects,...]"),
    ],
    description: "Scans the set of unspent outputs for those that descriptors describe, for example:\n\
                  \x20   addr(<address>)                      outputs to an address\n\
                  \x20   raw(<hex script>)                    outputs with exactly this script\n\
                  \x20   combo(<pubkey>)                      P2PK, P2PKH, P2WPKH and P2SH-P2WPKH outputs of a key\n\
                  \x20   pkh(<pubkey>)                        P2PKH outputs of a key\n\
                  \x20   sh(multi(<n>,<pubkey>,<pubkey>,...)) P2SH multisig outputs\n\
                  \x20   tr(<pubkey>)                         P2TR\n\
                  \x20   tr(<pubkey>,{pk(<pubkey>)})          P2TR with a script path\n\
                  \x20   rawtr(<pubkey>)                      P2TR with this output key\n\
                  \x20   wsh(and_v(v:pk(<pubkey>),after(2)))  P2WSH miniscript\n\
                  \nA <pubkey> is a key in hex, or an xpub/xprv with a path that may end in /* or /*h; such a descriptor is \
                  looked at for the indexes of its range.",
    result: &[
        Res::obj(
            "",
            "",
            &[
                Res::bool("success", "Whether the scan came to its end"),
                Res::num("txouts", "Number of unspent outputs looked at"),
                Res::num("height", "Height of the tip the scan was made at"),
                Res::hex("bestblock", "Hash of that tip"),
                Res::arr(
                    "unspents",
                    "",
                    &[Res::obj(
                        "",
                        "",
                        &[
                            Res::hex("txid", "The transaction id"),
                            Res::num("vout", "The output number"),
                            Res::hex("scriptPubKey", "The output script"),
                            Res::str("desc", "Descriptor of just this script"),
                            Res::amount("amount", "The value in BTC"),
                            Res::bool("coinbase", "Created by a coinbase"),
                            Res::num("height", "Height of its block"),
                            Res::hex("blockhash", "Hash of its block"),
                            Res::num("confirmations", "Confirmations as of the scan"),
                        ],
                    )],
                ),
                Res::amount("total_amount", "Sum of what was found, in BTC"),
            ],
        )
        .when("when action=='start'; only returns after scan completes"),
        Res::bool("success", "Whether there was a scan to end").when("when action=='abort'"),
        Res::obj("", "", &[Res::num("progress", "Percentage done, about")])
            .when("when action=='status' and a scan is currently in progress"),
        Res::none().when("when action=='status' and no scan is in progress - possibly already completed"),
    ],
    examples: &[
        example_cli!("scantxoutset", "start '[\"raw(76a91411b366edfc0a8b66feebae5c2e25a7b6a5d1cf3188ac)#fm24fxxy\"]'"),
        example_cli!("scantxoutset", "status"),
        example_cli!("scantxoutset", "abort"),
        example_rpc!(
            "scantxoutset",
            "\"start\", [\"raw(76a91411b366edfc0a8b66feebae5c2e25a7b6a5d1cf3188ac)#fm24fxxy\"]"
        ),
        example_rpc!("scantxoutset", "\"status\""),
        example_rpc!("scantxoutset", "\"abort\""),
    ],
    run,
};

/// The right to scan; given back on drop.
struct Reservation;

impl Reservation {
    fn take() -> Option<Self> {
        (!SCANNING.swap(true, Ordering::AcqRel)).then_some(Reservation)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        PERCENT.store(0, Ordering::Release);
        SCANNING.store(false, Ordering::Release);
    }
}

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let reservation = Reservation::take();
    match (call.str("action")?, reservation) {
        ("status", Some(_)) => Ok(Value::Null),
        ("status", None) => Ok(json!({"progress": PERCENT.load(Ordering::Acquire)})),
        ("abort", Some(_)) => Ok(json!(false)),
        ("abort", None) => {
            ABORT.store(true, Ordering::Release);
            Ok(json!(true))
        }
        ("start", None) => {
            Err(RpcError::invalid_parameter("Scan already in progress, use action \"abort\" or \"status\""))
        }
        ("start", Some(reservation)) => start(ctx, call, &reservation),
        (action, _) => Err(RpcError::invalid_parameter(format!("Invalid action '{action}'"))),
    }
}

fn start(ctx: &NodeContext, call: &Call<'_>, _: &Reservation) -> RpcResult {
    if call.given() < 2 {
        return Err(RpcError::misc("scanobjects argument is required for the start action"));
    }
    let mut needles = HashMap::new();
    for object in call.array("scanobjects")? {
        add_needles(ctx, object, &mut needles)?;
    }
    ABORT.store(false, Ordering::Release);
    let mut count = 0u64;
    let mut found: BTreeMap<OutPoint, Coin> = BTreeMap::new();
    let mut success = true;
    let mut visit = |outpoint: OutPoint, coin: Coin, percent: u8| {
        if ABORT.load(Ordering::Acquire) {
            success = false;
            return ControlFlow::Break(());
        }
        PERCENT.store(percent, Ordering::Release);
        count += 1;
        if needles.contains_key(&coin.output.script_pubkey) {
            found.insert(outpoint, coin);
        }
        ControlFlow::Continue(())
    };
    let tip = ctx.kernel.for_each_coin(&mut visit).map_err(engine_error)?;
    let mut total = Amount::ZERO;
    let mut unspents = Vec::with_capacity(found.len());
    for (outpoint, coin) in found {
        total = total.checked_add(coin.output.value).ok_or_else(|| RpcError::misc("Amount out of range"))?;
        let height = coin.height.unwrap_or(tip.height);
        let block = ctx.kernel.ancestor(&tip.hash, height).map_err(engine_error)?;
        unspents.push(json!({
            "txid": outpoint.txid.to_string(),
            "vout": outpoint.vout,
            "scriptPubKey": coin.output.script_pubkey.to_hex_string(),
            "desc": needles.get(&coin.output.script_pubkey),
            "amount": values::amount(coin.output.value),
            "coinbase": coin.coinbase,
            "height": height,
            "blockhash": block.map(|block| block.hash.to_string()).unwrap_or_default(),
            "confirmations": i64::from(tip.height) - i64::from(height) + 1,
        }));
    }
    Ok(json!({
        "success": success,
        "txouts": count,
        "height": tip.height,
        "bestblock": tip.hash.to_string(),
        "unspents": unspents,
        "total_amount": values::amount(total),
    }))
}

/// Adds the scripts of a scan object, each with the descriptor that describes it; of two the first is kept.
fn add_needles(ctx: &NodeContext, object: &Value, needles: &mut HashMap<ScriptBuf, String>) -> Result<(), RpcError> {
    let (text, range) = match object {
        Value::String(text) => (text.as_str(), (0, 1000)),
        Value::Object(members) => {
            let text = members
                .get("desc")
                .filter(|desc| !desc.is_null())
                .ok_or_else(|| RpcError::invalid_parameter("Descriptor needs to be provided in scan object"))?;
            let range = match members.get("range") {
                None | Some(Value::Null) => (0, 1000),
                Some(range) => parse_range(range)?,
            };
            (values::as_str(text)?, range)
        }
        _ => return Err(RpcError::invalid_parameter("Scan object needs to be either a string or an object")),
    };
    let descriptors = descriptor::parse(text, ctx.chain.network(), false).map_err(RpcError::invalid_address_or_key)?;
    for descriptor in descriptors {
        let (low, high) = if descriptor.is_range() { range } else { (0, 0) };
        for index in low..=high {
            let expanded = descriptor.expand(index).map_err(|descriptor::Underivable| {
                RpcError::invalid_address_or_key(format!("Cannot derive script without private keys: '{text}'"))
            })?;
            for one in expanded {
                needles.entry(one.script).or_insert(one.desc);
            }
        }
    }
    Ok(())
}
