//! Announcing transactions to a peer.

use std::collections::BTreeSet;

use bitcoin::Wtxid;

use crate::known::KnownSet;
use crate::time::Time;

/// Hashes that are remembered as known to a peer.
const MAX_KNOWN: usize = 50_000;

/// What a peer knows of transactions, and what it is to be told.
#[derive(Debug)]
pub(crate) struct TxRelay {
    /// It wants transactions.
    pub wanted: bool,
    /// Ids it knows, in the form it uses.
    pub known: KnownSet,
    /// Transactions to announce.
    pub to_send: BTreeSet<Wtxid>,
    /// It asked for the whole mempool (BIP35).
    pub mempool_wanted: bool,
    /// When the next announcement may go; none before the first.
    pub next_send: Option<Time>,
    /// The mempool's change number as of the last announcement: what came later it cannot ask for.
    pub last_sequence: u64,
    /// Least rate of the transactions it wants, in satoshi per 1000 virtual bytes.
    pub fee_filter: u64,
}

impl TxRelay {
    /// Begins.
    pub(crate) fn new(wanted: bool) -> Self {
        TxRelay {
            wanted,
            known: KnownSet::new(MAX_KNOWN),
            to_send: BTreeSet::new(),
            mempool_wanted: false,
            next_send: None,
            last_sequence: 1,
            fee_filter: 0,
        }
    }
}
