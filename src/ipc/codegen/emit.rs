//! The generator's state, and the code that moves one value between a Rust expression and a field or list element.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::matching::{self, Fields};
use super::native::{Native, Ty};
use super::schema::{self, Schema};
use super::{camel, capital, snake};

/// The generator's state.
pub struct Glue<'a> {
    pub native: &'a Native,
    pub schema: &'a Schema,
    pub out: String,
    errors: Vec<String>,
    /// Types whose conversions are needed: native name to schema id.
    pub(super) types: BTreeMap<String, u64>,
    todo: VecDeque<String>,
    /// Objects are read as clients, not as what those implement.
    pub(super) concrete: bool,
    /// What is being written is the root of parameters or results.
    pub(super) root: bool,
    /// Structs whose look in the trace is emitted.
    pub(super) shown: BTreeSet<String>,
}

/// Where a value is put: a field of the builder `out`, or element `index` of the builder `list`.
#[derive(Clone, Copy)]
pub enum Slot<'s> {
    Field(&'s str),
    /// A field of the root of parameters or results; the number is that of its pointer, if it has one.
    Root(&'s str, u32),
    Element,
}

impl Slot<'_> {
    /// Code that puts a value there that needs no more than that.
    fn set(self, value: &str) -> String {
        match self {
            Slot::Field(name) | Slot::Root(name, _) => format!("out.set_{name}({value});"),
            Slot::Element => format!("list.set(index, {value});"),
        }
    }

    /// Code that puts bytes or a text there.
    fn put(self, value: &str, text: bool) -> String {
        let set = self.set(if text { "capnp::text::Reader(bytes)" } else { "bytes" });
        match self {
            Slot::Root(_, pointer) => {
                format!("convert::put({value}, exports, {pointer}, {text}, |bytes| {{ {set} }});")
            }
            Slot::Field(_) | Slot::Element => format!("{{ let bytes = AsRef::<[u8]>::as_ref({value}); {set} }}"),
        }
    }

    /// An expression for the builder of a list or of bytes there.
    pub(super) fn list(self, length: &str) -> String {
        match self {
            Slot::Field(name) | Slot::Root(name, _) => format!("out.reborrow().init_{name}({length})"),
            Slot::Element => format!("list.reborrow().init(index, {length})"),
        }
    }

    /// An expression for the builder of a struct there.
    pub(super) fn structure(self) -> String {
        match self {
            Slot::Field(name) | Slot::Root(name, _) => format!("out.reborrow().init_{name}()"),
            Slot::Element => "list.reborrow().get(index)".to_owned(),
        }
    }
}

/// What two sides of a value are called in messages.
#[derive(Clone)]
pub struct Place {
    /// Where the value comes from or goes to, for messages.
    pub label: String,
    /// The schema's side of it, for messages.
    pub other: String,
}

impl<'a> Glue<'a> {
    pub fn new(native: &'a Native, schema: &'a Schema) -> Self {
        Glue {
            native,
            schema,
            out: String::new(),
            errors: Vec::new(),
            types: BTreeMap::new(),
            todo: VecDeque::new(),
            concrete: false,
            root: false,
            shown: BTreeSet::new(),
        }
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
        let tables: String =
            pairs.iter().map(|(found, _)| format!("&{}, ", super::snake(&found.name).to_uppercase())).collect();
        for (found, interface) in pairs {
            self.interface(found, interface);
        }
        self.line(&format!("/// The method tables of all interfaces.\npub static ALL: &[&Interface] = &[{tables}];"));
        while let Some(name) = self.todo.pop_front() {
            self.conversions(&name);
        }
    }

    pub fn finish(self) -> Result<String, Vec<String>> {
        if self.errors.is_empty() { Ok(self.out) } else { Err(self.errors) }
    }

    pub(super) fn mismatch(&mut self, place: &Place, ty: &Ty, other: &schema::Ty) {
        self.error(format!("{} is {ty}, but {} is {}", place.label, place.other, self.describe(other)));
    }

    /// Prints a schema type with its name.
    pub(super) fn describe(&self, ty: &schema::Ty) -> String {
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

    /// Code that sets the field of this name of the builder `out` from `value`, a reference.
    pub fn set_field(&mut self, fields: &mut Fields<'_>, name: &str, label: &str, value: &str, ty: &Ty) -> String {
        self.set_key(fields, &camel(name), label, value, ty)
    }

    /// Like [`Self::set_field`], with the name that the schema has.
    pub(super) fn set_key(&mut self, fields: &mut Fields<'_>, key: &str, label: &str, value: &str, ty: &Ty) -> String {
        let Some(field) = fields.expect(key, label, self) else { return String::new() };
        let place = Place { label: label.to_owned(), other: format!("{}.{key}", fields.of.display) };
        let rust = snake(&field.name);
        let slot = if self.root { Slot::Root(&rust, field.offset) } else { Slot::Field(&rust) };
        if let Ty::Option(inner) = ty {
            let flag = fields.take(&format!("has{}", capital(key)));
            if flag.is_none() && !field.ty.is_pointer() {
                self.error(format!("{label} is {ty}, but {} has no field has{}", fields.of.display, capital(key)));
                return String::new();
            }
            let set = self.set(&place, slot, "value", inner, &field.ty);
            let flag = flag.map_or_else(String::new, |flag| format!("out.set_{}(true); ", snake(&flag.name)));
            return format!("if let Some(value) = {value} {{ {flag}{set} }}\n");
        }
        self.set(&place, slot, value, ty, &field.ty) + "\n"
    }

    /// Code that puts `value`, a reference, in its place.
    pub(super) fn set(&mut self, place: &Place, slot: Slot<'_>, value: &str, ty: &Ty, other: &schema::Ty) -> String {
        match (ty, other) {
            (Ty::Bitcoin(_), schema::Ty::Data) => match slot {
                Slot::Root(_, pointer) => {
                    format!("convert::write_root({value}, exports, {pointer}, |size| {});", slot.list("size"))
                }
                Slot::Field(_) => format!("convert::write({value}, |size| {});", slot.list("size")),
                Slot::Element => slot.set(&format!("&convert::bytes({value})")),
            },
            (Ty::Option(inner), schema::Ty::Data) if inner.empty_is_none() => {
                format!("if let Some(value) = {value} {{ {} }}", self.set(place, slot, "value", inner, other))
            }
            (Ty::Named(_), schema::Ty::Struct(_)) => match self.function(place, ty, other) {
                Some(name) => format!("build_{name}({value}, {}, exports)?;", slot.structure()),
                None => String::new(),
            },
            (Ty::Object(name), schema::Ty::Interface(_)) => {
                self.check_object(place, name, ty, other);
                let hook = format!("exports.service(Arc::new({name}Server::new({value}.clone())))");
                match slot {
                    Slot::Field(_) | Slot::Root(..) => slot.set(&format!("FromClientHook::new({hook})")),
                    Slot::Element => slot.set(&hook),
                }
            }
            (
                Ty::List(_) | Ty::Set(..) | Ty::Map(..) | Ty::Tuple(_) | Ty::Option(_) | Ty::Result(..),
                schema::Ty::List(_) | schema::Ty::Struct(_),
            ) => self.set_container(place, slot, value, ty, other),
            (Ty::Bytes | Ty::SharedBytes, schema::Ty::Data) => slot.put(value, false),
            (Ty::String, schema::Ty::Text) => slot.put(value, true),
            _ => match self.scalar(place, value, ty, other) {
                Some(value) => slot.set(&value),
                None => String::new(),
            },
        }
    }

    /// The argument of a setter for types that need no more than that.
    fn scalar(&mut self, place: &Place, value: &str, ty: &Ty, other: &schema::Ty) -> Option<String> {
        match (ty, other) {
            (Ty::Bool, schema::Ty::Bool) => Some(format!("*{value}")),
            (Ty::Number(a), schema::Ty::Number(b)) if a == b => Some(format!("*{value}")),
            (Ty::Amount, schema::Ty::Number("i64")) => Some(format!("convert::amount_to(*{value})?")),
            (Ty::SignedAmount, schema::Ty::Number("i64")) => Some(format!("{value}.to_sat()")),
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

    /// An expression that reads the field of this name of the reader `from`.
    pub fn get_field(&mut self, fields: &mut Fields<'_>, name: &str, label: &str, ty: &Ty) -> String {
        self.get_key(fields, &camel(name), label, ty)
    }

    /// Like [`Self::get_field`], with the name that the schema has.
    pub(super) fn get_key(&mut self, fields: &mut Fields<'_>, key: &str, label: &str, ty: &Ty) -> String {
        let Some(field) = fields.expect(key, label, self) else { return "todo".to_owned() };
        let place = Place { label: label.to_owned(), other: format!("{}.{key}", fields.of.display) };
        let rust = snake(&field.name);
        let get = |glue: &mut Self, ty: &Ty| {
            let fallible = field.ty.is_pointer() || matches!(field.ty, schema::Ty::Enum(_));
            let from = format!("from.get_{rust}(){}", if fallible { "?" } else { "" });
            glue.get(&place, &from, ty, &field.ty)
        };
        if let Ty::Option(inner) = ty
            && !(inner.empty_is_none() && matches!(field.ty, schema::Ty::Data))
        {
            let condition = match fields.take(&format!("has{}", capital(key))) {
                Some(flag) => format!("from.get_{}()", snake(&flag.name)),
                None => format!("from.has_{rust}()"),
            };
            return format!("if {condition} {{ Some({}) }} else {{ None }}", get(self, inner));
        }
        get(self, ty)
    }

    /// An expression that converts `from`, what a getter or a list element gave.
    pub(super) fn get(&mut self, place: &Place, from: &str, ty: &Ty, other: &schema::Ty) -> String {
        let label = &place.label;
        match (ty, other) {
            (Ty::Bool, schema::Ty::Bool) => from.to_owned(),
            (Ty::Number(a), schema::Ty::Number(b)) if a == b => from.to_owned(),
            (Ty::String, schema::Ty::Text) => format!("convert::text({from}, {label:?})?"),
            (Ty::Bytes, schema::Ty::Data) => format!("{from}.to_vec()"),
            (Ty::SharedBytes, schema::Ty::Data) => format!("imports.bytes({from})"),
            (Ty::Bitcoin(_), schema::Ty::Data) => format!("convert::read::<{ty}>({from}, {label:?})?"),
            (Ty::Amount, schema::Ty::Number("i64")) => format!("convert::amount_from({from}, {label:?})?"),
            (Ty::SignedAmount, schema::Ty::Number("i64")) => format!("bitcoin::SignedAmount::from_sat({from})"),
            (Ty::Option(inner), schema::Ty::Data) if inner.empty_is_none() => {
                let get = self.get(place, "from", inner, other);
                format!("{{ let from = {from}; if from.is_empty() {{ None }} else {{ Some({get}) }} }}")
            }
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
                let make = if self.concrete { "client" } else { "connect" };
                format!("{name}Client::{make}(imports.object(FromClientHook::into_client_hook({from}))?)")
            }
            (
                Ty::List(_) | Ty::Set(..) | Ty::Map(..) | Ty::Tuple(_) | Ty::Option(_) | Ty::Result(..),
                schema::Ty::List(_) | schema::Ty::Struct(_),
            ) => self.get_container(place, from, ty, other),
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
}
