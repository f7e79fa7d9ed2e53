//! A transaction with what the wallet knows about it, and its record.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Transaction, consensus};

use crate::serialize::{ReadError, Reader, Writer};

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TxState {
    /// In a block of the active chain.
    Confirmed {
        /// The block.
        block: BlockHash,
        /// Its height; not in the record, filled in when the wallet meets the chain.
        height: Option<u32>,
        /// Position in the block.
        position: u32,
    },
    /// In the mempool. Recorded as inactive.
    InMempool,
    /// Cannot confirm: a block spends one of its inputs, or of its ancestors'.
    Conflicted {
        /// The block.
        block: BlockHash,
        /// Its height, as above.
        height: Option<u32>,
    },
    /// Neither confirmed nor known to the mempool.
    Inactive {
        /// The user gave it up; its inputs may be spent again.
        abandoned: bool,
    },
}

impl TxState {
    fn serialized(&self) -> ([u8; 32], i32) {
        match *self {
            TxState::Confirmed { block, position, .. } => (block.to_byte_array(), position as i32),
            TxState::Conflicted { block, .. } => (block.to_byte_array(), -1),
            TxState::InMempool | TxState::Inactive { abandoned: false } => ([0; 32], 0),
            TxState::Inactive { abandoned: true } => (ONE, -1),
        }
    }

    fn from_serialized(hash: [u8; 32], index: i32) -> Self {
        let block = BlockHash::from_byte_array(hash);
        match u32::try_from(index) {
            _ if hash == [0; 32] => TxState::Inactive { abandoned: false },
            _ if hash == ONE => TxState::Inactive { abandoned: index == -1 },
            Ok(position) => TxState::Confirmed { block, height: None, position },
            Err(_) => TxState::Conflicted { block, height: None },
        }
    }
}

/// The hash that marks abandoned transactions.
const ONE: [u8; 32] = {
    let mut one = [0; 32];
    one[0] = 1;
    one
};

/// A wallet's transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WalletTx {
    /// The transaction.
    pub(crate) tx: Transaction,
    /// Where it stands.
    pub(crate) state: TxState,
    /// When the wallet first saw it, Unix seconds.
    pub(crate) time_received: u32,
    /// The same adjusted so that transactions sort by it in the order they were seen.
    pub(crate) time_smart: u32,
    /// Position among the wallet's transactions; -1 if it has none.
    pub(crate) position: i64,
    /// Texts kept with it: `comment`, `to`, `replaces_txid`, `replaced_by_txid`, and what older versions wrote.
    /// Bytes, because a file may hold texts that are not UTF-8.
    pub(crate) texts: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Payment messages and requests, kept as found.
    pub(crate) messages: Vec<(Vec<u8>, Vec<u8>)>,
}

impl WalletTx {
    /// Makes an entry for a transaction just seen.
    pub(crate) fn new(tx: Transaction, state: TxState) -> Self {
        WalletTx {
            tx,
            state,
            time_received: 0,
            time_smart: 0,
            position: -1,
            texts: BTreeMap::new(),
            messages: Vec::new(),
        }
    }

    /// The time to show.
    pub(crate) fn time(&self) -> i64 {
        i64::from(if self.time_smart != 0 { self.time_smart } else { self.time_received })
    }

    /// Keeps a text with the transaction.
    pub(crate) fn set_text(&mut self, name: &str, text: &str) {
        self.texts.insert(name.into(), text.into());
    }

    /// Text to show; what is not UTF-8 in it is replaced.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.texts.get(name.as_bytes()).map(|text| String::from_utf8_lossy(text))
    }

    /// Serialises the record's value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut texts = self.texts.clone();
        texts.insert("fromaccount".into(), Vec::new());
        if self.position != -1 {
            texts.insert("n".into(), self.position.to_string().into());
        }
        if self.time_smart != 0 {
            texts.insert("timesmart".into(), self.time_smart.to_string().into());
        }
        let (hash, index) = self.state.serialized();
        // Merkle branch and previous transactions are empty lists now.
        let head = Writer::default().raw(&consensus::serialize(&self.tx)).raw(&hash).size(0).i32(index).size(0);
        let pairs = |writer: Writer, pairs: &mut dyn Iterator<Item = (&Vec<u8>, &Vec<u8>)>, count: usize| {
            pairs.fold(writer.size(count), |writer, (name, text)| writer.bytes(name).bytes(text))
        };
        let head = pairs(head, &mut texts.iter(), texts.len());
        let head = pairs(head, &mut self.messages.iter().map(|(name, text)| (name, text)), self.messages.len());
        head.u32(0).u32(self.time_received).u8(0).u8(0).done()
    }

    /// Reads the record's value.
    pub(crate) fn decode(value: &[u8]) -> Result<Self, ReadError> {
        let mut reader = Reader::new(value);
        let tx = reader.consensus("transaction")?;
        let hash = reader.array()?;
        for _ in 0..reader.size()? {
            reader.array::<32>()?;
        }
        let index = reader.i32()?;
        for _ in 0..reader.size()? {
            let _previous: Transaction = reader.consensus("previous transaction")?;
            reader.array::<32>()?;
            for _ in 0..reader.size()? {
                reader.array::<32>()?;
            }
            reader.i32()?;
        }
        let mut texts = BTreeMap::new();
        for _ in 0..reader.size()? {
            texts.insert(reader.bytes()?.to_vec(), reader.bytes()?.to_vec());
        }
        let mut messages = Vec::new();
        for _ in 0..reader.size()? {
            messages.push((reader.bytes()?.to_vec(), reader.bytes()?.to_vec()));
        }
        let _time_is_block_time = reader.u32()?;
        let time_received = reader.u32()?;
        let mut number = |name: &str| {
            let text = texts.remove(name.as_bytes())?;
            std::str::from_utf8(&text).ok()?.parse::<i64>().ok()
        };
        let position = number("n").unwrap_or(-1);
        let time_smart = number("timesmart").and_then(|time| u32::try_from(time).ok()).unwrap_or(0);
        texts.remove(&b"fromaccount"[..]);
        texts.remove(&b"spent"[..]);
        let state = TxState::from_serialized(hash, index);
        Ok(WalletTx { tx, state, time_received, time_smart, position, texts, messages })
    }
}
