//! Output descriptors as the node's commands use them: scripts for a range of indexes, and the descriptor of each.
//!
//! `addr`, `raw`, `combo` and `rawtr` are ours, as the library has none of them. For everything else the keys are cut
//! out and derived here ([`key`]), and rust-miniscript parses the rest with fixed keys in their place.

mod key;
mod place;

use std::str::FromStr;

use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::key::Secp256k1;
use bitcoin::secp256k1::All;
use bitcoin::{Network, NetworkKind, Script, ScriptBuf};
use miniscript::descriptor::DefiniteDescriptorKey;

pub(crate) use self::key::Underivable;
use self::key::{DerivedKey, KeyExpr};
use super::{address, script};

/// What a descriptor is refused for, in Bitcoin Core's words where it has them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct DescriptorError(pub(crate) String);

impl From<&str> for DescriptorError {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// A script with the descriptor that describes just it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expanded {
    /// The output script.
    pub script: ScriptBuf,
    /// Its descriptor with key origins and checksum.
    pub desc: String,
}

/// A descriptor without multipath steps.
#[derive(Debug)]
pub(crate) struct Descriptor {
    form: Form,
    network: Network,
    secp: Secp256k1<All>,
}

#[derive(Debug)]
enum Form {
    /// `addr` or `raw`, with its text.
    Script(ScriptBuf, String),
    Combo(KeyExpr),
    RawTr(KeyExpr),
    Other {
        pieces: Vec<Piece>,
        taproot: bool,
    },
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Key(KeyExpr),
}

/// Parses a descriptor into one per multipath alternative. A checksum is checked if it is there.
pub(crate) fn parse(text: &str, network: Network, need_checksum: bool) -> Result<Vec<Descriptor>, DescriptorError> {
    let payload = check_checksum(text, need_checksum)?;
    expand_multipath(&common::descriptor::canonical(payload))?
        .iter()
        .map(|one| Descriptor::parse(one, network))
        .collect()
}

impl Descriptor {
    fn parse(text: &str, network: Network) -> Result<Self, DescriptorError> {
        place::check(text)?;
        let kind = NetworkKind::from(network);
        let inner = |name: &str| {
            text.strip_prefix(name).and_then(|rest| rest.strip_prefix('(')).and_then(|rest| rest.strip_suffix(')'))
        };
        let one_key = |name: &str, text: &str, x_only: bool| {
            KeyExpr::parse(text, kind, x_only).map_err(|error| DescriptorError(format!("{name}(): {error}")))
        };
        let form = if let Some(text_of_address) = inner("addr") {
            let script = address::decode(text_of_address, network).map_err(|_| "Address is not valid")?;
            let text = address::encode(&script, network).unwrap_or_else(|| text_of_address.to_owned());
            Form::Script(script, format!("addr({text})"))
        } else if let Some(hex) = inner("raw") {
            let bytes =
                Vec::<u8>::from_hex(hex).ok().filter(|bytes| !bytes.is_empty()).ok_or("Raw script is not hex")?;
            let text = format!("raw({})", bytes.to_lower_hex_string());
            Form::Script(bytes.into(), text)
        } else if let Some(key) = inner("combo") {
            Form::Combo(one_key("combo", key, false)?)
        } else if let Some(key) = inner("rawtr") {
            Form::RawTr(one_key("rawtr", key, true)?)
        } else {
            let taproot = text.starts_with("tr(");
            let pieces = cut_out_keys(text, kind, taproot)?;
            place::check_multisig(text)?;
            Form::Other { pieces, taproot }
        };
        let descriptor = Descriptor { form, network, secp: Secp256k1::new() };
        if let Form::Other { pieces, taproot } = &descriptor.form {
            let sample = fill(pieces, |key| key.sample(&descriptor.secp).to_expr(*taproot));
            library_script(&sample).map_err(DescriptorError)?;
        }
        Ok(descriptor)
    }

    fn keys(&self) -> Vec<&KeyExpr> {
        match &self.form {
            Form::Script(..) => vec![],
            Form::Combo(key) | Form::RawTr(key) => vec![key],
            Form::Other { pieces, .. } => pieces
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Key(key) => Some(key),
                    Piece::Text(_) => None,
                })
                .collect(),
        }
    }

    /// Says whether the descriptor stands for a range of scripts.
    pub(crate) fn is_range(&self) -> bool {
        self.keys().iter().any(|key| key.is_range())
    }

    /// Says whether the descriptor says how to spend, keys apart.
    pub(crate) fn is_solvable(&self) -> bool {
        !matches!(self.form, Form::Script(..))
    }

    /// Says whether it was written with a private key.
    pub(crate) fn has_private_keys(&self) -> bool {
        self.keys().iter().any(|key| key.is_private())
    }

    /// Says whether it is `combo`, whose scripts include one without an address.
    pub(crate) fn is_combo(&self) -> bool {
        matches!(self.form, Form::Combo(_))
    }

    /// Writes the descriptor without private keys, with checksum.
    pub(crate) fn to_public(&self) -> String {
        with_checksum(&match &self.form {
            Form::Script(_, text) => text.clone(),
            Form::Combo(key) => format!("combo({})", key.to_public()),
            Form::RawTr(key) => format!("rawtr({})", key.to_public()),
            Form::Other { pieces, .. } => fill(pieces, |key| key.to_public().to_owned()),
        })
    }

    /// Returns the scripts at `index`: one, or those of `combo` (pk, pkh and, for compressed keys, wpkh, sh(wpkh)).
    pub(crate) fn expand(&self, index: u32) -> Result<Vec<Expanded>, Underivable> {
        let library = |text: &str| {
            let script = library_script(text).expect("the same form was parsed with other keys");
            Expanded { script, desc: with_checksum(text) }
        };
        Ok(match &self.form {
            Form::Script(script, _) => {
                vec![Expanded { script: script.clone(), desc: script::infer(script, self.network) }]
            }
            Form::Combo(key) => {
                let derived = key.derive(index, &self.secp)?;
                let text = derived.to_expr(false);
                let mut out = vec![library(&format!("pk({text})")), library(&format!("pkh({text})"))];
                if !key.is_uncompressed() {
                    out.push(library(&format!("wpkh({text})")));
                    out.push(library(&format!("sh(wpkh({text}))")));
                }
                out
            }
            Form::RawTr(key) => {
                let derived = key.derive(index, &self.secp)?;
                vec![Expanded {
                    script: raw_taproot(&derived),
                    desc: with_checksum(&format!("rawtr({})", derived.to_expr(true))),
                }]
            }
            Form::Other { pieces, taproot } => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(part) => text.push_str(part),
                        Piece::Key(key) => text.push_str(&key.derive(index, &self.secp)?.to_expr(*taproot)),
                    }
                }
                vec![library(&text)]
            }
        })
    }
}

fn raw_taproot(key: &DerivedKey) -> ScriptBuf {
    let mut bytes = vec![0x51, 32];
    bytes.extend_from_slice(&key.key.inner.serialize()[1..]);
    Script::from_bytes(&bytes).to_owned()
}

/// Returns the output script of a descriptor with fixed keys.
fn library_script(text: &str) -> Result<ScriptBuf, String> {
    // The library reads hardened steps with an apostrophe as well as with an h.
    let parse =
        |text: &str| miniscript::Descriptor::<DefiniteDescriptorKey>::from_str(text).map_err(|error| error.to_string());
    if text.starts_with("sortedmulti(") {
        // It knows this one only inside another.
        return parse(&format!("sh({text})"))?.explicit_script().map_err(|error| error.to_string());
    }
    Ok(parse(text)?.script_pubkey())
}

fn fill(pieces: &[Piece], key_text: impl Fn(&KeyExpr) -> String) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Key(key) => key_text(key),
        })
        .collect()
}

/// Infers the descriptor of a P2WSH output from its witness script, without checksum, if that is miniscript with all
/// keys in it.
pub(crate) fn infer_witness_script(script: &Script) -> Option<String> {
    use miniscript::{Miniscript, Segwitv0};
    // What nobody can spend the library holds for more than may be spent.
    if script.as_bytes() == [0] {
        return Some("wsh(0)".to_owned());
    }
    let text = Miniscript::<bitcoin::PublicKey, Segwitv0>::decode(script).ok()?.to_string();
    // A key of which only the hash is known is not descriptor language.
    (!text.contains("expr_raw_pk")).then(|| format!("wsh({text})"))
}

/// Splits a descriptor into its keys and what stands between them.
fn cut_out_keys(text: &str, network: NetworkKind, taproot: bool) -> Result<Vec<Piece>, DescriptorError> {
    let mut pieces = Vec::new();
    let mut function = "";
    let mut opened = false;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['(', ')', '{', '}', ',']).unwrap_or(rest.len());
        let (atom, after) = rest.split_at(end);
        if let Some(inside) = after.strip_prefix('(') {
            function = atom.rsplit(':').next().unwrap_or(atom);
            opened = true;
            pieces.push(Piece::Text(format!("{atom}(")));
            rest = inside;
            continue;
        }
        let first = std::mem::replace(&mut opened, false);
        if is_key_position(function, atom, first) {
            let key = KeyExpr::parse(atom, network, taproot).map_err(|error| {
                DescriptorError(match function {
                    "pk" | "pkh" | "wpkh" | "tr" => format!("{function}(): {error}"),
                    _ => format!("Multi: {error}"),
                })
            })?;
            pieces.push(Piece::Key(key));
        } else {
            pieces.push(Piece::Text(atom.to_owned()));
        }
        let delimiter = after.chars().take(1).collect::<String>();
        rest = &after[delimiter.len()..];
        pieces.push(Piece::Text(delimiter));
    }
    Ok(pieces)
}

/// Says whether an atom is a key: the only argument of these functions, any but the first of those. An empty one is a
/// missing key only where the function opens: elsewhere it stands before a brace or after a closing one.
fn is_key_position(function: &str, atom: &str, first: bool) -> bool {
    match function {
        "pk" | "pkh" | "pk_k" | "pk_h" | "wpkh" | "tr" => first || !atom.is_empty(),
        "multi" | "sortedmulti" | "multi_a" | "sortedmulti_a" => !first && !atom.is_empty(),
        _ => false,
    }
}

/// Expands `<a;b;…>` in key paths. All of them must have the same number of alternatives.
fn expand_multipath(text: &str) -> Result<Vec<String>, DescriptorError> {
    let mut parts: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        let (inside, tail) = after.split_once('>').ok_or("Multipath key path specifier is not closed")?;
        let alternatives: Vec<&str> = inside.split(';').collect();
        if alternatives.len() < 2 {
            return Err("Multipath key path specifiers must have at least two items".into());
        }
        parts.push((before, alternatives));
        rest = tail;
    }
    let Some(count) = parts.first().map(|(_, alternatives)| alternatives.len()) else { return Ok(vec![text.into()]) };
    if parts.iter().any(|(_, alternatives)| alternatives.len() != count) {
        return Err("Multipath derivation paths have mismatched lengths".into());
    }
    Ok((0..count)
        .map(|i| {
            parts.iter().map(|(before, alternatives)| format!("{before}{}", alternatives[i])).collect::<String>() + rest
        })
        .collect())
}

/// Returns the text without its checksum, after checking it.
fn check_checksum(text: &str, need: bool) -> Result<&str, DescriptorError> {
    let mut parts = text.split('#');
    let (payload, given, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    if more.is_some() {
        return Err("Multiple '#' symbols".into());
    }
    if given.is_none() && need {
        return Err("Missing checksum".into());
    }
    if let Some(given) = given.filter(|given| given.len() != 8) {
        return Err(DescriptorError(format!("Expected 8 character checksum, not {} characters", given.len())));
    }
    let computed = checksum(payload).ok_or("Invalid characters in payload")?;
    match given {
        Some(given) if given != computed => {
            Err(DescriptorError(format!("Provided checksum '{given}' does not match computed checksum '{computed}'")))
        }
        _ => Ok(payload),
    }
}

/// Returns the checksum of a descriptor (BIP380), with or without one already; `None` if it is not well-formed.
pub(crate) fn checksum_of(text: &str) -> Option<String> {
    checksum(check_checksum(text, false).ok()?)
}

/// Appends the checksum. The text must be a descriptor without one.
pub(crate) fn with_checksum(text: &str) -> String {
    match checksum(text) {
        Some(checksum) => format!("{text}#{checksum}"),
        None => text.to_owned(),
    }
}

/// Computes a descriptor checksum (BIP380); `None` for characters no descriptor has.
fn checksum(text: &str) -> Option<String> {
    const INPUT: &[u8] = b"0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~\
                           ijklmnopqrstuvwxyzABCDEFGH`#\"\\ ";
    /// Where each byte is in `INPUT`, counted from one; zero if it is not.
    const POSITIONS: [u8; 256] = {
        let mut positions = [0; 256];
        let mut at = 0;
        while at < INPUT.len() {
            positions[INPUT[at] as usize] = at as u8 + 1;
            at += 1;
        }
        positions
    };
    const OUTPUT: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u64; 5] = [0xf5_dee5_1989, 0xa9_fdca_3312, 0x1b_ab10_e32d, 0x37_06b1_677a, 0x64_4d62_6ffd];
    let step = |c: u64, value: u64| {
        let top = c >> 35;
        let folded = ((c & 0x7_ffff_ffff) << 5) ^ value;
        GENERATOR.iter().enumerate().filter(|(bit, _)| (top >> bit) & 1 == 1).fold(folded, |c, (_, term)| c ^ term)
    };
    let (mut c, mut group, mut count) = (1u64, 0u64, 0);
    for byte in text.bytes() {
        let position = u64::from(POSITIONS[usize::from(byte)].checked_sub(1)?);
        c = step(c, position & 31);
        group = group * 3 + (position >> 5);
        count += 1;
        if count == 3 {
            c = step(c, group);
            (group, count) = (0, 0);
        }
    }
    if count > 0 {
        c = step(c, group);
    }
    c = (0..8).fold(c, |c, _| step(c, 0)) ^ 1;
    Some((0..8).map(|i| char::from(OUTPUT[((c >> (5 * (7 - i))) & 31) as usize])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    const TPRV: &str = "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDU\
                        jyEmNUWwx8UbK";
    const TPUB: &str = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJ\
                        CTKvosUCJZL5B";

    fn one(text: &str) -> Descriptor {
        let mut all = parse(text, Network::Regtest, false).expect(text);
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    #[test]
    fn expands_to_the_descriptors_core_reports() {
        let check = |text: &str, index: u32, which: usize, expected: &str| {
            assert_eq!(one(text).expand(index).expect(text)[which].desc, expected);
        };
        check(
            &format!("combo({TPRV}/0h/0'/*)"),
            0,
            1,
            "pkh([0c5f9a1e/0h/0h/0]026dbd8b2315f296d36e6b6920b1579ca75569464875c7ebe869b536a7d9503c8c)#rthll0rg",
        );
        check(
            &format!("combo({TPUB}/1/1/*)"),
            1500,
            1,
            "pkh([0c5f9a1e/1/1/1500]03832901c250025da2aebae2bfb38d5c703a57ab66ad477f9c578bfbcd78abca6f)#vchwd07g",
        );
        check("raw(51)", 0, 0, "raw(51)#8lvh9jxk");
        check(
            "addr(mneYUmWYsuk7kySiURxCi3AGxrAqZxLgPZ)",
            0,
            0,
            &with_checksum("addr(mneYUmWYsuk7kySiURxCi3AGxrAqZxLgPZ)"),
        );
        check(&format!("pk({KEY})"), 0, 0, &with_checksum(&format!("pk([751e76e8]{KEY})")));
    }

    #[test]
    fn scripts() {
        let check = |text: &str, scripts: &[&str]| {
            let expanded = one(text).expand(0).expect(text);
            let hex: Vec<String> = expanded.iter().map(|e| e.script.to_hex_string()).collect();
            assert_eq!(hex, scripts, "{text}");
        };
        let hash = "751e76e8199196d454941c45d1b3a323f1433bd6";
        check(&format!("wpkh({KEY})"), &[&format!("0014{hash}")]);
        check(
            &format!("combo({KEY})"),
            &[
                &format!("21{KEY}ac"),
                &format!("76a914{hash}88ac"),
                &format!("0014{hash}"),
                "a914bcfeb728b584253d5f3f70bcb780e9ef218a68f487",
            ],
        );
        check(&format!("rawtr({})", &KEY[2..]), &[&format!("5120{}", &KEY[2..])]);
        check(&format!("tr({})", &KEY[2..]), &["5120da4710964f7852695de2da025290e24af6d8c281de5a0b902b7135fd9fd74d21"]);
        check(&format!("multi(1,{KEY})"), &[&format!("5121{KEY}51ae")]);
        let other = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
        check(&format!("sortedmulti(2,{other},{KEY})"), &[&format!("5221{KEY}21{other}52ae")]);
        assert_eq!(one(&format!("wsh(and_v(v:pk({KEY}),after(2)))")).expand(0).expect("fixed keys").len(), 1);
        assert_eq!(one(&format!("tr({},{{pk({KEY}),pk({TPUB}/*)}})", &KEY[2..])).expand(7).expect("normal").len(), 1);
        let multipath = parse(&format!("pkh({TPUB}/<0;1>/*)"), Network::Regtest, false).expect("two paths");
        assert_eq!(multipath.len(), 2);
    }

    #[test]
    fn refusals() {
        let check = |text: &str, message: &str| {
            assert_eq!(parse(text, Network::Regtest, false).expect_err(text).0, message);
        };
        check("raw(51)#8lvh9jxl", "Provided checksum '8lvh9jxl' does not match computed checksum '8lvh9jxk'");
        check("raw(51)#", "Expected 8 character checksum, not 0 characters");
        check("raw(51)#a#b", "Multiple '#' symbols");
        check("raw(5)", "Raw script is not hex");
        check("raw()", "Raw script is not hex");
        check("addr(x)", "Address is not valid");
        check("1234", "'1234' is not a valid descriptor function");
        check("nope(1)", "'nope(1)' is not a valid descriptor function");
        check(&format!("wpkh({KEY}"), &format!("'wpkh({KEY}' is not a valid descriptor function"));
        check(&format!("sh(sh(pkh({KEY})))"), "Can only have sh() at top level");
        check("multi(4,x)", "Multi: key 'x' is not valid");
        check(
            &format!("multi(4,{KEY},{KEY},{KEY},{KEY})"),
            "Cannot have 4 pubkeys in bare multisig; only at most 3 pubkeys",
        );
        check("pkh(x)", "pkh(): key 'x' is not valid");
        check("pkh()", "pkh(): No key provided");
        check("wsh(multi(1, 02))", "Multi: Key ' 02' is invalid due to whitespace");
        assert_eq!(parse("raw(51)", Network::Regtest, true).expect_err("no checksum").0, "Missing checksum");
        assert_eq!(one(&format!("pkh({TPUB}/0'/0)")).expand(0), Err(Underivable));
    }

    /// Both sides are what Bitcoin Core's `getdescriptorinfo` reads and prints.
    #[test]
    fn texts_become_those_of_core() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parse(text, Network::Regtest, false).expect(text)[0].to_public(), expected, "{text}");
        };
        const KEY: &str = "03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd";
        const XPUB: &str = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B";
        const HASH: &str = "e38990d0c7fc009880a9c07c23842e886c6bbdc964ce6bdd5817ad357335ee6f";
        let (upper, upper_hash) = (KEY.to_uppercase(), HASH.to_uppercase());
        check(
            "addr(BCRT1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT080)",
            "addr(bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080)#8pk5s7ya",
        );
        check("addr(bcrt1pfeesnyr2tx)", "addr(bcrt1pfeesnyr2tx)#swxgse0y");
        check("raw(AB51)#grky6rmk", "raw(ab51)#wsmwlgr6");
        check(&format!("pkh([AABBCCDD/01]{upper})"), &format!("pkh([aabbccdd/1]{KEY})#3dwln3qg"));
        check(&format!("pkh([AABBCCDD/1h/2']{XPUB}/1/*)"), &format!("pkh([aabbccdd/1'/2']{XPUB}/1/*)#0kefqz3f"));
        check(&format!("pkh([aabbccdd/1'/2h]{XPUB}/01/*)"), &format!("pkh([aabbccdd/1h/2h]{XPUB}/1/*)#3lkxdsp3"));
        check(&format!("pkh([aabbccdd/1h]{XPUB}/1/*')"), &format!("pkh([aabbccdd/1']{XPUB}/1/*')#cg789a8h"));
        check(&format!("pkh({XPUB}/1'/2h/*)"), &format!("pkh({XPUB}/1h/2h/*)#azzuqh3s"));
        check(&format!("pkh({XPUB}/1h/2/*')"), &format!("pkh({XPUB}/1h/2/*h)#ch85sc0v"));
        check(&format!("multi(01,{upper})"), &format!("multi(1,{KEY})#fllqyypk"));
        check(
            &format!("wsh(and_v(v:pk({upper}),sha256({upper_hash})))"),
            &format!("wsh(and_v(v:pk({KEY}),sha256({HASH})))#epp4ddms"),
        );
        check(&format!("wsh(and_v(v:pk({upper}),after(010)))"), &format!("wsh(and_v(v:pk({KEY}),after(10)))#wm97ccqt"));
        check(&format!("wsh(c:pk_k({upper}))"), &format!("wsh(pk({KEY}))#35m26dd5"));
        check(&format!("wsh(and_v(vc:pk_k({upper}),1))"), &format!("wsh(tv:pk({KEY}))#q9z64efh"));
        check(&format!("wsh(andor(pk({upper}),older(5),0))"), &format!("wsh(and_n(pk({KEY}),older(5)))#80qv473r"));
        check(
            &format!("wsh(and_v(v:pk({upper}),or_i(0,older(5))))"),
            &format!("wsh(and_v(v:pk({KEY}),l:older(5)))#mh7fd6r5"),
        );
        check(&format!("tr({})", &upper[2..]), &format!("tr({})#dh4fyxrd", &KEY[2..]));
        check(&format!("rawtr({upper})"), &format!("rawtr({KEY})#qwflrgxa"));
        check(&format!("pkh({XPUB}/<00;01>/*)"), &format!("pkh({XPUB}/0/*)#wr0v8pc5"));
    }

    #[test]
    fn public_form_has_no_private_keys() {
        let descriptor = one(&format!("pkh({TPRV}/1h/*)"));
        assert!(descriptor.has_private_keys() && descriptor.is_range());
        assert_eq!(descriptor.to_public(), with_checksum(&format!("pkh({TPUB}/1h/*)")));
    }
}
