//! Transactions as JSON, and transactions from the hexadecimal text of clients.

use bitcoin::consensus::{Decodable, serialize};
use bitcoin::hex::FromHex;
use bitcoin::{Amount, Network, Script, Transaction, TxIn, TxOut, absolute, transaction};
use kernel::Coin;
use rpc::Res;
use rpc::json::{self as values, Text};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

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

/// A transaction as it is shown, in Bitcoin Core's order of fields.
pub(crate) struct View<'a> {
    pub tx: &'a Transaction,
    pub network: Network,
    pub spent: Spent<'a>,
    /// Its serialisation comes last.
    pub hex: bool,
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let View { tx, network, spent, hex } = *self;
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("txid", &Text(tx.compute_txid()))?;
        out.serialize_entry("hash", &Text(tx.compute_wtxid()))?;
        out.serialize_entry("version", &version(tx))?;
        out.serialize_entry("size", &tx.total_size())?;
        out.serialize_entry("vsize", &tx.weight().to_vbytes_ceil())?;
        out.serialize_entry("weight", &tx.weight().to_wu())?;
        out.serialize_entry("locktime", &tx.lock_time.to_consensus_u32())?;
        // Coins that do not match the inputs tell nothing.
        let coins = spent.coins().filter(|coins| coins.len() == tx.input.len());
        let shown = coins.filter(|_| matches!(spent, Spent::Shown(_)));
        let coinbase = tx.is_coinbase();
        let inputs = tx.input.iter().enumerate().map(|(at, input)| {
            let spent = shown.and_then(|coins| coins.get(at));
            InputView { input, coinbase, spent, network }
        });
        out.serialize_entry("vin", &List(inputs))?;
        out.serialize_entry(
            "vout",
            &List(tx.output.iter().enumerate().map(|(n, output)| OutputView { output, n, network })),
        )?;
        if let Some(fee) = coins.and_then(|coins| fee(tx, coins)) {
            out.serialize_entry("fee", &values::amount(fee))?;
        }
        if hex {
            out.serialize_entry("hex", &values::hex(&serialize(tx)))?;
        }
        out.end()
    }
}

/// What an iterator yields, as an array.
pub(crate) struct List<I>(pub I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for List<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

struct OutputView<'a> {
    output: &'a TxOut,
    n: usize,
    network: Network,
}

impl Serialize for OutputView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("value", &values::amount(self.output.value))?;
        out.serialize_entry("n", &self.n)?;
        out.serialize_entry("scriptPubKey", &script::View::new(&self.output.script_pubkey, self.network))?;
        out.end()
    }
}

/// Returns a transaction as JSON.
pub(crate) fn to_json(tx: &Transaction, network: Network, spent: Spent<'_>, hex: bool) -> Map<String, Value> {
    members(&View { tx, network, spent, hex })
}

/// Returns the members of something that is shown as an object.
pub(super) fn members(view: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(view) {
        Ok(Value::Object(members)) => members,
        // Views have text for keys, and nothing else can go wrong.
        _ => Map::new(),
    }
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

struct InputView<'a> {
    input: &'a TxIn,
    coinbase: bool,
    spent: Option<&'a Coin>,
    network: Network,
}

impl Serialize for InputView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let InputView { input, coinbase, spent, network } = *self;
        let mut out = serializer.serialize_map(None)?;
        if coinbase {
            out.serialize_entry("coinbase", &values::hex(input.script_sig.as_bytes()))?;
        } else {
            out.serialize_entry("txid", &Text(input.previous_output.txid))?;
            out.serialize_entry("vout", &input.previous_output.vout)?;
            out.serialize_entry("scriptSig", &SignatureView(&input.script_sig))?;
        }
        if !input.witness.is_empty() {
            let items: Vec<String> = input.witness.iter().map(values::hex).collect();
            out.serialize_entry("txinwitness", &items)?;
        }
        if let Some(coin) = spent {
            out.serialize_entry("prevout", &CoinView { coin, network })?;
        }
        out.serialize_entry("sequence", &input.sequence.to_consensus_u32())?;
        out.end()
    }
}

struct SignatureView<'a>(&'a Script);

impl Serialize for SignatureView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("asm", &script::asm(self.0, true))?;
        out.serialize_entry("hex", &values::hex(self.0.as_bytes()))?;
        out.end()
    }
}

struct CoinView<'a> {
    coin: &'a Coin,
    network: Network,
}

impl Serialize for CoinView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let CoinView { coin, network } = *self;
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("generated", &coin.coinbase)?;
        out.serialize_entry("height", &coin.height)?;
        out.serialize_entry("value", &values::amount(coin.output.value))?;
        out.serialize_entry("scriptPubKey", &script::View::new(&coin.output.script_pubkey, network))?;
        out.end()
    }
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

/// Describes the fields of a transaction object; the arguments are fields before, the inputs' description and fields after.
macro_rules! transaction_doc {
    ([$($before:expr),*], $vin:expr $(, $extra:expr)*) => {
        &[
            $($before,)*
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
    ($vin:expr $(, $extra:expr)*) => { transaction_doc!([], $vin $(, $extra)*) };
}
pub(crate) use transaction_doc;

/// Describes an input.
pub(crate) const INPUT_DOC: &[Res] = input_doc!();

/// Describes an input with what it spends.
pub(crate) const INPUT_WITH_PREVOUT_DOC: &[Res; 7] = input_doc!(
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
