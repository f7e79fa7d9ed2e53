//! Conversions of the types that generated code does not know by structure, and of errors.
//!
//! **Invariant:** bytes from the other process never panic; what cannot be decoded is [`Error::Malformed`], naming the
//! field.

use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::consensus::encode::{self, Encodable, deserialize};
use bitcoin::hashes::Hash;
use bitcoin::io::{self, Write};
use bitcoin::{Amount, Block, BlockHash, OutPoint, ScriptBuf, Transaction, TxMerkleNode, TxOut, Txid, Wtxid};
use bytes::Bytes as SharedBytes;
use multiprocess::{Error, Exports, LONG, Method, ServerCall};

/// What a C++ peer puts before the text of an exception. It is added to what leaves and taken off what arrives, so that
/// clients see the same text whichever side is written in what.
const EXCEPTION: &str = "std::exception: ";

/// Why bytes cannot be decoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Undecodable {
    /// There are too few of them.
    End,
    /// Something else.
    Other(String),
}

/// A type that travels as bytes.
pub(crate) trait Bytes: Sized {
    /// Encodes the value.
    fn encode(&self, to: &mut impl Write) -> io::Result<usize>;

    /// Decodes what the other process sent.
    fn decode(bytes: &[u8]) -> Result<Self, Undecodable>;
}

macro_rules! hash_bytes {
    ($($name:ident),*) => {$(
        impl Bytes for $name {
            fn encode(&self, to: &mut impl Write) -> io::Result<usize> {
                to.write_all(self.as_byte_array()).map(|()| self.as_byte_array().len())
            }

            fn decode(bytes: &[u8]) -> Result<Self, Undecodable> {
                $name::from_slice(bytes).map_err(|_| match bytes.len() {
                    ..32 => Undecodable::End,
                    more => Undecodable::Other(format!("a hash has 32 bytes, not {more}")),
                })
            }
        }
    )*};
}

macro_rules! consensus_bytes {
    ($($name:ident),*) => {$(
        impl Bytes for $name {
            fn encode(&self, to: &mut impl Write) -> io::Result<usize> {
                self.consensus_encode(to)
            }

            fn decode(bytes: &[u8]) -> Result<Self, Undecodable> {
                deserialize(bytes).map_err(|error| match error {
                    encode::Error::Io(error) if error.kind() == bitcoin::io::ErrorKind::UnexpectedEof => {
                        Undecodable::End
                    }
                    other => Undecodable::Other(other.to_string()),
                })
            }
        }
    )*};
}

hash_bytes!(Txid, Wtxid, BlockHash, TxMerkleNode);
consensus_bytes!(Transaction, Block, Header, OutPoint, TxOut);

impl Bytes for ScriptBuf {
    fn encode(&self, to: &mut impl Write) -> io::Result<usize> {
        to.write_all(self.as_bytes()).map(|()| self.len())
    }

    fn decode(bytes: &[u8]) -> Result<Self, Undecodable> {
        Ok(ScriptBuf::from_bytes(bytes.to_vec()))
    }
}

/// Encodes a value for an element of a list.
pub(crate) fn bytes<T: Bytes>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes).expect("memory takes everything");
    bytes
}

/// Encodes a value into a field, where it is sent from; `init` allocates it.
pub(crate) fn write<'a, T: Bytes>(value: &T, init: impl FnOnce(u32) -> &'a mut [u8]) {
    let size = value.encode(&mut io::sink()).expect("nothing is written");
    // Cap'n Proto's limit on a list is far above what can be encoded here.
    let mut space = init(u32::try_from(size).expect("transactions and blocks are smaller than 4 GiB"));
    value.encode(&mut space).expect("the same value has the same size");
}

/// Like [`write`], for a field of the message's root: where `exports` attaches long ones.
pub(crate) fn write_root<'a, T: Bytes>(
    value: &T,
    exports: &Exports,
    slot: u16,
    init: impl FnOnce(u32) -> &'a mut [u8],
) {
    let size = value.encode(&mut io::sink()).expect("nothing is written");
    if size < LONG {
        return write(value, init);
    }
    let mut bytes = Vec::with_capacity(size);
    value.encode(&mut bytes).expect("memory takes everything");
    if let Err(bytes) = exports.attach(slot, bytes.into(), false) {
        init(u32::try_from(bytes.len()).expect("transactions and blocks are smaller than 4 GiB"))
            .copy_from_slice(&bytes);
    }
}

/// Bytes that a field is set to: lent, to be copied, or given away.
pub(crate) trait Content {
    /// Returns the bytes.
    fn bytes(&self) -> &[u8];

    /// Gives them away.
    fn give(self) -> SharedBytes;
}

macro_rules! content {
    ($($name:ty),*) => {$(
        impl Content for $name {
            fn bytes(&self) -> &[u8] {
                self.as_ref()
            }

            fn give(self) -> SharedBytes {
                self.into()
            }
        }

        impl Content for &$name {
            fn bytes(&self) -> &[u8] {
                (*self).as_ref()
            }

            fn give(self) -> SharedBytes {
                self.clone().into()
            }
        }
    )*};
}

content!(String, Vec<u8>, SharedBytes);

/// Sets a field of the message's root to bytes or, without its zero byte, a text: attaches long ones.
pub(crate) fn put(content: impl Content, exports: &Exports, slot: u16, text: bool, set: impl FnOnce(&[u8])) {
    if content.bytes().len() < LONG {
        return set(content.bytes());
    }
    if let Err(bytes) = exports.attach(slot, content.give(), text) {
        set(&bytes);
    }
}

/// Decodes a field; `label` names it in the error. That too little was sent is said in Bitcoin Core's words.
pub(crate) fn read<T: Bytes>(bytes: &[u8], label: &str) -> Result<T, Error> {
    T::decode(bytes).map_err(|error| match error {
        Undecodable::End => Error::failed(format!("{EXCEPTION}SpanReader::read(): end of data: {label}")),
        Undecodable::Other(error) => Error::malformed(format_args!("{label}: {error}")),
    })
}

/// Decodes text.
pub(crate) fn text(text: capnp::text::Reader<'_>, label: &str) -> Result<String, Error> {
    text.to_str().map(str::to_owned).map_err(|error| Error::malformed(format_args!("{label}: {error}")))
}

/// Refuses what is in a set, or the keys of a map, more than once.
#[allow(dead_code, reason = "no interface has maps or sets yet")]
pub(crate) fn once(new: bool, label: &str) -> Result<(), Error> {
    if new { Ok(()) } else { Err(Error::malformed(format_args!("{label}: the same twice"))) }
}

/// Encodes an amount.
pub(crate) fn amount_to(amount: Amount) -> Result<i64, Error> {
    i64::try_from(amount.to_sat()).map_err(|_| Error::malformed(format_args!("amount {amount} is too large")))
}

/// Decodes an amount.
pub(crate) fn amount_from(satoshi: i64, label: &str) -> Result<Amount, Error> {
    let satoshi =
        u64::try_from(satoshi).map_err(|_| Error::malformed(format_args!("{label}: {satoshi} is not an amount")))?;
    Ok(Amount::from_sat(satoshi))
}

/// Runs a client's method and turns a failure into the interfaces' error.
pub(crate) fn call<T>(
    method: &'static Method,
    body: impl FnOnce() -> Result<T, Error>,
) -> Result<T, interfaces::Error> {
    body().map_err(|error| {
        let call = method.name.to_owned();
        match error {
            Error::Disconnected => interfaces::Error::Disconnected { call },
            Error::Unsupported(_) => interfaces::Error::Unsupported { call },
            Error::TimedOut => interfaces::Error::TimedOut { call },
            Error::Overloaded(limit) => interfaces::Error::Overloaded { call, limit },
            Error::Cancelled => interfaces::Error::Cancelled { call },
            Error::Failed(message) => interfaces::Error::Internal {
                message: message.strip_prefix(EXCEPTION).map(str::to_owned).unwrap_or(message),
            },
            other => interfaces::Error::Internal { message: format!("{call}: {other}") },
        }
    })
}

/// Returns who made a call that is being served.
pub(crate) fn caller(call: &ServerCall<'_>) -> interfaces::Caller {
    let given_up = call.given_up();
    Arc::new(move |waker| {
        waker.into_iter().for_each(|waker| given_up.wake(waker));
        given_up.is_set()
    })
}

/// Turns the error of a local object into what the caller gets.
pub(crate) fn refuse(error: interfaces::Error) -> Error {
    match error {
        interfaces::Error::Disconnected { .. } => Error::Disconnected,
        interfaces::Error::Unsupported { call } => Error::Unsupported(call),
        interfaces::Error::TimedOut { .. } => Error::TimedOut,
        interfaces::Error::Overloaded { limit, .. } => Error::Overloaded(limit),
        interfaces::Error::Cancelled { .. } => Error::Cancelled,
        interfaces::Error::Internal { message } => Error::Failed(format!("{EXCEPTION}{message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: Bytes + PartialEq + std::fmt::Debug>(value: T, bad: &[u8]) {
        let encoded = bytes(&value);
        assert_eq!(read::<T>(&encoded, "x").expect("own encoding"), value);
        let error = read::<T>(bad, "Type.field").expect_err("bad bytes").to_string();
        let short = "std::exception: SpanReader::read(): end of data: Type.field";
        assert!(error == short || error.starts_with("malformed message: Type.field: "), "{error}");
    }

    #[test]
    fn bytes_survive_and_bad_ones_are_named() {
        check(Txid::all_zeros(), &[0; 31]);
        check(BlockHash::all_zeros(), &[]);
        check(Wtxid::all_zeros(), &[0; 33]);
        check(OutPoint::null(), &[1; 35]);
        check(TxOut { value: Amount::ONE_BTC, script_pubkey: ScriptBuf::new() }, &[0; 3]);
        check(bitcoin::constants::genesis_block(bitcoin::Network::Regtest), &[0xff; 90]);
        check(bitcoin::constants::genesis_block(bitcoin::Network::Bitcoin).txdata[0].clone(), b"nonsense");
    }

    #[test]
    fn amounts_are_never_negative() {
        assert_eq!(amount_from(5, "x"), Ok(Amount::from_sat(5)));
        assert!(amount_from(-1, "x").is_err());
        assert!(amount_to(Amount::from_sat(u64::MAX)).is_err());
    }
}
