//! Blocks and headers as JSON.

use bitcoin::consensus::encode::deserialize_partial;
use bitcoin::hex::DisplayHex;
use bitcoin::{Block, CompactTarget, Network, Target, Transaction};
use kernel::{BlockIndex, Coin};
use rpc::Res;
use rpc::json as values;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::raw_block::{self, Outline};
use super::transaction::{self, List, Spent};

/// Returns the difficulty as a multiple of the lowest one of the main chain.
pub(crate) fn difficulty(bits: CompactTarget) -> f64 {
    let bits = bits.to_consensus();
    let shift = i32::try_from(bits >> 24).expect("a byte fits");
    // Powers of two are exact, so the order of operations does not matter.
    f64::from(0xffff) / f64::from(bits & 0x00ff_ffff) * 256f64.powi(29 - shift)
}

/// Returns the target of a header as 64 hexadecimal digits.
pub(crate) fn target_hex(bits: CompactTarget) -> String {
    values::hex(&Target::from_compact(bits).to_be_bytes())
}

/// Returns compact bits as 8 hexadecimal digits.
pub(crate) fn bits_hex(bits: CompactTarget) -> String {
    format!("{:08x}", bits.to_consensus())
}

/// A header as it is shown.
pub(crate) struct HeaderView<'a>(pub &'a BlockIndex);

impl HeaderView<'_> {
    fn members<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        let index = self.0;
        let header = &index.header;
        let confirmations = if index.confirmations == 0 { -1 } else { i64::from(index.confirmations) };
        out.serialize_entry("hash", &hash(&index.hash))?;
        out.serialize_entry("confirmations", &confirmations)?;
        out.serialize_entry("height", &index.height)?;
        out.serialize_entry("version", &header.version.to_consensus())?;
        out.serialize_entry("versionHex", &format_args!("{:08x}", header.version.to_consensus()))?;
        out.serialize_entry("merkleroot", &hash(&header.merkle_root))?;
        out.serialize_entry("time", &header.time)?;
        out.serialize_entry("mediantime", &index.median_time)?;
        out.serialize_entry("nonce", &header.nonce)?;
        out.serialize_entry("bits", &bits_hex(header.bits))?;
        out.serialize_entry("target", &target_hex(header.bits))?;
        out.serialize_entry("difficulty", &values::float(difficulty(header.bits)))?;
        out.serialize_entry("chainwork", &chainwork_hex(index))?;
        out.serialize_entry("nTx", &index.n_tx)?;
        if let Some(previous) = index.previous() {
            out.serialize_entry("previousblockhash", &hash(&previous))?;
        }
        if let Some(next) = &index.next {
            out.serialize_entry("nextblockhash", &hash(next))?;
        }
        Ok(())
    }
}

impl Serialize for HeaderView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        self.members(&mut out)?;
        out.end()
    }
}

fn hash(hash: &impl AsRef<[u8; 32]>) -> values::Hash<'_> {
    values::Hash(hash.as_ref())
}

/// Returns the work of the chain up to a block as 64 hexadecimal digits.
pub(crate) fn chainwork_hex(index: &BlockIndex) -> String {
    values::hex(&index.chainwork.to_be_bytes())
}

/// What is shown of a block besides its transactions.
struct Front<'a> {
    index: &'a BlockIndex,
    stripped_size: usize,
    size: usize,
    coinbase: Option<&'a Transaction>,
}

impl Front<'_> {
    fn members<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        HeaderView(self.index).members(out)?;
        out.serialize_entry("strippedsize", &self.stripped_size)?;
        out.serialize_entry("size", &self.size)?;
        out.serialize_entry("weight", &(3 * self.stripped_size + self.size))?;
        if let Some(coinbase) = self.coinbase {
            out.serialize_entry("coinbase_tx", &coinbase_json(coinbase))?;
        }
        Ok(())
    }
}

impl Serialize for Front<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        self.members(&mut out)?;
        out.end()
    }
}

/// Writes a serialized block as it is shown with its transactions' ids alone; an error if it is no block.
pub(crate) fn write_with_ids(out: &mut Vec<u8>, index: &BlockIndex, raw: &[u8]) -> Result<(), String> {
    let Outline { txids, stripped_size, first } = raw_block::outline(raw).ok_or("it ends early or late")?;
    let coinbase = match txids.first() {
        Some(_) => {
            let (coinbase, _) = deserialize_partial(&raw[first..]).map_err(|error| error.to_string())?;
            Some(coinbase)
        }
        None => None,
    };
    let front = Front { index, stripped_size, size: raw.len(), coinbase: coinbase.as_ref() };
    serde_json::to_writer(&mut *out, &front).map_err(|error| error.to_string())?;
    // An object is what comes before its end.
    out.pop();
    out.reserve(txids.len() * r#"",""#.len() + txids.len() * 64 + 16);
    out.extend_from_slice(br#","tx":["#);
    for (at, txid) in txids.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
        values::append_hash(out, txid);
        out.push(b'"');
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

/// A block as it is shown with its transactions.
pub(crate) struct View<'a> {
    pub index: &'a BlockIndex,
    pub block: &'a Block,
    /// The coins spent, a list for each transaction but the coinbase, if at hand.
    pub undo: Option<&'a [Vec<Coin>]>,
    /// With the outputs spent.
    pub prevouts: bool,
    pub network: Network,
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let block = self.block;
        let mut out = serializer.serialize_map(None)?;
        let size = block.total_size();
        // Weight is three times the stripped size plus the whole size.
        let stripped_size = (block.weight().to_wu() as usize - size) / 3;
        Front { index: self.index, stripped_size, size, coinbase: block.txdata.first() }.members(&mut out)?;
        let transactions = block.txdata.iter().enumerate().map(|(at, tx)| {
            let coins = self.undo.and_then(|undo| undo.get(at.checked_sub(1)?)).map(Vec::as_slice);
            let spent = match coins {
                None => Spent::Unknown,
                Some(coins) if self.prevouts => Spent::Shown(coins),
                Some(coins) => Spent::ForFee(coins),
            };
            transaction::View { tx, network: self.network, spent, hex: true }
        });
        out.serialize_entry("tx", &List(transactions))?;
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

/// Describes the fields of a header object; the arguments are further fields: of the block, and of its content.
macro_rules! header_doc {
    () => { header_doc!([], []) };
    ([$($block:expr),*], [$($content:expr),*]) => {
        &[
            rpc::Res::hex("hash", "The block's hash"),
            rpc::Res::num("confirmations", "Blocks of the active chain from this one on, or -1 if it is not on it"),
            $($block,)*
            rpc::Res::num("height", "The height"),
            rpc::Res::num("version", "The version"),
            rpc::Res::hex("versionHex", "The version in hex"),
            rpc::Res::hex("merkleroot", "The merkle root"),
            $($content,)*
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
