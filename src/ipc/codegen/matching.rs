//! Pairs what both sides define: by name, completely, and with a message where they differ.

use std::collections::HashSet;

use super::native::{self, Native};
use super::schema::{self, Schema};
use super::{camel, emit::Glue};

/// A trait method and the schema method it is called through.
pub struct Pair<'a> {
    pub native: &'a native::Method,
    pub schema: &'a schema::Method,
    pub interface: &'a schema::Interface,
}

/// An interface's methods in the order of their table: superclasses first, then by ordinal.
pub fn flatten<'a>(
    schema: &'a Schema,
    interface: &'a schema::Interface,
) -> Vec<(&'a schema::Interface, &'a schema::Method)> {
    let supers = interface.supers.iter().filter_map(|id| schema.interfaces.iter().find(|known| known.id == *id));
    let inherited = supers.flat_map(|parent| flatten(schema, parent));
    inherited.chain(interface.methods.iter().map(|method| (interface, method))).collect()
}

/// Says whether a trait method and a schema method are the same.
fn same(native: &native::Method, schema: &schema::Method) -> bool {
    match &schema.native {
        Some(name) => native.name == *name,
        None => camel(&native.name) == schema.name,
    }
}

/// The runtime's own methods.
pub fn is_runtime_method(name: &str) -> bool {
    name == "construct" || name == "destroy"
}

/// Pairs traits with the interfaces that wrap them. Reports what is left over on either side.
pub fn interfaces<'a>(
    native: &'a Native,
    schema: &'a Schema,
    errors: &mut Vec<String>,
) -> Vec<(&'a native::Trait, &'a schema::Interface)> {
    let mut pairs = Vec::new();
    for interface in &schema.interfaces {
        let Some(name) = &interface.wraps else { continue };
        match native.traits.iter().find(|known| known.name == *name) {
            Some(found) => pairs.push((found, interface)),
            None => errors.push(format!("interface {} wraps {name}: there is no such trait", interface.display)),
        }
    }
    for known in &native.traits {
        let count = pairs.iter().filter(|(paired, _)| paired.name == known.name).count();
        if count != 1 {
            errors.push(format!("trait {} is wrapped by {count} interfaces of the schemas, not by one", known.name));
        }
    }
    pairs
}

/// Pairs the methods of a trait and its interface.
pub fn methods<'a>(
    schema: &'a Schema,
    found: &'a native::Trait,
    interface: &'a schema::Interface,
    errors: &mut Vec<String>,
) -> Vec<Option<Pair<'a>>> {
    let all = flatten(schema, interface);
    for method in &found.methods {
        if !all.iter().any(|(_, known)| same(method, known)) {
            errors.push(format!(
                "trait method {}::{} has no method {} in {}",
                found.name,
                method.name,
                camel(&method.name),
                interface.display
            ));
        }
    }
    all.into_iter()
        .map(|(owner, method)| {
            if is_runtime_method(&method.name) {
                return None;
            }
            let native = found.methods.iter().find(|known| same(known, method));
            if native.is_none() {
                errors.push(format!(
                    "schema method {}.{} has no counterpart in trait {}",
                    owner.display, method.name, found.name
                ));
            }
            if let Some(native) = native
                && native.stream != method.stream
            {
                let (does, does_not) = ("returns", "does not return");
                let (ours, theirs) = if native.stream { (does, does_not) } else { (does_not, does) };
                errors.push(format!(
                    "{}::{} {ours} Sent, but {}.{} {theirs} stream",
                    found.name, native.name, owner.display, method.name
                ));
            }
            native.map(|native| Pair { native, schema: method, interface: owner })
        })
        .collect()
}

/// The fields of a schema struct while they are being paired.
pub struct Fields<'a> {
    pub of: &'a schema::Struct,
    used: HashSet<String>,
}

impl<'a> Fields<'a> {
    pub fn new(of: &'a schema::Struct) -> Self {
        Fields { of, used: HashSet::new() }
    }

    /// Finds a field by its schema name and notes that it has a counterpart.
    pub fn take(&mut self, name: &str) -> Option<&'a schema::Field> {
        let found = self.of.fields.iter().find(|field| field.name == name)?;
        self.used.insert(name.to_owned());
        Some(found)
    }

    /// Like [`Self::take`], reporting a missing field. `label` names the Rust side.
    pub fn expect(&mut self, name: &str, label: &str, glue: &mut Glue<'_>) -> Option<&'a schema::Field> {
        let found = self.take(name);
        if found.is_none() {
            glue.error(format!("{label} has no field {name} in {}", self.of.display));
        }
        found
    }

    /// Reports the fields without counterpart.
    pub fn finish(self, label: &str, glue: &mut Glue<'_>) {
        for field in &self.of.fields {
            if !self.used.contains(&field.name) {
                glue.error(format!("field {} of {} has no counterpart in {label}", field.name, self.of.display));
            }
        }
    }
}
