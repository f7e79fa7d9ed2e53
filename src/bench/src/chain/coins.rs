//! Outputs of every kind in use, and spending them with real signatures.

use anyhow::{Context, Result};
use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::key::{Keypair, PublicKey, Secp256k1, TapTweak};
use bitcoin::opcodes::all::{OP_CHECKMULTISIG, OP_CHECKSIG};
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::secp256k1::{All, Message, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::taproot::{LeafVersion, TapLeafHash, TaprootBuilder, TaprootSpendInfo};
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, transaction};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// Keys that outputs are paid to.
pub(super) const KEYS: usize = 64;

/// How an output is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    P2pkh,
    P2shP2wpkh,
    P2wpkh,
    /// Two signatures of three keys.
    P2wshMultisig,
    TaprootKey,
    TaprootScript,
}

impl Kind {
    pub(super) const ALL: [Kind; 6] =
        [Kind::P2pkh, Kind::P2shP2wpkh, Kind::P2wpkh, Kind::P2wshMultisig, Kind::TaprootKey, Kind::TaprootScript];
}

/// An output that can be spent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coin {
    pub(super) outpoint: OutPoint,
    pub(super) value: u64,
    kind: Kind,
    key: usize,
}

impl Coin {
    /// An output of a transaction that pays to a key.
    pub(super) fn of(transaction: &Transaction, index: u32, kind: Kind, key: usize) -> Coin {
        let outpoint = OutPoint::new(transaction.compute_txid(), index);
        Coin { outpoint, value: transaction.output[index as usize].value.to_sat(), kind, key }
    }
}

/// A key and the scripts that it stands in.
struct Key {
    pair: Keypair,
    public: PublicKey,
    /// The script a taproot output commits to, and how it is revealed.
    leaf: ScriptBuf,
    taproot: TaprootSpendInfo,
}

/// All keys.
pub(super) struct Keys {
    secp: Secp256k1<All>,
    keys: Vec<Key>,
}

impl Keys {
    /// Draws keys.
    pub(super) fn new(random: &mut ChaCha8Rng) -> Keys {
        let secp = Secp256k1::new();
        let mut keys = Vec::with_capacity(KEYS);
        while keys.len() < KEYS {
            let mut bytes = [0; 32];
            random.fill_bytes(&mut bytes);
            // All but a handful of numbers are keys.
            let Ok(secret) = SecretKey::from_slice(&bytes) else { continue };
            let pair = Keypair::from_secret_key(&secp, &secret);
            let (internal, _) = pair.x_only_public_key();
            let leaf = Builder::new().push_x_only_key(&internal).push_opcode(OP_CHECKSIG).into_script();
            let Ok(builder) = TaprootBuilder::new().add_leaf(0, leaf.clone()) else { continue };
            let Ok(taproot) = builder.finalize(&secp, internal) else { continue };
            keys.push(Key { pair, public: PublicKey::new(pair.public_key()), leaf, taproot });
        }
        Keys { secp, keys }
    }

    /// The script that pays to a key.
    pub(super) fn script(&self, kind: Kind, index: usize) -> ScriptBuf {
        let key = &self.keys[index];
        match kind {
            Kind::P2pkh => ScriptBuf::new_p2pkh(&key.public.pubkey_hash()),
            Kind::P2shP2wpkh => ScriptBuf::new_p2sh(&self.witness_program(index).script_hash()),
            Kind::P2wpkh => self.witness_program(index),
            Kind::P2wshMultisig => ScriptBuf::new_p2wsh(&self.multisig(index).wscript_hash()),
            Kind::TaprootKey => ScriptBuf::new_p2tr(&self.secp, key.pair.x_only_public_key().0, None),
            Kind::TaprootScript => ScriptBuf::new_p2tr_tweaked(key.taproot.output_key()),
        }
    }

    fn witness_program(&self, index: usize) -> ScriptBuf {
        let hash = bitcoin::WPubkeyHash::from_raw_hash(self.keys[index].public.pubkey_hash().to_raw_hash());
        ScriptBuf::new_p2wpkh(&hash)
    }

    fn multisig(&self, index: usize) -> ScriptBuf {
        let mut builder = Builder::new().push_int(2);
        for offset in 0..3 {
            builder = builder.push_key(&self.keys[(index + offset) % KEYS].public);
        }
        builder.push_int(3).push_opcode(OP_CHECKMULTISIG).into_script()
    }

    /// Spends coins to destinations; returns the signed transaction and its outputs.
    pub(super) fn transfer(
        &self,
        coins: Vec<Coin>,
        destinations: &[((Kind, usize), u64)],
    ) -> Result<(Transaction, Vec<Coin>)> {
        let input = coins.iter().map(|coin| TxIn {
            previous_output: coin.outpoint,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        });
        let output = destinations.iter().map(|((kind, key), value)| TxOut {
            value: Amount::from_sat(*value),
            script_pubkey: self.script(*kind, *key),
        });
        let mut transaction = Transaction {
            version: transaction::Version::TWO,
            lock_time: LockTime::ZERO,
            input: input.collect(),
            output: output.collect(),
        };
        self.sign(&mut transaction, &coins)?;
        let txid = transaction.compute_txid();
        let outputs = destinations.iter().zip(0..).map(|(((kind, key), value), index)| Coin {
            outpoint: OutPoint::new(txid, index),
            value: *value,
            kind: *kind,
            key: *key,
        });
        Ok((transaction, outputs.collect()))
    }

    fn sign(&self, transaction: &mut Transaction, coins: &[Coin]) -> Result<()> {
        let spent: Vec<TxOut> = coins
            .iter()
            .map(|coin| TxOut { value: Amount::from_sat(coin.value), script_pubkey: self.script(coin.kind, coin.key) })
            .collect();
        let mut cache = SighashCache::new(&*transaction);
        let mut signed = Vec::with_capacity(coins.len());
        for (index, coin) in coins.iter().enumerate() {
            signed.push(self.input(&mut cache, index, *coin, &spent)?);
        }
        for (input, (script_sig, witness)) in transaction.input.iter_mut().zip(signed) {
            (input.script_sig, input.witness) = (script_sig, witness);
        }
        Ok(())
    }

    fn input(
        &self,
        cache: &mut SighashCache<&Transaction>,
        index: usize,
        coin: Coin,
        spent: &[TxOut],
    ) -> Result<(ScriptBuf, Witness)> {
        let (key, all) = (&self.keys[coin.key], EcdsaSighashType::All);
        let (value, script) = (Amount::from_sat(coin.value), &spent[index].script_pubkey);
        Ok(match coin.kind {
            Kind::P2pkh => {
                let hash = cache.legacy_signature_hash(index, script, all.to_u32())?;
                let signature = PushBytesBuf::try_from(self.ecdsa(coin.key, hash.to_byte_array()))
                    .context("a signature is short")?;
                (Builder::new().push_slice(signature).push_key(&key.public).into_script(), Witness::new())
            }
            Kind::P2wpkh | Kind::P2shP2wpkh => {
                let program = self.witness_program(coin.key);
                let hash = cache.p2wpkh_signature_hash(index, &program, value, all)?;
                let signature = self.ecdsa(coin.key, hash.to_byte_array());
                let witness = Witness::from_slice(&[signature, key.public.to_bytes()]);
                let nested = PushBytesBuf::try_from(program.into_bytes()).context("a program is short")?;
                let script_sig = match coin.kind {
                    Kind::P2wpkh => ScriptBuf::new(),
                    _ => Builder::new().push_slice(nested).into_script(),
                };
                (script_sig, witness)
            }
            Kind::P2wshMultisig => {
                let script = self.multisig(coin.key);
                let hash = cache.p2wsh_signature_hash(index, &script, value, all)?.to_byte_array();
                let second = self.ecdsa((coin.key + 1) % KEYS, hash);
                let stack = [Vec::new(), self.ecdsa(coin.key, hash), second, script.into_bytes()];
                (ScriptBuf::new(), Witness::from_slice(&stack))
            }
            Kind::TaprootKey => {
                let hash =
                    cache.taproot_key_spend_signature_hash(index, &Prevouts::All(spent), TapSighashType::Default)?;
                let tweaked = key.pair.tap_tweak(&self.secp, None).to_keypair();
                let message = Message::from_digest(hash.to_byte_array());
                let signature = self.secp.sign_schnorr_no_aux_rand(&message, &tweaked);
                (ScriptBuf::new(), Witness::from_slice(&[signature.serialize()]))
            }
            Kind::TaprootScript => {
                let leaf = TapLeafHash::from_script(&key.leaf, LeafVersion::TapScript);
                let prevouts = Prevouts::All(spent);
                let hash =
                    cache.taproot_script_spend_signature_hash(index, &prevouts, leaf, TapSighashType::Default)?;
                let message = Message::from_digest(hash.to_byte_array());
                let signature = self.secp.sign_schnorr_no_aux_rand(&message, &key.pair);
                let control = key
                    .taproot
                    .control_block(&(key.leaf.clone(), LeafVersion::TapScript))
                    .context("a leaf has its control block")?;
                let stack = [signature.serialize().to_vec(), key.leaf.to_bytes(), control.serialize()];
                (ScriptBuf::new(), Witness::from_slice(&stack))
            }
        })
    }

    /// A signature as scripts take it.
    fn ecdsa(&self, index: usize, hash: [u8; 32]) -> Vec<u8> {
        let signature = self.secp.sign_ecdsa(&Message::from_digest(hash), &self.keys[index].pair.secret_key());
        let mut bytes = signature.serialize_der().to_vec();
        bytes.push(EcdsaSighashType::All.to_u32() as u8);
        bytes
    }
}
