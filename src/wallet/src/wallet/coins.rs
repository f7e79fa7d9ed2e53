//! Which coins can be spent, and how large their inputs are.

use std::collections::HashMap;

use bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, Weight};

use super::Wallet;
use crate::descriptor::{Concrete, DescriptorId, OutputType};
use crate::error::Result;
use crate::records::{Change, TxState};
use crate::selection::Candidate;
use crate::state::State;

/// Which coins to list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CoinFilter {
    /// Least confirmations.
    pub(crate) min_depth: i32,
    /// Most confirmations.
    pub(crate) max_depth: i32,
    /// Also coins that cannot be relied on yet.
    pub(crate) unsafe_too: bool,
    /// Also those of young coinbases.
    pub(crate) immature_too: bool,
    /// Also those on addresses spent from before.
    pub(crate) used_too: bool,
    /// Least value.
    pub(crate) min_amount: Amount,
    /// Most value.
    pub(crate) max_amount: Amount,
    /// Stop at this sum.
    pub(crate) sum: Amount,
    /// Stop at this number; 0 for no limit.
    pub(crate) count: usize,
}

impl Default for CoinFilter {
    fn default() -> Self {
        CoinFilter {
            min_depth: 0,
            max_depth: 9_999_999,
            unsafe_too: false,
            immature_too: false,
            used_too: false,
            min_amount: Amount::ZERO,
            max_amount: Amount::MAX_MONEY,
            sum: Amount::MAX_MONEY,
            count: 0,
        }
    }
}

/// A coin of the wallet.
#[derive(Debug, Clone)]
pub(crate) struct Coin {
    /// Where it is.
    pub(crate) outpoint: OutPoint,
    /// What it is.
    pub(crate) output: TxOut,
    /// Confirmations.
    pub(crate) depth: i32,
    /// Can be relied on.
    pub(crate) safe: bool,
    /// The wallet knows how to spend it, keys aside.
    pub(crate) solvable: bool,
    /// Made by the wallet.
    pub(crate) from_me: bool,
}

/// Weight of a signed input, without the byte that a non-segwit input has among segwit ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InputWeight {
    /// Its weight.
    pub(crate) weight: Weight,
    /// It has a witness.
    pub(crate) segwit: bool,
}

/// Outpoint and sequence.
const INPUT_BASE: u64 = (36 + 4) * 4;
/// A signature with low R and its sighash byte.
const SIGNATURE: u64 = 71;
/// A compressed public key.
const KEY: u64 = 33;

impl InputWeight {
    /// Virtual size of the input in a transaction with segwit inputs, as Bitcoin Core counts it when it chooses coins.
    pub(crate) fn vsize(&self) -> u64 {
        (self.weight.to_wu() + u64::from(!self.segwit)).div_ceil(4)
    }

    /// Returns the weight of an input that spends what `concrete` stands for. `None` if it cannot be spent.
    pub(crate) fn of(concrete: &Concrete) -> Option<Self> {
        use miniscript::Descriptor as D;
        use miniscript::descriptor::ShInner;
        let (script_sig, witness, segwit) = match concrete {
            Concrete::Opaque => return None,
            Concrete::RawTaproot(_) => (0, 1 + 1 + 64, true),
            Concrete::Miniscript(descriptor) => match &**descriptor {
                D::Pkh(pkh) => (1 + SIGNATURE + 1 + pkh.as_inner().to_bytes().len() as u64, 0, false),
                D::Wpkh(_) => (0, 1 + 1 + SIGNATURE + 1 + KEY, true),
                D::Sh(sh) if matches!(sh.as_inner(), ShInner::Wpkh(_)) => (23, 1 + 1 + SIGNATURE + 1 + KEY, true),
                D::Tr(tr) if tr.tap_tree().is_none() => (0, 1 + 1 + 64, true),
                other => {
                    let segwit = match other {
                        D::Bare(_) => false,
                        D::Sh(sh) => matches!(sh.as_inner(), ShInner::Wsh(_)),
                        _ => true,
                    };
                    // Counts the length byte of an empty script, and for segwit that of an empty witness, not.
                    let more = other.max_weight_to_satisfy().ok()?.to_wu();
                    let weight = Weight::from_wu(INPUT_BASE + 4 + u64::from(segwit) + more);
                    return Some(InputWeight { weight, segwit });
                }
            },
        };
        // Scripts of one-key inputs are below 253 bytes, so their length takes one byte.
        let weight = Weight::from_wu(INPUT_BASE + (1 + script_sig) * 4 + witness);
        Some(InputWeight { weight, segwit })
    }
}

impl State {
    /// How to spend a script of the wallet.
    pub(crate) fn concrete(&self, script: &ScriptBuf) -> Concrete {
        self.owner(script)
            .and_then(|(owner, manager)| {
                let expanded = manager.expanded(&self.secp, owner.index)?;
                Some(manager.descriptor().concrete(&expanded.keys, owner.position))
            })
            .unwrap_or(Concrete::Opaque)
    }

    /// Lists unspent, unlocked coins.
    pub(crate) fn coins(&self, filter: &CoinFilter, spend_unconfirmed: bool) -> Vec<Coin> {
        let mut known = HashMap::new();
        let mut coins = Vec::new();
        let mut sum = Amount::ZERO;
        // Outputs of a transaction follow each other.
        let mut source: Option<(Txid, Option<Source>)> = None;
        for (outpoint, output) in &self.outputs {
            let found = match &source {
                Some((txid, found)) if *txid == outpoint.txid => *found,
                _ => self.source(&outpoint.txid, filter, spend_unconfirmed, &mut known),
            };
            source = Some((outpoint.txid, found));
            let Some(Source { depth, safe, from_me }) = found else { continue };
            let wanted = (filter.min_amount..=filter.max_amount).contains(&output.value)
                && !self.locked.contains_key(outpoint)
                && !self.is_spent(outpoint)
                && (filter.used_too || !self.is_used(&output.script_pubkey));
            if !wanted {
                continue;
            }
            let solvable =
                self.owner(&output.script_pubkey).is_some_and(|(_, manager)| manager.descriptor().is_solvable());
            coins.push(Coin { outpoint: *outpoint, output: output.clone(), depth, safe, solvable, from_me });
            sum += output.value;
            if (filter.sum != Amount::MAX_MONEY && sum >= filter.sum) || coins.len() == filter.count {
                break;
            }
        }
        coins
    }

    /// What coins of a transaction have in common; `None` if none of them is wanted.
    fn source(
        &self,
        txid: &Txid,
        filter: &CoinFilter,
        spend_unconfirmed: bool,
        known: &mut HashMap<Txid, bool>,
    ) -> Option<Source> {
        let tx = self.txs.get(txid)?;
        let depth = self.depth(tx);
        let exists = match tx.state {
            TxState::Confirmed { .. } => depth > 0,
            TxState::InMempool => true,
            TxState::Conflicted { .. } | TxState::Inactive { .. } => false,
        };
        let replacing = tx.text("replaces_txid").is_some() || tx.text("replaced_by_txid").is_some();
        let safe = self.is_trusted(txid, spend_unconfirmed, known) && !(depth == 0 && replacing);
        let wanted = exists
            && (!self.is_immature(tx) || filter.immature_too)
            && (safe || filter.unsafe_too)
            && (filter.min_depth..=filter.max_depth).contains(&depth);
        wanted.then(|| Source { depth, safe, from_me: self.is_from_me(&tx.tx) })
    }

    /// Says whether a coin chosen a moment ago can still be spent.
    pub(crate) fn is_still_there(&self, coin: &Coin) -> bool {
        let exists = self.txs.get(&coin.outpoint.txid).is_some_and(|tx| match tx.state {
            TxState::Confirmed { .. } => self.depth(tx) > 0,
            TxState::InMempool => coin.depth == 0,
            TxState::Conflicted { .. } | TxState::Inactive { .. } => false,
        });
        exists
            && self.outputs.contains_key(&coin.outpoint)
            && !self.locked.contains_key(&coin.outpoint)
            && !self.is_spent(&coin.outpoint)
    }

    /// Lists coins for a payment, with the weights of their inputs. What the mempool knows of them is left open.
    pub(crate) fn candidates(&self, filter: &CoinFilter, spend_unconfirmed: bool) -> Vec<Candidate> {
        // All scripts of a descriptor are spent alike, so it is worked out once.
        let mut weights: HashMap<(DescriptorId, usize), Option<InputWeight>> = HashMap::new();
        let candidate = |coin: Coin| {
            let script = &coin.output.script_pubkey;
            let (owner, _) = self.owner(script)?;
            let weight = (*weights
                .entry((owner.id, owner.position))
                .or_insert_with(|| InputWeight::of(&self.concrete(script))))?;
            let kind = match script {
                script if script.is_p2tr() => Some(OutputType::Bech32m),
                script if script.is_p2wpkh() || script.is_p2wsh() => Some(OutputType::Bech32),
                script if script.is_p2sh() && weight.segwit => Some(OutputType::P2shSegwit),
                script if script.is_p2sh() || script.is_p2pkh() => Some(OutputType::Legacy),
                _ => None,
            };
            Some(Candidate { coin, weight, kind, ancestors: 0, cluster: 0, bump_fee: 0 })
        };
        self.coins(filter, spend_unconfirmed).into_iter().filter_map(candidate).collect()
    }
}

/// What coins of a transaction have in common.
#[derive(Debug, Clone, Copy)]
struct Source {
    depth: i32,
    safe: bool,
    from_me: bool,
}

impl Wallet {
    /// Locks coins against spending or unlocks them.
    pub(crate) fn lock_coins(&self, outpoints: &[OutPoint], lock: bool, persistent: bool) -> Result<()> {
        let mut state = self.state();
        let recorded = |outpoint: &OutPoint| state.locked.get(outpoint) == Some(&true);
        let changes = outpoints
            .iter()
            .filter(|outpoint| if lock { persistent } else { recorded(outpoint) })
            .map(|outpoint| Change::LockedOutput(*outpoint, lock))
            .collect();
        state.commit(changes)?;
        for outpoint in outpoints {
            match lock {
                true => drop(state.locked.entry(*outpoint).or_insert(persistent)),
                false => drop(state.locked.remove(outpoint)),
            }
        }
        Ok(())
    }
}
