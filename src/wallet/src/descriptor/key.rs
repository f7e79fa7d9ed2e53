//! Key expressions of a descriptor: an optional origin, then a constant key or an extended key with a path.
//!
//! Own code because a wallet stores descriptors with the *master* public key and hardened steps after it, as Bitcoin
//! Core does (`xpub…/84h/1h/0h/0/*`); rust-miniscript has no such keys. Deriving one takes the private key or the
//! [`Cache`] of extended public keys below the last hardened step.
//!
//! **Invariant:** a key expression holds public information only; private keys are handed in and out separately.

use std::fmt::Write as _;
use std::str::FromStr;

use bitcoin::bip32::{ChainCode, ChildNumber, Fingerprint, Xpriv, Xpub};
use bitcoin::hashes::Hash;
use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::secp256k1::{All, Secp256k1, SecretKey};
use bitcoin::{NetworkKind, PrivateKey, PublicKey, XOnlyPublicKey};

use super::cache::Cache;
use super::{Context, ParseError};

/// Finds the private key of a public key, if it is at hand.
pub(crate) type Secrets<'a> = &'a dyn Fn(&PublicKey) -> Option<SecretKey>;

/// Where a derived key comes from: BIP32 fingerprint and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyOrigin {
    /// Fingerprint of the master key.
    pub(crate) fingerprint: Fingerprint,
    /// Path from the master key.
    pub(crate) path: Vec<ChildNumber>,
}

/// How to write a key expression.
#[derive(Clone, Copy)]
pub(crate) enum Form<'a> {
    /// As given, public.
    Public,
    /// With apostrophes; what descriptor ids are made of, so it never changes.
    Compat,
    /// With private keys where known.
    Private(Secrets<'a>),
    /// With the extended key at the last hardened step and its origin.
    Normalized(&'a Cache),
}

/// How the last step of a path varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    None,
    Unhardened,
    Hardened,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Root {
    Constant { key: PublicKey, x_only: bool },
    Extended { xpub: Xpub, path: Vec<ChildNumber>, range: Range, apostrophe: bool },
}

/// A key expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyExpression {
    origin: Option<(KeyOrigin, bool)>,
    root: Root,
}

/// A private key found in a descriptor, with the public key it belongs to.
pub(crate) type FoundSecret = (PublicKey, SecretKey);

impl KeyExpression {
    /// Parses a key expression; a private key in it comes back separately.
    pub(crate) fn parse(
        text: &str,
        context: Context,
        network: NetworkKind,
    ) -> Result<(Self, Option<FoundSecret>), ParseError> {
        let (origin, rest) = match text.strip_prefix('[') {
            None => (None, text),
            Some(tail) => {
                let (inside, rest) =
                    tail.split_once(']').ok_or_else(|| ParseError::key("key origin has no closing ']'"))?;
                (Some(parse_origin(inside)?), rest)
            }
        };
        if rest.contains(']') {
            return Err(ParseError::key("Multiple ']' characters found for a single pubkey"));
        }
        let (root, secret) = parse_root(rest, context, network)?;
        Ok((KeyExpression { origin, root }, secret))
    }

    /// Says whether it stands for a key per index.
    pub(crate) fn is_ranged(&self) -> bool {
        matches!(self.root, Root::Extended { range: Range::Unhardened | Range::Hardened, .. })
    }

    /// The public key whose private key derives all others.
    pub(crate) fn root_key(&self) -> PublicKey {
        match &self.root {
            Root::Constant { key, .. } => *key,
            Root::Extended { xpub, .. } => PublicKey::new(xpub.public_key),
        }
    }

    /// Says whether public keys can be derived without private keys or cache.
    pub(crate) fn self_expanding(&self) -> bool {
        match &self.root {
            Root::Constant { .. } => true,
            Root::Extended { path, range, .. } => *range != Range::Hardened && path.iter().all(ChildNumber::is_normal),
        }
    }

    /// Derives the public key at `index`, from `cache` if it has what it takes, else with private keys. What was
    /// derived and is worth keeping goes to `learned` under key expression number `number`.
    pub(crate) fn public_key(
        &self,
        secp: &Secp256k1<All>,
        number: u32,
        index: u32,
        cache: &Cache,
        secrets: Secrets<'_>,
        learned: &mut Cache,
    ) -> Option<PublicKey> {
        let Root::Extended { xpub, path, range, .. } = &self.root else { return Some(self.root_key()) };
        if let Some(cached) = cache.derived.get(&(number, index)) {
            return Some(PublicKey::new(cached.public_key));
        }
        let step = |parent: &Xpub| match range {
            Range::None => Some(PublicKey::new(parent.public_key)),
            Range::Unhardened => {
                let child = ChildNumber::from_normal_idx(index).ok()?;
                Some(PublicKey::new(parent.derive_pub(secp, &[child]).ok()?.public_key))
            }
            Range::Hardened => None,
        };
        if let Some(parent) = cache.parents.get(&number).filter(|_| *range != Range::Hardened) {
            return step(parent);
        }
        if self.self_expanding() {
            let parent = xpub.derive_pub(secp, path).ok()?;
            learned.parents.insert(number, parent);
            return step(&parent);
        }
        let (parent, last_hardened) = self.derive_private(secp, secrets)?;
        if *range == Range::Hardened {
            let child = ChildNumber::from_hardened_idx(index).ok()?;
            let derived = Xpub::from_priv(secp, &parent.derive_priv(secp, &[child]).ok()?);
            learned.derived.insert((number, index), derived);
            return Some(PublicKey::new(derived.public_key));
        }
        let parent = Xpub::from_priv(secp, &parent);
        learned.parents.insert(number, parent);
        if let Some(last_hardened) = last_hardened {
            learned.last_hardened.insert(number, Xpub::from_priv(secp, &last_hardened));
        }
        step(&parent)
    }

    /// Derives the private key at `index`, if its root's is at hand.
    pub(crate) fn secret_key(&self, secp: &Secp256k1<All>, index: u32, secrets: Secrets<'_>) -> Option<SecretKey> {
        let Root::Extended { range, .. } = &self.root else { return self.constant_secret(secrets) };
        let (parent, _) = self.derive_private(secp, secrets)?;
        let last = match range {
            Range::None => return Some(parent.private_key),
            Range::Unhardened => ChildNumber::from_normal_idx(index).ok()?,
            Range::Hardened => ChildNumber::from_hardened_idx(index).ok()?,
        };
        Some(parent.derive_priv(secp, &[last]).ok()?.private_key)
    }

    /// Returns where the key at `index` comes from.
    pub(crate) fn origin(&self, index: u32) -> KeyOrigin {
        let mut own = match &self.root {
            Root::Constant { key, .. } => {
                let id = key.pubkey_hash().to_byte_array();
                KeyOrigin { fingerprint: Fingerprint::from([id[0], id[1], id[2], id[3]]), path: Vec::new() }
            }
            Root::Extended { xpub, path, range, .. } => {
                let mut path = path.clone();
                match range {
                    Range::None => {}
                    Range::Unhardened => path.extend(ChildNumber::from_normal_idx(index)),
                    Range::Hardened => path.extend(ChildNumber::from_hardened_idx(index)),
                }
                KeyOrigin { fingerprint: xpub.fingerprint(), path }
            }
        };
        if let Some((origin, _)) = &self.origin {
            own.fingerprint = origin.fingerprint;
            own.path = [origin.path.clone(), own.path].concat();
        }
        own
    }

    /// Writes the expression. `None` if the normalised form needs a key the cache does not have.
    pub(crate) fn text(&self, number: u32, network: NetworkKind, form: Form<'_>) -> Option<String> {
        let root = match &self.root {
            Root::Constant { key, x_only } => match form {
                Form::Private(secrets) => match self.constant_secret(secrets) {
                    Some(inner) => PrivateKey { compressed: key.compressed, network, inner }.to_wif(),
                    None => constant_text(key, *x_only),
                },
                Form::Public | Form::Compat | Form::Normalized(_) => constant_text(key, *x_only),
            },
            Root::Extended { xpub, path, range, apostrophe } => {
                let mark = if matches!(form, Form::Compat) || *apostrophe { '\'' } else { 'h' };
                let tail = |steps: &[ChildNumber], mark: char| {
                    let star = match range {
                        Range::None => String::new(),
                        Range::Unhardened => "/*".to_owned(),
                        Range::Hardened => format!("/*{mark}"),
                    };
                    path_text(steps, mark) + &star
                };
                match form {
                    Form::Private(secrets) => match self.root_private(secrets) {
                        Some(xprv) => xprv.to_string() + &tail(path, mark),
                        None => xpub.to_string() + &tail(path, mark),
                    },
                    Form::Normalized(_) if *range == Range::Hardened => xpub.to_string() + &tail(path, 'h'),
                    Form::Normalized(cache) => match path.iter().rposition(ChildNumber::is_hardened) {
                        None => xpub.to_string() + &tail(path, mark),
                        Some(last) => {
                            let base = cache.last_hardened.get(&number)?;
                            let (head, rest) = path.split_at(last + 1);
                            let head = path_text(head, 'h');
                            let inner = format!("{base}{}", tail(rest, 'h'));
                            return Some(match &self.origin {
                                Some((origin, _)) => {
                                    format!("[{}{}{head}]{inner}", origin.fingerprint, path_text(&origin.path, 'h'))
                                }
                                None => format!("[{}{head}]{inner}", xpub.fingerprint()),
                            });
                        }
                    },
                    Form::Public | Form::Compat => xpub.to_string() + &tail(path, mark),
                }
            }
        };
        Some(match &self.origin {
            None => root,
            Some((origin, apostrophe)) => {
                let mark = match form {
                    Form::Compat => '\'',
                    Form::Normalized(_) => 'h',
                    Form::Public | Form::Private(_) if *apostrophe => '\'',
                    Form::Public | Form::Private(_) => 'h',
                };
                format!("[{}{}]{root}", origin.fingerprint, path_text(&origin.path, mark))
            }
        })
    }

    fn constant_secret(&self, secrets: Secrets<'_>) -> Option<SecretKey> {
        let key = self.root_key();
        secrets(&key).or_else(|| {
            // An x-only key stands for either of two public keys.
            let mut bytes = key.inner.serialize();
            bytes[0] ^= 1;
            let other = PublicKey::from_slice(&bytes).ok()?;
            matches!(self.root, Root::Constant { x_only: true, .. }).then(|| secrets(&other)).flatten()
        })
    }

    fn root_private(&self, secrets: Secrets<'_>) -> Option<Xpriv> {
        let Root::Extended { xpub, .. } = &self.root else { return None };
        Some(Xpriv {
            network: xpub.network,
            depth: xpub.depth,
            parent_fingerprint: xpub.parent_fingerprint,
            child_number: xpub.child_number,
            private_key: secrets(&PublicKey::new(xpub.public_key))?,
            chain_code: ChainCode::from(xpub.chain_code.to_bytes()),
        })
    }

    /// Derives the private key at the end of the path, and that at its last hardened step.
    fn derive_private(&self, secp: &Secp256k1<All>, secrets: Secrets<'_>) -> Option<(Xpriv, Option<Xpriv>)> {
        let Root::Extended { path, .. } = &self.root else { return None };
        let mut key = self.root_private(secrets)?;
        let mut last_hardened = None;
        for step in path {
            key = key.derive_priv(secp, &[*step]).ok()?;
            if step.is_hardened() {
                last_hardened = Some(key);
            }
        }
        Some((key, last_hardened))
    }
}

/// Writes a path, each step with its slash.
pub(crate) fn path_text(path: &[ChildNumber], hardened_mark: char) -> String {
    path.iter().fold(String::new(), |mut text, step| {
        let _ = match step {
            ChildNumber::Normal { index } => write!(text, "/{index}"),
            ChildNumber::Hardened { index } => write!(text, "/{index}{hardened_mark}"),
        };
        text
    })
}

/// Writes a public key, without its first byte where a context takes x-only keys.
pub(crate) fn constant_text(key: &PublicKey, x_only: bool) -> String {
    let text = key.to_bytes().to_lower_hex_string();
    if x_only { text[2..].to_owned() } else { text }
}

fn parse_origin(text: &str) -> Result<(KeyOrigin, bool), ParseError> {
    let mut steps = text.split('/');
    let fingerprint = steps.next().unwrap_or_default();
    if fingerprint.len() != 8 {
        return Err(ParseError::key(format!(
            "Fingerprint is not 4 bytes ({} characters instead of 8 characters)",
            fingerprint.len()
        )));
    }
    let bytes = <[u8; 4]>::from_hex(fingerprint)
        .map_err(|_| ParseError::key(format!("Fingerprint '{fingerprint}' is not hex")))?;
    let (path, apostrophe) = parse_path(steps)?;
    Ok((KeyOrigin { fingerprint: Fingerprint::from(bytes), path }, apostrophe))
}

fn parse_path<'a>(steps: impl Iterator<Item = &'a str>) -> Result<(Vec<ChildNumber>, bool), ParseError> {
    let mut apostrophe = false;
    let path = steps
        .map(|step| {
            let (digits, hardened) = match step.strip_suffix(['\'', 'h']) {
                Some(digits) => (digits, true),
                None => (step, false),
            };
            apostrophe |= step.ends_with('\'');
            let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let index: u32 = digits
                .parse()
                .ok()
                .filter(|_| valid)
                .ok_or_else(|| ParseError::key(format!("Key path value '{step}' is not a valid uint32")))?;
            let child =
                if hardened { ChildNumber::from_hardened_idx(index) } else { ChildNumber::from_normal_idx(index) };
            child.map_err(|_| ParseError::key(format!("Key path value {index} is out of range")))
        })
        .collect::<Result<_, _>>()?;
    Ok((path, apostrophe))
}

fn parse_root(text: &str, context: Context, network: NetworkKind) -> Result<(Root, Option<FoundSecret>), ParseError> {
    let secp = Secp256k1::new();
    let invalid = || ParseError::key(format!("key '{text}' is not valid"));
    if text.is_empty() {
        return Err(ParseError::key("No key provided"));
    }
    if text.contains(' ') {
        return Err(ParseError::key(format!("Key '{}' is invalid due to whitespace", text.trim())));
    }
    let mut steps: Vec<&str> = text.split('/').collect();
    let head = steps.remove(0);
    if steps.is_empty() {
        if let Ok(bytes) = Vec::<u8>::from_hex(head) {
            let x_only = context.x_only() && bytes.len() == 32;
            let key = if x_only {
                let key = XOnlyPublicKey::from_slice(&bytes).map_err(|_| pubkey_invalid(head))?;
                PublicKey::new(key.public_key(bitcoin::secp256k1::Parity::Even))
            } else {
                PublicKey::from_slice(&bytes).map_err(|_| pubkey_invalid(head))?
            };
            if !key.compressed && !context.uncompressed() {
                return Err(ParseError::key("Uncompressed keys are not allowed"));
            }
            return Ok((Root::Constant { key, x_only }, None));
        }
        if let Ok(secret) = PrivateKey::from_wif(head) {
            if secret.network != network {
                return Err(invalid());
            }
            if !secret.compressed && !context.uncompressed() {
                return Err(ParseError::key("Uncompressed keys are not allowed"));
            }
            let key = secret.public_key(&secp);
            return Ok((Root::Constant { key, x_only: context.x_only() }, Some((key, secret.inner))));
        }
    }
    let (xpub, secret) = if let Ok(xprv) = Xpriv::from_str(head) {
        let xpub = Xpub::from_priv(&secp, &xprv);
        (xpub, Some((PublicKey::new(xpub.public_key), xprv.private_key)))
    } else {
        (Xpub::from_str(head).map_err(|_| ParseError::key(format!("key '{head}' is not valid")))?, None)
    };
    if xpub.network != network {
        return Err(ParseError::key(format!("key '{head}' is not valid")));
    }
    let (range, star_apostrophe) = match steps.last() {
        Some(&"*") => (Range::Unhardened, false),
        Some(&"*h") => (Range::Hardened, false),
        Some(&"*'") => (Range::Hardened, true),
        _ => (Range::None, false),
    };
    if range != Range::None {
        steps.pop();
    }
    let (path, apostrophe) = parse_path(steps.into_iter())?;
    let apostrophe = apostrophe || star_apostrophe;
    Ok((Root::Extended { xpub, path, range, apostrophe }, secret))
}

fn pubkey_invalid(text: &str) -> ParseError {
    ParseError::key(format!("Pubkey '{text}' is invalid"))
}
