//! A transaction as `decoderawtransaction` shows it, for `gettransaction` with `verbose`.

use bitcoin::hex::DisplayHex;
use bitcoin::{Address, Network, Script, Transaction, TxIn, TxOut};
use rpc::json;
use serde_json::{Map, Value, json as object};

/// Shows a transaction.
pub(super) fn transaction(tx: &Transaction, network: Network) -> Value {
    let outputs: Vec<Value> = (0u32..).zip(&tx.output).map(|(n, out)| output(n, out, network)).collect();
    object!({
        "txid": tx.compute_txid().to_string(),
        "hash": tx.compute_wtxid().to_string(),
        "version": tx.version.0 as u32,
        "size": tx.total_size(),
        "vsize": tx.vsize(),
        "weight": tx.weight().to_wu(),
        "locktime": tx.lock_time.to_consensus_u32(),
        "vin": tx.input.iter().map(|txin| input(txin, tx.is_coinbase())).collect::<Vec<_>>(),
        "vout": outputs,
    })
}

fn input(txin: &TxIn, coinbase: bool) -> Value {
    let mut entry = Map::new();
    let script = txin.script_sig.as_bytes().to_lower_hex_string();
    if coinbase {
        entry.insert("coinbase".to_owned(), script.into());
    } else {
        entry.insert("txid".to_owned(), txin.previous_output.txid.to_string().into());
        entry.insert("vout".to_owned(), txin.previous_output.vout.into());
        entry.insert("scriptSig".to_owned(), object!({"asm": asm(&txin.script_sig), "hex": script}));
    }
    if !txin.witness.is_empty() {
        let items = txin.witness.iter().map(|item| item.to_lower_hex_string());
        entry.insert("txinwitness".to_owned(), items.collect::<Vec<_>>().into());
    }
    entry.insert("sequence".to_owned(), txin.sequence.0.into());
    entry.into()
}

fn output(n: u32, out: &TxOut, network: Network) -> Value {
    let script = &out.script_pubkey;
    let mut shown = Map::new();
    shown.insert("asm".to_owned(), asm(script).into());
    shown.insert("hex".to_owned(), script.as_bytes().to_lower_hex_string().into());
    if let Ok(address) = Address::from_script(script, network) {
        shown.insert("address".to_owned(), address.to_string().into());
    }
    shown.insert("type".to_owned(), kind(script).into());
    object!({"value": json::amount(out.value), "n": n, "scriptPubKey": shown})
}

/// Bitcoin Core's name of a script's type.
fn kind(script: &Script) -> &'static str {
    if script.is_p2pk() {
        "pubkey"
    } else if script.is_p2pkh() {
        "pubkeyhash"
    } else if script.is_p2sh() {
        "scripthash"
    } else if script.is_p2wpkh() {
        "witness_v0_keyhash"
    } else if script.is_p2wsh() {
        "witness_v0_scripthash"
    } else if script.is_p2tr() {
        "witness_v1_taproot"
    } else if script.is_witness_program() {
        "witness_unknown"
    } else if script.is_op_return() {
        "nulldata"
    } else if script.is_multisig() {
        "multisig"
    } else {
        "nonstandard"
    }
}

/// Instructions and data of a script, without push opcodes, as Bitcoin Core prints them.
fn asm(script: &Script) -> String {
    let words = script.instructions().map(|instruction| match instruction {
        Ok(bitcoin::script::Instruction::PushBytes(data)) if data.len() <= 4 => {
            bitcoin::script::read_scriptint(data.as_bytes())
                .map_or_else(|_| data.as_bytes().to_lower_hex_string(), |n| n.to_string())
        }
        Ok(bitcoin::script::Instruction::PushBytes(data)) => data.as_bytes().to_lower_hex_string(),
        Ok(bitcoin::script::Instruction::Op(op)) => opcode(op),
        Err(_) => "[error]".to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn opcode(op: bitcoin::Opcode) -> String {
    match op.to_u8() {
        0x4f => "-1".to_owned(),
        small @ 0x51..=0x60 => (small - 0x50).to_string(),
        _ => op.to_string(),
    }
}
