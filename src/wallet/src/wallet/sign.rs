//! Signing: rust-miniscript says which signatures an input needs, this makes them.
//!
//! ECDSA signatures have a low R (one byte less), like Bitcoin Core's. Private keys are derived for the inputs at hand
//! and wiped afterwards.

use std::cell::RefCell;

use bitcoin::key::{Keypair, TapTweak};
use bitcoin::secp256k1::{All, Message, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighash, TapSighashType};
use bitcoin::taproot::{TapLeafHash, TapNodeHash};
use bitcoin::{PublicKey, Transaction, TxOut, Witness, absolute, ecdsa, relative, taproot};
use miniscript::descriptor::ShInner;
use miniscript::{Descriptor, Satisfier};

use crate::descriptor::Concrete;
use crate::state::State;

/// The private keys that belong to one output, wiped when dropped.
struct Keys(Vec<(PublicKey, SecretKey)>);

impl Drop for Keys {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(_, secret)| secret.non_secure_erase());
    }
}

impl Keys {
    fn find(&self, public: &PublicKey) -> Option<&SecretKey> {
        self.0.iter().find(|(key, _)| key == public).map(|(_, secret)| secret)
    }

    /// Finds the key whatever the parity of the public key.
    fn find_x_only(&self, public: &PublicKey) -> Option<&SecretKey> {
        let wanted = public.inner.x_only_public_key().0;
        self.0.iter().find(|(key, _)| key.inner.x_only_public_key().0 == wanted).map(|(_, secret)| secret)
    }
}

/// Makes the signatures of one input as they are asked for.
struct Signer<'a, 'tx> {
    secp: &'a Secp256k1<All>,
    cache: &'a RefCell<SighashCache<&'tx Transaction>>,
    tx: &'a Transaction,
    prevouts: &'a [TxOut],
    index: usize,
    descriptor: &'a Descriptor<PublicKey>,
    keys: &'a Keys,
}

impl Signer<'_, '_> {
    fn ecdsa_message(&self) -> Option<Message> {
        let mut cache = self.cache.borrow_mut();
        let script_code = self.descriptor.script_code().ok()?;
        let segwit = match self.descriptor {
            Descriptor::Wpkh(_) | Descriptor::Wsh(_) => true,
            Descriptor::Sh(sh) => matches!(sh.as_inner(), ShInner::Wpkh(_) | ShInner::Wsh(_)),
            _ => false,
        };
        let kind = EcdsaSighashType::All;
        Some(if segwit {
            // The script code of P2WPKH is made already, so both kinds go the same way.
            cache
                .p2wsh_signature_hash(self.index, &script_code, self.prevouts.get(self.index)?.value, kind)
                .ok()?
                .into()
        } else {
            cache.legacy_signature_hash(self.index, &script_code, kind.to_u32()).ok()?.into()
        })
    }

    fn schnorr(&self, keypair: &Keypair, hash: TapSighash) -> taproot::Signature {
        let signature = self.secp.sign_schnorr(&hash.into(), keypair);
        taproot::Signature { signature, sighash_type: TapSighashType::Default }
    }

    fn key_spend_hash(&self) -> Option<TapSighash> {
        let prevouts = Prevouts::All(self.prevouts);
        self.cache.borrow_mut().taproot_key_spend_signature_hash(self.index, &prevouts, TapSighashType::Default).ok()
    }
}

impl Satisfier<PublicKey> for Signer<'_, '_> {
    fn lookup_ecdsa_sig(&self, key: &PublicKey) -> Option<ecdsa::Signature> {
        let secret = self.keys.find(key)?;
        let signature = self.secp.sign_ecdsa_low_r(&self.ecdsa_message()?, secret);
        Some(ecdsa::Signature { signature, sighash_type: EcdsaSighashType::All })
    }

    fn lookup_tap_key_spend_sig(&self, key: &PublicKey) -> Option<taproot::Signature> {
        let Descriptor::Tr(tr) = self.descriptor else { return None };
        let root: Option<TapNodeHash> = tr.spend_info().merkle_root();
        let keypair = Keypair::from_secret_key(self.secp, self.keys.find_x_only(key)?);
        let tweaked = keypair.tap_tweak(self.secp, root).to_keypair();
        Some(self.schnorr(&tweaked, self.key_spend_hash()?))
    }

    fn lookup_tap_leaf_script_sig(&self, key: &PublicKey, leaf: &TapLeafHash) -> Option<taproot::Signature> {
        let keypair = Keypair::from_secret_key(self.secp, self.keys.find_x_only(key)?);
        let prevouts = Prevouts::All(self.prevouts);
        let hash = self
            .cache
            .borrow_mut()
            .taproot_script_spend_signature_hash(self.index, &prevouts, *leaf, TapSighashType::Default)
            .ok()?;
        Some(self.schnorr(&keypair, hash))
    }

    fn check_older(&self, lock: relative::LockTime) -> bool {
        let Some(input) = self.tx.input.get(self.index) else { return false };
        self.tx.version.0 >= 2
            && input.sequence.to_relative_lock_time().is_some_and(|sequence| lock.is_implied_by(sequence))
    }

    fn check_after(&self, lock: absolute::LockTime) -> bool {
        self.tx.input.get(self.index).is_some_and(|input| input.sequence.enables_absolute_lock_time())
            && lock.is_implied_by(self.tx.lock_time)
    }
}

impl State {
    /// Signs all inputs of `tx`, which spend `prevouts`. `None` if one cannot be signed for.
    pub(crate) fn sign(&self, tx: &Transaction, prevouts: &[TxOut]) -> Option<Transaction> {
        let cache = RefCell::new(SighashCache::new(tx));
        let mut signed = tx.clone();
        for (index, prevout) in prevouts.iter().enumerate() {
            let (owner, manager) = self.owner(&prevout.script_pubkey)?;
            let expanded = manager.expanded(&self.secp, owner.index)?;
            let secrets = |public: &PublicKey| manager.secret(self.master.as_ref(), public);
            let found = manager.descriptor().secret_keys(&self.secp, u32::try_from(owner.index).ok()?, &secrets);
            let keys = expanded.keys.iter().zip(found).filter_map(|(public, secret)| Some((*public, secret?)));
            let keys = Keys(keys.collect());
            let (witness, script_sig) = match manager.descriptor().concrete(&expanded.keys, owner.position) {
                Concrete::Opaque => return None,
                Concrete::Miniscript(descriptor) => {
                    let signer = Signer {
                        secp: &self.secp,
                        cache: &cache,
                        tx,
                        prevouts,
                        index,
                        descriptor: &descriptor,
                        keys: &keys,
                    };
                    descriptor.get_satisfaction(&signer).ok()?
                }
                Concrete::RawTaproot(key) => {
                    let keypair = Keypair::from_secret_key(&self.secp, keys.find_x_only(&key)?);
                    let hash = cache
                        .borrow_mut()
                        .taproot_key_spend_signature_hash(index, &Prevouts::All(prevouts), TapSighashType::Default)
                        .ok()?;
                    let signature = self.secp.sign_schnorr(&hash.into(), &keypair);
                    (vec![signature.serialize().to_vec()], Default::default())
                }
            };
            let input = signed.input.get_mut(index)?;
            input.witness = Witness::from_slice(&witness);
            input.script_sig = script_sig;
        }
        Some(signed)
    }
}
