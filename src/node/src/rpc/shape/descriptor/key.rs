//! Key expressions of descriptors: a fixed key or an extended one with a path, with or without origin.
//!
//! Derivation is done here rather than by the descriptor library because a node must derive hardened steps from
//! private extended keys in ranges, and report each derived key's full origin.

use bitcoin::bip32::{ChildNumber, DerivationPath, Fingerprint, Xpriv, Xpub};
use bitcoin::hashes::Hash;
use bitcoin::hex::DisplayHex;
use bitcoin::key::Secp256k1;
use bitcoin::secp256k1::All;
use bitcoin::{NetworkKind, PrivateKey, PublicKey, XOnlyPublicKey};

/// How the last step of a path is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wildcard {
    None,
    Normal,
    Hardened,
}

#[derive(Debug, Clone)]
enum Source {
    Public(PublicKey),
    Private(PrivateKey),
    XOnly(XOnlyPublicKey),
    Xpub(Box<Xpub>),
    Xpriv(Box<Xpriv>),
}

/// A parsed key expression.
#[derive(Debug, Clone)]
pub(crate) struct KeyExpr {
    origin: Option<(Fingerprint, DerivationPath)>,
    source: Source,
    path: Vec<ChildNumber>,
    wildcard: Wildcard,
    /// The expression without private keys, otherwise as written.
    public: String,
}

/// A hardened step needs a private key that is not there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Underivable;

/// A key at one index.
#[derive(Debug, Clone)]
pub(crate) struct DerivedKey {
    /// The key.
    pub key: PublicKey,
    fingerprint: Fingerprint,
    path: Vec<ChildNumber>,
}

impl DerivedKey {
    /// Writes the key with its origin; `x_only` as taproot has it.
    pub(crate) fn to_expr(&self, x_only: bool) -> String {
        let steps: String = self.path.iter().map(step_text).collect();
        let key = self.key.to_bytes();
        let key = if x_only { &self.key.inner.serialize()[1..] } else { key.as_slice() };
        format!("[{:x}{steps}]{}", self.fingerprint, key.to_lower_hex_string())
    }
}

fn step_text(step: &ChildNumber) -> String {
    match step {
        ChildNumber::Normal { index } => format!("/{index}"),
        ChildNumber::Hardened { index } => format!("/{index}h"),
    }
}

impl KeyExpr {
    /// Parses an expression; the error is Bitcoin Core's text. `x_only` keys are allowed in taproot only.
    pub(crate) fn parse(text: &str, network: NetworkKind, x_only: bool) -> Result<Self, String> {
        let (origin, rest) = match text.strip_prefix('[') {
            Some(rest) => {
                let (origin, rest) = rest.split_once(']').ok_or_else(|| {
                    format!("Key origin start '[ character expected but not found, got '{text}' instead")
                })?;
                if rest.contains(']') {
                    return Err("Multiple ']' characters found for a single pubkey".to_owned());
                }
                (Some(parse_origin(origin)?), rest)
            }
            None => (None, text),
        };
        let mut steps = rest.split('/');
        let key = steps.next().unwrap_or_default();
        if key.is_empty() {
            return Err("No key provided".to_owned());
        }
        if key.trim() != key {
            return Err(format!("Key '{key}' is invalid due to whitespace"));
        }
        let steps: Vec<&str> = steps.collect();
        let source = parse_source(key, network, x_only, steps.is_empty())?;
        let (path, wildcard) = match steps.split_last() {
            Some((&"*", path)) => (path, Wildcard::Normal),
            Some((&("*'" | "*h"), path)) => (path, Wildcard::Hardened),
            _ => (steps.as_slice(), Wildcard::None),
        };
        let path = path.iter().map(|step| parse_step(step)).collect::<Result<Vec<_>, _>>()?;
        let public = text.replace(key, &source.public_text());
        Ok(KeyExpr { origin, source, path, wildcard, public })
    }

    /// Says whether the expression stands for a range of keys.
    pub(crate) fn is_range(&self) -> bool {
        self.wildcard != Wildcard::None
    }

    /// Says whether the expression holds a private key.
    pub(crate) fn is_private(&self) -> bool {
        matches!(self.source, Source::Private(_) | Source::Xpriv(_))
    }

    /// Says whether the key, unlike an extended one, is not compressed.
    pub(crate) fn is_uncompressed(&self) -> bool {
        match &self.source {
            Source::Public(key) => !key.compressed,
            Source::Private(key) => !key.compressed,
            _ => false,
        }
    }

    /// Returns the expression without private keys.
    pub(crate) fn to_public(&self) -> &str {
        &self.public
    }

    /// Returns some key of the expression, for checks of form that no derivation may fail.
    pub(crate) fn sample(&self, secp: &Secp256k1<All>) -> DerivedKey {
        self.derive(0, secp).unwrap_or_else(|Underivable| {
            let key = match &self.source {
                Source::Xpub(root) => root.public_key,
                Source::Xpriv(root) => Xpub::from_priv(secp, root).public_key,
                Source::Public(key) => key.inner,
                Source::Private(key) => key.public_key(secp).inner,
                Source::XOnly(key) => key.public_key(bitcoin::secp256k1::Parity::Even),
            };
            DerivedKey { key: PublicKey::new(key), fingerprint: Fingerprint::default(), path: vec![] }
        })
    }

    /// Derives the key at `index`, which does not matter unless the expression is a range.
    pub(crate) fn derive(&self, index: u32, secp: &Secp256k1<All>) -> Result<DerivedKey, Underivable> {
        let mut path = self.path.clone();
        match self.wildcard {
            Wildcard::None => {}
            Wildcard::Normal => path.push(ChildNumber::from_normal_idx(index).map_err(|_| Underivable)?),
            Wildcard::Hardened => path.push(ChildNumber::from_hardened_idx(index).map_err(|_| Underivable)?),
        }
        let fixed = |key: PublicKey| (key, fingerprint_of(&key));
        let (key, own) = match &self.source {
            Source::Public(key) => fixed(*key),
            Source::Private(key) => fixed(key.public_key(secp)),
            Source::XOnly(key) => fixed(PublicKey::new(key.public_key(bitcoin::secp256k1::Parity::Even))),
            Source::Xpub(root) => {
                let derived = root.derive_pub(secp, &path).map_err(|_| Underivable)?;
                (PublicKey::new(derived.public_key), root.fingerprint())
            }
            Source::Xpriv(root) => {
                let derived = root.derive_priv(secp, &path).map_err(|_| Underivable)?;
                (PublicKey::new(derived.private_key.public_key(secp)), root.fingerprint(secp))
            }
        };
        Ok(match &self.origin {
            Some((fingerprint, prefix)) => {
                DerivedKey { key, fingerprint: *fingerprint, path: prefix.into_iter().copied().chain(path).collect() }
            }
            None => DerivedKey { key, fingerprint: own, path },
        })
    }
}

impl Source {
    fn public_text(&self) -> String {
        let secp = Secp256k1::new();
        match self {
            Source::Public(key) => key.to_string(),
            Source::Private(key) => key.public_key(&secp).to_string(),
            Source::XOnly(key) => key.to_string(),
            Source::Xpub(key) => key.to_string(),
            Source::Xpriv(key) => Xpub::from_priv(&secp, key).to_string(),
        }
    }
}

fn fingerprint_of(key: &PublicKey) -> Fingerprint {
    let [a, b, c, d, ..] = key.pubkey_hash().to_byte_array();
    Fingerprint::from([a, b, c, d])
}

fn parse_origin(text: &str) -> Result<(Fingerprint, DerivationPath), String> {
    let mut steps = text.split('/');
    let fingerprint = steps.next().unwrap_or_default();
    if fingerprint.len() != 8 {
        return Err(format!("Fingerprint is not 4 bytes ({} characters instead of 8 characters)", fingerprint.len()));
    }
    let fingerprint: Fingerprint =
        fingerprint.parse().map_err(|_| format!("Fingerprint '{fingerprint}' is not hex"))?;
    let path = steps.map(parse_step).collect::<Result<Vec<_>, _>>()?;
    Ok((fingerprint, path.into()))
}

fn parse_step(text: &str) -> Result<ChildNumber, String> {
    let (digits, hardened) = match text.strip_suffix(['\'', 'h']) {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let number = Some(digits)
        .filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|d| d.parse::<u32>().ok())
        .ok_or_else(|| format!("Key path value '{digits}' is not a valid uint32"))?;
    if hardened { ChildNumber::from_hardened_idx(number) } else { ChildNumber::from_normal_idx(number) }
        .map_err(|_| format!("Key path value {number} is out of range"))
}

fn parse_source(text: &str, network: NetworkKind, x_only: bool, fixed: bool) -> Result<Source, String> {
    if fixed {
        if !text.is_empty() && text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            if x_only && text.len() == 64 {
                return text.parse().map(Source::XOnly).map_err(|_| format!("Pubkey '{text}' is invalid"));
            }
            if text.len() == 130 && matches!(&text[..2], "06" | "07") {
                return Err("Hybrid public keys are not allowed".to_owned());
            }
            let key: PublicKey = text.parse().map_err(|_| format!("Pubkey '{text}' is invalid"))?;
            if x_only && !key.compressed {
                return Err("Uncompressed keys are not allowed".to_owned());
            }
            return Ok(Source::Public(key));
        }
        if let Ok(key) = PrivateKey::from_wif(text)
            && key.network == network
        {
            return Ok(Source::Private(key));
        }
    }
    match (text.parse::<Xpub>(), text.parse::<Xpriv>()) {
        (Ok(key), _) if key.network == network => Ok(Source::Xpub(Box::new(key))),
        (_, Ok(key)) if key.network == network => Ok(Source::Xpriv(Box::new(key))),
        _ => Err(format!("key '{text}' is not valid")),
    }
}
