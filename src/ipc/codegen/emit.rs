//! Emits the conversions: for each pair of types a builder, a reader and a printer for the trace.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;

use super::matching::{self, Fields};
use super::native::{Content, Enum, Native, Struct, Ty};
use super::schema::{self, Schema};
use super::{camel, capital, snake, uncapital};

/// Fields whose value never appears in the trace.
const SECRET_FIELDS: &[&str] = &["passphrase", "password", "private_key", "secret", "seed", "mnemonic"];

/// Fields that are secret depending on another field: struct, field, the field that decides.
const GUARDED_FIELDS: &[(&str, &str, &str)] = &[("RpcRequest", "params", "method"), ("Setting", "values", "name")];

/// Says whether a field or argument is secret by its name alone.
pub fn is_secret(name: &str) -> bool {
    SECRET_FIELDS.contains(&name)
}

/// The generator's state.
pub struct Glue<'a> {
    pub native: &'a Native,
    pub schema: &'a Schema,
    pub out: String,
    errors: Vec<String>,
    /// Types whose conversions are needed: native name to schema id.
    types: BTreeMap<String, u64>,
    todo: VecDeque<String>,
}

/// Rust expressions that differ between a field of a struct and an element of a list.
pub struct Place {
    /// Where the value comes from or goes to, for messages.
    pub label: String,
    /// The schema's side of it, for messages.
    pub other: String,
}

impl<'a> Glue<'a> {
    pub fn new(native: &'a Native, schema: &'a Schema) -> Self {
        Glue { native, schema, out: String::new(), errors: Vec::new(), types: BTreeMap::new(), todo: VecDeque::new() }
    }

    pub fn error(&mut self, message: String) {
        if !self.errors.contains(&message) {
            self.errors.push(message);
        }
    }

    pub fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    pub fn run(&mut self) {
        let mut errors = Vec::new();
        let pairs = matching::interfaces(self.native, self.schema, &mut errors);
        self.errors.append(&mut errors);
        for (found, interface) in pairs {
            self.interface(found, interface);
        }
        while let Some(name) = self.todo.pop_front() {
            self.conversions(&name);
        }
    }

    pub fn finish(self) -> Result<String, Vec<String>> {
        if self.errors.is_empty() { Ok(self.out) } else { Err(self.errors) }
    }

    fn mismatch(&mut self, place: &Place, ty: &Ty, other: &schema::Ty) {
        self.error(format!("{} is {ty}, but {} is {}", place.label, place.other, self.describe(other)));
    }

    /// Prints a schema type with its name.
    fn describe(&self, ty: &schema::Ty) -> String {
        match ty {
            schema::Ty::Struct(id) => self.schema.structs.get(id).map_or_else(|| ty.to_string(), |s| s.display.clone()),
            schema::Ty::Enum(id) => self.schema.enums.get(id).map_or_else(|| ty.to_string(), |e| e.display.clone()),
            schema::Ty::Interface(id) => {
                let found = self.schema.interfaces.iter().find(|known| known.id == *id);
                found.map_or_else(|| ty.to_string(), |known| known.display.clone())
            }
            schema::Ty::List(inner) => format!("List({})", self.describe(inner)),
            other => other.to_string(),
        }
    }

    /// Notes that a named type crosses as the schema type with this id; says whether that is consistent.
    fn need(&mut self, name: &str, id: u64, schema_name: &str, place: &Place) -> bool {
        if schema_name != name {
            self.error(format!("{} is {name}, but {} is {schema_name}", place.label, place.other));
            return false;
        }
        match self.types.get(name) {
            Some(known) if *known == id => true,
            Some(_) => {
                self.error(format!("{} is {name}, which has two different counterparts in the schemas", place.label));
                false
            }
            None => {
                self.types.insert(name.to_owned(), id);
                self.todo.push_back(name.to_owned());
                true
            }
        }
    }

    /// Code that sets `field` of the builder `out` from `value`, a reference.
    pub fn set_field(&mut self, fields: &mut Fields<'_>, name: &str, label: &str, value: &str, ty: &Ty) -> String {
        let key = camel(name);
        let Some(field) = fields.expect(&key, label, self) else { return String::new() };
        let place = Place { label: label.to_owned(), other: format!("{}.{key}", fields.of.display) };
        let rust = snake(&field.name);
        if let Ty::Option(inner) = ty {
            let flag = fields.take(&format!("has{}", capital(&key)));
            if flag.is_none() && !field.ty.is_pointer() {
                self.error(format!("{label} is {ty}, but {} has no field has{}", fields.of.display, capital(&key)));
                return String::new();
            }
            let set = self.set(&place, &rust, "value", inner, &field.ty);
            let flag = flag.map_or_else(String::new, |flag| format!("out.set_{}(true); ", snake(&flag.name)));
            return format!("if let Some(value) = {value} {{ {flag}{set} }}\n");
        }
        self.set(&place, &rust, value, ty, &field.ty) + "\n"
    }

    fn set(&mut self, place: &Place, field: &str, value: &str, ty: &Ty, other: &schema::Ty) -> String {
        match (ty, other) {
            (Ty::List(inner), schema::Ty::List(element)) => {
                let set = self.set_element(place, inner, element);
                format!(
                    "let mut list = out.reborrow().init_{field}({value}.len() as u32); \
                     for (index, item) in {value}.iter().enumerate() {{ let index = index as u32; {set} }}"
                )
            }
            (Ty::Bitcoin(_), schema::Ty::Data) => {
                format!("convert::write({value}, |size| out.reborrow().init_{field}(size));")
            }
            (Ty::Named(_), schema::Ty::Struct(_)) => match self.function(place, ty, other) {
                Some(name) => format!("build_{name}({value}, out.reborrow().init_{field}(), exports)?;"),
                None => String::new(),
            },
            (Ty::Object(name), schema::Ty::Interface(_)) => {
                self.check_object(place, name, ty, other);
                format!(
                    "out.set_{field}(FromClientHook::new(exports.service(Arc::new({name}Server::new({value}.clone())))));"
                )
            }
            _ => match self.scalar(place, value, ty, other) {
                Some(value) => format!("out.set_{field}({value});"),
                None => String::new(),
            },
        }
    }

    /// Code that sets element `index` of the builder `list` from `item`, a reference.
    fn set_element(&mut self, place: &Place, ty: &Ty, other: &schema::Ty) -> String {
        match (ty, other) {
            (Ty::Option(inner), schema::Ty::Struct(id)) => {
                let Some(holder) = self.schema.structs.get(id) else { return String::new() };
                let mut fields = Fields::new(holder);
                let set = self.set_field(&mut fields, "value", &place.label, "item", inner);
                fields.finish(&place.label, self);
                format!("if let Some(item) = item {{ let mut out = list.reborrow().get(index); {set} }}")
            }
            (Ty::Bitcoin(_), schema::Ty::Data) => "list.set(index, &convert::bytes(item));".to_owned(),
            (Ty::Named(_), schema::Ty::Struct(_)) => match self.function(place, ty, other) {
                Some(name) => format!("build_{name}(item, list.reborrow().get(index), exports)?;"),
                None => String::new(),
            },
            (Ty::Object(name), schema::Ty::Interface(_)) => {
                self.check_object(place, name, ty, other);
                format!("list.set(index, exports.service(Arc::new({name}Server::new(item.clone()))));")
            }
            _ => match self.scalar(place, "item", ty, other) {
                Some(value) => format!("list.set(index, {value});"),
                None => String::new(),
            },
        }
    }

    /// The argument of a setter for types that need no more than that.
    fn scalar(&mut self, place: &Place, value: &str, ty: &Ty, other: &schema::Ty) -> Option<String> {
        match (ty, other) {
            (Ty::Bool, schema::Ty::Bool) => Some(format!("*{value}")),
            (Ty::Number(a), schema::Ty::Number(b)) if a == b => Some(format!("*{value}")),
            (Ty::String, schema::Ty::Text) => Some(format!("{value}.as_str()")),
            (Ty::Bytes, schema::Ty::Data) => Some(format!("{value}.as_slice()")),
            (Ty::Amount, schema::Ty::Number("i64")) => Some(format!("convert::amount_to(*{value})?")),
            (Ty::FeeRate, schema::Ty::Number("u64")) => Some(format!("{value}.to_sat_per_kwu()")),
            (Ty::Named(_), schema::Ty::Enum(_)) => {
                self.function(place, ty, other).map(|name| format!("build_{name}({value})"))
            }
            _ => {
                self.mismatch(place, ty, other);
                None
            }
        }
    }

    /// An expression that reads `field` of the reader `from`.
    pub fn get_field(&mut self, fields: &mut Fields<'_>, name: &str, label: &str, ty: &Ty) -> String {
        let key = camel(name);
        let Some(field) = fields.expect(&key, label, self) else { return "todo".to_owned() };
        let place = Place { label: label.to_owned(), other: format!("{}.{key}", fields.of.display) };
        let rust = snake(&field.name);
        let get = |glue: &mut Self, ty: &Ty| {
            let fallible = field.ty.is_pointer() || matches!(field.ty, schema::Ty::Enum(_));
            let from = format!("from.get_{rust}(){}", if fallible { "?" } else { "" });
            glue.get(&place, &from, ty, &field.ty)
        };
        if let Ty::Option(inner) = ty {
            let condition = match fields.take(&format!("has{}", capital(&key))) {
                Some(flag) => format!("from.get_{}()", snake(&flag.name)),
                None => format!("from.has_{rust}()"),
            };
            return format!("if {condition} {{ Some({}) }} else {{ None }}", get(self, inner));
        }
        get(self, ty)
    }

    /// An expression that converts `from`, what a getter or a list element gave.
    fn get(&mut self, place: &Place, from: &str, ty: &Ty, other: &schema::Ty) -> String {
        let label = &place.label;
        match (ty, other) {
            (Ty::Bool, schema::Ty::Bool) => from.to_owned(),
            (Ty::Number(a), schema::Ty::Number(b)) if a == b => from.to_owned(),
            (Ty::String, schema::Ty::Text) => format!("convert::text({from}, {label:?})?"),
            (Ty::Bytes, schema::Ty::Data) => format!("{from}.to_vec()"),
            (Ty::Bitcoin(_), schema::Ty::Data) => format!("convert::read::<{ty}>({from}, {label:?})?"),
            (Ty::Amount, schema::Ty::Number("i64")) => format!("convert::amount_from({from}, {label:?})?"),
            (Ty::FeeRate, schema::Ty::Number("u64")) => format!("bitcoin::FeeRate::from_sat_per_kwu({from})"),
            (Ty::Named(_), schema::Ty::Enum(_)) => match self.function(place, ty, other) {
                Some(name) => format!("read_{name}({from})"),
                None => String::new(),
            },
            (Ty::Named(_), schema::Ty::Struct(_)) => match self.function(place, ty, other) {
                Some(name) => format!("read_{name}({from}, imports)?"),
                None => String::new(),
            },
            (Ty::Object(name), schema::Ty::Interface(_)) => {
                self.check_object(place, name, ty, other);
                format!("{name}Client::connect(imports.object(FromClientHook::into_client_hook({from}))?)")
            }
            (Ty::Option(inner), schema::Ty::Struct(id)) => {
                let Some(holder) = self.schema.structs.get(id) else { return String::new() };
                let get = self.get_field(&mut Fields::new(holder), "value", label, inner);
                format!("{{ let from = {from}; if from.has_value() {{ Some({get}) }} else {{ None }} }}")
            }
            (Ty::List(inner), schema::Ty::List(element)) => {
                let fallible = element.is_pointer() && !matches!(**element, schema::Ty::Struct(_));
                let item = if fallible || matches!(**element, schema::Ty::Enum(_)) { "item?" } else { "item" };
                let get = self.get(place, item, inner, element);
                format!(
                    "{{ let list = {from}; let mut items = Vec::with_capacity(list.len() as usize); \
                     for item in list.iter() {{ items.push({get}); }} items }}"
                )
            }
            _ => {
                self.mismatch(place, ty, other);
                String::new()
            }
        }
    }

    /// Name of the conversion functions for a named type, which are emitted later.
    fn function(&mut self, place: &Place, ty: &Ty, other: &schema::Ty) -> Option<String> {
        let Ty::Named(name) = ty else { return None };
        let (id, schema_name) = match other {
            schema::Ty::Struct(id) => (*id, self.schema.structs.get(id)?.name.clone()),
            schema::Ty::Enum(id) => (*id, self.schema.enums.get(id)?.name.clone()),
            _ => return None,
        };
        self.need(name, id, &schema_name, place).then(|| snake(name))
    }

    fn check_object(&mut self, place: &Place, name: &str, ty: &Ty, other: &schema::Ty) {
        let schema::Ty::Interface(id) = other else { return };
        let wraps = self.schema.interfaces.iter().find(|known| known.id == *id).and_then(|known| known.wraps.clone());
        if wraps.as_deref() != Some(name) {
            self.mismatch(place, ty, other);
        }
    }

    /// Emits the conversions of one named type.
    fn conversions(&mut self, name: &str) {
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
        let names: Vec<_> = found.fields.iter().map(|field| field.name.as_str()).collect();
        let names = names.join(", ");
        let (mut build, mut read, mut show) = (String::new(), String::new(), String::new());
        let mut fields = Fields::new(other);
        for (index, field) in found.fields.iter().enumerate() {
            let label = format!("{name}.{}", field.name);
            build += &self.set_field(&mut fields, &field.name, &label, &field.name, &field.ty);
            let get = self.get_field(&mut fields, &field.name, &label, &field.ty);
            writeln!(read, "{}: {get},", field.name).expect("writing to a string");
            show += &show_field(index, name, &field.name);
        }
        fields.finish(&format!("struct {name}"), self);
        self.line(&format!(
            "fn build_{function}(value: &interfaces::{name}, mut out: {module}::Builder<'_>, exports: &Exports) \
             -> Result<(), Error> {{ let interfaces::{name} {{ {names} }} = value;\n{build}Ok(()) }}\n\
             fn read_{function}(from: {module}::Reader<'_>, imports: &Imports) \
             -> Result<interfaces::{name}, Error> {{ Ok(interfaces::{name} {{\n{read}}}) }}\n\
             impl Show for interfaces::{name} {{ fn show(&self, text: &mut Short) -> fmt::Result {{ \
             let interfaces::{name} {{ {names} }} = self; text.write_str(\"{{\")?;\n{show}text.write_str(\"}}\") }} }}\n"
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
                    let set = self.set(&place, &member, "value", ty, theirs);
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
