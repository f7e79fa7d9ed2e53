//! Parsing of descriptor texts: checksum, multipath, and where in the text the keys are.
//!
//! The script language itself is left to rust-miniscript; this finds the key expressions by the function they are
//! arguments of, so that they can be derived and replaced.

use std::str::FromStr;

use bitcoin::secp256k1::Secp256k1;
use bitcoin::{Network, NetworkKind, PublicKey};

use super::cache::Cache;
use super::key::{FoundSecret, KeyExpression};
use super::{
    Context, Descriptor, DescriptorId, Kind, OutputType, ParseError, Parsed, Piece, checksum, opaque_script,
    with_checksum,
};

/// Deepest nesting of functions; more than any valid descriptor has.
const MAX_DEPTH: usize = 400;

pub(super) fn parse(text: &str, network: Network, require_checksum: bool) -> Result<Parsed, ParseError> {
    let body = check_checksum(text, require_checksum)?;
    let mut parsed = Parsed { descriptors: Vec::new(), secrets: Vec::new() };
    for single in split_multipath(&common::descriptor::canonical(body))? {
        let (descriptor, secrets) = parse_single(&single, network)?;
        parsed.descriptors.push(descriptor);
        parsed.secrets.extend(secrets);
    }
    Ok(parsed)
}

/// Computes the id of one descriptor, its text as it is except for keys.
pub(super) fn id_as_typed(text: &str, network: Network) -> Option<DescriptorId> {
    let body = check_checksum(text, false).ok()?;
    if body.starts_with("raw(") || body.starts_with("addr(") {
        return Some(DescriptorId::of_text(&with_checksum(body)));
    }
    Some(parse_single(body, network).ok()?.0.id())
}

fn check_checksum(text: &str, required: bool) -> Result<&str, ParseError> {
    let mut parts = text.split('#');
    let body = parts.next().unwrap_or_default();
    let given = parts.next();
    if parts.next().is_some() {
        return Err(ParseError::key("Multiple '#' symbols"));
    }
    if given.is_none() && required {
        return Err(ParseError::key("Missing checksum"));
    }
    if let Some(given) = given.filter(|given| given.len() != 8) {
        return Err(ParseError::key(format!("Expected 8 character checksum, not {} characters", given.len())));
    }
    let computed = checksum(body).ok_or_else(|| ParseError::key("Invalid characters in payload"))?;
    match given {
        Some(given) if given != computed => {
            Err(ParseError::key(format!("Provided checksum '{given}' does not match computed checksum '{computed}'")))
        }
        _ => Ok(body),
    }
}

/// Writes out multipath steps `<a;b>`: one text per alternative.
fn split_multipath(text: &str) -> Result<Vec<String>, ParseError> {
    let mut texts = vec![String::new()];
    let mut count = None;
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let end =
            rest[start..].find('>').ok_or_else(|| ParseError::key("Multipath key path specifier is not closed"))?;
        let choices: Vec<&str> = rest[start + 1..start + end].split(';').collect();
        if choices.len() < 2 {
            return Err(ParseError::key("Multipath key path specifiers must have at least two items"));
        }
        if let Some(twice) =
            choices.iter().enumerate().find_map(|(at, item)| choices[..at].contains(item).then_some(item))
        {
            return Err(ParseError::key(format!("Duplicated key path value {twice} in multipath specifier")));
        }
        match count {
            None => texts = vec![String::new(); choices.len()],
            Some(count) if count != choices.len() => {
                return Err(ParseError::key("multi(): Multipath derivation paths have mismatched lengths"));
            }
            Some(_) => {}
        }
        let head = &text[..text.len() - rest.len()];
        for (built, choice) in texts.iter_mut().zip(&choices) {
            if count.is_none() {
                built.push_str(head);
            }
            built.push_str(&rest[..start]);
            built.push_str(choice);
        }
        count = Some(choices.len());
        rest = &rest[start + end + 1..];
    }
    texts.iter_mut().for_each(|built| built.push_str(rest));
    Ok(texts)
}

/// A function whose arguments are being read.
struct Open<'a> {
    /// Name without miniscript's wrappers; `{` for a branch of a script tree.
    name: &'a str,
    argument: usize,
}

/// Splits a text into key expressions and what is around them.
struct Scanner<'a> {
    network: NetworkKind,
    open: Vec<Open<'a>>,
    pieces: Vec<Piece>,
    keys: Vec<(KeyExpression, Context)>,
    secrets: Vec<FoundSecret>,
}

impl<'a> Scanner<'a> {
    fn scan(&mut self, text: &'a str) -> Result<(), ParseError> {
        let mut start = 0;
        let mut in_origin = false;
        for (at, symbol) in text.char_indices() {
            match symbol {
                '[' => in_origin = true,
                ']' => in_origin = false,
                _ if in_origin => {}
                '(' => {
                    let name = &text[start..at];
                    self.literal(&text[start..=at]);
                    let name = name.rsplit(':').next().unwrap_or(name);
                    self.open.push(Open { name, argument: 0 });
                    start = at + 1;
                }
                '{' => {
                    self.literal(&text[start..=at]);
                    self.open.push(Open { name: "{", argument: 0 });
                    start = at + 1;
                }
                ',' | ')' | '}' => {
                    self.argument(&text[start..at])?;
                    self.literal(&text[at..=at]);
                    start = at + 1;
                    if symbol == ',' {
                        if let Some(open) = self.open.last_mut() {
                            open.argument += 1;
                        }
                    } else {
                        self.open.pop();
                    }
                }
                _ => {}
            }
            if self.open.len() > MAX_DEPTH {
                return Err(ParseError::key("descriptor is nested too deeply"));
            }
        }
        self.literal(&text[start..]);
        Ok(())
    }

    fn literal(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ if text.is_empty() => {}
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    fn argument(&mut self, text: &'a str) -> Result<(), ParseError> {
        let Some(open) = self.open.last() else {
            self.literal(text);
            return Ok(());
        };
        // What follows a closed function is no argument of its own.
        let follows_function =
            text.is_empty() && matches!(self.pieces.last(), Some(Piece::Text(last)) if last.ends_with([')', '}']));
        let is_key = match open.name {
            "pk" | "pkh" | "wpkh" | "combo" | "rawtr" | "pk_k" | "pk_h" | "expr_raw_pk" => open.argument == 0,
            "tr" => open.argument == 0,
            "multi" | "sortedmulti" | "multi_a" | "sortedmulti_a" => open.argument > 0,
            _ => false,
        };
        if !is_key || follows_function {
            self.literal(text);
            return Ok(());
        }
        let (name, context) = (open.name, self.context());
        let (key, secret) = KeyExpression::parse(text, context, self.network).map_err(|error| {
            let prefix = if name.contains("multi") { "Multi".to_owned() } else { format!("{name}()") };
            ParseError::key(format!("{prefix}: {error}"))
        })?;
        self.pieces.push(Piece::Key(self.keys.len()));
        self.keys.push((key, context));
        self.secrets.extend(secret);
        Ok(())
    }

    fn context(&self) -> Context {
        let inside = |name: &str| self.open.iter().any(|open| open.name == name);
        if inside("tr") || inside("rawtr") {
            Context::Taproot
        } else if inside("wsh") || inside("wpkh") {
            Context::Segwit
        } else {
            Context::Legacy
        }
    }
}

fn parse_single(text: &str, network: Network) -> Result<(Descriptor, Vec<FoundSecret>), ParseError> {
    let kind_of_network = NetworkKind::from(network);
    let (name, inner) = match text.split_once('(') {
        Some((name, inner)) => (name, inner),
        None => return Err(not_a_function(text)),
    };
    if matches!(name, "raw" | "addr") {
        let argument = inner.strip_suffix(')').ok_or_else(|| not_a_function(text))?;
        let (script, argument) = opaque_script(name, argument, network)?;
        let kind = Kind::Script(script);
        let pieces = vec![Piece::Text(format!("{name}({argument})"))];
        return Ok((Descriptor { kind, pieces, keys: Vec::new(), network: kind_of_network }, Vec::new()));
    }
    const TOP: [&str; 10] = ["pk", "pkh", "wpkh", "sh", "wsh", "tr", "rawtr", "combo", "multi", "sortedmulti"];
    if !TOP.contains(&name) {
        return Err(match name {
            "multi_a" | "sortedmulti_a" => ParseError::key("Can only have multi_a/sortedmulti_a inside tr()"),
            _ => not_a_function(text),
        });
    }
    if inner.contains("combo(") {
        return Err(ParseError::key("Can only have combo() at top level"));
    }
    let mut scanner = Scanner {
        network: kind_of_network,
        open: Vec::new(),
        pieces: Vec::new(),
        keys: Vec::new(),
        secrets: Vec::new(),
    };
    scanner.scan(text)?;
    let Scanner { pieces, keys, secrets, .. } = scanner;
    let mut descriptor = Descriptor { kind: kind_of(&pieces), pieces, keys, network: kind_of_network };
    if let Kind::Miniscript(_) = descriptor.kind {
        check_script(&descriptor, &secrets)?;
    }
    if descriptor.keys.is_empty() {
        return Err(not_a_function(text));
    }
    if descriptor.kind == Kind::Miniscript(None) {
        descriptor.kind = Kind::Miniscript(miniscript_type(text));
    }
    Ok((descriptor, secrets))
}

/// Recognises the forms made of one key.
fn kind_of(pieces: &[Piece]) -> Kind {
    let [Piece::Text(before), Piece::Key(0), Piece::Text(after)] = pieces else { return Kind::Miniscript(None) };
    match (before.as_str(), after.as_str()) {
        ("pk(", ")") => Kind::Pk,
        ("pkh(", ")") => Kind::Pkh,
        ("wpkh(", ")") => Kind::Wpkh,
        ("sh(wpkh(", "))") => Kind::ShWpkh,
        ("tr(", ")") => Kind::TrKey,
        ("rawtr(", ")") => Kind::RawTr,
        ("combo(", ")") => Kind::Combo,
        _ => Kind::Miniscript(None),
    }
}

fn miniscript_type(text: &str) -> Option<OutputType> {
    if text.starts_with("sh(wsh(") {
        Some(OutputType::P2shSegwit)
    } else if text.starts_with("sh(") {
        Some(OutputType::Legacy)
    } else if text.starts_with("wsh(") {
        Some(OutputType::Bech32)
    } else if text.starts_with("tr(") {
        Some(OutputType::Bech32m)
    } else {
        None
    }
}

/// Lets rust-miniscript judge the script, with whatever keys can be derived; stand-ins take the place of the others.
fn check_script(descriptor: &Descriptor, secrets: &[FoundSecret]) -> Result<(), ParseError> {
    let secp = Secp256k1::new();
    let find = |key: &PublicKey| secrets.iter().find(|(public, _)| public == key).map(|(_, secret)| *secret);
    let keys: Vec<PublicKey> = descriptor
        .keys
        .iter()
        .enumerate()
        .map(|(number, (key, _))| {
            key.public_key(&secp, number as u32, 0, &Cache::default(), &find, &mut Cache::default())
                .unwrap_or_else(|| key.root_key())
        })
        .collect();
    let text: String = descriptor
        .pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(part) => part.clone(),
            Piece::Key(number) => keys[*number].to_string(),
        })
        .collect();
    let compiled = miniscript::Descriptor::<PublicKey>::from_str(&text)
        .map_err(|error| ParseError::key(error.to_string().replace('\n', " ")))?;
    compiled.sanity_check().map_err(|error| ParseError::key(error.to_string().replace('\n', " ")))
}

fn not_a_function(text: &str) -> ParseError {
    ParseError::key(format!("'{text}' is not a valid descriptor function"))
}
