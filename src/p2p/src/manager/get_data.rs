//! `getdata`: serves blocks and transactions, as fast as the peer takes them.

use bitcoin::consensus::encode::Encodable;
use bitcoin::p2p::message_blockdata::Inventory;
use bitcoin::{Block, BlockHash, Transaction, Txid, VarInt};
use kernel::{BlockIndex, Validity};

use super::{Fault, Manager, inventory};
use crate::config::{NODE_NETWORK, NODE_NETWORK_LIMITED};
use crate::permissions::Permissions;
use crate::{PeerId, wire};

/// Blocks below the tip that a node which keeps only recent ones serves, with room for races.
const LIMITED_BLOCKS: u32 = 288 + 2;
/// Seconds a block is behind the newest header from which on it is served only if there is room for it.
const OLD_BLOCK_AGE: i64 = 7 * 24 * 60 * 60;
/// The type of an entry that asks for a block through a bloom filter.
const FILTERED_BLOCK: u32 = 3;

impl Manager {
    pub(super) fn on_getdata(&mut self, id: PeerId, payload: &[u8]) -> Result<(), Fault> {
        let items = inventory::read(payload, "getdata")?;
        log::debug!(target: "net", "received getdata ({} invsz) peer={id}", items.len());
        if let Some(first) = items.first() {
            log::debug!(target: "net", "received getdata for: {} peer={id}", inventory::describe(first));
        }
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        peer.requests.extend(items);
        self.serve_requests(id)
    }

    /// Serves transactions until a block comes, and one block. The rest waits until the peer took these.
    pub(super) fn serve_requests(&mut self, id: PeerId) -> Result<(), Fault> {
        let mut missing = Vec::new();
        let mut block = None;
        while let Some(peer) = self.peers.get_mut(&id) {
            if peer.link.is_congested() {
                break;
            }
            let Some(item) = peer.requests.pop_front() else { break };
            if !is_transaction(&item) {
                block = Some(item);
                break;
            }
            let Some(sequence) = peer.relay.as_ref().map(|relay| relay.last_sequence) else { continue };
            match self.find_transaction(&item, sequence)? {
                Some((transaction, txid)) => {
                    let stripped = matches!(item, Inventory::Transaction(_));
                    let bytes = if stripped { without_witness(&transaction) } else { wire::encoded(&transaction) };
                    if let Some(peer) = self.peers.get(&id) {
                        peer.send("tx", &bytes);
                    }
                    self.kernel.set_unbroadcast(&txid, false)?;
                }
                None => missing.push(item),
            }
        }
        let result = match block {
            Some(item) => self.serve_block(id, &item),
            None => Ok(()),
        };
        if !missing.is_empty()
            && let Some(peer) = self.peers.get(&id)
        {
            peer.send("notfound", &wire::encoded_list(&missing));
        }
        result
    }

    fn find_transaction(&self, item: &Inventory, sequence: u64) -> Result<Option<(Transaction, Txid)>, Fault> {
        let found = match item {
            Inventory::WTx(wtxid) => self.kernel.transaction_for_relay_by_wtxid(wtxid, sequence)?,
            Inventory::Transaction(txid) | Inventory::WitnessTransaction(txid) => {
                self.kernel.transaction_for_relay(txid, sequence)?
            }
            _ => None,
        };
        let found = found.or_else(|| self.recent.get(&inventory::transaction(item)?).cloned());
        Ok(found.map(|transaction| {
            let txid = transaction.compute_txid();
            (transaction, txid)
        }))
    }

    fn serve_block(&mut self, id: PeerId, item: &Inventory) -> Result<(), Fault> {
        let hash = match item {
            Inventory::Block(hash) | Inventory::WitnessBlock(hash) | Inventory::CompactBlock(hash) => *hash,
            // Needs a filter, which no peer can load.
            Inventory::Unknown { inv_type: FILTERED_BLOCK, .. } => return Ok(()),
            _ => return Ok(()),
        };
        let Some(index) = self.servable_block(id, &hash)? else { return Ok(()) };
        let tip = self.kernel.tip()?;
        let spent = !self.connector.options.totals.upload_target().serves_old_blocks;
        let newest = if spent { self.kernel.best_header()? } else { None };
        let old = newest.is_some_and(|newest| newest.time() - index.time() > OLD_BLOCK_AGE);
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if old && !peer.may(Permissions::DOWNLOAD) {
            return Err(Fault::Disconnect("historical block serving limit reached".to_owned()));
        }
        let limited = peer.our_services & (NODE_NETWORK | NODE_NETWORK_LIMITED) == NODE_NETWORK_LIMITED;
        if limited && !peer.may(Permissions::NO_BAN) && tip.height.saturating_sub(index.height) > LIMITED_BLOCKS {
            return Err(Fault::Disconnect("Ignore block request below NODE_NETWORK_LIMITED threshold".to_owned()));
        }
        if !index.status.have_data {
            return Ok(());
        }
        let bytes = self.kernel.read_block(&hash).map_err(|error| match error {
            kernel::Error::BlockPruned(_) => Fault::Disconnect("Block was pruned before it could be read".to_owned()),
            other => {
                log::error!("Cannot load block from disk, disconnecting {}: {other}", peer.link.peer());
                Fault::Disconnect("Cannot load block from disk".to_owned())
            }
        })?;
        if matches!(item, Inventory::Block(_)) {
            peer.send("block", &stripped_block(&bytes)?);
        } else {
            peer.send("block", &bytes);
        }
        if peer.chain.continuation == Some(hash) {
            peer.chain.continuation = None;
            peer.send("inv", &wire::encoded_list(&[Inventory::Block(tip.hash)]));
        }
        Ok(())
    }

    /// Finds a block a peer may be shown.
    fn servable_block(&mut self, id: PeerId, hash: &BlockHash) -> Result<Option<BlockIndex>, Fault> {
        let Some(index) = self.kernel.block_index(hash)? else { return Ok(None) };
        let unvalidated = index.status.validity < Validity::Scripts && !index.status.failed;
        if index.chain_tx_count > 0 && unvalidated {
            // It may be about to be connected; what may be shown depends on that.
            self.kernel.activate_best_chain()?;
        }
        if !self.kernel.may_serve_block(hash)? {
            log::debug!(
                target: "net",
                "ProcessGetBlockData: ignoring request from peer={id} for old block that isn't in the main chain"
            );
            return Ok(None);
        }
        Ok(self.kernel.block_index(hash)?)
    }
}

fn is_transaction(item: &Inventory) -> bool {
    matches!(item, Inventory::Transaction(_) | Inventory::WitnessTransaction(_) | Inventory::WTx(_))
}

/// Writes a transaction as those want it who know no witnesses.
fn without_witness(transaction: &Transaction) -> Vec<u8> {
    let mut bytes = wire::encoded(&transaction.version);
    wire::put(&mut bytes, &transaction.input);
    wire::put(&mut bytes, &transaction.output);
    wire::put(&mut bytes, &transaction.lock_time);
    bytes
}

/// Takes the witnesses out of a block.
pub(super) fn stripped_block(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let block: Block =
        bitcoin::consensus::encode::deserialize(bytes).map_err(|error| Fault::Disconnect(error.to_string()))?;
    let mut stripped = wire::encoded(&block.header);
    VarInt::from(block.txdata.len()).consensus_encode(&mut stripped).expect("writing to memory does not fail");
    for transaction in &block.txdata {
        stripped.extend(without_witness(transaction));
    }
    Ok(stripped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_without_witnesses_keep_their_ids() {
        let mut block = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
        block.txdata[0].input[0].witness = vec![vec![0; 32]].into();
        let bytes = wire::encoded(&block);
        let stripped: Block = bitcoin::consensus::encode::deserialize(&stripped_block(&bytes).unwrap()).unwrap();
        assert!(stripped.txdata[0].input[0].witness.is_empty());
        assert_eq!(stripped.txdata[0].compute_txid(), block.txdata[0].compute_txid());
        assert!(stripped_block(&bytes[..90]).is_err());
    }
}
