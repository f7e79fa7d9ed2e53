//! `tx` and `mempool`: transactions from peers, into the mempool and on to others.

use bitcoin::{Transaction, Txid, Wtxid};
use kernel::{AcceptResult, PackageResult, RejectKind, Rejection};

use super::{Fault, Manager};
use crate::config::NODE_BLOOM;
use crate::permissions::Permissions;
use crate::time;
use crate::tx_download::Received;
use crate::tx_request::TxId;
use crate::{PeerId, wire};

/// Bytes of a transaction without inputs and outputs.
const EMPTY_SIZE: usize = 10;

impl Manager {
    pub(super) fn on_tx(&mut self, id: PeerId, payload: &[u8]) -> Result<(), Fault> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        if self.refuses_transactions(peer) {
            return Err(Fault::Disconnect("transaction sent in violation of protocol".to_owned()));
        }
        if self.kernel.is_initial_block_download()? {
            return Ok(());
        }
        let transaction = read_transaction(payload)?;
        let (txid, wtxid) = (transaction.compute_txid(), transaction.compute_wtxid());
        let force = peer.may(Permissions::FORCE_RELAY);
        if let Some(peer) = self.peers.get_mut(&id) {
            let by_wtxid = peer.uses_wtxids();
            let bytes = if by_wtxid { TxId::Wtxid(wtxid) } else { TxId::Txid(txid) }.bytes();
            peer.knows_transaction(&bytes);
        }
        match self.transactions.received(&self.kernel, id, txid, wtxid)? {
            Received::New => {
                if self.submit(id, transaction, true)?
                    && let Some(peer) = self.peers.get_mut(&id)
                {
                    peer.last_transaction = time::seconds(time::now());
                }
                Ok(())
            }
            Received::Known if force => self.force_relay(id, txid, wtxid),
            Received::Known | Received::Package(None) => Ok(()),
            Received::Package(Some(child)) => self.submit_package(id, transaction, child),
        }
    }

    /// Relays what is in the mempool already, for a node that is hidden behind us.
    fn force_relay(&mut self, id: PeerId, txid: Txid, wtxid: Wtxid) -> Result<(), Fault> {
        if self.kernel.mempool_contains(&txid)? {
            log::info!("Force relaying tx {txid} (wtxid={wtxid}) from peer={id}");
            self.announce_to_all(txid, wtxid);
        } else {
            log::info!("Not relaying non-mempool transaction {txid} (wtxid={wtxid}) from forcerelay peer={id}");
        }
        Ok(())
    }

    /// Tries one orphan whose parent came. Returns whether there was one.
    pub(super) fn retry_orphan(&mut self) -> bool {
        let Some((id, transaction)) = self.transactions.next_ready() else { return false };
        let result = self.submit(id, transaction, false).map(|_| ());
        self.judge(id, "tx", 0, result);
        true
    }

    /// Hands a peer's transaction to the mempool. `first` says that this was not tried before. Returns whether it was
    /// taken.
    fn submit(&mut self, id: PeerId, transaction: Transaction, first: bool) -> Result<bool, Fault> {
        let (txid, wtxid) = (transaction.compute_txid(), transaction.compute_wtxid());
        match self.kernel.accept_transaction(&transaction, false)? {
            AcceptResult::Accepted(_) => {
                self.on_accepted(id, txid, wtxid)?;
                Ok(true)
            }
            AcceptResult::Rejected(rejection) => {
                self.on_rejected(id, transaction, &rejection, first)?;
                Ok(false)
            }
            AcceptResult::AlreadyInMempool { .. } | AcceptResult::DifferentWitness(_) => Ok(false),
        }
    }

    /// Hands a transaction that pays too little alone to the mempool together with a child.
    fn submit_package(&mut self, id: PeerId, parent: Transaction, child: Transaction) -> Result<(), Fault> {
        let package = [parent, child];
        let PackageResult { rejection, transactions } = self.kernel.accept_package(&package, false, None)?;
        let [parent, child] = package;
        let ids = [&parent, &child].map(|tx| (tx.compute_txid(), tx.compute_wtxid()));
        log::debug!(
            target: "txpackages",
            "package evaluation for parent {} (wtxid={}, sender={id}) + child {} (wtxid={}, sender={id}): {}",
            ids[0].0,
            ids[0].1,
            ids[1].0,
            ids[1].1,
            if rejection.is_some() { "package rejected" } else { "package accepted" }
        );
        if rejection.is_some() {
            self.transactions.refused_package(ids[0].1, ids[1].1);
        }
        // The child first, so that it is no orphan any more when its parent is accepted.
        for (transaction, answer) in [parent, child].into_iter().zip(transactions).rev() {
            let (txid, wtxid) = (transaction.compute_txid(), transaction.compute_wtxid());
            match answer {
                Some(AcceptResult::Accepted(_)) => self.on_accepted(id, txid, wtxid)?,
                Some(AcceptResult::Rejected(rejection)) => self.on_rejected(id, transaction, &rejection, false)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn on_accepted(&mut self, id: PeerId, txid: Txid, wtxid: Wtxid) -> Result<(), Fault> {
        self.transactions.accepted(txid, wtxid);
        if log::log_enabled!(target: "mempool", log::Level::Debug) {
            let info = self.kernel.mempool_info()?;
            log::debug!(
                target: "mempool",
                "AcceptToMemoryPool: peer={id}: accepted {txid} (wtxid={wtxid}) (poolsz {} txn, {} kB)",
                info.size,
                info.usage / 1000
            );
        }
        self.announce_to_all(txid, wtxid);
        Ok(())
    }

    fn on_rejected(
        &mut self,
        id: PeerId,
        transaction: Transaction,
        rejection: &Rejection,
        first: bool,
    ) -> Result<(), Fault> {
        let (txid, wtxid) = (transaction.compute_txid(), transaction.compute_wtxid());
        let missing = rejection.kind == RejectKind::MissingInputs;
        let text = rejection.message();
        if !first && !missing {
            log::debug!(target: "txpackages", "   invalid orphan tx {txid} (wtxid={wtxid}) from peer={id}. {text}");
        }
        if first || !missing {
            log::debug!(target: "mempoolrej", "{txid} (wtxid={wtxid}) from peer={id} was not accepted: {text}");
        }
        match rejection.kind {
            RejectKind::MissingInputs if first => {
                let parents = self.transactions.orphaned(&self.kernel, id, &transaction, time::now())?;
                if let Some(peer) = self.peers.get_mut(&id) {
                    for parent in parents {
                        peer.knows_transaction(&TxId::Txid(parent).bytes());
                    }
                }
            }
            RejectKind::MissingInputs => {}
            // Another witness may do, and this one says nothing of the transaction.
            RejectKind::WitnessStripped => self.transactions.drop_orphan(txid, wtxid),
            RejectKind::Reconsiderable => {
                if let Some(child) = self.transactions.refused_alone(txid, wtxid, id, first) {
                    return self.submit_package(id, transaction, child);
                }
            }
            RejectKind::Failed => {}
            kind => self.transactions.refused(txid, wtxid, kind == RejectKind::InputsNotStandard),
        }
        Ok(())
    }

    pub(super) fn on_mempool(&mut self, id: PeerId) -> Result<(), Fault> {
        let exhausted = self.connector.options.totals.upload_target().reached;
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if !peer.may(Permissions::MEMPOOL) && (peer.our_services & NODE_BLOOM == 0 || exhausted) {
            if peer.may(Permissions::NO_BAN) {
                return Ok(());
            }
            let without_filters = peer.our_services & NODE_BLOOM == 0;
            let why = if without_filters { "bloom filters disabled" } else { "bandwidth limit reached" };
            return Err(Fault::Disconnect(format!("mempool request with {why}")));
        }
        if let Some(relay) = &mut peer.relay {
            relay.mempool_wanted = true;
        }
        Ok(())
    }
}

/// Reads a transaction. One without anything in it is a form of its own: it is refused for that, not passed over.
pub(super) fn read_transaction(payload: &[u8]) -> Result<Transaction, Fault> {
    if payload.len() == EMPTY_SIZE && payload[4..6] == [0, 0] {
        let mut ends = [&payload[..4], &payload[6..]];
        let version = wire::take(&mut ends[0])?;
        let lock_time = wire::take(&mut ends[1])?;
        return Ok(Transaction { version, lock_time, input: Vec::new(), output: Vec::new() });
    }
    wire::check_transaction(payload)?;
    wire::take(&mut { payload }).map_err(Fault::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_transaction_is_read() {
        let empty = [2, 0, 0, 0, 0, 0, 7, 0, 0, 0];
        let transaction = read_transaction(&empty).unwrap();
        assert_eq!((transaction.version.0, transaction.lock_time.to_consensus_u32()), (2, 7));
        assert!(read_transaction(&empty[..9]).is_err());
        assert!(read_transaction(&[]).is_err());
    }
}
