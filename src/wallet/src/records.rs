//! What a wallet consists of, as changes: each knows its record in the file and is what loading the record gives back.
//!
//! One list of record types serves writing and reading, so the two cannot drift apart. Formats are Bitcoin Core's.
//!
//! **Invariant:** `decode(encode(change)) == change`; a record this version does not know decodes to nothing and stays
//! in the file.

use bitcoin::hashes::{Hash, sha256d};
use bitcoin::secp256k1::{All, Secp256k1, SecretKey};
use bitcoin::{BlockHash, Network, NetworkKind, OutPoint, PublicKey, ScriptBuf, Txid};

use crate::crypter::{MasterKey, StoredMasterKey, encrypt_secret};
use crate::db::Op;
use crate::descriptor::cache::{Cache, decode_xpub, encode_xpub};
use crate::descriptor::{Descriptor, DescriptorId, OutputType};
use crate::serialize::{ReadError, Reader, Writer};

pub(crate) mod canonical;
pub(crate) mod private_key;
pub(crate) mod tx;

pub(crate) use tx::{TxState, WalletTx};

/// Type of the record of [`Change::RewritePending`].
const REWRITE_PENDING: &str = "rewritepending";
/// Version in front of a block locator; nothing reads it.
const LOCATOR_VERSION: i32 = 70016;
/// Version of Bitcoin Core whose files these are.
pub(crate) const CLIENT_VERSION: i32 = 319_900;

/// A descriptor as stored, without keys and cache.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DescriptorRecord {
    /// The descriptor.
    pub(crate) descriptor: Descriptor,
    /// When its first key was made, Unix seconds.
    pub(crate) creation_time: u64,
    /// Index of the next address to hand out.
    pub(crate) next_index: i32,
    /// First index.
    pub(crate) range_start: i32,
    /// Index after the last.
    pub(crate) range_end: i32,
}

/// One change to a wallet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// Version of the software that wrote last.
    Version(i32),
    /// Wallet flags.
    Flags(u64),
    /// How far the chain was followed.
    BestBlock(Vec<BlockHash>),
    /// An encrypted master key.
    MasterKey(u32, StoredMasterKey),
    /// A descriptor is new or moved on.
    Descriptor(DescriptorId, Box<DescriptorRecord>),
    /// A private key of a descriptor.
    Key(DescriptorId, PublicKey, SecretKey),
    /// An encrypted private key, in place of a plain one.
    EncryptedKey(DescriptorId, PublicKey, Vec<u8>),
    /// Derived extended public keys.
    Cache(DescriptorId, Box<Cache>),
    /// A descriptor makes the addresses of a kind; none does if `None`.
    Active {
        /// For change.
        internal: bool,
        /// Kind of addresses.
        kind: OutputType,
        /// The descriptor.
        id: Option<DescriptorId>,
    },
    /// Label of an address.
    Label(String, String),
    /// Purpose of an address: `receive`, `send` or `refund`.
    Purpose(String, String),
    /// Data kept with an address, by key; `used` marks it as spent from.
    AddressData(String, String, String),
    /// A transaction.
    Tx(Box<WalletTx>),
    /// Position of the next transaction.
    NextPosition(i64),
    /// An output is locked across restarts, or no longer.
    LockedOutput(OutPoint, bool),
    /// The file has to be rewritten to be rid of keys that were in the clear, or no longer. Our own record; Core leaves
    /// records that it does not know alone.
    RewritePending(bool),
}

impl DescriptorRecord {
    /// Derives the scripts of the indices of the range after the first `have`. `None` if the cache does not cover them.
    pub(crate) fn scripts(&self, secp: &Secp256k1<All>, cache: &Cache, have: usize) -> Option<Vec<Vec<ScriptBuf>>> {
        let first = self.range_start.checked_add(i32::try_from(have).ok()?)?;
        let indices = (first..self.range_end).map(|index| u32::try_from(index).ok());
        indices
            .map(|index| Some(self.descriptor.expand(secp, index?, cache, &|_| None, &mut Cache::default())?.scripts))
            .collect()
    }
}

/// Why a record cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    /// The bytes end early or make no sense.
    #[error("{kind} record: {source}")]
    Damaged {
        /// Type of the record.
        kind: String,
        /// What is wrong with it.
        source: ReadError,
    },
    /// A descriptor this version does not know.
    #[error("unrecognized descriptor: {0}")]
    UnknownDescriptor(String),
    /// Legacy keys in a descriptor wallet, or a legacy wallet.
    #[error("unexpected legacy entry of type {0}")]
    Legacy(String),
}

/// Record types of wallets before descriptor wallets.
const LEGACY_KINDS: [&str; 10] =
    ["ckey", "cscript", "defaultkey", "hdchain", "keymeta", "key", "wkey", "pool", "watchmeta", "watchs"];

impl Change {
    /// Descriptor that may make other scripts after the change than before.
    pub(crate) fn expanding(&self) -> Option<DescriptorId> {
        match self {
            Change::Descriptor(id, _) | Change::Cache(id, _) => Some(*id),
            _ => None,
        }
    }

    /// Change that records a private key, encrypted if there is a master key.
    pub(crate) fn key(id: DescriptorId, public: PublicKey, secret: &SecretKey, master: Option<&MasterKey>) -> Self {
        match master {
            Some(master) => Change::EncryptedKey(id, public, encrypt_secret(master, &public.to_bytes(), secret)),
            None => Change::Key(id, public, *secret),
        }
    }

    /// Appends the operations that record the change.
    pub(crate) fn encode(&self, ops: &mut Vec<Op>) {
        let put = |key: Writer, value: Writer| Op::Put(key.done(), value.done());
        let new = Writer::default;
        match self {
            Change::Version(version) => ops.push(put(Writer::key("version"), new().i32(*version))),
            Change::Flags(flags) => ops.push(put(Writer::key("flags"), new().u64(*flags))),
            Change::BestBlock(locator) => {
                // Empty under its old name, so that versions which expect a merkle branch with transactions rescan.
                ops.push(put(Writer::key("bestblock"), new().i32(LOCATOR_VERSION).size(0)));
                let value = locator.iter().fold(new().i32(LOCATOR_VERSION).size(locator.len()), |value, hash| {
                    value.raw(&hash.to_byte_array())
                });
                ops.push(put(Writer::key("bestblock_nomerkle"), value));
            }
            Change::MasterKey(number, key) => {
                ops.push(Op::Put(Writer::key("mkey").u32(*number).done(), key.encode()));
            }
            Change::Descriptor(id, record) => ops.push(put(
                Writer::key("walletdescriptor").raw(&id.0),
                new()
                    .string(&record.descriptor.public_text())
                    .u64(record.creation_time)
                    .i32(record.next_index)
                    .i32(record.range_start)
                    .i32(record.range_end),
            )),
            Change::Key(id, public, secret) => {
                let public_bytes = public.to_bytes();
                let private = private_key::encode(secret, public);
                let check = sha256d::Hash::hash(&[&public_bytes[..], &private[..]].concat());
                ops.push(put(
                    Writer::key("walletdescriptorkey").raw(&id.0).bytes(&public_bytes),
                    new().bytes(&private).raw(&check.to_byte_array()),
                ));
            }
            Change::EncryptedKey(id, public, secret) => {
                let public = public.to_bytes();
                ops.push(put(Writer::key("walletdescriptorckey").raw(&id.0).bytes(&public), new().bytes(secret)));
                ops.push(Op::Erase(Writer::key("walletdescriptorkey").raw(&id.0).bytes(&public).done()));
            }
            Change::Cache(id, cache) => {
                let Cache { parents, derived, last_hardened } = &**cache;
                let plain = || Writer::key("walletdescriptorcache").raw(&id.0);
                ops.extend(parents.iter().map(|(key, xpub)| put(plain().u32(*key), new().bytes(&encode_xpub(xpub)))));
                ops.extend(
                    derived.iter().map(|((key, index), xpub)| {
                        put(plain().u32(*key).u32(*index), new().bytes(&encode_xpub(xpub)))
                    }),
                );
                ops.extend(last_hardened.iter().map(|(key, xpub)| {
                    put(Writer::key("walletdescriptorlhcache").raw(&id.0).u32(*key), new().bytes(&encode_xpub(xpub)))
                }));
            }
            Change::Active { internal, kind, id } => {
                let key = Writer::key(active_kind(*internal)).u8(*kind as u8);
                ops.push(match id {
                    Some(id) => put(key, new().raw(&id.0)),
                    None => Op::Erase(key.done()),
                });
            }
            Change::Label(address, label) => {
                ops.push(put(Writer::key("name").string(address), new().string(label)));
            }
            Change::Purpose(address, purpose) => {
                ops.push(put(Writer::key("purpose").string(address), new().string(purpose)));
            }
            Change::AddressData(address, key, value) => {
                ops.push(put(Writer::key("destdata").string(address).string(key), new().string(value)));
            }
            Change::Tx(tx) => {
                let txid = tx.tx.compute_txid().to_byte_array();
                ops.push(Op::Put(Writer::key("tx").raw(&txid).done(), tx.encode()));
            }
            Change::NextPosition(position) => {
                ops.push(put(Writer::key("orderposnext"), new().i64(*position)));
            }
            Change::LockedOutput(outpoint, locked) => {
                let key = Writer::key("lockedutxo").raw(&outpoint.txid.to_byte_array()).u32(outpoint.vout);
                ops.push(if *locked { put(key, new().u8(b'1')) } else { Op::Erase(key.done()) });
            }
            Change::RewritePending(pending) => {
                let key = Writer::key(REWRITE_PENDING);
                ops.push(if *pending { put(key, new().u8(b'1')) } else { Op::Erase(key.done()) });
            }
        }
    }

    /// Reads a record. `None` for one that means nothing to this version.
    pub(crate) fn decode(key: &[u8], value: &[u8], network: Network) -> Result<Option<Change>, RecordError> {
        let mut reader = Reader::new(key);
        let Ok(kind) = reader.string() else { return Ok(None) };
        if LEGACY_KINDS.contains(&kind.as_str()) {
            return Err(RecordError::Legacy(kind));
        }
        let damaged = |source| RecordError::Damaged { kind: kind.clone(), source };
        if kind == "walletdescriptor" {
            return descriptor_record(reader, value, network).map(Some);
        }
        decode_plain(&kind, reader, value, network).map_err(damaged)
    }
}

/// Returns the network's part of extended key versions.
fn network_kind(network: Network) -> NetworkKind {
    NetworkKind::from(network)
}

fn active_kind(internal: bool) -> &'static str {
    if internal { "activeinternalspk" } else { "activeexternalspk" }
}

fn descriptor_record(mut key: Reader<'_>, value: &[u8], network: Network) -> Result<Change, RecordError> {
    let damaged = |source| RecordError::Damaged { kind: "walletdescriptor".to_owned(), source };
    let id = DescriptorId(key.array().map_err(damaged)?);
    let mut reader = Reader::new(value);
    let text = reader.string().map_err(damaged)?;
    let descriptor =
        Descriptor::parse_stored(&text, network).map_err(|error| RecordError::UnknownDescriptor(error.to_string()))?;
    if descriptor.id() != id {
        return Err(damaged(ReadError::Invalid("descriptor id: it differs from that of the descriptor")));
    }
    let mut fields = || {
        Ok(DescriptorRecord {
            descriptor: descriptor.clone(),
            creation_time: reader.u64()?,
            next_index: reader.i32()?,
            range_start: reader.i32()?,
            range_end: reader.i32()?,
        })
    };
    let record = fields().map_err(damaged)?;
    if record.range_start < 0 || record.next_index < 0 || record.range_end < record.range_start {
        return Err(damaged(ReadError::Invalid("range")));
    }
    Ok(Change::Descriptor(id, Box::new(record)))
}

fn decode_plain(kind: &str, mut key: Reader<'_>, value: &[u8], network: Network) -> Result<Option<Change>, ReadError> {
    let mut value_reader = Reader::new(value);
    let public_key =
        |reader: &mut Reader<'_>| PublicKey::from_slice(reader.bytes()?).map_err(|_| ReadError::Invalid("public key"));
    // Loading never writes these records again, so that the file keeps what is replaced here.
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let address = |reader: &mut Reader<'_>| Ok::<_, ReadError>(shown(reader.bytes()?));
    let xpub = |reader: &mut Reader<'_>| {
        decode_xpub(reader.bytes()?, network_kind(network)).ok_or(ReadError::Invalid("extended key"))
    };
    Ok(Some(match kind {
        "version" => Change::Version(value_reader.i32()?),
        "flags" => Change::Flags(value_reader.u64()?),
        "bestblock" | "bestblock_nomerkle" => {
            let _version = value_reader.i32()?;
            let count = value_reader.size()?;
            let mut locator = Vec::new();
            for _ in 0..count {
                locator.push(BlockHash::from_byte_array(value_reader.array()?));
            }
            if locator.is_empty() {
                return Ok(None);
            }
            Change::BestBlock(locator)
        }
        "mkey" => Change::MasterKey(key.u32()?, StoredMasterKey::decode(value)?),
        "walletdescriptorkey" => {
            let id = DescriptorId(key.array()?);
            let public = public_key(&mut key)?;
            let private = value_reader.bytes()?;
            let check = sha256d::Hash::hash(&[&public.to_bytes()[..], private].concat());
            if value_reader.array::<32>()? != check.to_byte_array() {
                return Err(ReadError::Invalid("private key: it does not match its checksum"));
            }
            Change::Key(id, public, private_key::decode(private).ok_or(ReadError::Invalid("private key"))?)
        }
        "walletdescriptorckey" => {
            let id = DescriptorId(key.array()?);
            Change::EncryptedKey(id, public_key(&mut key)?, value_reader.bytes()?.to_vec())
        }
        "walletdescriptorcache" => {
            let id = DescriptorId(key.array()?);
            let number = key.u32()?;
            let mut cache = Cache::default();
            if key.is_empty() {
                cache.parents.insert(number, xpub(&mut value_reader)?);
            } else {
                cache.derived.insert((number, key.u32()?), xpub(&mut value_reader)?);
            }
            Change::Cache(id, Box::new(cache))
        }
        "walletdescriptorlhcache" => {
            let id = DescriptorId(key.array()?);
            let mut cache = Cache::default();
            cache.last_hardened.insert(key.u32()?, xpub(&mut value_reader)?);
            Change::Cache(id, Box::new(cache))
        }
        "activeexternalspk" | "activeinternalspk" => {
            let internal = kind == active_kind(true);
            let Some(kind) = OutputType::from_number(key.u8()?) else { return Ok(None) };
            Change::Active { internal, kind, id: Some(DescriptorId(value_reader.array()?)) }
        }
        "name" => Change::Label(address(&mut key)?, shown(value_reader.bytes()?)),
        "purpose" => Change::Purpose(address(&mut key)?, shown(value_reader.bytes()?)),
        "destdata" => {
            // Payment requests of the GUI are binary; they stay in the file unread.
            let (address, name) = (address(&mut key)?, shown(key.bytes()?));
            match value_reader.string() {
                Ok(value) => Change::AddressData(address, name, value),
                Err(_) => return Ok(None),
            }
        }
        "tx" => {
            let txid = Txid::from_byte_array(key.array()?);
            let tx = WalletTx::decode(value)?;
            if tx.tx.compute_txid() != txid {
                return Err(ReadError::Invalid("transaction: it differs from its id"));
            }
            Change::Tx(Box::new(tx))
        }
        "orderposnext" => Change::NextPosition(value_reader.i64()?),
        "lockedutxo" => {
            let txid = Txid::from_byte_array(key.array()?);
            Change::LockedOutput(OutPoint::new(txid, key.u32()?), true)
        }
        REWRITE_PENDING => Change::RewritePending(true),
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests;
