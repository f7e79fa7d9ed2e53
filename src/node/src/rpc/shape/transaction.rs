//! Transactions as JSON, and transactions from the hexadecimal text of clients.

use bitcoin::consensus::{Decodable, encode::serialize_hex};
use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::{Amount, Network, Transaction, TxIn, TxOut, absolute, transaction};
use kernel::Coin;
use rpc::{Res, json as values};
use serde_json::{Map, Value, json};

use super::script;

/// What is known of the coins a transaction spends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spent<'a> {
    /// Nothing.
    Unknown,
    /// All, to tell the fee.
    ForFee(&'a [Coin]),
    /// All, to be shown too.
    Shown(&'a [Coin]),
}

impl<'a> Spent<'a> {
    fn coins(self) -> Option<&'a [Coin]> {
        match self {
            Spent::Unknown => None,
            Spent::ForFee(coins) | Spent::Shown(coins) => Some(coins),
        }
    }
}

/// Returns a transaction as JSON, in Bitcoin Core's order of fields; with `hex`, its serialisation comes last.
pub(crate) fn to_json(tx: &Transaction, network: Network, spent: Spent<'_>, hex: bool) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("txid".into(), json!(tx.compute_txid().to_string()));
    out.insert("hash".into(), json!(tx.compute_wtxid().to_string()));
    out.insert("version".into(), json!(version(tx)));
    out.insert("size".into(), json!(tx.total_size()));
    out.insert("vsize".into(), json!(tx.weight().to_vbytes_ceil()));
    out.insert("weight".into(), json!(tx.weight().to_wu()));
    out.insert("locktime".into(), json!(tx.lock_time.to_consensus_u32()));
    // Coins that do not match the inputs tell nothing.
    let coins = spent.coins().filter(|coins| coins.len() == tx.input.len());
    let vin = tx.input.iter().enumerate().map(|(i, input)| {
        let shown = match spent {
            Spent::Shown(_) => coins.and_then(|coins| coins.get(i)),
            _ => None,
        };
        input_json(input, tx.is_coinbase(), shown, network)
    });
    out.insert("vin".into(), vin.collect());
    let vout = tx.output.iter().enumerate().map(|(n, output)| {
        json!({
            "value": values::amount(output.value),
            "n": n,
            "scriptPubKey": script::to_json(&output.script_pubkey, network),
        })
    });
    out.insert("vout".into(), vout.collect());
    if let Some(fee) = coins.and_then(|coins| fee(tx, coins)) {
        out.insert("fee".into(), values::amount(fee));
    }
    if hex {
        out.insert("hex".into(), json!(serialize_hex(tx)));
    }
    out
}

/// Returns the version as consensus reads it, without sign.
pub(crate) fn version(tx: &Transaction) -> u32 {
    tx.version.0 as u32
}

fn fee(tx: &Transaction, coins: &[Coin]) -> Option<Amount> {
    let sum = |mut amounts: Box<dyn Iterator<Item = Amount> + '_>| {
        amounts.try_fold(Amount::ZERO, |sum, amount| sum.checked_add(amount))
    };
    let paid_in = sum(Box::new(coins.iter().map(|coin| coin.output.value)))?;
    let paid_out = sum(Box::new(tx.output.iter().map(|output| output.value)))?;
    paid_in.checked_sub(paid_out)
}

fn input_json(input: &TxIn, coinbase: bool, spent: Option<&Coin>, network: Network) -> Value {
    let mut out = Map::new();
    if coinbase {
        out.insert("coinbase".into(), json!(input.script_sig.to_hex_string()));
    } else {
        out.insert("txid".into(), json!(input.previous_output.txid.to_string()));
        out.insert("vout".into(), json!(input.previous_output.vout));
        out.insert(
            "scriptSig".into(),
            json!({"asm": script::asm(&input.script_sig, true), "hex": input.script_sig.to_hex_string()}),
        );
    }
    if !input.witness.is_empty() {
        let items: Vec<String> = input.witness.iter().map(|item| item.to_lower_hex_string()).collect();
        out.insert("txinwitness".into(), json!(items));
    }
    if let Some(coin) = spent {
        out.insert(
            "prevout".into(),
            json!({
                "generated": coin.coinbase,
                "height": coin.height,
                "value": values::amount(coin.output.value),
                "scriptPubKey": script::to_json(&coin.output.script_pubkey, network),
            }),
        );
    }
    out.insert("sequence".into(), json!(input.sequence.to_consensus_u32()));
    Value::Object(out)
}

/// Which serialisations to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// With witnesses if marked, and without: what looks more like a transaction is taken.
    Either,
    /// With witnesses if marked.
    Witness,
    /// Without witnesses: the marker is read as "no inputs, one output".
    Legacy,
}

/// Reads a transaction from hexadecimal text; nothing may be left over.
///
/// A transaction without inputs (being put together, say) reads like a marker of witnesses, so the two serialisations
/// can be confused: the first of them whose scripts make sense is taken.
pub(crate) fn from_hex(text: &str, encoding: Encoding) -> Option<Transaction> {
    let bytes = Vec::from_hex(text).ok()?;
    let sane = |tx: &Transaction| {
        let inputs = tx.is_coinbase() || tx.input.iter().all(|input| script::looks_sane(&input.script_sig));
        inputs && tx.output.iter().all(|output| script::looks_sane(&output.script_pubkey))
    };
    let extended =
        if encoding == Encoding::Legacy { None } else { bitcoin::consensus::deserialize::<Transaction>(&bytes).ok() };
    if extended.as_ref().is_some_and(sane) {
        return extended;
    }
    let legacy = if encoding == Encoding::Witness { None } else { legacy(&bytes) };
    if legacy.as_ref().is_some_and(sane) {
        return legacy;
    }
    extended.or(legacy)
}

fn legacy(mut bytes: &[u8]) -> Option<Transaction> {
    let tx = Transaction {
        version: transaction::Version(i32::consensus_decode(&mut bytes).ok()?),
        input: Vec::<TxIn>::consensus_decode(&mut bytes).ok()?,
        output: Vec::<TxOut>::consensus_decode(&mut bytes).ok()?,
        lock_time: absolute::LockTime::consensus_decode(&mut bytes).ok()?,
    };
    bytes.is_empty().then_some(tx)
}

/// Describes a `scriptPubKey` object.
pub(crate) const SCRIPT_DOC: &[Res] = &[
    Res::str("asm", "Disassembly of the output script"),
    Res::str("desc", "Descriptor inferred from the output script"),
    Res::hex("hex", "The output script in hex"),
    Res::str("address", "The address, if the script has one").optional(),
    Res::str("type", "The standard form, e.g. witness_v0_keyhash, or nonstandard"),
];

const SCRIPT_SIG_DOC: Res = Res::obj(
    "scriptSig",
    "The script (absent in a coinbase)",
    &[Res::str("asm", "Disassembly of the signature script"), Res::hex("hex", "The signature script in hex")],
)
.optional();

macro_rules! input_doc {
    ($($extra:expr),*) => {
        &[
            Res::hex("coinbase", "The coinbase data (only in a coinbase)").optional(),
            Res::hex("txid", "The id of the transaction spent from (absent in a coinbase)").optional(),
            Res::num("vout", "The output number (absent in a coinbase)").optional(),
            SCRIPT_SIG_DOC,
            Res::arr("txinwitness", "", &[Res::hex("hex", "Witness item in hex, if any")]).optional(),
            Res::num("sequence", "The sequence number"),
            $($extra),*
        ]
    };
}

/// Describes the fields of a transaction object; the arguments are the inputs' description and further fields.
macro_rules! transaction_doc {
    ($vin:expr $(, $extra:expr)*) => {
        &[
            rpc::Res::hex("txid", "The transaction id"),
            rpc::Res::hex("hash", "The hash with the witness; differs from txid only if there is one"),
            rpc::Res::num("size", "Serialized size"),
            rpc::Res::num("vsize", "Virtual size (BIP141)"),
            rpc::Res::num("weight", "Weight (BIP141), between four times vsize less 3 and four times vsize"),
            rpc::Res::num("version", "The version"),
            rpc::Res::time("locktime", "The lock time"),
            rpc::Res::arr("vin", "", &[rpc::Res::obj("", "", $vin)]),
            rpc::Res::arr("vout", "", &[rpc::Res::obj("", "", &[
                rpc::Res::amount("value", "The value in BTC"),
                rpc::Res::num("n", "Index of the output"),
                rpc::Res::obj("scriptPubKey", "", $crate::rpc::shape::transaction::SCRIPT_DOC),
            ])]),
            $($extra),*
        ]
    };
}
pub(crate) use transaction_doc;

/// Describes an input.
pub(crate) const INPUT_DOC: &[Res] = input_doc!();

/// Describes an input with what it spends.
pub(crate) const INPUT_WITH_PREVOUT_DOC: &[Res] = input_doc!(
    Res::obj(
        "prevout",
        "The output spent (only if its undo data is at hand)",
        &[
            Res::bool("generated", "Created by a coinbase"),
            Res::num("height", "Height of its block"),
            Res::amount("value", "The value in BTC"),
            Res::obj("scriptPubKey", "", SCRIPT_DOC),
        ],
    )
    .optional()
);

#[cfg(test)]
mod tests {
    use bitcoin::ScriptBuf;
    use expect_test::expect;

    use super::*;

    /// The first payment ever made, of block 170.
    const FIRST_PAYMENT: &str = "0100000001c997a5e56e104102fa209c6a852dd90660a20b2d9c352423edce25857fcd3704000000004847304402\
        204e45e16932b8af514961a1d3a1a25fdf3f4f7732e9d624c6c61548ab5fb8cd410220181522ec8eca07de4860a4acdd12909d831cc56cbbac46\
        22082221a8768d1d0901ffffffff0200ca9a3b00000000434104ae1a62fe09c5f51b13905f07f06b99a2f7159b2225f374cd378d71302fa28414\
        e7aab37397f554a7df5f142c21c1b7303b8a0626f1baded5c72a704f7e6cd84cac00286bee0000000043410411db93e1dcdb8a016b49840f8c53\
        bc1eb68a382e97b1482ecad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d4c03f999b8643f656b412a3ac00000000";

    #[test]
    fn first_payment() {
        let tx = from_hex(FIRST_PAYMENT, Encoding::Either).expect("a transaction");
        let coin = Coin {
            output: TxOut { value: Amount::from_sat(5_000_000_000), script_pubkey: ScriptBuf::new() },
            height: Some(9),
            coinbase: true,
        };
        let coins = [coin];
        let json = to_json(&tx, Network::Bitcoin, Spent::Shown(&coins), false);
        expect![[r#"
            {
              "txid": "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16",
              "hash": "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16",
              "version": 1,
              "size": 275,
              "vsize": 275,
              "weight": 1100,
              "locktime": 0,
              "vin": [
                {
                  "txid": "0437cd7f8525ceed2324359c2d0ba26006d92d856a9c20fa0241106ee5a597c9",
                  "vout": 0,
                  "scriptSig": {
                    "asm": "304402204e45e16932b8af514961a1d3a1a25fdf3f4f7732e9d624c6c61548ab5fb8cd410220181522ec8eca07de4860a4acdd12909d831cc56cbbac4622082221a8768d1d09[ALL]",
                    "hex": "47304402204e45e16932b8af514961a1d3a1a25fdf3f4f7732e9d624c6c61548ab5fb8cd410220181522ec8eca07de4860a4acdd12909d831cc56cbbac4622082221a8768d1d0901"
                  },
                  "prevout": {
                    "generated": true,
                    "height": 9,
                    "value": 50.00000000,
                    "scriptPubKey": {
                      "asm": "",
                      "desc": "raw()#58lrscpx",
                      "hex": "",
                      "type": "nonstandard"
                    }
                  },
                  "sequence": 4294967295
                }
              ],
              "vout": [
                {
                  "value": 10.00000000,
                  "n": 0,
                  "scriptPubKey": {
                    "asm": "04ae1a62fe09c5f51b13905f07f06b99a2f7159b2225f374cd378d71302fa28414e7aab37397f554a7df5f142c21c1b7303b8a0626f1baded5c72a704f7e6cd84c OP_CHECKSIG",
                    "desc": "pk(04ae1a62fe09c5f51b13905f07f06b99a2f7159b2225f374cd378d71302fa28414e7aab37397f554a7df5f142c21c1b7303b8a0626f1baded5c72a704f7e6cd84c)#hsw9ejus",
                    "hex": "4104ae1a62fe09c5f51b13905f07f06b99a2f7159b2225f374cd378d71302fa28414e7aab37397f554a7df5f142c21c1b7303b8a0626f1baded5c72a704f7e6cd84cac",
                    "type": "pubkey"
                  }
                },
                {
                  "value": 40.00000000,
                  "n": 1,
                  "scriptPubKey": {
                    "asm": "0411db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482ecad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d4c03f999b8643f656b412a3 OP_CHECKSIG",
                    "desc": "pk(0411db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482ecad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d4c03f999b8643f656b412a3)#u7qfa49l",
                    "hex": "410411db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482ecad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d4c03f999b8643f656b412a3ac",
                    "type": "pubkey"
                  }
                }
              ],
              "fee": 0.00000000
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&json).expect("JSON"));
    }

    #[test]
    fn tells_the_serialisations_apart() {
        let check = |text: &str, encoding: Encoding, inputs_outputs: Option<(usize, usize)>| {
            let tx = from_hex(text, encoding);
            assert_eq!(tx.map(|tx| (tx.input.len(), tx.output.len())), inputs_outputs, "{text}");
        };
        check("0000", Encoding::Either, None);
        check("zz", Encoding::Either, None);
        check("", Encoding::Either, None);
        // No inputs, one output: the count of inputs followed by that of outputs looks like the marker.
        let funded_later = "02000000000100e1f50500000000015100000000";
        check(funded_later, Encoding::Either, Some((0, 1)));
        check(funded_later, Encoding::Legacy, Some((0, 1)));
        check(funded_later, Encoding::Witness, None);
        check(FIRST_PAYMENT, Encoding::Witness, Some((1, 2)));
        check(&format!("{FIRST_PAYMENT}00"), Encoding::Either, None);
    }
}
