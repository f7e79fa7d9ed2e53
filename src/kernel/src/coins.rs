//! The UTXO set.

use std::ops::ControlFlow;

use bitcoin::{OutPoint, TxOut};

use crate::{BlockIndex, Error, Kernel};

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

impl Kernel {
    /// Looks up one output.
    pub fn coin(&self, outpoint: &OutPoint, view: CoinView) -> Result<Option<Coin>, Error> {
        Ok(self.coins(std::slice::from_ref(outpoint), view)?.pop().flatten())
    }

    /// Looks up outputs, all of one moment; an answer for each, in order.
    pub fn coins(&self, outpoints: &[OutPoint], view: CoinView) -> Result<Vec<Option<Coin>>, Error> {
        let _ = (outpoints, view);
        unimplemented!()
    }

    /// Walks through the whole UTXO set as of the returned block, in the order of outpoints, while the chain goes on.
    /// `visit` gets each coin and the estimated percentage done, and stops the walk with `Break`. Interruption is
    /// [`Error::Interrupted`]. Writes the caches to disk first.
    pub fn for_each_coin(
        &self,
        visit: &mut dyn FnMut(OutPoint, Coin, u8) -> ControlFlow<()>,
    ) -> Result<BlockIndex, Error> {
        let _ = visit;
        unimplemented!()
    }
}
