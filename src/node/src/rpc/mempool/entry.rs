//! A mempool entry as JSON.

use kernel::MempoolEntry;
use rpc::{Res, json as values};
use serde_json::{Map, Value, json};

use crate::NodeContext;
use crate::rpc::support::deprecated;

pub(super) const DOC: &[Res] = &[
    Res::num("vsize", "Virtual size (BIP141)"),
    Res::num("weight", "Weight (BIP141)"),
    Res::time("time", "When it came, in Unix seconds"),
    Res::num("height", "Height of the tip when it came"),
    Res::num("descendantcount", "Descendants in the mempool, itself included"),
    Res::num("descendantsize", "Their virtual size"),
    Res::num("ancestorcount", "Ancestors in the mempool, itself included"),
    Res::num("ancestorsize", "Their virtual size"),
    Res::num("chunkweight", "Weight, adjusted for sigops, of the chunk it would be mined with"),
    Res::hex("wtxid", "Its hash with the witness"),
    Res::obj(
        "fees",
        "",
        &[
            Res::amount("base", "Its fee in BTC"),
            Res::amount("modified", "Its fee in BTC with the delta that counts for mining"),
            Res::amount("ancestor", "Modified fees of its ancestors and itself, in BTC"),
            Res::amount("descendant", "Modified fees of its descendants and itself, in BTC"),
            Res::amount("chunk", "Modified fees of its chunk, in BTC"),
        ],
    ),
    Res::arr("depends", "Unconfirmed transactions it spends from", &[Res::hex("transactionid", "Parent's id")]),
    Res::arr("spentby", "Unconfirmed transactions that spend from it", &[Res::hex("transactionid", "Child's id")]),
    Res::bool("unbroadcast", "Whether no peer has asked for it yet"),
    Res::bool("bip125-replaceable", "Whether it or an ancestor signals BIP125 (only with `-deprecatedrpc=bip125`)")
        .optional(),
];

pub(super) fn to_json(ctx: &NodeContext, entry: &MempoolEntry) -> Value {
    let ids = |txids: &[bitcoin::Txid]| txids.iter().map(|txid| json!(txid.to_string())).collect::<Value>();
    let mut out = Map::new();
    out.insert("vsize".into(), json!(entry.vsize));
    out.insert("weight".into(), json!(entry.weight));
    out.insert("time".into(), json!(entry.time));
    out.insert("height".into(), json!(entry.height));
    out.insert("descendantcount".into(), json!(entry.descendant_count));
    out.insert("descendantsize".into(), json!(entry.descendant_size));
    out.insert("ancestorcount".into(), json!(entry.ancestor_count));
    out.insert("ancestorsize".into(), json!(entry.ancestor_size));
    out.insert("wtxid".into(), json!(entry.wtxid.to_string()));
    out.insert("chunkweight".into(), json!(entry.chunk_weight));
    out.insert(
        "fees".into(),
        json!({
            "base": values::amount(entry.fee),
            "modified": values::signed_amount(entry.modified_fee),
            "ancestor": values::signed_amount(entry.ancestor_fees),
            "descendant": values::signed_amount(entry.descendant_fees),
            "chunk": values::signed_amount(entry.chunk_fee),
        }),
    );
    out.insert("depends".into(), ids(&entry.depends));
    out.insert("spentby".into(), ids(&entry.spent_by));
    out.insert("unbroadcast".into(), json!(entry.unbroadcast));
    if deprecated(ctx, "bip125") {
        out.insert("bip125-replaceable".into(), json!(entry.bip125_replaceable));
    }
    Value::Object(out)
}
