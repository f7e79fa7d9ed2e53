//! A transaction as `decoderawtransaction` shows it, for `gettransaction` with `verbose`.

use bitcoin::hex::DisplayHex;
use bitcoin::{Address, Network, Script, Transaction, TxIn, TxOut};
use rpc::json;
use serde_json::{Map, Value, json as object};

/// Output script of pay-to-anchor.
const ANCHOR: [u8; 4] = [0x51, 0x02, 0x4e, 0x73];

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

/// Says whether a script is pay-to-anchor, which anyone can spend.
pub(super) fn is_anchor(script: &Script) -> bool {
    script.as_bytes() == ANCHOR
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
    } else if is_anchor(script) {
        "anchor"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_have_the_types_of_core() {
        let check = |hex: &str, expected: &str| {
            assert_eq!(kind(&bitcoin::ScriptBuf::from_hex(hex).unwrap()), expected, "{hex}");
        };
        let key = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
        let (short, long) = ("11".repeat(20), "11".repeat(32));
        check(&format!("21{key}ac"), "pubkey");
        check(&format!("76a914{short}88ac"), "pubkeyhash");
        check(&format!("a914{short}87"), "scripthash");
        check(&format!("0014{short}"), "witness_v0_keyhash");
        check(&format!("0020{long}"), "witness_v0_scripthash");
        check(&format!("5120{long}"), "witness_v1_taproot");
        check("51024e73", "anchor");
        check("51024e74", "witness_unknown");
        check("52024e73", "witness_unknown");
        check("6a", "nulldata");
        check(&format!("5121{key}51ae"), "multisig");
        check("51", "nonstandard");
    }

    #[test]
    fn an_anchor_is_shown_with_its_address() {
        let script_pubkey = bitcoin::ScriptBuf::from_bytes(ANCHOR.to_vec());
        let out = TxOut { value: bitcoin::Amount::from_sat(240), script_pubkey };
        let shown = output(3, &out, Network::Regtest);
        assert_eq!(shown["n"], 3);
        assert_eq!(shown["scriptPubKey"]["address"], "bcrt1pfeesnyr2tx");
        assert_eq!(shown["scriptPubKey"]["asm"], "1 29518");
        assert_eq!(shown["scriptPubKey"]["type"], "anchor");
    }
}
