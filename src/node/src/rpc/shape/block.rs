//! Blocks and headers as JSON.

use bitcoin::hex::DisplayHex;
use bitcoin::{Block, CompactTarget, Network, Target, Transaction};
use kernel::{BlockIndex, Coin};
use rpc::Res;
use rpc::json::{self as values, Text};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::transaction::{self, List, Spent};

/// How much of a block's transactions to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Ids.
    Ids,
    /// All of each, with its fee.
    Transactions,
    /// That and the outputs spent.
    Prevouts,
}

/// Returns the difficulty as a multiple of the lowest one of the main chain.
pub(crate) fn difficulty(bits: CompactTarget) -> f64 {
    let bits = bits.to_consensus();
    let shift = i32::try_from(bits >> 24).expect("a byte fits");
    // Powers of two are exact, so the order of operations does not matter.
    f64::from(0xffff) / f64::from(bits & 0x00ff_ffff) * 256f64.powi(29 - shift)
}

/// Returns the target of a header as 64 hexadecimal digits.
pub(crate) fn target_hex(bits: CompactTarget) -> String {
    Target::from_compact(bits).to_be_bytes().to_lower_hex_string()
}

/// Returns compact bits as 8 hexadecimal digits.
pub(crate) fn bits_hex(bits: CompactTarget) -> String {
    format!("{:08x}", bits.to_consensus())
}

/// Returns a header as JSON.
pub(crate) fn header_json(index: &BlockIndex) -> Map<String, Value> {
    let header = &index.header;
    let confirmations = if index.confirmations == 0 { -1 } else { i64::from(index.confirmations) };
    let mut out = Map::new();
    out.insert("hash".into(), json!(index.hash.to_string()));
    out.insert("confirmations".into(), json!(confirmations));
    out.insert("height".into(), json!(index.height));
    out.insert("version".into(), json!(header.version.to_consensus()));
    out.insert("versionHex".into(), json!(format!("{:08x}", header.version.to_consensus())));
    out.insert("merkleroot".into(), json!(header.merkle_root.to_string()));
    out.insert("time".into(), json!(header.time));
    out.insert("mediantime".into(), json!(index.median_time));
    out.insert("nonce".into(), json!(header.nonce));
    out.insert("bits".into(), json!(bits_hex(header.bits)));
    out.insert("target".into(), json!(target_hex(header.bits)));
    out.insert("difficulty".into(), values::float(difficulty(header.bits)));
    out.insert("chainwork".into(), json!(chainwork_hex(index)));
    out.insert("nTx".into(), json!(index.n_tx));
    if let Some(previous) = index.previous() {
        out.insert("previousblockhash".into(), json!(previous.to_string()));
    }
    if let Some(next) = index.next {
        out.insert("nextblockhash".into(), json!(next.to_string()));
    }
    out
}

/// Returns the work of the chain up to a block as 64 hexadecimal digits.
pub(crate) fn chainwork_hex(index: &BlockIndex) -> String {
    index.chainwork.to_be_bytes().to_lower_hex_string()
}

/// A block as it is shown.
pub(crate) struct View<'a> {
    pub index: &'a BlockIndex,
    pub block: &'a Block,
    /// The coins spent, a list for each transaction but the coinbase, if at hand.
    pub undo: Option<&'a [Vec<Coin>]>,
    pub detail: Detail,
    pub network: Network,
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let block = self.block;
        let mut out = serializer.serialize_map(None)?;
        for (key, value) in header_json(self.index) {
            out.serialize_entry(&key, &value)?;
        }
        let size = block.total_size();
        let weight = block.weight().to_wu();
        // Weight is three times the stripped size plus the whole size.
        out.serialize_entry("strippedsize", &((weight - size as u64) / 3))?;
        out.serialize_entry("size", &size)?;
        out.serialize_entry("weight", &weight)?;
        if let Some(coinbase) = block.txdata.first() {
            out.serialize_entry("coinbase_tx", &coinbase_json(coinbase))?;
        }
        if self.detail == Detail::Ids {
            out.serialize_entry("tx", &List(block.txdata.iter().map(|tx| Text(tx.compute_txid()))))?;
        } else {
            let transactions = block.txdata.iter().enumerate().map(|(at, tx)| {
                let coins = self.undo.and_then(|undo| undo.get(at.checked_sub(1)?)).map(Vec::as_slice);
                let spent = match (self.detail, coins) {
                    (_, None) => Spent::Unknown,
                    (Detail::Prevouts, Some(coins)) => Spent::Shown(coins),
                    (_, Some(coins)) => Spent::ForFee(coins),
                };
                transaction::View { tx, network: self.network, spent, hex: true }
            });
            out.serialize_entry("tx", &List(transactions))?;
        }
        out.end()
    }
}

fn coinbase_json(tx: &Transaction) -> Value {
    let mut out = Map::new();
    out.insert("version".into(), json!(transaction::version(tx)));
    out.insert("locktime".into(), json!(tx.lock_time.to_consensus_u32()));
    if let Some(input) = tx.input.first() {
        out.insert("sequence".into(), json!(input.sequence.to_consensus_u32()));
        out.insert("coinbase".into(), json!(input.script_sig.to_hex_string()));
        if let Some(item) = input.witness.iter().next() {
            out.insert("witness".into(), json!(item.to_lower_hex_string()));
        }
    }
    Value::Object(out)
}

/// Describes the fields of a header object; the arguments are further fields.
macro_rules! header_doc {
    ($($extra:expr),*) => {
        &[
            rpc::Res::hex("hash", "The block's hash"),
            rpc::Res::num("confirmations", "Blocks of the active chain from this one on, or -1 if it is not on it"),
            rpc::Res::num("height", "The height"),
            rpc::Res::num("version", "The version"),
            rpc::Res::hex("versionHex", "The version in hex"),
            rpc::Res::hex("merkleroot", "The merkle root"),
            rpc::Res::time("time", "The block time, in Unix seconds"),
            rpc::Res::time("mediantime", "The median time past, in Unix seconds"),
            rpc::Res::num("nonce", "The nonce"),
            rpc::Res::hex("bits", "The target in compact form"),
            rpc::Res::hex("target", "The target"),
            rpc::Res::num("difficulty", "The difficulty"),
            rpc::Res::hex("chainwork", "Expected number of hashes to make the chain up to this block"),
            rpc::Res::num("nTx", "Number of transactions"),
            rpc::Res::hex("previousblockhash", "Hash of the previous block, if there is one").optional(),
            rpc::Res::hex("nextblockhash", "Hash of the next block of the active chain, if there is one").optional(),
            $($extra),*
        ]
    };
}
pub(crate) use header_doc;

/// Describes the coinbase summary of a block.
pub(crate) const COINBASE_DOC: Res = Res::obj(
    "coinbase_tx",
    "Summary of the coinbase",
    &[
        Res::num("version", "Version of the coinbase"),
        Res::num("locktime", "Lock time of the coinbase"),
        Res::num("sequence", "Sequence number of its input"),
        Res::hex("coinbase", "Script of its input"),
        Res::hex("witness", "The one witness item of its input, if there is one").optional(),
    ],
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difficulties() {
        let check = |bits: u32, expected: &str| {
            assert_eq!(values::float(difficulty(CompactTarget::from_consensus(bits))).to_string(), expected);
        };
        check(0x1d00ffff, "1");
        check(0x207fffff, "4.656542373906925e-10");
        check(0x1b0404cb, "16307.42093852398");
        check(0x17053894, "53911173001054.59");
        check(0x1e0377ae, "0.001126515290698186");
    }

    #[test]
    fn targets() {
        let check = |bits: u32, expected: &str| {
            assert_eq!(target_hex(CompactTarget::from_consensus(bits)).trim_start_matches('0'), expected);
        };
        check(0x1d00ffff, &format!("ffff{}", "0".repeat(52)));
        check(0x207fffff, &format!("7fffff{}", "0".repeat(58)));
    }
}
