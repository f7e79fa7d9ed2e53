//! Emits the conversions of structs and enums: for each a builder, a reader and a printer for the trace.

use std::fmt::Write;

use super::emit::{Glue, Place, Slot};
use super::matching::Fields;
use super::native::{Content, Enum, Struct};
use super::schema;
use super::{capital, snake, uncapital};

/// Fields whose value never appears in the trace.
const SECRET_FIELDS: &[&str] = &["passphrase", "password", "private_key", "secret", "seed", "mnemonic"];

/// Fields that are secret depending on another field: struct, field, the field that decides.
const GUARDED_FIELDS: &[(&str, &str, &str)] = &[("RpcRequest", "params", "method"), ("Setting", "values", "name")];

/// Says whether a field or argument is secret by its name alone.
pub fn is_secret(name: &str) -> bool {
    SECRET_FIELDS.contains(&name)
}

impl Glue<'_> {
    /// Emits the conversions of one named type.
    pub(super) fn conversions(&mut self, name: &str) {
        let id = self.types[name];
        let (native, schema) = (self.native, self.schema);
        if let Some(found) = native.structs.iter().find(|known| known.name == name) {
            match schema.structs.get(&id) {
                Some(other) => self.structure(found, other),
                None => self.error(format!("struct {name} has an enum as its counterpart")),
            }
        } else if let Some(found) = native.enums.iter().find(|known| known.name == name) {
            match (schema.structs.get(&id), schema.enums.get(&id)) {
                (Some(other), _) => self.union(found, other),
                (_, Some(other)) => self.plain_enum(found, other),
                (None, None) => {}
            }
        } else {
            self.error(format!("{name} is used in a signature but not defined in the interfaces crate"));
        }
    }

    fn structure(&mut self, found: &Struct, other: &schema::Struct) {
        let (name, function, module) = (&found.name, snake(&found.name), &other.module);
        let mut fields = Fields::new(other);
        let build = self.set_all(&mut fields, found, "value");
        let read = self.get_all(&mut fields, found);
        fields.finish(&format!("struct {name}"), self);
        self.line(&format!(
            "fn build_{function}(value: &interfaces::{name}, mut out: {module}::Builder<'_>, exports: &Exports) \
             -> Result<(), Error> {{ {build}Ok(()) }}\n\
             fn read_{function}(from: {module}::Reader<'_>, imports: &Imports) \
             -> Result<interfaces::{name}, Error> {{ Ok({read}) }}\n"
        ));
        self.show_struct(found);
    }

    /// Code that sets all fields of a struct, given as the expression `value`, in the builder `out`.
    pub(super) fn set_all(&mut self, fields: &mut Fields<'_>, found: &Struct, value: &str) -> String {
        let mut code = format!("let interfaces::{} {{ {} }} = {value};\n", found.name, names(found));
        for field in &found.fields {
            let label = format!("{}.{}", found.name, field.name);
            code += &self.set_field(fields, &field.name, &label, &field.name, &field.ty);
        }
        code
    }

    /// An expression that reads a struct from `from`.
    pub(super) fn get_all(&mut self, fields: &mut Fields<'_>, found: &Struct) -> String {
        let mut code = format!("interfaces::{} {{\n", found.name);
        for field in &found.fields {
            let label = format!("{}.{}", found.name, field.name);
            let get = self.get_field(fields, &field.name, &label, &field.ty);
            writeln!(code, "{}: {get},", field.name).expect("writing to a string");
        }
        code + "}"
    }

    /// Emits how a struct looks in the trace, once.
    pub(super) fn show_struct(&mut self, found: &Struct) {
        let (name, names) = (&found.name, names(found));
        if !self.shown.insert(name.clone()) {
            return;
        }
        let fields: String =
            found.fields.iter().enumerate().map(|(index, field)| show_field(index, name, &field.name)).collect();
        self.line(&format!(
            "impl Show for interfaces::{name} {{ fn show(&self, text: &mut Short) -> fmt::Result {{ \
             let interfaces::{name} {{ {names} }} = self; text.write_str(\"{{\")?;\n{fields}text.write_str(\"}}\") }} }}\n"
        ));
    }

    fn plain_enum(&mut self, found: &Enum, other: &schema::Enum) {
        let (name, function, path) = (&found.name, snake(&found.name), &other.path);
        let (mut build, mut read, mut show) = (String::new(), String::new(), String::new());
        for variant in &found.variants {
            let label = &variant.name;
            if !matches!(variant.content, Content::Unit) {
                self.error(format!("{name}::{label} has data, but {} is an enum without", other.display));
            }
            let Some(theirs) = other.enumerants.iter().find(|theirs| **theirs == uncapital(label)) else {
                self.error(format!("{name}::{label} has no counterpart in {}", other.display));
                continue;
            };
            let theirs = capital(theirs);
            writeln!(build, "interfaces::{name}::{label} => {path}::{theirs},").expect("writing to a string");
            writeln!(read, "{path}::{theirs} => interfaces::{name}::{label},").expect("writing to a string");
            writeln!(show, "interfaces::{name}::{label} => {label:?},").expect("writing to a string");
        }
        for theirs in &other.enumerants {
            if !found.variants.iter().any(|variant| uncapital(&variant.name) == *theirs) {
                self.error(format!("{theirs} of {} has no counterpart in enum {name}", other.display));
            }
        }
        self.line(&format!(
            "fn build_{function}(value: &interfaces::{name}) -> {path} {{ match value {{\n{build}}} }}\n\
             fn read_{function}(from: {path}) -> interfaces::{name} {{ match from {{\n{read}}} }}\n\
             impl Show for interfaces::{name} {{ fn show(&self, text: &mut Short) -> fmt::Result {{ \
             text.write_str(match self {{\n{show}}}) }} }}\n"
        ));
    }

    /// An enum with data: a struct that is one union.
    fn union(&mut self, found: &Enum, other: &schema::Struct) {
        let (name, function, module) = (&found.name, snake(&found.name), &other.module);
        let (mut build, mut read, mut show) = (String::new(), String::new(), String::new());
        let mut fields = Fields::new(other);
        for field in other.fields.iter().filter(|field| !field.in_union) {
            self.error(format!(
                "field {} of {} is outside of its union: enum {name} has no place for it",
                field.name, other.display
            ));
        }
        for variant in &found.variants {
            let path = format!("interfaces::{name}::{}", variant.name);
            let label = format!("{name}::{}", variant.name);
            let key = uncapital(&variant.name);
            let Some(field) = fields.expect(&key, &label, self) else { continue };
            let (member, which) = (snake(&field.name), capital(&field.name));
            let place = Place { label: label.clone(), other: format!("{}.{key}", other.display) };
            let text = &variant.name;
            match (&variant.content, &field.ty) {
                (Content::Unit, schema::Ty::Void) => {
                    writeln!(build, "{path} => out.set_{member}(()),").expect("writing to a string");
                    writeln!(read, "{module}::Which::{which}(()) => {path},").expect("writing to a string");
                    writeln!(show, "{path} => text.write_str({text:?}),").expect("writing to a string");
                }
                (Content::Named(inner), schema::Ty::Group(id)) => {
                    let Some(group) = self.schema.structs.get(id) else { continue };
                    let names: Vec<_> = inner.iter().map(|field| field.name.as_str()).collect();
                    let names = names.join(", ");
                    let mut group_fields = Fields::new(group);
                    let (mut set, mut get, mut print) = (String::new(), String::new(), String::new());
                    for (index, field) in inner.iter().enumerate() {
                        let label = format!("{label}.{}", field.name);
                        set += &self.set_field(&mut group_fields, &field.name, &label, &field.name, &field.ty);
                        let value = self.get_field(&mut group_fields, &field.name, &label, &field.ty);
                        write!(get, "{}: {value}, ", field.name).expect("writing to a string");
                        print += &show_field(index, name, &field.name);
                    }
                    group_fields.finish(&label, self);
                    writeln!(
                        build,
                        "{path} {{ {names} }} => {{ let mut out = out.reborrow().init_{member}(); {set} }}"
                    )
                    .expect("writing to a string");
                    writeln!(read, "{module}::Which::{which}(from) => {path} {{ {get} }},")
                        .expect("writing to a string");
                    writeln!(
                        show,
                        "{path} {{ {names} }} => {{ text.write_str(\"{text}{{\")?; {print} text.write_str(\"}}\") }}"
                    )
                    .expect("writing to a string");
                }
                (Content::One(ty), theirs) => {
                    let set = self.set(&place, Slot::Field(&member), "value", ty, theirs);
                    let fallible = theirs.is_pointer() || matches!(theirs, schema::Ty::Enum(_));
                    let get = self.get(&place, if fallible { "from?" } else { "from" }, ty, theirs);
                    writeln!(build, "{path}(value) => {{ {set} }}").expect("writing to a string");
                    writeln!(read, "{module}::Which::{which}(from) => {path}({get}),").expect("writing to a string");
                    writeln!(show, "{path}(value) => {{ text.write_str(\"{text} \")?; value.show(text) }}")
                        .expect("writing to a string");
                }
                (_, theirs) => {
                    let theirs = self.describe(theirs);
                    self.error(format!("{label} does not fit {}, which is {theirs}", place.other));
                }
            }
        }
        fields.finish(&format!("enum {name}"), self);
        self.line(&format!(
            "fn build_{function}(value: &interfaces::{name}, mut out: {module}::Builder<'_>, exports: &Exports) \
             -> Result<(), Error> {{ match value {{\n{build}}} Ok(()) }}\n\
             fn read_{function}(from: {module}::Reader<'_>, imports: &Imports) \
             -> Result<interfaces::{name}, Error> {{ Ok(match from.which()? {{\n{read}}}) }}\n\
             impl Show for interfaces::{name} {{ fn show(&self, text: &mut Short) -> fmt::Result {{ \
             match self {{\n{show}}} }} }}\n"
        ));
    }
}

/// The fields of a struct for a pattern.
fn names(found: &Struct) -> String {
    let names: Vec<_> = found.fields.iter().map(|field| field.name.as_str()).collect();
    names.join(", ")
}

/// Code that prints one field for the trace, or that it is secret.
fn show_field(index: usize, owner: &str, name: &str) -> String {
    let comma = if index == 0 { "" } else { ", " };
    let head = format!("text.write_str(\"{comma}{name}: \")?; ");
    if is_secret(name) {
        return head + "text.write_str(redact::HIDDEN)?;\n";
    }
    let guard = GUARDED_FIELDS.iter().find(|(guarded, field, _)| *guarded == owner && *field == name);
    match guard {
        Some((_, _, key)) => {
            let key = format!("redact::is_secret({owner:?}, {key})");
            format!("{head}if {key} {{ text.write_str(redact::HIDDEN)?; }} else {{ {name}.show(text)?; }}\n")
        }
        None => format!("{head}{name}.show(text)?;\n"),
    }
}
