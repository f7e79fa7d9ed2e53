//! `interfaces::BlockTemplate`: a block for a client to complete, held in its budget until it drops it.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bitcoin::block::{Header, Version};
use bitcoin::blockdata::script::Builder;
use bitcoin::hashes::{Hash, HashEngine, sha256d};
use bitcoin::opcodes::OP_TRUE;
use bitcoin::{Amount, Block, BlockHash, ScriptBuf, SignedAmount, Transaction, TxMerkleNode};
use common::chain::Chain;
use interfaces::{BlockCreateOptions, BlockTemplate, BlockWaitOptions, CoinbaseTx, Error, Result};
use kernel::TemplateTransaction;

use super::Session;
use super::budget::{Held, OBJECT, memory};
use super::wait::{TICK, Waits, deadline};
use crate::NodeContext;
use crate::chain::convert::internal;
use crate::mining::options::{MiningOptions, Names};
use crate::mining::{NewBlock, new_block, template};

/// On test chains a block may have the lowest difficulty once the tip is this old, in seconds.
const MIN_DIFFICULTY_AGE: i64 = 20 * 60;

pub(super) struct LocalTemplate {
    context: Arc<NodeContext>,
    session: Arc<Session>,
    options: BlockCreateOptions,
    previous: BlockHash,
    fees: Vec<SignedAmount>,
    sigops: Vec<i64>,
    coinbase: CoinbaseTx,
    block: Mutex<Block>,
    interrupted: AtomicBool,
    _held: [Held; 2],
}

impl LocalTemplate {
    /// Makes a template for the block after the tip.
    pub(super) fn make(
        context: Arc<NodeContext>,
        session: Arc<Session>,
        options: BlockCreateOptions,
    ) -> Result<LocalTemplate> {
        let BlockCreateOptions { use_mempool, block_reserved_weight, coinbase_output_max_additional_sigops } = options;
        let mut mining = MiningOptions::from_args(&context.args).map_err(Error::internal)?;
        mining.reserved_weight = block_reserved_weight;
        mining.reserved_sigops = coinbase_output_max_additional_sigops;
        mining.check(Names::Fields).map_err(Error::internal)?;
        let anyone = ScriptBuf::from_bytes(vec![OP_TRUE.to_u8()]);
        let NewBlock { mut block, template } =
            new_block(&context.kernel, &mining, &anyone, use_mempool).map_err(Error::internal)?;
        // As Core leaves it: it depends on the miner's coinbase, and a miner that forgets it is to notice here.
        block.header.merkle_root = TxMerkleNode::all_zeros();

        let held = session.take(OBJECT + memory(&block))?;
        let sigops = |tx: &TemplateTransaction| i64::try_from(tx.sigops).unwrap_or(i64::MAX);
        Ok(LocalTemplate {
            coinbase: coinbase(&block, template.height)?,
            previous: block.header.prev_blockhash,
            fees: template.transactions.iter().map(|tx| tx.fee).collect(),
            sigops: template.transactions.iter().map(sigops).collect(),
            block: Mutex::new(block),
            interrupted: AtomicBool::new(false),
            _held: held,
            context,
            session,
            options,
        })
    }

    fn block_now(&self) -> MutexGuard<'_, Block> {
        self.block.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waits(&self) -> Waits<'_> {
        Waits { context: &self.context, session: &self.session, interrupted: &self.interrupted }
    }

    fn next(&self) -> Result<LocalTemplate> {
        Self::make(self.context.clone(), self.session.clone(), self.options)
    }

    /// Says whether the chain now allows a block of the lowest difficulty, which is worth a template of its own.
    fn min_difficulty_due(&self) -> Result<bool> {
        if matches!(self.context.chain, Chain::Main | Chain::Signet) {
            return Ok(false);
        }
        let tip = self.context.kernel.tip().map_err(internal)?;
        Ok(common::clock::now() > tip.time() + MIN_DIFFICULTY_AGE)
    }

    fn transactions_updated(&self) -> Result<u32> {
        self.context.kernel.mempool_info().map(|info| info.transactions_updated).map_err(internal)
    }
}

/// Returns what of the coinbase is not the miner's to choose.
fn coinbase(block: &Block, height: u32) -> Result<CoinbaseTx> {
    let none = || Error::internal("the block has no coinbase");
    let made = block.txdata.first().ok_or_else(none)?;
    let input = made.input.first().ok_or_else(none)?;
    let commitment = template::commitment(block);
    let commits = |output: &&bitcoin::TxOut| Some(output.script_pubkey.as_script()) == commitment;
    Ok(CoinbaseTx {
        version: made.version.0 as u32,
        sequence: input.sequence.to_consensus_u32(),
        // Without the padding that the placeholder has at low heights: the miner adds bytes of its own.
        script_sig_prefix: Builder::new().push_int(i64::from(height)).into_script(),
        witness: input.witness.nth(0).map(<[u8]>::to_vec),
        block_reward_remaining: made.output.first().map_or(Amount::ZERO, |output| output.value),
        required_outputs: made.output.iter().filter(commits).cloned().collect(),
        lock_time: made.lock_time.to_consensus_u32(),
    })
}

/// Returns the hashes beside the way from the first transaction to the root, deepest first.
fn merkle_path(block: &Block) -> Vec<TxMerkleNode> {
    let mut level: Vec<_> = block.txdata.iter().map(|tx| tx.compute_txid().to_raw_hash()).collect();
    let mut path = Vec::new();
    while let [_, second, ..] = level.as_slice() {
        path.push(TxMerkleNode::from_raw_hash(*second));
        let join = |pair: &[sha256d::Hash]| {
            let mut engine = sha256d::Hash::engine();
            for hash in [pair.first(), pair.last()].into_iter().flatten() {
                engine.input(hash.as_ref());
            }
            sha256d::Hash::from_engine(engine)
        };
        level = level.chunks(2).map(join).collect();
    }
    path
}

impl BlockTemplate for LocalTemplate {
    fn block_header(&self) -> Result<Header> {
        Ok(self.block_now().header)
    }

    fn block(&self) -> Result<Block> {
        Ok(self.block_now().clone())
    }

    fn tx_fees(&self) -> Result<Vec<SignedAmount>> {
        Ok(self.fees.clone())
    }

    fn tx_sigops(&self) -> Result<Vec<i64>> {
        Ok(self.sigops.clone())
    }

    fn coinbase_tx(&self) -> Result<CoinbaseTx> {
        Ok(self.coinbase.clone())
    }

    fn coinbase_merkle_path(&self) -> Result<Vec<TxMerkleNode>> {
        Ok(merkle_path(&self.block_now()))
    }

    fn submit_solution(&self, version: u32, timestamp: u32, nonce: u32, coinbase: Option<Transaction>) -> Result<bool> {
        let Some(coinbase) = coinbase else { return Ok(false) };
        let mut block = self.block_now();
        if let Some(placeholder) = block.txdata.first_mut() {
            *placeholder = coinbase;
        }
        block.header.version = Version::from_consensus(version as i32);
        block.header.time = timestamp;
        block.header.nonce = nonce;
        block.header.merkle_root = block.compute_merkle_root().unwrap_or(TxMerkleNode::all_zeros());
        let bytes = bitcoin::consensus::serialize(&*block);
        drop(block);
        self.context.kernel.process_block(&bytes, true, true).map(|processed| processed.accepted).map_err(internal)
    }

    fn wait_next(&self, options: BlockWaitOptions) -> Result<Option<Arc<dyn BlockTemplate>>> {
        let BlockWaitOptions { timeout, fee_threshold } = options;
        let deadline = deadline(timeout);
        let fees: SignedAmount = self.fees.iter().copied().sum();
        let wanted = fees.checked_add(fee_threshold);
        let mut compared = None;
        loop {
            let tick = Instant::now() + TICK;
            let until = deadline.map_or(tick, |deadline| deadline.min(tick));
            let Some(tip) = self.waits().tip(Some(until), |tip| tip.hash != self.previous) else { return Ok(None) };
            if tip.hash != self.previous || self.min_difficulty_due()? {
                return Ok(Some(Arc::new(self.next()?)));
            }
            if fee_threshold < SignedAmount::MAX_MONEY {
                // A template is expensive: none is made for a mempool that was found wanting already.
                let updated = Some(self.transactions_updated()?);
                if updated != compared {
                    let next = self.next()?;
                    let fees: SignedAmount = next.fees.iter().copied().sum();
                    if wanted.is_some_and(|wanted| fees >= wanted) {
                        return Ok(Some(Arc::new(next)));
                    }
                    compared = updated;
                }
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(None);
            }
        }
    }

    fn interrupt_wait(&self) -> Result<()> {
        self.waits().interrupt();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::{OutPoint, Txid, absolute, transaction};

    use super::*;

    #[test]
    fn the_path_leads_to_the_root() {
        for count in 1..=9u8 {
            let tx = |tag: u8| Transaction {
                version: transaction::Version::TWO,
                lock_time: absolute::LockTime::ZERO,
                input: vec![bitcoin::TxIn {
                    previous_output: OutPoint::new(Txid::from_byte_array([tag; 32]), 0),
                    ..Default::default()
                }],
                output: Vec::new(),
            };
            let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
            let block = Block { header: genesis.header, txdata: (0..count).map(tx).collect() };
            let first = TxMerkleNode::from(block.txdata[0].compute_txid());
            let root = merkle_path(&block).iter().fold(first, |node, other| {
                let mut engine = sha256d::Hash::engine();
                engine.input(node.as_ref());
                engine.input(other.as_ref());
                TxMerkleNode::from_raw_hash(sha256d::Hash::from_engine(engine))
            });
            assert_eq!(Some(root), block.compute_merkle_root(), "{count}");
        }
    }
}
