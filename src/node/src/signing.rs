//! Signs inputs of transactions with keys and scripts that are given, and puts signatures of several signers together.
//!
//! Knows the forms that have templates: keys, key hashes and multisig, bare and in P2SH, P2WSH or both, and the key path
//! of taproot outputs whose key itself is given. Whether an input is complete is for the engine to say.

mod read;

use std::collections::{BTreeMap, HashMap};

use bitcoin::hashes::{Hash, hash160, ripemd160};
use bitcoin::key::Secp256k1;
use bitcoin::opcodes::all::OP_PUSHNUM_NEG1;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::secp256k1::{All, Message};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::{PrivateKey, PublicKey, Script, ScriptBuf, Transaction, TxOut, Witness};

use crate::rpc::shape::script::Kind;

/// Keys and scripts to sign with.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    keys: HashMap<hash160::Hash, PrivateKey>,
    scripts: HashMap<hash160::Hash, ScriptBuf>,
}

impl Keys {
    /// Adds a key.
    pub fn add_key(&mut self, key: PrivateKey) {
        let public = PublicKey::from_private_key(&Secp256k1::signing_only(), &key);
        self.keys.insert(hash160::Hash::hash(&public.to_bytes()), key);
    }

    /// Adds a script that an output may have the hash of, and the script of its P2WSH form.
    pub fn add_script(&mut self, script: ScriptBuf) {
        let wrapped = script.to_p2wsh();
        for script in [script, wrapped] {
            self.scripts.insert(hash160::Hash::hash(script.as_bytes()), script);
        }
    }
}

/// An input and what it spends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    pub transaction: &'a Transaction,
    pub index: usize,
    pub spent: &'a TxOut,
    /// What all inputs spend, as far as that is known.
    pub all_spent: &'a [Option<TxOut>],
}

/// What there is of an input's script and witness.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parts {
    /// The engine takes it.
    pub complete: bool,
    /// Script and witness as they are to be.
    pub script_sig: ScriptBuf,
    pub witness: Witness,
    /// Signatures with the byte for what they cover, by key.
    signatures: BTreeMap<Vec<u8>, Vec<u8>>,
    redeem_script: Option<ScriptBuf>,
    witness_script: Option<ScriptBuf>,
}

impl Parts {
    /// Adds what another signer's have.
    pub fn merge(&mut self, other: Parts) {
        if self.complete {
            return;
        }
        if other.complete {
            *self = other;
            return;
        }
        self.redeem_script = self.redeem_script.take().or(other.redeem_script);
        self.witness_script = self.witness_script.take().or(other.witness_script);
        for (key, signature) in other.signatures {
            self.signatures.entry(key).or_insert(signature);
        }
    }
}

impl Input<'_> {
    /// Takes apart what the input has.
    pub fn read(&self) -> Result<Parts, kernel::Error> {
        read::parts(self)
    }

    /// Says why the engine does not take the input as it is in a transaction; `None` if it does.
    pub fn fault(&self, transaction: &Transaction) -> Result<Option<String>, kernel::Error> {
        kernel::verify_input(transaction, self.index, self.spent, self.all_spent)
    }

    /// Makes script and witness of the parts and of what can be signed.
    pub fn sign(&self, keys: &Keys, sighash: u8, parts: &mut Parts) -> Result<(), kernel::Error> {
        if parts.complete {
            return Ok(());
        }
        let signer = Signer { input: self, keys, sighash, secp: Secp256k1::new() };
        let solved = signer.assemble(parts);
        let mut signed = self.transaction.clone();
        signed.input[self.index].script_sig = parts.script_sig.clone();
        signed.input[self.index].witness = parts.witness.clone();
        parts.complete = solved && self.fault(&signed)?.is_none();
        Ok(())
    }
}

/// What makes signatures for one input.
struct Signer<'a> {
    input: &'a Input<'a>,
    keys: &'a Keys,
    sighash: u8,
    secp: Secp256k1<All>,
}

/// Values for a script, in the order they are pushed, and whether they are all.
type Stack = (Vec<Vec<u8>>, bool);

impl Signer<'_> {
    /// Puts script and witness together. Returns whether nothing is missing.
    fn assemble(&self, parts: &mut Parts) -> bool {
        let output = self.input.spent.script_pubkey.clone();
        let mut script = output.clone();
        let (mut stack, mut solved) = (Vec::new(), true);
        let nested = script.is_p2sh();
        if nested {
            match self.script(&script.as_bytes()[2..22], parts.redeem_script.as_ref()) {
                Some(redeem) => {
                    parts.redeem_script = Some(redeem.clone());
                    script = redeem;
                    solved = !script.is_p2sh();
                }
                None => solved = false,
            }
        }
        let mut witness: Option<Vec<Vec<u8>>> = None;
        match Kind::of(&script) {
            _ if !solved => {}
            Kind::WitnessPubKeyHash => {
                let hash = &script.as_bytes()[2..22];
                let (values, done) = self.key_hash(hash, &key_hash_script(hash), true, parts);
                (witness, solved) = (Some(values), done);
            }
            Kind::WitnessScriptHash => {
                let hash = ripemd160::Hash::hash(&script.as_bytes()[2..34]);
                match self.script(hash.as_byte_array(), parts.witness_script.as_ref()) {
                    Some(inner) => {
                        parts.witness_script = Some(inner.clone());
                        let (mut values, done) = self.template(&inner, true, parts);
                        values.push(inner.to_bytes());
                        (witness, solved) = (Some(values), done);
                    }
                    None => solved = false,
                }
            }
            Kind::Taproot(key) if !nested => {
                let signature = self.taproot(&key);
                solved = signature.is_some();
                witness = Some(signature.into_iter().collect());
            }
            _ => (stack, solved) = self.template(&script, false, parts),
        }
        if nested && let Some(redeem) = &parts.redeem_script {
            stack.push(redeem.to_bytes());
        }
        parts.script_sig = pushes(&stack);
        parts.witness = witness.map(|values| Witness::from_slice(&values)).unwrap_or_default();
        solved
    }

    /// Finds a script by its hash.
    fn script(&self, hash: &[u8], known: Option<&ScriptBuf>) -> Option<ScriptBuf> {
        let hash = hash160::Hash::from_slice(hash).ok()?;
        known
            .filter(|script| hash160::Hash::hash(script.as_bytes()) == hash)
            .or_else(|| self.keys.scripts.get(&hash))
            .cloned()
    }

    /// Solves a script that says itself what it wants.
    fn template(&self, script: &Script, segwit: bool, parts: &mut Parts) -> Stack {
        match Kind::of(script) {
            Kind::PubKey(key) => match self.signature(&key, script, segwit, parts) {
                Some(signature) => (vec![signature], true),
                None => (Vec::new(), false),
            },
            Kind::PubKeyHash => self.key_hash(&script.as_bytes()[3..23], script, segwit, parts),
            Kind::Multisig(required, keys) => {
                let required = usize::from(required);
                // One value more than it wants is taken off the stack.
                let mut stack = vec![Vec::new()];
                for key in keys {
                    // Each is made, so that others can be told of it, but no more than wanted are used.
                    if let Some(signature) = self.signature(&key, script, segwit, parts)
                        && stack.len() <= required
                    {
                        stack.push(signature);
                    }
                }
                let solved = stack.len() == required + 1;
                stack.resize(required + 1, Vec::new());
                (stack, solved)
            }
            _ => (Vec::new(), false),
        }
    }

    fn key_hash(&self, hash: &[u8], script: &Script, segwit: bool, parts: &mut Parts) -> Stack {
        let none = (Vec::new(), false);
        let Ok(hash) = hash160::Hash::from_slice(hash) else { return none };
        let known = parts.signatures.keys().find(|key| hash160::Hash::hash(key) == hash).cloned();
        let ours = || self.keys.keys.get(&hash).map(|key| PublicKey::from_private_key(&self.secp, key).to_bytes());
        let Some(key) = known.or_else(ours) else { return none };
        match self.signature(&key, script, segwit, parts) {
            Some(signature) => (vec![signature, key], true),
            None => none,
        }
    }

    /// Returns the signature of a key: one there is, or one that is made.
    fn signature(&self, key: &[u8], script: &Script, segwit: bool, parts: &mut Parts) -> Option<Vec<u8>> {
        if let Some(signature) = parts.signatures.get(key) {
            return Some(signature.clone());
        }
        let private = self.keys.keys.get(&hash160::Hash::hash(key))?;
        // Segregated witnesses know compressed keys only.
        if segwit && !private.compressed {
            return None;
        }
        let kind = if self.sighash == 0 { EcdsaSighashType::All as u8 } else { self.sighash };
        let digest = self.input.digest(script, segwit, kind)?;
        let mut signature = self.secp.sign_ecdsa_low_r(&digest, &private.inner).serialize_der().to_vec();
        signature.push(kind);
        parts.signatures.insert(key.to_vec(), signature.clone());
        Some(signature)
    }

    /// Signs for an output whose key is given as it is, without a script tree.
    fn taproot(&self, output_key: &[u8; 32]) -> Option<Vec<u8>> {
        let all: Vec<&TxOut> = self.input.all_spent.iter().map(Option::as_ref).collect::<Option<_>>()?;
        let pair = self.keys.keys.values().find_map(|key| {
            let pair = key.inner.keypair(&self.secp);
            (pair.x_only_public_key().0.serialize() == *output_key).then_some(pair)
        })?;
        let kind = TapSighashType::from_consensus_u8(self.sighash).ok()?;
        let digest = SighashCache::new(self.input.transaction)
            .taproot_key_spend_signature_hash(self.input.index, &Prevouts::All(&all), kind)
            .ok()?;
        let signature = self.secp.sign_schnorr(&Message::from(digest), &pair);
        Some(bitcoin::taproot::Signature { signature, sighash_type: kind }.to_vec())
    }
}

impl Input<'_> {
    /// Returns what a signature of this kind is of.
    fn digest(&self, script: &Script, segwit: bool, kind: u8) -> Option<Message> {
        let mut cache = SighashCache::new(self.transaction);
        let hash = if segwit {
            let kind = EcdsaSighashType::from_standard(kind.into()).ok()?;
            cache.p2wsh_signature_hash(self.index, script, self.spent.value, kind).ok()?.to_byte_array()
        } else {
            cache.legacy_signature_hash(self.index, script, kind.into()).ok()?.to_byte_array()
        };
        Some(Message::from_digest(hash))
    }
}

/// The script that a P2WPKH output stands for.
fn key_hash_script(hash: &[u8]) -> ScriptBuf {
    let hash = bitcoin::PubkeyHash::from_slice(hash).expect("the caller cut as many bytes as it has");
    ScriptBuf::new_p2pkh(&hash)
}

/// Writes values as pushes, each in its shortest form.
fn pushes(values: &[Vec<u8>]) -> ScriptBuf {
    values
        .iter()
        .fold(Builder::new(), |builder, value| match value[..] {
            [] => builder.push_int(0),
            [number @ 1..=16] => builder.push_int(number.into()),
            [0x81] => builder.push_opcode(OP_PUSHNUM_NEG1),
            _ => builder.push_slice(PushBytesBuf::try_from(value.clone()).unwrap_or_default()),
        })
        .into_script()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_are_short() {
        let values = [vec![], vec![1], vec![16], vec![17], vec![0x81], vec![1, 2]];
        assert_eq!(pushes(&values).to_hex_string(), "00516001114f020102");
    }
}
