//! `getblocktemplate` (BIP22, BIP23, BIP9, BIP145): what an outside miner needs for the next block.
//!
//! The last template is kept, as miners ask often: it is made anew when the tip changed, or when the mempool did and
//! five seconds have passed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hex::DisplayHex;
use bitcoin::opcodes::OP_TRUE;
use bitcoin::{Block, BlockHash, Script, ScriptBuf, Txid};
use common::chain::Chain;
use common::clock;
use kernel::{TemplateDeploymentState, Validity};
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, code, example_cli, example_rpc, json as values};
use serde_json::{Map, Value, json};

use super::work::{bip22, options, template_error};
use crate::NodeContext;
use crate::mining::options::{MAX_BLOCK_SERIALIZED_SIZE, MAX_BLOCK_SIGOPS_COST, MAX_BLOCK_WEIGHT};
use crate::mining::template::commitment;
use crate::mining::{NewBlock, new_block};
use crate::rpc::shape::block::{bits_hex, target_hex};
use crate::rpc::support::{Result, decode_block, engine_error, tip};

/// Weight units of a byte outside the witness.
const WITNESS_SCALE_FACTOR: u64 = 4;
/// Seconds a template is kept while only the mempool changes.
const KEEP_SECONDS: i64 = 5;
/// How long a long poll waits before it looks at the mempool, and how often it looks from then on.
const LONG_POLL_FIRST: Duration = Duration::from_secs(60);
const LONG_POLL_NEXT: Duration = Duration::from_secs(10);

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getblocktemplate",
    category: "mining",
    args: &[Arg::required("template_request", ArgType::Obj, "What is asked for").inner(&[
        Arg::optional("mode", ArgType::Str, "\"template\", \"proposal\" (see BIP 23), or nothing"),
        Arg::optional("capabilities", ArgType::Arr, "What the client can do").inner(&[Arg::optional(
            "str",
            ArgType::Str,
            "A capability: 'longpoll', 'coinbasevalue', 'proposal', 'serverlist', 'workid'",
        )]),
        Arg::required("rules", ArgType::Arr, "Rules the client knows").inner(&[
            Arg::required("segwit", ArgType::Str, "(literal) the client knows segwit"),
            Arg::optional("str", ArgType::Str, "Another rule the client knows"),
        ]),
        Arg::optional("longpollid", ArgType::Str, "Answer when the template differs much from the one with this id"),
        Arg::optional("data", ArgType::StrHex, "The block to check in hex; only for mode=\"proposal\""),
    ])],
    description: "Returns what is needed to make a block to work on, or checks a proposed one. BIPs 22, 23, 9 and 145 \
                  specify the call.",
    result: &[
        Res::none().when("If the proposal was accepted with mode=='proposal'"),
        Res::str("", "According to BIP22").when("If the proposal was not accepted with mode=='proposal'"),
        Res::obj(
            "",
            "",
            &[
                Res::num("version", "The block version"),
                Res::arr(
                    "rules",
                    "Rules the block must follow",
                    &[Res::str("", "A rule the client must know; see BIP 9")],
                ),
                Res::obj_dyn(
                    "vbavailable",
                    "Rule changes that are signalled",
                    &[Res::num("rulename", "Bit of the block version that signals it")],
                ),
                Res::arr("capabilities", "", &[Res::str("value", "What the server can do, e.g. 'proposal'")]),
                Res::num("vbrequired", "Bits of the block version the server requires"),
                Res::str("previousblockhash", "Hash of the tip"),
                Res::arr(
                    "transactions",
                    "The transactions of the block, without the coinbase",
                    &[Res::obj(
                        "",
                        "",
                        &[
                            Res::hex("data", "The serialized transaction in hex"),
                            Res::hex("txid", "The transaction id"),
                            Res::hex("hash", "The hash with the witness"),
                            Res::arr(
                                "depends",
                                "Transactions that must be in the block if this one is",
                                &[Res::num("", "Position in this list, from 1")],
                            ),
                            Res::num("fee", "The fee in satoshi"),
                            Res::num("sigops", "Signature operations as the limit counts them"),
                            Res::num("weight", "The weight"),
                        ],
                    )],
                ),
                Res::obj_dyn("coinbaseaux", "Data for the coinbase script", &[Res::hex("key", "To be included")]),
                Res::num("coinbasevalue", "Most the coinbase may pay, fees included, in satoshi"),
                Res::str("longpollid", "Id for long polling"),
                Res::str("target", "The target"),
                Res::time("mintime", "Least block time, in Unix seconds, BIP94's rule included"),
                Res::arr(
                    "mutable",
                    "What may be changed",
                    &[Res::str("value", "e.g. 'time', 'transactions', 'prevblock'")],
                ),
                Res::hex("noncerange", "Nonces that may be used"),
                Res::num("sigoplimit", "Most signature operations"),
                Res::num("sizelimit", "Most bytes"),
                Res::num("weightlimit", "Most weight").optional(),
                Res::time("curtime", "The time, in Unix seconds, BIP94's rule included"),
                Res::str("bits", "The target in compact form"),
                Res::num("height", "The height"),
                Res::hex("signet_challenge", "The script the block must satisfy (only on a signet)").optional(),
                Res::hex("default_witness_commitment", "Commitment for the block as it is").optional(),
            ],
        )
        .when("Otherwise"),
    ],
    examples: &[
        example_cli!("getblocktemplate", "'{\"rules\": [\"segwit\"]}'"),
        example_rpc!("getblocktemplate", "{\"rules\": [\"segwit\"]}"),
    ],
    run,
};

/// The template handed out last.
struct Kept {
    new: NewBlock,
    transactions_updated: u32,
    made: i64,
}

static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let request = call.object("template_request")?;
    let mode = match request.get("mode") {
        None | Some(Value::Null) => "template",
        Some(Value::String(mode)) => mode,
        Some(_) => return Err(RpcError::invalid_parameter("Invalid mode")),
    };
    if mode == "proposal" {
        return propose(ctx, request.get("data"));
    }
    if mode != "template" {
        return Err(RpcError::invalid_parameter("Invalid mode"));
    }
    let mut rules = BTreeSet::new();
    if let Some(Value::Array(list)) = request.get("rules") {
        for rule in list {
            rules.insert(values::as_str(rule)?.to_owned());
        }
    }
    if ctx.chain == Chain::Main {
        if ctx.peers.network().is_none_or(|network| network.counts() == (0, 0)) {
            return Err(RpcError::not_connected("Bitcoin Core is not connected!"));
        }
        if ctx.kernel.is_initial_block_download().map_err(engine_error)? {
            return Err(RpcError::new(
                code::CLIENT_IN_INITIAL_DOWNLOAD,
                "Bitcoin Core is in initial sync and waiting for blocks...",
            ));
        }
    }
    if let Some(id) = request.get("longpollid").filter(|id| !id.is_null()) {
        long_poll(ctx, id)?;
    }
    if ctx.chain == Chain::Signet && !rules.contains("signet") {
        return Err(RpcError::invalid_parameter(
            "getblocktemplate must be called with the signet rule set (call with {\"rules\": [\"segwit\", \"signet\"]})",
        ));
    }
    if !rules.contains("segwit") {
        return Err(RpcError::invalid_parameter(
            "getblocktemplate must be called with the segwit rule set (call with {\"rules\": [\"segwit\"]})",
        ));
    }
    let (new, transactions_updated) = current_template(ctx)?;
    describe(ctx, &new, transactions_updated, &rules)
}

fn propose(ctx: &NodeContext, data: Option<&Value>) -> RpcResult {
    let Some(Value::String(data)) = data else {
        return Err(RpcError::type_error("Missing data String key for proposal"));
    };
    let bytes = decode_block(data)?;
    let block: Block = bitcoin::consensus::deserialize(&bytes).map_err(RpcError::deserialization)?;
    if let Some(known) = ctx.kernel.block_index(&block.block_hash()).map_err(engine_error)? {
        let status = known.status;
        return Ok(if status.failed {
            "duplicate-invalid".into()
        } else if status.validity >= Validity::Scripts {
            "duplicate".into()
        } else {
            "duplicate-inconclusive".into()
        });
    }
    bip22(&ctx.kernel.test_block_validity(&block, false, true).map_err(engine_error)?)
}

/// Waits until the tip is not the one in `id` any more, or the mempool differs from when `id` was made.
fn long_poll(ctx: &NodeContext, id: &Value) -> Result<()> {
    let (watched, transactions): (BlockHash, u32) = match id {
        Value::String(id) => {
            let hash = id.get(..64).unwrap_or(id);
            let hash = values::parse_hash(&json!(hash), "longpollid")?;
            (hash, id.get(64..).and_then(|count| count.parse().ok()).unwrap_or(0))
        }
        _ => {
            let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
            (tip(ctx)?.hash, kept.as_ref().map_or(0, |kept| kept.transactions_updated))
        }
    };
    let mut wait = LONG_POLL_FIRST;
    while !ctx.shutdown.is_requested() {
        ctx.tip_watch().wait_until(Some(Instant::now() + wait), |tip| tip.hash != watched);
        if interfaces::caller_has_given_up() {
            return Err(RpcError::misc("Nobody waits for the answer"));
        }
        if tip(ctx)?.hash != watched
            || ctx.kernel.mempool_info().map_err(engine_error)?.transactions_updated != transactions
        {
            return Ok(());
        }
        wait = LONG_POLL_NEXT;
    }
    Err(RpcError::not_connected("Shutting down"))
}

/// Returns the template kept, or a new one, and the count of mempool changes it is as of.
fn current_template(ctx: &NodeContext) -> Result<(NewBlock, u32)> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let transactions_updated = ctx.kernel.mempool_info().map_err(engine_error)?.transactions_updated;
    let tip = tip(ctx)?.hash;
    let good = |kept: &&Kept| {
        kept.new.template.previous.hash == tip
            && (kept.transactions_updated == transactions_updated || clock::now() - kept.made <= KEEP_SECONDS)
    };
    if let Some(kept) = kept.as_ref().filter(good) {
        return Ok((kept.new.clone(), kept.transactions_updated));
    }
    *kept = None;
    let made = clock::now();
    let anyone = ScriptBuf::from_bytes(vec![OP_TRUE.to_u8()]);
    let new = new_block(&ctx.kernel, &options(ctx)?, &anyone, true).map_err(template_error)?;
    *kept = Some(Kept { new: new.clone(), transactions_updated, made });
    Ok((new, transactions_updated))
}

fn describe(ctx: &NodeContext, new: &NewBlock, transactions_updated: u32, known: &BTreeSet<String>) -> RpcResult {
    let NewBlock { block, template } = new;
    let now = u32::try_from(clock::now()).unwrap_or(u32::MAX);
    let time = block.header.time.max(template.min_time).max(now);
    // Time alone can change the difficulty on the chains that allow blocks of the lowest one.
    let bits = match ctx.chain {
        Chain::Main | Chain::Signet => block.header.bits,
        _ => ctx.kernel.next_work_required(time).map_err(engine_error)?,
    };
    let scale = if template.segwit { 1 } else { WITNESS_SCALE_FACTOR };
    let mut rules = vec!["csv".to_owned()];
    if template.segwit {
        rules.extend(["!segwit".to_owned(), "taproot".to_owned()]);
    }
    if ctx.chain == Chain::Signet {
        rules.push("!signet".to_owned());
    }
    let mut version = block.header.version.to_consensus();
    let mut available = Map::new();
    for deployment in &template.deployments {
        let name = if deployment.optional { deployment.name.clone() } else { format!("!{}", deployment.name) };
        let unknown = !deployment.optional && !known.contains(&deployment.name);
        let mask = 1i32.checked_shl(deployment.bit).unwrap_or(0);
        match deployment.state {
            TemplateDeploymentState::Active if unknown => {
                return Err(RpcError::invalid_parameter(format!(
                    "Support for '{}' rule requires explicit client support",
                    deployment.name
                )));
            }
            TemplateDeploymentState::Active => rules.push(name),
            TemplateDeploymentState::Signalling => {
                available.insert(name, json!(deployment.bit));
            }
            TemplateDeploymentState::LockedIn => {
                version |= mask;
                available.insert(name, json!(deployment.bit));
            }
        }
        if unknown {
            version &= !mask;
        }
    }
    let mut out = Map::new();
    out.insert("capabilities".into(), json!(["proposal"]));
    out.insert("version".into(), json!(version));
    out.insert("rules".into(), json!(rules));
    out.insert("vbavailable".into(), available.into());
    out.insert("vbrequired".into(), json!(0));
    out.insert("previousblockhash".into(), json!(block.header.prev_blockhash.to_string()));
    out.insert("transactions".into(), transactions(new, scale));
    out.insert("coinbaseaux".into(), json!({}));
    let value = block.txdata.first().and_then(|tx| tx.output.first()).map_or(0, |output| output.value.to_sat());
    out.insert("coinbasevalue".into(), json!(value));
    out.insert("longpollid".into(), json!(format!("{}{transactions_updated}", template.previous.hash)));
    out.insert("target".into(), json!(target_hex(bits)));
    out.insert("mintime".into(), json!(template.min_time));
    out.insert("mutable".into(), json!(["time", "transactions", "prevblock"]));
    out.insert("noncerange".into(), json!("00000000ffffffff"));
    out.insert("sigoplimit".into(), json!(MAX_BLOCK_SIGOPS_COST / scale));
    out.insert("sizelimit".into(), json!(MAX_BLOCK_SERIALIZED_SIZE / scale));
    if template.segwit {
        out.insert("weightlimit".into(), json!(MAX_BLOCK_WEIGHT));
    }
    out.insert("curtime".into(), json!(time));
    out.insert("bits".into(), json!(bits_hex(bits)));
    out.insert("height".into(), json!(template.height));
    if let Some(challenge) = &template.signet_challenge {
        out.insert("signet_challenge".into(), json!(challenge.to_lower_hex_string()));
    }
    if let Some(commitment) = commitment(block).map(Script::to_hex_string) {
        out.insert("default_witness_commitment".into(), json!(commitment));
    }
    Ok(out.into())
}

fn transactions(new: &NewBlock, scale: u64) -> Value {
    let mut positions: HashMap<Txid, usize> = HashMap::new();
    let mut list = Vec::with_capacity(new.template.transactions.len());
    for (i, entry) in new.template.transactions.iter().enumerate() {
        let tx = &entry.transaction;
        let txid = tx.compute_txid();
        let depends: Vec<usize> =
            tx.input.iter().filter_map(|input| positions.get(&input.previous_output.txid).copied()).collect();
        positions.insert(txid, i + 1);
        list.push(json!({
            "data": serialize_hex(tx),
            "txid": txid.to_string(),
            "hash": tx.compute_wtxid().to_string(),
            "depends": depends,
            "fee": entry.fee.to_sat(),
            "sigops": entry.sigops / scale,
            "weight": entry.weight,
        }));
    }
    Value::Array(list)
}
