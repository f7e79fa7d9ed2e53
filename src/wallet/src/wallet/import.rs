//! Importing descriptors.

use bitcoin::PublicKey;
use bitcoin::secp256k1::SecretKey;
use rpc::code;

use super::Wallet;
use crate::descriptor::cache::Cache;
use crate::descriptor::{Descriptor, Parsed};
use crate::error::{Error, Result};
use crate::manager::Manager;
use crate::records::{Change, DescriptorRecord};
use crate::state::{State, flags};

/// A descriptor to import.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    /// The descriptor with its checksum.
    pub(crate) text: String,
    /// Make addresses from it.
    pub(crate) active: bool,
    /// First and last index, as given.
    pub(crate) range: Option<(i32, i32)>,
    /// Index of the next address, as given.
    pub(crate) next_index: Option<i64>,
    /// For change, as given.
    pub(crate) internal: Option<bool>,
    /// Label, as given.
    pub(crate) label: Option<String>,
    /// When its first key was made, Unix seconds.
    pub(crate) timestamp: i64,
}

fn invalid(message: &str) -> Error {
    Error::refused(code::INVALID_PARAMETER, message)
}

impl Wallet {
    /// Imports a descriptor; what to warn of goes to `warnings`, also where it fails. Finding its coins is another
    /// matter: see [`Wallet::scan_blocks`].
    pub(crate) fn import(&self, import: &Import, warnings: &mut Vec<String>) -> Result<()> {
        let mut state = self.state();
        let parsed = Descriptor::parse(&import.text, state.network, true)
            .map_err(|error| Error::refused(code::INVALID_ADDRESS_OR_KEY, error.to_string()))?;
        let (first, count) = match parsed.descriptors.first() {
            Some(first) => (first, parsed.descriptors.len()),
            None => return Err(Error::refused(code::INVALID_ADDRESS_OR_KEY, "Invalid descriptor")),
        };
        if count > 1 && import.internal.is_some() {
            return Err(Error::refused(
                code::INVALID_ADDRESS_OR_KEY,
                "Cannot have multipath descriptor while also specifying 'internal'",
            ));
        }
        let (range, next_index) = self.range(first, import, warnings)?;
        check(first, import, count)?;
        let watch_only = state.has_flag(flags::DISABLE_PRIVATE_KEYS);
        if watch_only && !parsed.secrets.is_empty() {
            return Err(Error::wallet("Cannot import private keys to a wallet with private keys disabled"));
        }
        let mut changes = Vec::new();
        for (number, descriptor) in parsed.descriptors.iter().enumerate() {
            let internal = if count == 2 { number == 1 } else { import.internal.unwrap_or(false) };
            let record = DescriptorRecord {
                descriptor: descriptor.clone(),
                creation_time: u64::try_from(import.timestamp).unwrap_or(0),
                next_index,
                range_start: range.0,
                range_end: range.1,
            };
            changes.extend(self.import_changes(&state, import, &parsed, record, internal, warnings)?);
        }
        state.commit(changes)
    }

    /// Range and next index, from what was given and the defaults.
    fn range(&self, descriptor: &Descriptor, import: &Import, warnings: &mut Vec<String>) -> Result<((i32, i32), i32)> {
        if !descriptor.is_ranged() {
            if import.range.is_some() {
                return Err(invalid("Range should not be specified for an un-ranged descriptor"));
            }
            return Ok(((0, 1), 0));
        }
        let range = match import.range {
            Some((first, last)) => (first, last.saturating_add(1)),
            None => {
                warnings.push("Range not given, using default keypool range".to_owned());
                (0, self.options.keypool)
            }
        };
        let next = import.next_index.unwrap_or(i64::from(range.0));
        let next = i32::try_from(next).ok().filter(|next| (range.0..range.1).contains(next));
        Ok((range, next.ok_or_else(|| invalid("next_index is out of range"))?))
    }

    /// Computes what it takes to have one of the descriptors that an import stands for.
    fn import_changes(
        &self,
        state: &State,
        import: &Import,
        parsed: &Parsed,
        record: DescriptorRecord,
        internal: bool,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Change>> {
        let secrets = |key: &PublicKey| parsed.secrets.iter().find(|found| found.0 == *key).map(|found| found.1);
        let descriptor = record.descriptor.clone();
        let id = descriptor.id();
        let expanded = descriptor.expand(&state.secp, 0, &Cache::default(), &secrets, &mut Cache::default());
        let scripts = expanded.map(|expanded| expanded.scripts).ok_or_else(|| {
            Error::wallet(
                "Cannot expand descriptor. Probably because of hardened derivations without private keys provided",
            )
        })?;
        if !state.has_flag(flags::DISABLE_PRIVATE_KEYS) {
            if parsed.secrets.is_empty() {
                return Err(Error::wallet(
                    "Cannot import descriptor without private keys to a wallet with private keys enabled",
                ));
            }
            let found = descriptor.secret_keys(&state.secp, 0, &secrets);
            if found.is_empty() || found.iter().any(Option::is_none) {
                warnings.push(
                    "Not all private keys provided. Some wallet functionality may return unexpected errors".to_owned(),
                );
            }
        }
        let mut changes = Vec::new();
        // An existing descriptor keeps its cache; its range may only grow.
        let mut manager = Manager::new(id, record.clone());
        if let Some(existing) = state.managers.get(&id) {
            let old = &existing.record;
            if descriptor.is_ranged() && (record.range_start > old.range_start || record.range_end < old.range_end) {
                return Err(Error::wallet(format!(
                    "Could not add descriptor '{}': new range must include current range = [{},{}]",
                    import.text,
                    old.range_start,
                    old.range_end - 1
                )));
            }
            manager.cache = existing.cache.clone();
        }
        let roots = descriptor.root_keys();
        let own: Vec<(PublicKey, SecretKey)> =
            parsed.secrets.iter().filter(|(public, _)| belongs(&roots, public)).copied().collect();
        changes.push(Change::Descriptor(id, Box::new(record)));
        for (public, secret) in &own {
            manager.keys.insert(*public, *secret);
            let known = state
                .managers
                .get(&id)
                .is_some_and(|old| old.keys.contains_key(public) || old.encrypted.contains_key(public));
            if !known {
                changes.push(state.key_change(id, *public, secret)?);
            }
        }
        let top_up = manager.top_up(&state.secp, manager.record.next_index, self.options.keypool, None);
        changes.extend(top_up.ok_or_else(|| Error::wallet("Could not top up scriptPubKeys"))?);
        changes.extend(active_changes(state, &descriptor, import.active, internal, warnings));
        if !descriptor.is_ranged() && !internal {
            let label = import.label.as_deref().unwrap_or("");
            let addresses = scripts.iter().filter_map(|script| state.address(script));
            changes.extend(addresses.flat_map(|address| State::label_changes(&address, label, "receive")));
        }
        Ok(changes)
    }
}

/// Says whether a private key found in the text is one of this descriptor's. Public keys may be x-only there.
fn belongs(roots: &[PublicKey], public: &PublicKey) -> bool {
    roots.iter().any(|root| root.inner.x_only_public_key().0 == public.inner.x_only_public_key().0)
}

fn active_changes(
    state: &State,
    descriptor: &Descriptor,
    active: bool,
    internal: bool,
    warnings: &mut Vec<String>,
) -> Vec<Change> {
    let id = descriptor.id();
    match (descriptor.output_type(), active) {
        (None, true) => {
            warnings.push("Unknown output type, cannot set descriptor to active.".to_owned());
            Vec::new()
        }
        (Some(kind), true) => vec![Change::Active { internal, kind, id: Some(id) }],
        (Some(kind), false) if state.active.get(&(internal, kind)) == Some(&id) => {
            vec![Change::Active { internal, kind, id: None }]
        }
        (_, false) => Vec::new(),
    }
}

fn check(descriptor: &Descriptor, import: &Import, count: usize) -> Result<()> {
    let labelled = import.label.is_some();
    if import.active && !descriptor.is_ranged() {
        return Err(invalid("Active descriptors must be ranged"));
    }
    if count > 1 && labelled {
        return Err(invalid("Multipath descriptors should not have a label"));
    }
    if descriptor.is_ranged() && labelled {
        return Err(invalid("Ranged descriptors should not have a label"));
    }
    if import.internal == Some(true) && labelled {
        return Err(invalid("Internal addresses should not have a label"));
    }
    if import.active && !descriptor.is_single_type() {
        return Err(Error::wallet("Combo descriptors cannot be set to active"));
    }
    Ok(())
}
