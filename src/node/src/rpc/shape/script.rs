//! Scripts as JSON: disassembly, output type, inferred descriptor and address.
//!
//! The disassembly is Bitcoin Core's (opcode names, small pushes as numbers, sighash suffixes of signatures), which is
//! not the library's; clients and tests compare it literally.

use bitcoin::{Network, PublicKey, Script, XOnlyPublicKey};
use rpc::json as values;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::transaction::members;
use super::{address, descriptor};

/// Longest script that can run.
const MAX_SCRIPT_LEN: usize = 10_000;
/// Longest push that can run.
const MAX_PUSH_LEN: usize = 520;
/// Highest opcode that has a meaning.
const MAX_OPCODE: u8 = 0xba;
const OP_PUSHDATA4: u8 = 0x4e;
const OP_1NEGATE: u8 = 0x4f;
const OP_1: u8 = 0x51;
const OP_16: u8 = 0x60;
const OP_RETURN: u8 = 0x6a;
const OP_CHECKSIG: u8 = 0xac;
const OP_CHECKMULTISIG: u8 = 0xae;
const OP_CHECKSIGADD: u8 = 0xba;

/// One step of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Op<'a> {
    /// The opcode.
    pub code: u8,
    /// What it pushes, if it is a push.
    pub data: &'a [u8],
}

/// A push that runs past the end of its script.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Truncated;

/// Steps through a script; ends after the first [`Truncated`].
pub(crate) fn ops(script: &Script) -> impl Iterator<Item = Result<Op<'_>, Truncated>> {
    let mut rest = script.as_bytes();
    std::iter::from_fn(move || {
        let (code, after) = rest.split_first()?;
        let op = push_len(*code, after).and_then(|(prefix, len)| {
            let data = after.get(prefix..prefix.checked_add(len)?)?;
            rest = &after[prefix + len..];
            Some(Op { code: *code, data })
        });
        if op.is_none() {
            rest = &[];
        }
        Some(op.ok_or(Truncated))
    })
}

/// Returns how many bytes after the opcode give the length, and the length.
fn push_len(code: u8, after: &[u8]) -> Option<(usize, usize)> {
    Some(match code {
        0..=0x4b => (0, usize::from(code)),
        0x4c => (1, usize::from(*after.first()?)),
        0x4d => (2, usize::from(u16::from_le_bytes(after.get(..2)?.try_into().ok()?))),
        OP_PUSHDATA4 => (4, u32::from_le_bytes(after.get(..4)?.try_into().ok()?) as usize),
        _ => (0, 0),
    })
}

/// Says whether every opcode is known and every push short enough to run.
pub(crate) fn has_valid_ops(script: &Script) -> bool {
    ops(script).all(|op| op.is_ok_and(|op| op.code <= MAX_OPCODE && op.data.len() <= MAX_PUSH_LEN))
}

/// Says whether an output with this script can provably never be spent.
pub(crate) fn is_unspendable(script: &Script) -> bool {
    script.as_bytes().first() == Some(&OP_RETURN) || script.len() > MAX_SCRIPT_LEN
}

/// Says whether the script is pay-to-anchor.
pub(crate) fn is_anchor(script: &Script) -> bool {
    script.as_bytes() == [OP_1, 2, 0x4e, 0x73]
}

/// Says whether a transaction's scripts look like scripts, which tells its serialisations apart.
pub(crate) fn looks_sane(script: &Script) -> bool {
    has_valid_ops(script) && script.len() <= MAX_SCRIPT_LEN
}

/// Disassembles a script. With `signatures`, data that looks like one gets its sighash type decoded.
pub(crate) fn asm(script: &Script, signatures: bool) -> String {
    let signatures = signatures && !is_unspendable(script);
    let mut text = String::with_capacity(2 * script.len() + 40);
    for op in ops(script) {
        if !text.is_empty() {
            text.push(' ');
        }
        match op {
            Err(Truncated) => text.push_str("[error]"),
            Ok(Op { code: 0..=OP_PUSHDATA4, data }) if data.len() <= 4 => {
                text.push_str(&small_number(data).to_string())
            }
            Ok(Op { code: 0..=OP_PUSHDATA4, data }) => match sighash_name(data).filter(|_| signatures) {
                Some(name) => text.extend([&values::hex(&data[..data.len() - 1]), "[", name, "]"]),
                None => text.push_str(&values::hex(data)),
            },
            Ok(Op { code, .. }) => text.push_str(opcode_name(code)),
        }
    }
    text
}

/// Reads up to four bytes as a script number: little endian, sign in the top bit.
fn small_number(data: &[u8]) -> i64 {
    let magnitude = data.iter().rev().fold(0i64, |n, byte| n << 8 | i64::from(*byte));
    match data.last() {
        Some(last) if last & 0x80 != 0 => -(magnitude & !(0x80 << (8 * (data.len() - 1)))),
        _ => magnitude,
    }
}

/// Returns the name of a signature's sighash type; `None` if the data is not strictly encoded ECDSA signature with a
/// defined type (BIP66).
fn sighash_name(data: &[u8]) -> Option<&'static str> {
    let (kind, der) = data.split_last()?;
    let name = match kind {
        0x01 => "ALL",
        0x02 => "NONE",
        0x03 => "SINGLE",
        0x81 => "ALL|ANYONECANPAY",
        0x82 => "NONE|ANYONECANPAY",
        0x83 => "SINGLE|ANYONECANPAY",
        _ => return None,
    };
    let body = match der {
        [0x30, len, body @ ..] if usize::from(*len) == body.len() && der.len() <= 72 => body,
        _ => return None,
    };
    let s = der_integer(body)?;
    der_integer(s)?.is_empty().then_some(name)
}

/// Skips a positive, minimally encoded DER integer.
fn der_integer(bytes: &[u8]) -> Option<&[u8]> {
    let [0x02, len, rest @ ..] = bytes else { return None };
    let (number, rest) = rest.split_at_checked(usize::from(*len))?;
    let ok = match number {
        [] => false,
        [0x00] => true,
        [0x00, next, ..] => next & 0x80 != 0,
        [first, ..] => first & 0x80 == 0,
    };
    ok.then_some(rest)
}

/// Core's name of an opcode that is not a push.
fn opcode_name(code: u8) -> &'static str {
    const NAMES: [&str; 108] = [
        "-1",
        "OP_RESERVED",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "8",
        "9",
        "10",
        "11",
        "12",
        "13",
        "14",
        "15",
        "16",
        "OP_NOP",
        "OP_VER",
        "OP_IF",
        "OP_NOTIF",
        "OP_VERIF",
        "OP_VERNOTIF",
        "OP_ELSE",
        "OP_ENDIF",
        "OP_VERIFY",
        "OP_RETURN",
        "OP_TOALTSTACK",
        "OP_FROMALTSTACK",
        "OP_2DROP",
        "OP_2DUP",
        "OP_3DUP",
        "OP_2OVER",
        "OP_2ROT",
        "OP_2SWAP",
        "OP_IFDUP",
        "OP_DEPTH",
        "OP_DROP",
        "OP_DUP",
        "OP_NIP",
        "OP_OVER",
        "OP_PICK",
        "OP_ROLL",
        "OP_ROT",
        "OP_SWAP",
        "OP_TUCK",
        "OP_CAT",
        "OP_SUBSTR",
        "OP_LEFT",
        "OP_RIGHT",
        "OP_SIZE",
        "OP_INVERT",
        "OP_AND",
        "OP_OR",
        "OP_XOR",
        "OP_EQUAL",
        "OP_EQUALVERIFY",
        "OP_RESERVED1",
        "OP_RESERVED2",
        "OP_1ADD",
        "OP_1SUB",
        "OP_2MUL",
        "OP_2DIV",
        "OP_NEGATE",
        "OP_ABS",
        "OP_NOT",
        "OP_0NOTEQUAL",
        "OP_ADD",
        "OP_SUB",
        "OP_MUL",
        "OP_DIV",
        "OP_MOD",
        "OP_LSHIFT",
        "OP_RSHIFT",
        "OP_BOOLAND",
        "OP_BOOLOR",
        "OP_NUMEQUAL",
        "OP_NUMEQUALVERIFY",
        "OP_NUMNOTEQUAL",
        "OP_LESSTHAN",
        "OP_GREATERTHAN",
        "OP_LESSTHANOREQUAL",
        "OP_GREATERTHANOREQUAL",
        "OP_MIN",
        "OP_MAX",
        "OP_WITHIN",
        "OP_RIPEMD160",
        "OP_SHA1",
        "OP_SHA256",
        "OP_HASH160",
        "OP_HASH256",
        "OP_CODESEPARATOR",
        "OP_CHECKSIG",
        "OP_CHECKSIGVERIFY",
        "OP_CHECKMULTISIG",
        "OP_CHECKMULTISIGVERIFY",
        "OP_NOP1",
        "OP_CHECKLOCKTIMEVERIFY",
        "OP_CHECKSEQUENCEVERIFY",
        "OP_NOP4",
        "OP_NOP5",
        "OP_NOP6",
        "OP_NOP7",
        "OP_NOP8",
        "OP_NOP9",
        "OP_NOP10",
        "OP_CHECKSIGADD",
    ];
    match code {
        0xff => "OP_INVALIDOPCODE",
        _ => NAMES.get(usize::from(code.wrapping_sub(OP_1NEGATE))).copied().unwrap_or("OP_UNKNOWN"),
    }
}

/// Standard form of an output script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    NonStandard,
    Anchor,
    /// Serialised key.
    PubKey(Vec<u8>),
    PubKeyHash,
    ScriptHash,
    /// Signatures required, serialised keys.
    Multisig(u8, Vec<Vec<u8>>),
    NullData,
    WitnessScriptHash,
    WitnessPubKeyHash,
    /// Output key.
    Taproot([u8; 32]),
    WitnessUnknown,
}

impl Kind {
    /// Classifies an output script.
    pub(crate) fn of(script: &Script) -> Kind {
        let bytes = script.as_bytes();
        if script.is_p2sh() {
            return Kind::ScriptHash;
        }
        if script.is_witness_program() {
            let program = &bytes[2..];
            return match (bytes[0], program.len()) {
                (0, 20) => Kind::WitnessPubKeyHash,
                (0, 32) => Kind::WitnessScriptHash,
                (0, _) => Kind::NonStandard,
                (OP_1, 32) => Kind::Taproot(program.try_into().expect("the length was matched")),
                _ if is_anchor(script) => Kind::Anchor,
                _ => Kind::WitnessUnknown,
            };
        }
        let pushes_only = |script: &Script| ops(script).all(|op| op.is_ok_and(|op| op.code <= OP_16));
        if let Some((&OP_RETURN, rest)) = bytes.split_first()
            && pushes_only(Script::from_bytes(rest))
        {
            return Kind::NullData;
        }
        if let [len @ (33 | 65), key @ .., OP_CHECKSIG] = bytes
            && key.len() == usize::from(*len)
            && has_key_size(key)
        {
            return Kind::PubKey(key.to_vec());
        }
        if script.is_p2pkh() {
            return Kind::PubKeyHash;
        }
        multisig(script).unwrap_or(Kind::NonStandard)
    }

    /// Core's name of the type.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Kind::NonStandard => "nonstandard",
            Kind::Anchor => "anchor",
            Kind::PubKey(_) => "pubkey",
            Kind::PubKeyHash => "pubkeyhash",
            Kind::ScriptHash => "scripthash",
            Kind::Multisig(..) => "multisig",
            Kind::NullData => "nulldata",
            Kind::WitnessScriptHash => "witness_v0_scripthash",
            Kind::WitnessPubKeyHash => "witness_v0_keyhash",
            Kind::Taproot(_) => "witness_v1_taproot",
            Kind::WitnessUnknown => "witness_unknown",
        }
    }
}

/// Says whether the first byte announces as many bytes as there are.
fn has_key_size(key: &[u8]) -> bool {
    matches!((key.first(), key.len()), (Some(2 | 3), 33) | (Some(4 | 6 | 7), 65))
}

fn multisig(script: &Script) -> Option<Kind> {
    let mut steps = Vec::new();
    for op in ops(script) {
        steps.push(op.ok()?);
    }
    let [required, keys @ .., count, Op { code: OP_CHECKMULTISIG, .. }] = steps.as_slice() else { return None };
    let (required, count) = (small_count(required)?, small_count(count)?);
    let keys: Vec<Vec<u8>> = keys.iter().map(|op| op.data.to_vec()).collect();
    (keys.len() == usize::from(count) && required <= count && keys.iter().all(|key| has_key_size(key)))
        .then_some(Kind::Multisig(required, keys))
}

/// Reads a count of 1 to 20, minimally pushed.
fn small_count(op: &Op<'_>) -> Option<u8> {
    let n = match (op.code, op.data) {
        (OP_1..=OP_16, _) => op.code - OP_1 + 1,
        (1, [n]) if *n > 16 => *n,
        _ => return None,
    };
    (1..=20).contains(&n).then_some(n)
}

/// Infers the descriptor of an output script from the script alone, with checksum.
pub(crate) fn infer(script: &Script, network: Network) -> String {
    infer_as(script, &Kind::of(script), address::encode(script, network).as_deref())
}

fn infer_as(script: &Script, kind: &Kind, address: Option<&str>) -> String {
    let text = match kind {
        Kind::PubKey(key) => plain_key(key).map(|key| format!("pk({key})")),
        Kind::Multisig(required, keys) => keys
            .iter()
            .map(|key| plain_key(key))
            .collect::<Option<Vec<_>>>()
            .map(|keys| format!("multi({required},{})", keys.join(","))),
        Kind::Taproot(key) => XOnlyPublicKey::from_slice(key).ok().map(|_| format!("rawtr({})", values::hex(key))),
        _ => None,
    };
    let text = text
        .or_else(|| address.map(|address| format!("addr({address})")))
        .unwrap_or_else(|| format!("raw({})", values::hex(script.as_bytes())));
    descriptor::with_checksum(&text)
}

/// Returns a key in hex if a descriptor may hold it: compressed or uncompressed, not hybrid.
fn plain_key(key: &[u8]) -> Option<String> {
    let plain = matches!(key.first(), Some(2..=4)) && (key.len() == 33 || PublicKey::from_slice(key).is_ok());
    plain.then(|| values::hex(key))
}

/// A `scriptPubKey` object: asm, desc, hex, address, type.
pub(crate) struct View<'a> {
    script: &'a Script,
    network: Network,
    hex: bool,
}

impl<'a> View<'a> {
    pub(crate) fn new(script: &'a Script, network: Network) -> View<'a> {
        View { script, network, hex: true }
    }
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, address) = (Kind::of(self.script), address::encode(self.script, self.network));
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("asm", &asm(self.script, false))?;
        out.serialize_entry("desc", &infer_as(self.script, &kind, address.as_deref()))?;
        if self.hex {
            out.serialize_entry("hex", &values::hex(self.script.as_bytes()))?;
        }
        if let Some(address) = address {
            out.serialize_entry("address", &address)?;
        }
        out.serialize_entry("type", kind.name())?;
        out.end()
    }
}

/// Returns a `scriptPubKey` object.
pub(crate) fn to_json(script: &Script, network: Network) -> Map<String, Value> {
    members(&View::new(script, network))
}

/// Returns the fields of `decodescript` that describe the script itself: the same without `hex`.
pub(crate) fn to_json_without_hex(script: &Script, network: Network) -> Map<String, Value> {
    members(&View { script, network, hex: false })
}

/// Says whether a script uses opcodes that only tapscript gives a meaning.
pub(crate) fn has_tapscript_ops(script: &Script) -> bool {
    ops(script).any(|op| op.is_ok_and(|op| op.code == OP_CHECKSIGADD || is_op_success(op.code)))
}

fn is_op_success(code: u8) -> bool {
    matches!(code, 80 | 98 | 126..=129 | 131..=134 | 137..=138 | 141..=142 | 149..=153 | 187..=254)
}

#[cfg(test)]
mod tests {
    use bitcoin::ScriptBuf;

    use super::*;

    fn script(hex: &str) -> ScriptBuf {
        ScriptBuf::from_hex(hex).expect("hex")
    }

    #[test]
    fn disassembles_like_core() {
        let check = |hex: &str, signatures: bool, expected: &str| assert_eq!(asm(&script(hex), signatures), expected);
        check("", false, "");
        check("00", false, "0");
        check("4f515960", false, "-1 1 9 16");
        check(
            "76a914000000000000000000000000000000000000000088ac",
            false,
            "OP_DUP OP_HASH160 0000000000000000000000000000000000000000 OP_EQUALVERIFY OP_CHECKSIG",
        );
        check("02e803", false, "1000");
        check("0181", false, "-1");
        check("04ffffffff", false, "-2147483647");
        check("6a05aabb", false, "OP_RETURN [error]");
        check(
            "61b1b2babbff",
            false,
            "OP_NOP OP_CHECKLOCKTIMEVERIFY OP_CHECKSEQUENCEVERIFY OP_CHECKSIGADD OP_UNKNOWN OP_INVALIDOPCODE",
        );
        let signature = "304402207fa7a6d1e0ee81132a269ad84e68d695483745cde8b541e3bf630749894e342a\
                         022100c1f7ab20e13e22fb95281a870f3dcf38d782e53023ee313d741ad0cfbc0c509001";
        // One byte short of what it says it is.
        check(&format!("48{signature}"), true, &signature.replace(' ', ""));
        let good = "3045022100884d142d86652a3f47ba4746ec719bbfbd040a570b1deccbb6498c75c4ae24cb\
                    02204b9f039ff08df09cbe9f6addac960298cad530a863ea8f53982c09db8f6e3813";
        check(&format!("48{good}01"), true, &format!("{good}[ALL]"));
        check(&format!("48{good}83"), true, &format!("{good}[SINGLE|ANYONECANPAY]"));
        check(&format!("48{good}01"), false, &format!("{good}01"));
        check(&format!("48{good}05"), true, &format!("{good}05"));
    }

    #[test]
    fn classifies_and_infers() {
        let check = |hex: &str, kind: &str, desc: &str| {
            let script = script(hex);
            assert_eq!(Kind::of(&script).name(), kind, "{hex}");
            assert_eq!(infer(&script, Network::Bitcoin), descriptor::with_checksum(desc), "{hex}");
        };
        let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        check(&format!("21{key}ac"), "pubkey", &format!("pk({key})"));
        check(&format!("5121{key}51ae"), "multisig", &format!("multi(1,{key})"));
        check(
            "76a914751e76e8199196d454941c45d1b3a323f1433bd688ac",
            "pubkeyhash",
            "addr(1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH)",
        );
        check(
            "a914000000000000000000000000000000000000000087",
            "scripthash",
            "addr(31h1vYVSYuKP6AhS86fbRdMw9XHieotbST)",
        );
        check(
            "0014751e76e8199196d454941c45d1b3a323f1433bd6",
            "witness_v0_keyhash",
            "addr(bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4)",
        );
        check(&format!("5120{}", &key[2..]), "witness_v1_taproot", &format!("rawtr({})", &key[2..]));
        check("51024e73", "anchor", "addr(bc1pfeessrawgf)");
        check("6002751e", "witness_unknown", "addr(bc1sw50qgdz25j)");
        check("0002751e", "nonstandard", "raw(0002751e)");
        check("6a", "nulldata", "raw(6a)");
        check("6a0411223344", "nulldata", "raw(6a0411223344)");
        check("6aac", "nonstandard", "raw(6aac)");
        check("51", "nonstandard", "raw(51)");
        check("", "nonstandard", "raw()");
    }

    #[test]
    fn raw_has_the_checksum_core_prints() {
        assert_eq!(infer(&script("51"), Network::Regtest), "raw(51)#8lvh9jxk");
    }
}
