//! A regtest chain that is the same to the last byte for the same seed.
//!
//! Transactions spend and pay all kinds of outputs in use and carry real signatures; now and then a branch is built that
//! loses against the next one. The last blocks pay for what is measured afterwards: they split coins into outputs that the
//! transactions for acceptance spend, and the tip itself is full.
//!
//! **Invariant:** nothing here depends on time, the machine or the order of a hash table.

mod coins;
mod file;
mod mine;

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{Block, BlockHash, Transaction};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use self::coins::{Coin, KEYS, Keys, Kind};
use self::file::Writer;
pub use self::file::{Frame, MAGIC, frames};

/// Blocks before a coinbase can be spent.
const MATURITY: u32 = 100;
/// Most blocks on top of a height until its branch loses, and heights between two of them.
const BRANCHES: (u32, u32) = (6, 500);
/// Fewest and most transactions of an ordinary block, without the coinbase.
const DENSITY: (u32, u32) = (5, 15);
/// Transactions of the tip.
const FULL: u32 = 2_000;
/// Outputs of one transaction that splits coins, blocks that hold such, and what each output holds.
const SPLIT: (usize, u32, u64) = (500, 4, 20_000);
/// Least that an output gets, and what a transaction pays at least.
const LEAST: (u64, u64) = (5_000, 500);

/// What a chain is made from.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Height of the tip.
    pub blocks: u32,
    /// Transactions that the chain leaves to be spent.
    pub transactions: u32,
    /// Chooses everything that is chosen.
    pub seed: u64,
}

/// Where a chain was written.
#[derive(Clone, Debug)]
pub struct Files {
    /// Blocks in the order in which they are to be learned, framed as in Bitcoin Core's block files.
    pub blocks: PathBuf,
    /// Transactions that are valid on the tip, in hexadecimal, one a line.
    pub transactions: PathBuf,
}

/// Makes the chain in a directory, or finds that it is there.
pub fn at(directory: &Path, plan: Plan) -> Result<Files> {
    let name = format!("{}-{}-{}", plan.seed, plan.blocks, plan.transactions);
    let files = Files {
        blocks: directory.join(format!("chain-{name}.dat")),
        transactions: directory.join(format!("transactions-{name}.hex")),
    };
    if !files.transactions.exists() {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let mut writer = Writer::create(&files.blocks)?;
        let transactions = generate(plan, |block| writer.write(block))?;
        writer.finish()?;
        let lines: String = transactions.iter().map(|transaction| serialize_hex(transaction) + "\n").collect();
        fs::write(&files.transactions, lines)
            .with_context(|| format!("cannot write {}", files.transactions.display()))?;
    }
    Ok(files)
}

/// Makes the chain, hands on each block and returns the transactions that are valid on its tip.
pub fn generate(plan: Plan, mut each: impl FnMut(&Block) -> Result<()>) -> Result<Vec<Transaction>> {
    let first_split = plan.blocks.saturating_sub(SPLIT.1);
    ensure!(first_split > MATURITY + 20, "a chain has at least {} blocks", MATURITY + SPLIT.1 + 21);
    let mut chain = Chain::new(plan.seed);
    while chain.state.height + 1 < first_split {
        if chain.state.height % BRANCHES.1 == BRANCHES.1 / 2 {
            let fork = chain.state.clone();
            for _ in 0..1 + chain.below(BRANCHES.0) {
                each(&chain.ordinary()?)?;
            }
            let loser = std::mem::replace(&mut chain.state, fork);
            while chain.state.height <= loser.height {
                each(&chain.ordinary()?)?;
            }
        } else {
            each(&chain.ordinary()?)?;
        }
    }
    let full = FULL.min(plan.transactions);
    let mut prepared = chain.split((full + plan.transactions) as usize, &mut each)?;
    let mut spend = |chain: &mut Chain, count: u32| -> Result<Vec<Transaction>> {
        let coins = prepared.split_off(prepared.len() - count as usize);
        coins.into_iter().map(|coin| chain.pay(vec![coin], 2)).collect()
    };
    let transactions = spend(&mut chain, full)?;
    each(&chain.block(transactions)?)?;
    spend(&mut chain, plan.transactions)
}

/// What spending and building on a block needs to know.
#[derive(Clone)]
struct State {
    tip: BlockHash,
    height: u32,
    spendable: Vec<Coin>,
    /// Coinbases by the height at which they can be spent.
    immature: VecDeque<(u32, Coin)>,
}

struct Chain {
    keys: Keys,
    random: ChaCha8Rng,
    state: State,
    /// What the transactions of the next block pay.
    fees: u64,
}

impl Chain {
    fn new(seed: u64) -> Chain {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let keys = Keys::new(&mut random);
        let tip = bitcoin::constants::genesis_block(bitcoin::Network::Regtest).block_hash();
        let state = State { tip, height: 0, spendable: Vec::new(), immature: VecDeque::new() };
        Chain { keys, random, state, fees: 0 }
    }

    /// A number below `bound`, which is far below what the generator returns.
    fn below(&mut self, bound: u32) -> u32 {
        self.random.next_u32() % bound.max(1)
    }

    /// Where the next output goes.
    fn destination(&mut self) -> (Kind, usize) {
        let kind = Kind::ALL[self.below(Kind::ALL.len() as u32) as usize];
        (kind, self.below(KEYS as u32) as usize)
    }

    /// A block with a few transactions of a few inputs each.
    fn ordinary(&mut self) -> Result<Block> {
        let mut transactions = Vec::new();
        for _ in 0..DENSITY.0 + self.below(DENSITY.1 - DENSITY.0 + 1) {
            let mut inputs = Vec::new();
            for _ in 0..1 + self.below(3) {
                if !self.state.spendable.is_empty() {
                    let index = self.below(self.state.spendable.len() as u32) as usize;
                    inputs.push(self.state.spendable.swap_remove(index));
                }
            }
            if inputs.is_empty() {
                break;
            }
            let transaction = self.pay(inputs, 2)?;
            transactions.push(transaction);
        }
        self.block(transactions)
    }

    /// Blocks that split the richest coins into `count` outputs, which are returned and not spent otherwise.
    fn split(&mut self, count: usize, each: &mut impl FnMut(&Block) -> Result<()>) -> Result<Vec<Coin>> {
        let mut prepared = Vec::with_capacity(count);
        let per_block = count.div_ceil(SPLIT.1 as usize);
        for _ in 0..SPLIT.1 {
            self.state.spendable.sort_by_key(|coin| (coin.value, coin.outpoint));
            let until = count.min(prepared.len() + per_block);
            let mut transactions = Vec::new();
            while prepared.len() < until {
                let outputs = SPLIT.0.min(until - prepared.len());
                let coin = self.state.spendable.pop().context("the chain has no coins left to split")?;
                ensure!(coin.value >= SPLIT.2 * outputs as u64, "the chain has no coin rich enough to split");
                let destinations: Vec<_> = (0..outputs).map(|_| (self.destination(), SPLIT.2)).collect();
                self.fees += coin.value - SPLIT.2 * outputs as u64;
                let (transaction, coins) = self.keys.transfer(vec![coin], &destinations)?;
                transactions.push(transaction);
                prepared.extend(coins);
            }
            each(&self.block(transactions)?)?;
        }
        Ok(prepared)
    }

    /// Spends coins to outputs of any kind, which can be spent at once.
    fn pay(&mut self, inputs: Vec<Coin>, outputs: u64) -> Result<Transaction> {
        let total: u64 = inputs.iter().map(|coin| coin.value).sum();
        let fee = (LEAST.1 + u64::from(self.below(2_000))).min(total);
        let outputs = outputs.min((total - fee) / LEAST.0).max(1);
        self.fees += fee;
        let mut left = total - fee;
        let mut destinations = Vec::new();
        for remaining in (1..=outputs).rev() {
            // Each of the others can still get the least.
            let spare = left.saturating_sub(LEAST.0 * remaining);
            let share = if remaining == 1 { left } else { LEAST.0 + spare / 1000 * u64::from(self.below(1000)) };
            left -= share;
            destinations.push((self.destination(), share));
        }
        let (transaction, coins) = self.keys.transfer(inputs, &destinations)?;
        self.state.spendable.extend(coins);
        Ok(transaction)
    }

    /// Puts transactions into a block on the tip, which it becomes.
    fn block(&mut self, transactions: Vec<Transaction>) -> Result<Block> {
        let height = self.state.height + 1;
        let (kind, key) = self.destination();
        let value = mine::subsidy(height) + std::mem::take(&mut self.fees);
        let script = self.keys.script(kind, key);
        let extra = self.random.next_u32();
        let block = mine::block(self.state.tip, height, extra, script, value, transactions)?;
        let coinbase = Coin::of(&block.txdata[0], 0, kind, key);
        self.state.immature.push_back((height + MATURITY, coinbase));
        while self.state.immature.front().is_some_and(|(mature, _)| *mature <= height + 1) {
            self.state.spendable.extend(self.state.immature.pop_front().map(|(_, coin)| coin));
        }
        self.state.tip = block.block_hash();
        self.state.height = height;
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::{Hash, HashEngine, sha256};

    use super::*;

    fn digest(seed: u64) -> (String, usize) {
        let mut engine = sha256::Hash::engine();
        let mut count = 0;
        let plan = Plan { blocks: 300, transactions: 60, seed };
        let transactions = generate(plan, |block| {
            count += 1;
            engine.input(&bitcoin::consensus::serialize(block));
            Ok(())
        })
        .unwrap();
        assert_eq!(transactions.len(), 60);
        for transaction in &transactions {
            engine.input(&bitcoin::consensus::serialize(transaction));
        }
        (sha256::Hash::from_engine(engine).to_string(), count)
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let (hash, count) = digest(7);
        assert!(count > 300, "a branch was built beside the chain");
        // On any machine and at any time.
        assert_eq!(hash, "f035baa83efaf404c6d466489f1f86e8f1619b3e1333e0e2dd742737a576ef59");
        assert_ne!(digest(8).0, hash);
    }
}
