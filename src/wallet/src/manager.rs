//! One descriptor in a wallet: its keys, its cache, the scripts it stands for so far.
//!
//! **Invariant:** `scripts` holds exactly the indices `range_start..range_end` after each commit; a locked manager still
//! expands whatever its cache covers.

use std::collections::BTreeMap;

use bitcoin::secp256k1::{All, Secp256k1, SecretKey};
use bitcoin::{PublicKey, ScriptBuf};

use crate::crypter::{self, MasterKey};
use crate::descriptor::cache::Cache;
use crate::descriptor::{Descriptor, DescriptorId, Expanded};
use crate::records::{Change, DescriptorRecord};

/// One descriptor of a wallet.
pub(crate) struct Manager {
    /// Its id.
    pub(crate) id: DescriptorId,
    /// What is stored of it.
    pub(crate) record: DescriptorRecord,
    /// Derived extended keys.
    pub(crate) cache: Cache,
    /// Private keys, if not encrypted.
    pub(crate) keys: BTreeMap<PublicKey, SecretKey>,
    /// Private keys, if encrypted.
    pub(crate) encrypted: BTreeMap<PublicKey, Vec<u8>>,
    /// Scripts per index, from `range_start`.
    pub(crate) scripts: Vec<Vec<ScriptBuf>>,
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.keys.values_mut().for_each(SecretKey::non_secure_erase);
    }
}

impl Manager {
    /// Makes a manager without keys.
    pub(crate) fn new(id: DescriptorId, record: DescriptorRecord) -> Self {
        Manager {
            id,
            record,
            cache: Cache::default(),
            keys: BTreeMap::new(),
            encrypted: BTreeMap::new(),
            scripts: Vec::new(),
        }
    }

    /// The descriptor.
    pub(crate) fn descriptor(&self) -> &Descriptor {
        &self.record.descriptor
    }

    /// Says whether it has private keys, readable or not.
    pub(crate) fn has_private_keys(&self) -> bool {
        !self.keys.is_empty() || !self.encrypted.is_empty()
    }

    /// Finds a private key.
    pub(crate) fn secret(&self, master: Option<&MasterKey>, public: &PublicKey) -> Option<SecretKey> {
        if let Some(secret) = self.keys.get(public) {
            return Some(*secret);
        }
        crypter::decrypt_secret(master?, &public.to_bytes(), self.encrypted.get(public)?)
    }

    /// Says whether `master` decrypts all private keys.
    pub(crate) fn opens_with(&self, master: &MasterKey) -> bool {
        self.encrypted
            .iter()
            .all(|(public, secret)| crypter::decrypt_secret(master, &public.to_bytes(), secret).is_some())
    }

    /// Number of addresses ahead of use.
    pub(crate) fn keypool_size(&self) -> i32 {
        self.record.range_end - self.record.next_index
    }

    /// Says whether it can hand out addresses.
    pub(crate) fn can_get_addresses(&self) -> bool {
        let descriptor = self.descriptor();
        descriptor.is_single_type()
            && descriptor.is_ranged()
            && (self.has_private_keys() || self.keypool_size() > 0 || descriptor.self_expanding())
    }

    /// Scripts of one index; none if it is out of range.
    pub(crate) fn scripts_at(&self, index: i32) -> &[ScriptBuf] {
        let offset = index.checked_sub(self.record.range_start).and_then(|offset| usize::try_from(offset).ok());
        offset.and_then(|offset| self.scripts.get(offset)).map_or(&[], Vec::as_slice)
    }

    /// Computes what it takes to have `size` addresses ahead of `next_index`, or `range_end` if that is more. The
    /// record in the result has `next_index` as given. `None` if a key cannot be derived.
    pub(crate) fn top_up(
        &self,
        secp: &Secp256k1<All>,
        next_index: i32,
        size: i32,
        master: Option<&MasterKey>,
    ) -> Option<Vec<Change>> {
        let mut record = self.record.clone();
        record.next_index = next_index;
        let have = if self.scripts.is_empty() { record.range_start } else { record.range_end };
        if record.descriptor.is_ranged() {
            record.range_end = next_index.checked_add(size)?.max(record.range_end);
        } else {
            (record.range_start, record.range_end) = (0, 1);
        }
        let secrets = |public: &PublicKey| self.secret(master, public);
        let mut learned = Cache::default();
        for index in have..record.range_end {
            let before = learned.derived.len();
            record.descriptor.expand(secp, u32::try_from(index).ok()?, &self.cache, &secrets, &mut learned)?;
            // Unless every index has keys of its own, the first teaches all there is to know.
            if learned.derived.len() == before {
                break;
            }
        }
        // This may be a thread that runs no commands, whose stack nobody else wipes.
        secret::wipe_stack();
        let mut changes = Vec::new();
        if learned != Cache::default() {
            changes.push(Change::Cache(self.id, Box::new(learned)));
        }
        if record != self.record {
            changes.push(Change::Descriptor(self.id, Box::new(record)));
        }
        Some(changes)
    }

    /// First index in the range whose scripts are not in `scripts` yet.
    pub(crate) fn next_unexpanded(&self) -> i32 {
        self.record.range_start.saturating_add(i32::try_from(self.scripts.len()).unwrap_or(i32::MAX))
    }

    /// Derives scripts and keys of one index from the cache.
    pub(crate) fn expanded(&self, secp: &Secp256k1<All>, index: i32) -> Option<Expanded> {
        let index = u32::try_from(index).ok()?;
        self.descriptor().expand(secp, index, &self.cache, &|_| None, &mut Cache::default())
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::Network;

    use super::*;

    const XPUB: &str = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B";

    /// A manager without keys that has so many addresses ahead.
    fn manager(descriptor: &str, ahead: i32) -> Manager {
        let descriptor = Descriptor::parse_stored(&descriptor.replace("XPUB", XPUB), Network::Regtest).unwrap();
        let (next_index, range_end) = (5, 5 + ahead);
        let record = DescriptorRecord { descriptor, creation_time: 0, next_index, range_start: 0, range_end };
        Manager::new(record.descriptor.id(), record)
    }

    #[test]
    fn addresses_need_keys_or_what_is_derived_already() {
        assert!(manager("wpkh(XPUB/*)", 0).can_get_addresses(), "derived from the public key");
        assert!(!manager("wpkh(XPUB/7)", 0).can_get_addresses(), "one address, which anyone may know");
        assert!(!manager("combo(XPUB/*)", 0).can_get_addresses(), "of no single kind");
        let hardened = |ahead| manager("wpkh(XPUB/*h)", ahead);
        assert!(!hardened(0).can_get_addresses());
        assert!(hardened(1).can_get_addresses());
        let secret = SecretKey::from_slice(&[1; 32]).unwrap();
        let public = PublicKey::new(secret.public_key(&Secp256k1::new()));
        let (mut plain, mut encrypted) = (hardened(0), hardened(0));
        assert!(!plain.has_private_keys());
        plain.keys.insert(public, secret);
        encrypted.encrypted.insert(public, vec![1]);
        for manager in [plain, encrypted] {
            assert!(manager.has_private_keys() && manager.can_get_addresses());
        }
    }

    #[test]
    fn addresses_ahead_are_those_after_the_next_one() {
        assert_eq!(manager("wpkh(XPUB/*)", 3).keypool_size(), 3);
        let mut manager = manager("wpkh(XPUB/*)", 0);
        let script = |byte: u8| vec![ScriptBuf::from_bytes(vec![byte])];
        manager.record.range_start = 3;
        manager.scripts = vec![script(3), script(4)];
        assert_eq!(manager.scripts_at(3), script(3));
        assert_eq!(manager.scripts_at(4), script(4));
        for outside in [i32::MIN, -3, 0, 2, 5, i32::MAX] {
            assert!(manager.scripts_at(outside).is_empty(), "{outside}");
        }
        assert_eq!(manager.next_unexpanded(), 5);
    }
}
