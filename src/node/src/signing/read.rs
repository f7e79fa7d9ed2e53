//! Takes the parts out of an input that has signatures already, perhaps not all of them.

use bitcoin::ecdsa::Signature;
use bitcoin::secp256k1::{Secp256k1, VerifyOnly};
use bitcoin::{PublicKey, Script, ScriptBuf};

use super::{Input, Parts};
use crate::rpc::shape::script::{Kind, ops};

pub(super) fn parts(input: &Input<'_>) -> Result<Parts, kernel::Error> {
    let tx_in = &input.transaction.input[input.index];
    let mut parts = Parts { script_sig: tx_in.script_sig.clone(), witness: tx_in.witness.clone(), ..Parts::default() };
    if tx_in.script_sig.is_empty() && tx_in.witness.is_empty() {
        return Ok(parts);
    }
    if input.fault(input.transaction)?.is_none() {
        parts.complete = true;
        return Ok(parts);
    }
    // The rest is for what has signatures of its own to keep: multisig.
    let Some(mut stack) = pushed(&tx_in.script_sig) else { return Ok(parts) };
    let mut script = input.spent.script_pubkey.clone();
    if script.is_p2sh() {
        let Some(redeem) = stack.pop().filter(|redeem| !redeem.is_empty()).map(ScriptBuf::from_bytes) else {
            return Ok(parts);
        };
        parts.redeem_script = Some(redeem.clone());
        script = redeem;
    }
    let segwit = script.is_p2wsh();
    if segwit {
        stack = tx_in.witness.to_vec();
        let Some(inner) = stack.pop().filter(|inner| !inner.is_empty()).map(ScriptBuf::from_bytes) else {
            return Ok(parts);
        };
        parts.witness_script = Some(inner.clone());
        script = inner;
    }
    if let Kind::Multisig(_, keys) = Kind::of(&script) {
        let secp = Secp256k1::verification_only();
        let mut from = 0;
        for signature in stack.into_iter().filter(|value| !value.is_empty()) {
            // Signatures come in the order of their keys.
            let found = keys[from..].iter().position(|key| signs(&secp, input, key, &signature, &script, segwit));
            if let Some(at) = found {
                parts.signatures.insert(keys[from + at].clone(), signature);
                from += at + 1;
            }
        }
    }
    Ok(parts)
}

/// Returns what a script pushes, if that is all it does.
fn pushed(script: &Script) -> Option<Vec<Vec<u8>>> {
    ops(script)
        .map(|op| {
            let op = op.ok()?;
            match op.code {
                0..=0x4e => Some(op.data.to_vec()),
                0x4f => Some(vec![0x81]),
                0x51..=0x60 => Some(vec![op.code - 0x50]),
                _ => None,
            }
        })
        .collect()
}

/// Says whether a signature is one of a key for this input.
fn signs(
    secp: &Secp256k1<VerifyOnly>,
    input: &Input<'_>,
    key: &[u8],
    signature: &[u8],
    script: &Script,
    segwit: bool,
) -> bool {
    let (Ok(key), Some((&kind, der))) = (PublicKey::from_slice(key), signature.split_last()) else { return false };
    let Ok(Signature { signature, .. }) = Signature::from_slice(&[der, &[1]].concat()) else { return false };
    let Some(digest) = input.digest(script, segwit, kind) else { return false };
    secp.verify_ecdsa(&digest, &signature, &key.inner).is_ok()
}
