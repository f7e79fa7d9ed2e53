//! The mempool: what goes in, what is in it.

mod convert;
mod types;

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, SignedAmount, Transaction, Txid, Wtxid};

use self::convert::{accept_result, package_rejection, pool_transaction};
pub use self::types::{
    AcceptResult, Accepted, DiagramPoint, MempoolAncestry, MempoolChunk, MempoolEntry, MempoolInfo, MempoolTransaction,
    PackageResult, Prioritisation, RejectKind, Rejection,
};
use crate::convert::{encode_tx, hashes, signed, txids};
use crate::{Error, FeeRate, Kernel, ffi};

impl Kernel {
    /// Submits a transaction to the mempool, or only says what would happen.
    pub fn accept_transaction(&self, transaction: &Transaction, test_only: bool) -> Result<AcceptResult, Error> {
        self.accept(transaction, test_only, -1)
    }

    /// Submits a transaction as of an earlier time, for loading a stored mempool.
    pub fn accept_stored_transaction(&self, transaction: &Transaction, time: i64) -> Result<AcceptResult, Error> {
        self.accept(transaction, false, time.max(0))
    }

    /// Submits transactions together, parents first, or only says what would happen. `max_feerate` refuses any that
    /// pays more.
    pub fn accept_package(
        &self,
        transactions: &[Transaction],
        test_only: bool,
        max_feerate: Option<FeeRate>,
    ) -> Result<PackageResult, Error> {
        let bytes: Vec<ffi::TxBytes> = transactions.iter().map(encode_tx).collect();
        let max_feerate = max_feerate.map_or(-1, FeeRate::to_sat_per_kvb);
        let package = self.call(|engine| engine.accept_package(&bytes, test_only, max_feerate))?;
        let transactions = package.results.into_iter().map(accept_result).collect::<Result<_, _>>()?;
        Ok(PackageResult {
            rejection: package.has_rejection.then(|| package_rejection(package.rejection)),
            transactions,
        })
    }

    /// Returns all entries, parents before children, best first.
    pub fn mempool_entries(&self) -> Result<Vec<MempoolEntry>, Error> {
        Ok(self.call(|engine| engine.mempool_entries())?.iter().map(MempoolEntry::from).collect())
    }

    /// Returns one entry.
    pub fn mempool_entry(&self, txid: &Txid) -> Result<Option<MempoolEntry>, Error> {
        Ok(self.call(|engine| engine.mempool_entry(txid.as_byte_array()))?.entries.first().map(MempoolEntry::from))
    }

    /// Returns all ids, parents before children, best first, and the count of changes they are as of.
    pub fn mempool_txids(&self) -> Result<(Vec<Txid>, u64), Error> {
        let ids = self.call(|engine| engine.mempool_ids())?;
        Ok((txids(&ids.txids), ids.sequence))
    }

    /// Returns all transactions, parents before children, best first.
    pub fn mempool_transactions(&self) -> Result<Vec<MempoolTransaction>, Error> {
        self.call(|engine| engine.mempool_transactions())?.iter().map(pool_transaction).collect()
    }

    /// Returns a transaction of the mempool.
    pub fn mempool_transaction(&self, txid: &Txid) -> Result<Option<MempoolTransaction>, Error> {
        let found = self.call(|engine| engine.mempool_transaction(txid.as_byte_array(), false))?;
        found.found.then(|| pool_transaction(&found)).transpose()
    }

    /// Returns a transaction of the mempool by its id with the witness.
    pub fn mempool_transaction_by_wtxid(&self, wtxid: &Wtxid) -> Result<Option<MempoolTransaction>, Error> {
        let found = self.call(|engine| engine.mempool_transaction(wtxid.as_byte_array(), true))?;
        found.found.then(|| pool_transaction(&found)).transpose()
    }

    /// Says whether a transaction is in the mempool.
    pub fn mempool_contains(&self, txid: &Txid) -> Result<bool, Error> {
        self.call(|engine| engine.mempool_contains(txid.as_byte_array()))
    }

    /// Returns the entries of a transaction's ancestors, without itself; `None` if it is not there.
    pub fn mempool_ancestors(&self, txid: &Txid) -> Result<Option<Vec<MempoolEntry>>, Error> {
        self.relatives(txid, false)
    }

    /// Returns the entries of a transaction's descendants, without itself; `None` if it is not there.
    pub fn mempool_descendants(&self, txid: &Txid) -> Result<Option<Vec<MempoolEntry>>, Error> {
        self.relatives(txid, true)
    }

    /// Counts relatives; an answer for each, in order, `None` if it is not there.
    pub fn mempool_ancestry(&self, txids: &[Txid]) -> Result<Vec<Option<MempoolAncestry>>, Error> {
        let ancestry = self.call(|engine| engine.mempool_ancestry(&hashes(txids)))?;
        let convert = |entry: &ffi::AncestryEntry| {
            entry.found.then_some(MempoolAncestry {
                ancestors: entry.ancestors,
                descendants: entry.descendants,
                cluster: entry.cluster,
            })
        };
        Ok(ancestry.iter().map(convert).collect())
    }

    /// Returns the chunks of a transaction's cluster in the order they would be mined; none if it is not there.
    pub fn mempool_cluster(&self, txid: &Txid) -> Result<Vec<MempoolChunk>, Error> {
        let chunks = self.call(|engine| engine.mempool_cluster(txid.as_byte_array()))?;
        let convert = |entry: &ffi::ChunkEntry| MempoolChunk {
            fee: signed(entry.fee),
            weight: u64::try_from(entry.weight).unwrap_or(0),
            txids: txids(&entry.txids),
        };
        Ok(chunks.iter().map(convert).collect())
    }

    /// Returns what the best chunks weigh and pay together, from none of them to all.
    pub fn mempool_diagram(&self) -> Result<Vec<DiagramPoint>, Error> {
        let points = self.call(|engine| engine.mempool_diagram())?;
        let convert = |point: &ffi::DiagramPoint| DiagramPoint {
            weight: u64::try_from(point.weight).unwrap_or(0),
            fee: signed(point.fee),
        };
        Ok(points.iter().map(convert).collect())
    }

    /// Returns the transaction in the mempool that spends each output, in order.
    pub fn mempool_spenders(&self, outpoints: &[OutPoint]) -> Result<Vec<Option<Txid>>, Error> {
        let wanted: Vec<ffi::OutPointEntry> = outpoints.iter().map(ffi::OutPointEntry::from).collect();
        let spenders = self.call(|engine| engine.mempool_spenders(&wanted))?;
        Ok(spenders.iter().map(|spender| spender.found.then(|| Txid::from_byte_array(spender.bytes))).collect())
    }

    /// Returns the state of the mempool.
    pub fn mempool_info(&self) -> Result<MempoolInfo, Error> {
        Ok((&self.call(|engine| engine.mempool_info())?).into())
    }

    /// Adds to the fee delta of a transaction, in the mempool or not.
    pub fn prioritise(&self, txid: &Txid, delta: SignedAmount) -> Result<(), Error> {
        self.call(|engine| engine.prioritise(txid.as_byte_array(), delta.to_sat()))
    }

    /// Returns all fee deltas.
    pub fn prioritisations(&self) -> Result<Vec<Prioritisation>, Error> {
        let deltas = self.call(|engine| engine.prioritisations())?;
        let convert = |entry: &ffi::DeltaEntry| Prioritisation {
            txid: Txid::from_byte_array(entry.txid),
            delta: signed(entry.delta),
            modified_fee: entry.in_mempool.then(|| signed(entry.modified_fee)),
        };
        Ok(deltas.iter().map(convert).collect())
    }

    /// Marks a transaction as not yet asked for by any peer, or as asked for.
    pub fn set_unbroadcast(&self, txid: &Txid, unbroadcast: bool) -> Result<(), Error> {
        self.call(|engine| engine.set_unbroadcast(txid.as_byte_array(), unbroadcast))
    }

    /// Returns the transactions no peer asked for yet.
    pub fn unbroadcast(&self) -> Result<Vec<Txid>, Error> {
        Ok(txids(&self.call(|engine| engine.unbroadcast())?))
    }

    /// Says that an attempt to load the mempool from disk was made.
    pub fn set_mempool_loaded(&self, loaded: bool) -> Result<(), Error> {
        self.call(|engine| engine.set_mempool_loaded(loaded))
    }

    fn accept(&self, transaction: &Transaction, test_only: bool, time: i64) -> Result<AcceptResult, Error> {
        let bytes = encode_tx(transaction);
        let entry = self.call(|engine| engine.accept_transaction(&bytes, test_only, time))?;
        accept_result(entry)?.ok_or_else(|| Error::Engine("validation ended early".to_owned()))
    }

    fn relatives(&self, txid: &Txid, descendants: bool) -> Result<Option<Vec<MempoolEntry>>, Error> {
        let relatives = self.call(|engine| engine.mempool_relatives(txid.as_byte_array(), descendants))?;
        Ok(relatives.found.then(|| relatives.entries.iter().map(MempoolEntry::from).collect()))
    }
}
