//! What the peer-to-peer code asks of the engine: to judge headers and blocks from peers, to say which blocks to fetch,
//! which to serve and what to announce. Separate from [`crate::block`], whose callers are users and trusted.

use bitcoin::block::Header;
use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, CompactTarget, Transaction, Txid, Work, Wtxid};

use crate::convert::{amount, decode_tx};
use crate::error::op_error;
use crate::events::refuse_in_handler;
use crate::{BlockIndex, BlockVerdict, Error, Kernel, ffi};

/// A block by hash and height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSpot {
    /// Hash.
    pub hash: BlockHash,
    /// Distance from the genesis block.
    pub height: u32,
}

/// What is wrong with headers on their face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadersFault {
    /// One lacks the proof of work it claims.
    BadWork,
    /// One is not the child of the one before.
    NotContinuous,
}

/// How a chain of headers is gone through before it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadersSyncParameters {
    /// Headers for each of which something is remembered.
    pub commitment_period: u32,
    /// Headers that have to match before one is taken.
    pub buffer_size: u32,
}

/// What became of headers a peer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum HeadersVerdict {
    /// The first builds on nothing known.
    Unconnected,
    /// Their chain has less work than is worth storing.
    LowWork {
        /// What the first builds on.
        start: BlockIndex,
        /// Least work that is.
        threshold: Work,
    },
    /// One breaks a rule.
    Rejected(BlockVerdict),
    /// All are stored.
    Accepted {
        /// Entry of the last.
        last: BlockIndex,
        /// It was not known before.
        new: bool,
    },
}

/// What became of a block a peer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedBlock {
    /// Its content is not what its header commits to; nothing was done with it.
    pub mutated: bool,
    /// It was stored and was not before.
    pub new: bool,
    /// What validation said meanwhile, of this block and of others that waited for it.
    pub verdicts: Vec<(BlockHash, BlockVerdict)>,
}

/// Which blocks to ask a peer for.
#[derive(Debug, Clone, Copy)]
pub struct DownloadRequest<'a> {
    /// The best block the peer has.
    pub best_known: BlockHash,
    /// From where on the peer's chain and ours differed last time.
    pub common: Option<BlockHash>,
    /// Most blocks to return.
    pub count: u32,
    /// How far ahead of `common` blocks are fetched.
    pub window: u32,
    /// The peer keeps recent blocks only.
    pub limited: bool,
    /// The peer serves witnesses.
    pub witness: bool,
    /// Blocks that were asked for.
    pub in_flight: &'a [BlockHash],
}

/// Answer to a [`DownloadRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadPlan {
    /// From where on the peer's chain and ours differ.
    pub common: Option<BlockSpot>,
    /// Blocks to ask for, in order.
    pub blocks: Vec<BlockSpot>,
    /// There is nothing to ask for until this block comes: the window ends.
    pub stalled_by: Option<BlockHash>,
}

/// Blocks to fetch as soon as their headers came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectFetch {
    /// These, in order; none if the chain is not worth it or not wanted yet.
    Blocks(Vec<BlockSpot>),
    /// The chain leaves ours too far back.
    TooFar,
}

/// A transaction to announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayEntry {
    /// Its id.
    pub txid: Txid,
    /// Its id with the witness.
    pub wtxid: Wtxid,
    /// Its fee, without delta.
    pub fee: Amount,
    /// Its virtual size.
    pub vsize: u64,
}

impl Kernel {
    /// Returns the bytes that begin every message of the chain's network.
    pub fn message_start(&self) -> Result<[u8; 4], Error> {
        self.call(|engine| engine.message_start())
    }

    /// Returns the least work a chain must have to be downloaded.
    pub fn minimum_chain_work(&self) -> Result<Work, Error> {
        Ok(Work::from_be_bytes(self.call(|engine| engine.minimum_chain_work())?))
    }

    /// Returns the intended time between blocks, in seconds.
    pub fn block_interval(&self) -> Result<i64, Error> {
        self.call(|engine| engine.block_interval())
    }

    /// Says whether block files are being read in. Takes no lock.
    pub fn is_loading_blocks(&self) -> Result<bool, Error> {
        self.call(|engine| engine.loading_blocks())
    }

    /// Connects what has the most work.
    pub fn activate_best_chain(&self) -> Result<(), Error> {
        refuse_in_handler()?;
        self.call(|engine| engine.activate_best_chain())
    }

    /// Returns the locator of a block; empty if it is unknown.
    pub fn locator_of(&self, hash: &BlockHash) -> Result<Vec<BlockHash>, Error> {
        let hashes = self.call(|engine| engine.locator_of(hash.as_byte_array()))?;
        Ok(hashes.iter().map(|hash| BlockHash::from_byte_array(hash.bytes)).collect())
    }

    /// Says whether a block may be shown to peers: it is on the active chain, or left it not long ago.
    pub fn may_serve_block(&self, hash: &BlockHash) -> Result<bool, Error> {
        self.call(|engine| engine.may_serve_block(hash.as_byte_array()))
    }

    /// Looks at headers alone: whether they have the work they claim and follow each other. There must be at least one.
    pub fn check_headers(&self, headers: &[Header]) -> Result<Option<HeadersFault>, Error> {
        let bytes: Vec<u8> = headers.iter().flat_map(serialize).collect();
        Ok(match self.call(|engine| engine.check_headers(&bytes))? {
            ffi::HeadersOutcomeKind::BadWork => Some(HeadersFault::BadWork),
            ffi::HeadersOutcomeKind::NotContinuous => Some(HeadersFault::NotContinuous),
            _ => None,
        })
    }

    /// Says whether the difficulty may change like this from one header to the next, at `height`.
    pub fn permits_difficulty(&self, height: u32, old: CompactTarget, new: CompactTarget) -> Result<bool, Error> {
        self.call(|engine| engine.permits_difficulty(height, old.to_consensus(), new.to_consensus()))
    }

    /// Returns how a chain of headers is gone through before it is stored.
    pub fn headers_sync_parameters(&self) -> Result<HeadersSyncParameters, Error> {
        let ffi::SyncParameters { commitment_period, buffer_size } =
            self.call(|engine| engine.headers_sync_parameters())?;
        Ok(HeadersSyncParameters { commitment_period, buffer_size })
    }

    /// Tells listeners how far the headers of a chain were gone through; see
    /// [`Events::header_tip`](crate::Events::header_tip).
    pub fn report_presync(&self, height: u32, time: u32) -> Result<(), Error> {
        self.call(|engine| engine.report_presync(height.into(), time.into()))
    }

    /// Judges headers a peer sent, in which [`check_headers`](Self::check_headers) found no fault, and stores them if they are worth it; there must be at least one. `work_known` leaves
    /// out the check of their chain's work.
    pub fn receive_headers(&self, headers: &[Header], work_known: bool) -> Result<HeadersVerdict, Error> {
        refuse_in_handler()?;
        let bytes: Vec<u8> = headers.iter().flat_map(serialize).collect();
        let received = self.call(|engine| engine.receive_headers(&bytes, work_known))?;
        let none = || Error::Engine("headers without an entry".to_owned());
        Ok(match received.outcome {
            ffi::HeadersOutcomeKind::Unconnected => HeadersVerdict::Unconnected,
            ffi::HeadersOutcomeKind::LowWork => HeadersVerdict::LowWork {
                start: received.start.into_option().ok_or_else(none)?,
                threshold: Work::from_be_bytes(received.threshold),
            },
            ffi::HeadersOutcomeKind::Accepted => HeadersVerdict::Accepted {
                last: received.last.into_option().ok_or_else(none)?,
                new: received.new_header,
            },
            _ => HeadersVerdict::Rejected((&received.verdict).into()),
        })
    }

    /// Judges a serialized block a peer sent and stores it if it is worth it. `requested` takes one that has less work
    /// than the tip. Returns when the chain with the most work is active. Unparsable bytes are [`Error::Decode`].
    pub fn receive_block(&self, block: &[u8], requested: bool) -> Result<ReceivedBlock, Error> {
        refuse_in_handler()?;
        let received = self.call(|engine| engine.receive_block(block, requested))?;
        op_error(received.status, &BlockHash::all_zeros(), received.message)?;
        let verdict = |checked: &ffi::CheckedBlock| {
            (BlockHash::from_byte_array(checked.hash), BlockVerdict::from(&checked.verdict))
        };
        Ok(ReceivedBlock {
            mutated: received.mutated,
            new: received.new_block,
            verdicts: received.verdicts.iter().map(verdict).collect(),
        })
    }

    /// Says which blocks to ask a peer for next.
    pub fn plan_download(&self, request: &DownloadRequest<'_>) -> Result<DownloadPlan, Error> {
        let request = ffi::DownloadRequest {
            best_known: request.best_known.to_byte_array(),
            has_common: request.common.is_some(),
            common: request.common.map_or([0; 32], |hash| hash.to_byte_array()),
            count: request.count,
            window: request.window,
            limited: request.limited,
            witness: request.witness,
            in_flight: block_hashes(request.in_flight),
        };
        let plan = self.call(|engine| engine.plan_download(&request))?;
        let stalled = plan.window_full && plan.first_in_flight.found;
        Ok(DownloadPlan {
            common: plan.has_common.then(|| (&plan.common).into()),
            blocks: plan.blocks.iter().map(BlockSpot::from).collect(),
            stalled_by: stalled.then(|| BlockHash::from_byte_array(plan.first_in_flight.bytes)),
        })
    }

    /// Says which blocks to fetch towards `last`, whose header just came: at most about `limit`, none that are in
    /// `in_flight`.
    pub fn plan_direct_fetch(
        &self,
        last: &BlockHash,
        limit: u32,
        witness: bool,
        in_flight: &[BlockHash],
    ) -> Result<DirectFetch, Error> {
        let in_flight = block_hashes(in_flight);
        let fetch = self.call(|engine| engine.plan_direct_fetch(last.as_byte_array(), limit, witness, &in_flight))?;
        if fetch.too_far {
            return Ok(DirectFetch::TooFar);
        }
        Ok(DirectFetch::Blocks(fetch.blocks.iter().map(BlockSpot::from).collect()))
    }

    /// Returns those of `wtxids` that are in the mempool, parents before children, best first.
    pub fn relay_order(&self, wtxids: &[Wtxid]) -> Result<Vec<RelayEntry>, Error> {
        let ids: Vec<ffi::Hash> = wtxids.iter().map(|id| ffi::Hash { bytes: id.to_byte_array() }).collect();
        let entries = self.call(|engine| engine.relay_order(&ids))?;
        let convert = |entry: &ffi::RelayEntry| RelayEntry {
            txid: Txid::from_byte_array(entry.txid),
            wtxid: Wtxid::from_byte_array(entry.wtxid),
            fee: amount(entry.fee),
            vsize: u64::try_from(entry.vsize).unwrap_or(0),
        };
        Ok(entries.iter().map(convert).collect())
    }

    /// Returns the count of the mempool's changes.
    pub fn mempool_sequence(&self) -> Result<u64, Error> {
        self.call(|engine| engine.mempool_sequence())
    }

    /// Returns a transaction that entered the mempool before its change number `sequence`.
    pub fn transaction_for_relay(&self, txid: &Txid, sequence: u64) -> Result<Option<Transaction>, Error> {
        self.for_relay(txid.as_byte_array(), false, sequence)
    }

    /// As [`transaction_for_relay`](Self::transaction_for_relay), by the id with the witness.
    pub fn transaction_for_relay_by_wtxid(&self, wtxid: &Wtxid, sequence: u64) -> Result<Option<Transaction>, Error> {
        self.for_relay(wtxid.as_byte_array(), true, sequence)
    }

    /// Says whether a transaction with this witness is in the mempool.
    pub fn mempool_contains_wtxid(&self, wtxid: &Wtxid) -> Result<bool, Error> {
        Ok(self.call(|engine| engine.mempool_transaction(wtxid.as_byte_array(), true))?.found)
    }

    fn for_relay(&self, id: &[u8; 32], by_wtxid: bool, sequence: u64) -> Result<Option<Transaction>, Error> {
        let found = self.call(|engine| engine.mempool_transaction_for_relay(id, by_wtxid, sequence))?;
        found.found.then(|| decode_tx(&found.data)).transpose()
    }
}

fn block_hashes(hashes: &[BlockHash]) -> Vec<ffi::Hash> {
    hashes.iter().map(|hash| ffi::Hash { bytes: hash.to_byte_array() }).collect()
}

impl From<&ffi::BlockSpot> for BlockSpot {
    fn from(spot: &ffi::BlockSpot) -> BlockSpot {
        BlockSpot { hash: BlockHash::from_byte_array(spot.hash), height: spot.height }
    }
}
