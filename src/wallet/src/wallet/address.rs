//! Handing out addresses, and the descriptors they come from.

use bitcoin::bip32::{Xpriv, Xpub};
use bitcoin::secp256k1::SecretKey;
use bitcoin::{Address, PublicKey, ScriptBuf};
use rand::RngCore;
use rpc::code;
use zeroize::Zeroizing;

use super::Wallet;
use crate::crypter::MasterKey;
use crate::descriptor::{DescriptorId, OutputType, default_descriptor};
use crate::error::{Error, Result};
use crate::manager::Manager;
use crate::records::{Change, DescriptorRecord};
use crate::state::{State, flags};

impl State {
    /// Descriptor that makes addresses of a kind.
    pub(crate) fn active_manager(&self, kind: OutputType, internal: bool) -> Option<&Manager> {
        self.managers.get(self.active.get(&(internal, kind))?)
    }

    /// Says whether any address can be handed out.
    pub(crate) fn can_get_addresses(&self, internal: bool) -> bool {
        OutputType::ALL.iter().any(|kind| self.active_manager(*kind, internal).is_some_and(Manager::can_get_addresses))
    }

    /// Computes what it takes to have the default descriptors, made from a fresh seed, one for each kind of address and
    /// side. Their private keys are encrypted if there is something to encrypt them with.
    pub(crate) fn fresh_descriptors(&self, keypool: i32, encrypt_with: Option<&MasterKey>) -> Result<Vec<Change>> {
        let mut seed = Zeroizing::new([0; 32]);
        rand::thread_rng().fill_bytes(&mut seed[..]);
        // Like Core, from the bytes of a valid private key.
        while SecretKey::from_slice(&seed[..]).is_err() {
            rand::thread_rng().fill_bytes(&mut seed[..]);
        }
        let master = Xpriv::new_master(self.network, &seed[..])
            .map_err(|error| Error::wallet(format!("cannot make a master key: {error}")))?;
        self.default_descriptor_changes(&master, keypool, encrypt_with)
    }

    fn default_descriptor_changes(
        &self,
        master: &Xpriv,
        keypool: i32,
        encrypt_with: Option<&MasterKey>,
    ) -> Result<Vec<Change>> {
        let xpub = Xpub::from_priv(&self.secp, master);
        let public = PublicKey::new(xpub.public_key);
        let creation_time = u64::try_from(common::clock::now()).unwrap_or(0);
        let mut changes = Vec::new();
        for internal in [false, true] {
            for kind in OutputType::ALL {
                let descriptor = default_descriptor(&xpub, kind, internal, self.network);
                let id = descriptor.id();
                let record =
                    DescriptorRecord { descriptor, creation_time, next_index: 0, range_start: 0, range_end: 0 };
                let mut manager = Manager::new(id, record.clone());
                manager.keys.insert(public, master.private_key);
                let derived = manager
                    .top_up(&self.secp, 0, keypool, None)
                    .ok_or_else(|| Error::wallet("Could not top up scriptPubKeys"))?;
                changes.push(Change::Descriptor(id, Box::new(record)));
                changes.push(Change::key(id, public, &master.private_key, encrypt_with));
                changes.extend(derived);
                changes.push(Change::Active { internal, kind, id: Some(id) });
            }
        }
        if self.has_flag(flags::BLANK) {
            changes.push(Change::Flags(self.flags & !flags::BLANK));
        }
        Ok(changes)
    }

    /// Records a private key, encrypted if the wallet is.
    pub(crate) fn key_change(&self, id: DescriptorId, public: PublicKey, secret: &SecretKey) -> Result<Change> {
        self.ensure_unlocked()?;
        Ok(Change::key(id, public, secret, self.master.as_ref()))
    }

    /// Computes the next unused script of a kind, and what it takes to have handed it out.
    pub(crate) fn next_script(
        &self,
        kind: OutputType,
        internal: bool,
        keypool: i32,
    ) -> Result<(ScriptBuf, Vec<Change>)> {
        let ran_out = |message: String| Error::refused(code::WALLET_KEYPOOL_RAN_OUT, message);
        let manager = self
            .active_manager(kind, internal)
            .ok_or_else(|| ran_out(format!("Error: No {} addresses available.", kind.name())))?;
        if !manager.can_get_addresses() {
            return Err(ran_out("No addresses available".to_owned()));
        }
        let exhausted = || ran_out("Error: Keypool ran out, please call keypoolrefill first".to_owned());
        let next = manager.record.next_index;
        let top_up = manager.top_up(&self.secp, next, keypool, self.master.as_ref());
        if top_up.is_none() && next >= manager.record.range_end {
            return Err(exhausted());
        }
        let mut changes = top_up.unwrap_or_default();
        let script = match manager.scripts_at(next).first() {
            Some(script) => script.clone(),
            None => self.derive_ahead(manager, &changes, next).ok_or_else(exhausted)?,
        };
        let mut record = match changes.pop() {
            Some(Change::Descriptor(_, record)) => record,
            other => {
                changes.extend(other);
                Box::new(manager.record.clone())
            }
        };
        record.next_index = next + 1;
        changes.push(Change::Descriptor(manager.id, record));
        Ok((script, changes))
    }

    /// Derives a script that is not in the range yet.
    fn derive_ahead(&self, manager: &Manager, changes: &[Change], index: i32) -> Option<ScriptBuf> {
        let mut cache = manager.cache.clone();
        for change in changes {
            if let Change::Cache(_, learned) = change {
                cache.merge((**learned).clone());
            }
        }
        let index = u32::try_from(index).ok()?;
        let expanded = manager.descriptor().expand(&self.secp, index, &cache, &|_| None, &mut Default::default())?;
        expanded.scripts.into_iter().next()
    }

    /// Records label and purpose of an address.
    pub(crate) fn label_changes(address: &str, label: &str, purpose: &str) -> Vec<Change> {
        vec![
            Change::Label(address.to_owned(), label.to_owned()),
            Change::Purpose(address.to_owned(), purpose.to_owned()),
        ]
    }
}

impl Wallet {
    /// Hands out an address for receiving.
    pub(crate) fn new_address(&self, label: &str, kind: Option<OutputType>) -> Result<Address> {
        let mut state = self.state();
        if !state.can_get_addresses(false) {
            return Err(Error::wallet("Error: This wallet has no available keys"));
        }
        let kind = kind.unwrap_or(self.options.address_type);
        let (script, mut changes) = state.next_script(kind, false, self.options.keypool)?;
        let address = Address::from_script(&script, state.network)
            .map_err(|_| Error::wallet("Error: Cannot extract destination from the generated scriptpubkey"))?;
        changes.extend(State::label_changes(&address.to_string(), label, "receive"));
        state.commit(changes)?;
        Ok(address)
    }

    /// Hands out an address for change.
    pub(crate) fn new_change_address(&self, kind: Option<OutputType>) -> Result<Address> {
        let mut state = self.state();
        if !state.can_get_addresses(true) {
            return Err(Error::wallet("Error: This wallet has no available keys"));
        }
        let kind = kind.or(self.options.change_type).unwrap_or(self.options.address_type);
        let (script, changes) = state.next_script(kind, true, self.options.keypool)?;
        let address = Address::from_script(&script, state.network)
            .map_err(|_| Error::wallet("Error: Cannot extract destination from the generated scriptpubkey"))?;
        state.commit(changes)?;
        Ok(address)
    }
}
