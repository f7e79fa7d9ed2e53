//! Scripts, apart from any chain.

use bitcoin::{Transaction, TxOut};

use crate::{Error, ffi};

/// Verifies an input against what it spends by the rules of the mempool. Returns what is wrong; `None` if nothing is.
///
/// `all_spent` is what each input spends, as far as that is known: signatures of taproot outputs cover all of it.
pub fn verify_input(
    transaction: &Transaction,
    input: usize,
    spent: &TxOut,
    all_spent: &[Option<TxOut>],
) -> Result<Option<String>, Error> {
    let entry = |output: Option<&TxOut>| ffi::SpentEntry {
        known: output.is_some(),
        value: output.map_or(0, |output| i64::try_from(output.value.to_sat()).unwrap_or(i64::MAX)),
        script: output.map(|output| output.script_pubkey.to_bytes()).unwrap_or_default(),
    };
    let mut entries: Vec<ffi::SpentEntry> = all_spent.iter().map(|output| entry(output.as_ref())).collect();
    if let Some(at) = entries.get_mut(input) {
        *at = entry(Some(spent));
    }
    let bytes = bitcoin::consensus::serialize(transaction);
    let fault = ffi::verify_input(&bytes, u32::try_from(input).unwrap_or(u32::MAX), &entries)?;
    Ok(Some(fault).filter(|fault| !fault.is_empty()))
}
