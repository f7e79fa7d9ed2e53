//! From the bridge's flat answers to the types callers see. Apart from them because it changes with the engine.

use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, CompactTarget, TxMerkleNode, Work};

use super::types::{
    BlockIndex, BlockStatus, ChainTip, ChainTipStatus, Deployment, SignalStatistics, Signalling, Validity,
};
use crate::ffi;

impl ffi::IndexEntry {
    /// Returns the entry unless it says that there is none.
    pub(crate) fn into_option(self) -> Option<BlockIndex> {
        self.found.then(|| BlockIndex::from(&self))
    }
}

impl From<&ffi::IndexEntry> for BlockIndex {
    fn from(entry: &ffi::IndexEntry) -> BlockIndex {
        BlockIndex {
            hash: BlockHash::from_byte_array(entry.hash),
            height: entry.height,
            header: Header {
                version: Version::from_consensus(entry.version),
                prev_blockhash: BlockHash::from_byte_array(entry.previous),
                merkle_root: TxMerkleNode::from_byte_array(entry.merkle_root),
                time: entry.time,
                bits: CompactTarget::from_consensus(entry.bits),
                nonce: entry.nonce,
            },
            median_time: entry.median_time,
            max_time: entry.max_time,
            chainwork: Work::from_be_bytes(entry.chainwork),
            n_tx: entry.n_tx,
            chain_tx_count: entry.chain_tx_count,
            status: BlockStatus {
                validity: match entry.validity {
                    5.. => Validity::Scripts,
                    4 => Validity::Chain,
                    3 => Validity::Transactions,
                    2 => Validity::Tree,
                    _ => Validity::Unknown,
                },
                have_data: entry.have_data,
                have_undo: entry.have_undo,
                failed: entry.failed,
            },
            active: entry.active,
            confirmations: entry.confirmations,
            next: entry.has_next.then(|| BlockHash::from_byte_array(entry.next)),
        }
    }
}

impl From<&ffi::TipEntry> for ChainTip {
    fn from(entry: &ffi::TipEntry) -> ChainTip {
        ChainTip {
            height: entry.height,
            hash: BlockHash::from_byte_array(entry.hash),
            branch_length: entry.branch_length,
            status: match entry.status {
                0 => ChainTipStatus::Active,
                1 => ChainTipStatus::Invalid,
                2 => ChainTipStatus::HeadersOnly,
                3 => ChainTipStatus::ValidFork,
                4 => ChainTipStatus::ValidHeaders,
                _ => ChainTipStatus::Unknown,
            },
        }
    }
}

impl From<ffi::DeploymentEntry> for Deployment {
    fn from(entry: ffi::DeploymentEntry) -> Deployment {
        let statistics = entry.has_statistics.then_some(SignalStatistics {
            period: entry.period,
            threshold: entry.threshold,
            elapsed: entry.elapsed,
            count: entry.count,
            possible: entry.possible,
        });
        Deployment {
            name: entry.name,
            active: entry.active,
            height: entry.has_height.then_some(entry.height),
            signalling: entry.signalled.then_some(Signalling {
                bit: entry.has_statistics.then_some(entry.bit),
                start_time: entry.start_time,
                timeout: entry.timeout,
                min_activation_height: entry.min_activation_height,
                status: entry.status,
                since: entry.since,
                status_next: entry.status_next,
                statistics,
                signals: entry.has_statistics.then_some(entry.signals),
            }),
        }
    }
}
