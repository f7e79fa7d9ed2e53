//! Memory that clients may hold: counted when an object is made, free again when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bitcoin::{Block, TxIn, TxOut};
use interfaces::{Error, Result};

/// A number of bytes that may be held.
pub(super) struct Budget {
    limit: usize,
    whose: &'static str,
    held: AtomicUsize,
}

/// Bytes that are held.
pub(super) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// Allows `limit` bytes; `whose` names the holder in the error.
    pub(super) fn new(limit: usize, whose: &'static str) -> Arc<Self> {
        Arc::new(Budget { limit, whose, held: AtomicUsize::new(0) })
    }

    /// Takes `bytes`, to be given back; the error is how many are held.
    pub(super) fn try_take(&self, bytes: usize) -> std::result::Result<(), usize> {
        let take = |held: usize| held.checked_add(bytes).filter(|held| *held <= self.limit);
        self.held.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).map(drop)
    }

    /// Gives back bytes taken with [`Self::try_take`].
    pub(super) fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Takes `bytes`.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Result<Held> {
        self.try_take(bytes).map(|()| Held { budget: self.clone(), bytes }).map_err(|held| {
            let mb = |bytes: usize| bytes.div_ceil(1 << 20);
            Error::overloaded(format_args!(
                "the objects of {} may take {} MB and take {} MB; destroy some before asking for more",
                self.whose,
                mb(self.limit),
                mb(held)
            ))
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

/// What an object takes besides what it holds, here and in the runtime.
pub(super) const OBJECT: usize = 1024;

/// Estimates the memory of a block.
pub(super) fn memory(block: &Block) -> usize {
    let inputs: usize = block.txdata.iter().map(|tx| tx.input.len()).sum();
    let outputs: usize = block.txdata.iter().map(|tx| tx.output.len()).sum();
    size_of_val(block.txdata.as_slice())
        + block.total_size()
        + inputs * size_of::<TxIn>()
        + outputs * size_of::<TxOut>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_and_bounded() {
        let budget = Budget::new(10 << 20, "this client");
        let first = budget.take(6 << 20).unwrap();
        let says = budget.take(5 << 20).err().map(|error| error.to_string());
        let expected = "the objects of this client may take 10 MB and take 6 MB; destroy some before asking for more";
        assert_eq!(says.as_deref(), Some(expected));
        let second = budget.take(4 << 20).unwrap();
        assert!(budget.take(1).is_err());
        drop(first);
        assert!(budget.take(6 << 20).is_ok());
        assert!(budget.take(usize::MAX).is_err());
        drop(second);
    }
}
