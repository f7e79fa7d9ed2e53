//! Extended public keys derived once with a private key, so that a locked wallet can go on making addresses.
//!
//! Mirrors the `walletdescriptorcache` and `walletdescriptorlhcache` records: keys are numbered by their position in
//! the descriptor.

use std::collections::BTreeMap;

use bitcoin::bip32::Xpub;

/// Derived extended public keys of one descriptor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cache {
    /// Key at the end of the path, before the varying step, by key number.
    pub(crate) parents: BTreeMap<u32, Xpub>,
    /// Keys whose varying step is hardened, by key number and index.
    pub(crate) derived: BTreeMap<(u32, u32), Xpub>,
    /// Key at the last hardened step, by key number.
    pub(crate) last_hardened: BTreeMap<u32, Xpub>,
}

impl Cache {
    /// Takes over everything in `other`.
    pub(crate) fn merge(&mut self, other: Cache) {
        let Cache { parents, derived, last_hardened } = other;
        self.parents.extend(parents);
        self.derived.extend(derived);
        self.last_hardened.extend(last_hardened);
    }
}

/// Bytes of an extended key without its version, as records hold it.
const EXTENDED_KEY_SIZE: usize = 74;

/// Writes an extended key as records hold it.
pub(crate) fn encode_xpub(xpub: &Xpub) -> [u8; EXTENDED_KEY_SIZE] {
    xpub.encode()[4..].try_into().expect("an extended key is 78 bytes with its version")
}

/// Reads an extended key as records hold it.
pub(crate) fn decode_xpub(bytes: &[u8], network: bitcoin::NetworkKind) -> Option<Xpub> {
    let version: [u8; 4] = match network {
        bitcoin::NetworkKind::Main => [0x04, 0x88, 0xb2, 0x1e],
        bitcoin::NetworkKind::Test => [0x04, 0x35, 0x87, 0xcf],
    };
    (bytes.len() == EXTENDED_KEY_SIZE).then(|| Xpub::decode(&[&version[..], bytes].concat()).ok()).flatten()
}
