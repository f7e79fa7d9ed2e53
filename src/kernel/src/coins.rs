//! The UTXO set.

use std::ops::ControlFlow;

use bitcoin::hashes::{Hash, sha256d};
use bitcoin::{Amount, BlockHash, OutPoint, ScriptBuf, TxOut, Txid};

use crate::convert::amount;
use crate::{BlockIndex, Error, Kernel, ffi};

/// Coins fetched at a time when walking through the set: enough that the crossing costs nothing, few enough to stop soon.
const BATCH: u32 = 1024;

/// An output that is unspent, or was until the block in question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coin {
    /// The output.
    pub output: TxOut,
    /// Height of its block; `None` while in the mempool.
    pub height: Option<u32>,
    /// Created by a coinbase.
    pub coinbase: bool,
}

/// Which unspent outputs count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CoinView {
    /// Those of the active chain.
    Chain,
    /// Those of the active chain and of the mempool, spent in the mempool or not.
    WithMempool,
    /// Those of the active chain and of the mempool that no transaction in the mempool spends.
    UnspentWithMempool,
}

/// Which hash to take over the UTXO set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CoinHashType {
    /// SHA-256d over the serialized set.
    Serialized,
    /// MuHash, which does not depend on an order.
    MuHash,
    /// None.
    None,
}

/// Statistics of the UTXO set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoinStats {
    /// Height of the block they are as of.
    pub height: u32,
    /// Hash of that block.
    pub best_block: BlockHash,
    /// Transactions with unspent outputs.
    pub transactions: u64,
    /// Unspent outputs.
    pub outputs: u64,
    /// A measure of the size that does not depend on the database.
    pub bogosize: u64,
    /// Bytes on disk, about.
    pub disk_size: u64,
    /// The hash asked for.
    pub hash: sha256d::Hash,
    /// Sum of the values; `None` if it is out of range.
    pub total: Option<Amount>,
}

impl Kernel {
    /// Goes over the whole UTXO set. `None` if it cannot be read. Writes the caches to disk first.
    pub fn coin_stats(&self, hash_type: CoinHashType) -> Result<Option<CoinStats>, Error> {
        let hash_type = match hash_type {
            CoinHashType::Serialized => 0,
            CoinHashType::MuHash => 1,
            CoinHashType::None => 2,
        };
        let entry = self.call(|engine| engine.coin_stats(hash_type))?;
        if entry.interrupted {
            return Err(Error::Interrupted);
        }
        Ok(entry.found.then(|| CoinStats {
            height: entry.height,
            best_block: BlockHash::from_byte_array(entry.best_block),
            transactions: entry.transactions,
            outputs: entry.outputs,
            bogosize: entry.bogosize,
            disk_size: entry.disk_size,
            hash: sha256d::Hash::from_byte_array(entry.hash),
            total: entry.has_total.then(|| amount(entry.total)),
        }))
    }

    /// Verifies the last `blocks` blocks, 0 for all, as thoroughly as `level` says (0 to 4). What is wrong is in the log.
    pub fn verify_chain(&self, level: i32, blocks: i32) -> Result<bool, Error> {
        self.call(|engine| engine.verify_chain(level, blocks))
    }

    /// Looks up one output.
    pub fn coin(&self, outpoint: &OutPoint, view: CoinView) -> Result<Option<Coin>, Error> {
        Ok(self.coins(std::slice::from_ref(outpoint), view)?.pop().flatten())
    }

    /// Looks up outputs, all of one moment; an answer for each, in order.
    pub fn coins(&self, outpoints: &[OutPoint], view: CoinView) -> Result<Vec<Option<Coin>>, Error> {
        let wanted: Vec<ffi::OutPointEntry> = outpoints.iter().map(ffi::OutPointEntry::from).collect();
        let view = match view {
            CoinView::Chain => 0,
            CoinView::WithMempool => 1,
            CoinView::UnspentWithMempool => 2,
        };
        let coins = self.call(|engine| engine.coins(&wanted, view))?;
        Ok(coins.into_iter().map(Coin::from_entry).collect())
    }

    /// Walks through the whole UTXO set as of the returned block, in the order of outpoints, while the chain goes on.
    /// `visit` gets each coin and the estimated percentage done, and stops the walk with `Break`. Interruption is
    /// [`Error::Interrupted`]. Writes the caches to disk first.
    pub fn for_each_coin(
        &self,
        visit: &mut dyn FnMut(OutPoint, Coin, u8) -> ControlFlow<()>,
    ) -> Result<BlockIndex, Error> {
        let engine = self.engine()?;
        let mut cursor = engine.coin_cursor().map_err(Error::from)?;
        let best = BlockHash::from_byte_array(cursor.best_block().bytes);
        let index = self.block_index(&best)?.ok_or(Error::BlockNotFound(best))?;
        loop {
            let batch = cursor.pin_mut().next_coins(BATCH).map_err(Error::from)?;
            if batch.is_empty() {
                return Ok(index);
            }
            for entry in batch {
                let high = u32::from(u16::from_be_bytes([entry.outpoint.txid[0], entry.outpoint.txid[1]]));
                let percent = u8::try_from((high * 100 + (1 << 15)) >> 16).unwrap_or(100);
                let outpoint = OutPoint::from(&entry.outpoint);
                if let Some(coin) = Coin::from_entry(entry.coin)
                    && visit(outpoint, coin, percent).is_break()
                {
                    return Ok(index);
                }
            }
            if engine.interrupted() {
                return Err(Error::Interrupted);
            }
        }
    }
}

impl Coin {
    pub(crate) fn from_entry(entry: ffi::CoinEntry) -> Option<Coin> {
        entry.found.then(|| Coin {
            output: TxOut {
                value: Amount::from_sat(u64::try_from(entry.value).unwrap_or(0)),
                script_pubkey: ScriptBuf::from_bytes(entry.script),
            },
            height: (!entry.in_mempool).then_some(entry.height),
            coinbase: entry.coinbase,
        })
    }
}

impl From<&OutPoint> for ffi::OutPointEntry {
    fn from(outpoint: &OutPoint) -> ffi::OutPointEntry {
        ffi::OutPointEntry { txid: outpoint.txid.to_byte_array(), vout: outpoint.vout }
    }
}

impl From<&ffi::OutPointEntry> for OutPoint {
    fn from(entry: &ffi::OutPointEntry) -> OutPoint {
        OutPoint { txid: Txid::from_byte_array(entry.txid), vout: entry.vout }
    }
}
