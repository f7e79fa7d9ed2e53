//! Conversions of plain values between rust-bitcoin and the bridge that more than one module needs.

use bitcoin::consensus::encode::{Encodable, deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::{Amount, SignedAmount, Transaction, Txid, Wtxid};

use crate::{Error, ffi};

/// Serializes a transaction so that the engine reads what rust-bitcoin holds. Without inputs the two forms of a
/// transaction cannot be told apart, so that one goes without the witness marker.
pub(crate) fn encode_tx(tx: &Transaction) -> ffi::TxBytes {
    if !tx.input.is_empty() {
        return ffi::TxBytes { data: serialize(tx), witness: true };
    }
    let mut data = serialize(&tx.version);
    let parts = tx
        .input
        .consensus_encode(&mut data)
        .and_then(|_| tx.output.consensus_encode(&mut data))
        .and_then(|_| tx.lock_time.consensus_encode(&mut data));
    parts.expect("writing to a vector does not fail");
    ffi::TxBytes { data, witness: false }
}

/// Reads a transaction that the engine serialized.
pub(crate) fn decode_tx(bytes: &[u8]) -> Result<Transaction, Error> {
    deserialize(bytes).map_err(|error| Error::Decode(error.to_string()))
}

/// Fees and values are never negative where this is used; deltas are [`signed`].
pub(crate) fn amount(sat: i64) -> Amount {
    Amount::from_sat(u64::try_from(sat).unwrap_or(0))
}

pub(crate) fn signed(sat: i64) -> SignedAmount {
    SignedAmount::from_sat(sat)
}

pub(crate) fn hashes(ids: &[Txid]) -> Vec<ffi::Hash> {
    ids.iter().map(|id| ffi::Hash { bytes: id.to_byte_array() }).collect()
}

pub(crate) fn txids(ids: &[ffi::Hash]) -> Vec<Txid> {
    ids.iter().map(|id| Txid::from_byte_array(id.bytes)).collect()
}

pub(crate) fn wtxids(ids: &[ffi::Hash]) -> Vec<Wtxid> {
    ids.iter().map(|id| Wtxid::from_byte_array(id.bytes)).collect()
}
