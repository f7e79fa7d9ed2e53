//! Encrypting, locking and unlocking.
//!
//! **Invariant:** a passphrase is never stored or logged; after encryption the file holds no plain private key.

use std::sync::PoisonError;

use rpc::code;
use zeroize::Zeroizing;

use super::Wallet;
use crate::crypter::{self, StoredMasterKey};
use crate::error::{Error, Result};
use crate::events::Event;
use crate::records::Change;
use crate::state::flags;

/// Longest time a wallet can be unlocked for, seconds.
const MAX_UNLOCK_SECONDS: i64 = 100_000_000;

fn empty_passphrase() -> Error {
    Error::refused(code::INVALID_PARAMETER, "passphrase cannot be empty")
}

fn wrong_state(command: &str, encrypted: &str) -> Error {
    Error::refused(
        code::WALLET_WRONG_ENC_STATE,
        format!("Error: running with an {encrypted} wallet, but {command} was called."),
    )
}

/// Versions before 25.0 took a passphrase up to its first zero byte only.
fn incorrect(passphrase: &str, subject: &str, after: &str) -> Error {
    let message = if passphrase.contains('\0') {
        format!(
            "Error: The {subject}passphrase entered is incorrect. It contains a null character (ie - a zero byte). If \
             the {after}passphrase was set with a version of this software prior to 25.0, please try again with only \
             the characters up to — but not including — the first null character."
        ) + if subject == "wallet " {
            " If this is successful, please set a new passphrase to avoid this issue in the future."
        } else {
            ""
        }
    } else {
        "Error: The wallet passphrase entered was incorrect.".to_owned()
    };
    Error::refused(code::WALLET_PASSPHRASE_INCORRECT, message)
}

impl Wallet {
    /// Encrypts the keys, replaces the active descriptors by fresh ones, and locks.
    pub(crate) fn encrypt(&self, passphrase: &Zeroizing<String>) -> Result<()> {
        let failed = || Error::refused(code::WALLET_ENCRYPTION_FAILED, "Error: Failed to encrypt the wallet.");
        let _relock = self.relock.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        if state.has_flag(flags::DISABLE_PRIVATE_KEYS) {
            return Err(Error::refused(
                code::WALLET_ENCRYPTION_FAILED,
                "Error: wallet does not contain private keys, nothing to encrypt.",
            ));
        }
        if state.is_encrypted() {
            return Err(wrong_state("encryptwallet", "encrypted"));
        }
        self.ensure_not_scanning("encrypting")?;
        if passphrase.is_empty() {
            return Err(empty_passphrase());
        }
        let master = crypter::random_master_key();
        let mut changes = vec![Change::MasterKey(1, StoredMasterKey::new(&master, passphrase))];
        for manager in state.managers.values() {
            for (public, secret) in &manager.keys {
                let encrypted = crypter::encrypt_secret(&master, &public.to_bytes(), secret);
                changes.push(Change::EncryptedKey(manager.id, *public, encrypted));
            }
        }
        // Keys that were once on disk in the clear are not used for new addresses; a blank wallet stays blank.
        if !state.has_flag(flags::BLANK) {
            changes.extend(state.fresh_descriptors(self.options.keypool, Some(&master))?);
        }
        changes.push(Change::RewritePending(true));
        // All or nothing: an error has to mean that the wallet is not encrypted.
        state.commit(changes).map_err(|error| {
            self.log(&format!("cannot encrypt: {error}"));
            failed()
        })?;
        state.relock_time = 0;
        state.finish_rewrite();
        drop(state);
        self.events.send(Event::Status);
        Ok(())
    }

    /// Unlocks the keys; returns when they lock again, Unix seconds, and in how many seconds that is.
    pub(crate) fn unlock(&self, passphrase: &Zeroizing<String>, seconds: i64) -> Result<(i64, u64)> {
        let mut state = self.state();
        if !state.is_encrypted() {
            return Err(wrong_state("walletpassphrase", "unencrypted"));
        }
        let seconds = u64::try_from(seconds.min(MAX_UNLOCK_SECONDS))
            .map_err(|_| Error::refused(code::INVALID_PARAMETER, "Timeout cannot be negative."))?;
        if passphrase.is_empty() {
            return Err(empty_passphrase());
        }
        let mut master = None;
        for candidate in state.master_keys.values().filter_map(|key| key.open(passphrase)) {
            let opened = state.managers.values().filter(|manager| !manager.encrypted.is_empty());
            let (yes, no): (Vec<_>, Vec<_>) = opened.partition(|manager| manager.opens_with(&candidate));
            if !yes.is_empty() && !no.is_empty() {
                return Err(Error::wallet(
                    "Error unlocking wallet: some keys decrypt but not all. Your wallet file may be corrupt.",
                ));
            }
            if no.is_empty() {
                master = Some(candidate);
                break;
            }
        }
        state.master = Some(master.ok_or_else(|| incorrect(passphrase, "wallet ", ""))?);
        // The wallet is unlocked either way, and has to be locked again; addresses are derived at the next occasion.
        if let Err(error) = state.top_up_all(self.options.keypool) {
            self.log(&format!("cannot derive addresses ahead: {error}"));
        }
        state.relock_time = common::clock::now().saturating_add_unsigned(seconds);
        let until = state.relock_time;
        drop(state);
        self.events.send(Event::Status);
        Ok((until, seconds))
    }

    /// Locks the keys now.
    pub(crate) fn lock(&self) -> Result<()> {
        if !self.state().is_encrypted() {
            return Err(wrong_state("walletlock", "unencrypted"));
        }
        self.ensure_not_scanning("locking")?;
        self.relock_if(None);
        Ok(())
    }

    /// Locks the keys if they are still to be locked at `due`; at once if `None`. Waits for whoever needs them.
    pub(crate) fn relock_if(&self, due: Option<i64>) {
        let _relock = self.relock.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        if due.is_some_and(|due| due != state.relock_time) {
            return;
        }
        state.master = None;
        state.relock_time = 0;
        drop(state);
        self.events.send(Event::Status);
    }

    /// Encrypts the master key under another passphrase.
    pub(crate) fn change_passphrase(&self, old: &Zeroizing<String>, new: &Zeroizing<String>) -> Result<()> {
        if !self.state().is_encrypted() {
            return Err(wrong_state("walletpassphrasechange", "unencrypted"));
        }
        if self.scan.running().is_some() {
            return Err(Error::wallet(
                "Error: the wallet is currently being used to rescan the blockchain for related transactions. Please \
                 call `abortrescan` before changing the passphrase.",
            ));
        }
        let _relock = self.relock.lock().unwrap_or_else(PoisonError::into_inner);
        if old.is_empty() || new.is_empty() {
            return Err(empty_passphrase());
        }
        let mut state = self.state();
        let found = state.master_keys.iter().find_map(|(number, key)| {
            let master = key.open(old)?;
            state.managers.values().all(|manager| manager.opens_with(&master)).then_some((*number, master))
        });
        let (number, master) = found.ok_or_else(|| incorrect(old, "old wallet ", "old "))?;
        state.commit(vec![Change::MasterKey(number, StoredMasterKey::new(&master, new))])
    }

    fn ensure_not_scanning(&self, doing: &str) -> Result<()> {
        if self.scan.running().is_none() {
            return Ok(());
        }
        Err(Error::wallet(format!(
            "Error: the wallet is currently being used to rescan the blockchain for related transactions. Please call \
             `abortrescan` before {doing} the wallet."
        )))
    }
}
