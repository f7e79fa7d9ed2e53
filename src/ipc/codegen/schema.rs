//! The Cap'n Proto side: interfaces, structs and enums of the compiled schemas.

use std::collections::HashMap;
use std::fmt;

use capnp::message::ReaderOptions;
use capnp::schema_capnp::{annotation, code_generator_request, field, node, type_, value};
use capnpc::codegen::GeneratorContext;

/// Annotations are found by their names: ids depend on nothing else.
const ANNOTATIONS: [&str; 3] = ["wrap", "name", "speaksAs"];

/// Id of what methods declared as `-> stream` return.
const STREAM_RESULT: u64 = 0x995f_9a33_77c0_b16e;

/// Ids of the annotations that are in use.
#[derive(Default)]
struct Annotations([Option<u64>; 3]);

impl Annotations {
    /// The text of one of them on a node, field or method.
    fn text(
        &self,
        which: &str,
        found: capnp::struct_list::Reader<'_, annotation::Owned>,
    ) -> capnp::Result<Option<String>> {
        let id = ANNOTATIONS.iter().zip(self.0).find(|(name, _)| **name == which).and_then(|(_, id)| id);
        for found in found {
            if Some(found.get_id()) == id
                && let value::Text(text) = found.get_value()?.which()?
            {
                return text?.to_string().map(Some).map_err(Into::into);
            }
        }
        Ok(None)
    }
}

/// What the schemas define.
#[derive(Default)]
pub struct Schema {
    pub interfaces: Vec<Interface>,
    pub structs: HashMap<u64, Struct>,
    pub enums: HashMap<u64, Enum>,
}

pub struct Interface {
    pub id: u64,
    /// Its id on the wire: another's, if it stands in for that one.
    pub wire_id: u64,
    /// The interface it stands in for, by display name.
    speaks_as: Option<String>,
    /// As the schema names it, with its file.
    pub display: String,
    /// Path of its generated module.
    pub module: String,
    /// The trait it stands for.
    pub wraps: Option<String>,
    pub supers: Vec<u64>,
    pub methods: Vec<Method>,
}

pub struct Method {
    pub name: String,
    /// Name in the trait, where it does not follow from `name`.
    pub native: Option<String>,
    pub ordinal: u16,
    pub params: u64,
    pub results: u64,
    /// Declared as `-> stream`.
    pub stream: bool,
}

pub struct Struct {
    pub display: String,
    pub module: String,
    /// The struct or enum it stands for; methods' parameters stand for none.
    pub name: String,
    pub fields: Vec<Field>,
}

pub struct Field {
    pub name: String,
    pub ty: Ty,
    /// Position among the pointers or in units of its size.
    pub offset: u32,
    /// Member of the struct's union.
    pub in_union: bool,
}

pub struct Enum {
    pub display: String,
    pub path: String,
    pub name: String,
    pub enumerants: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ty {
    Void,
    Bool,
    /// Rust's name of the same number.
    Number(&'static str),
    Text,
    Data,
    List(Box<Ty>),
    Enum(u64),
    Struct(u64),
    Interface(u64),
    Group(u64),
    AnyPointer,
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ty::Void => f.write_str("Void"),
            Ty::Bool => f.write_str("Bool"),
            Ty::Number(name) => {
                let (kind, bits) = name.split_at(1);
                let kind = match kind {
                    "u" => "UInt",
                    "i" => "Int",
                    _ => "Float",
                };
                write!(f, "{kind}{bits}")
            }
            Ty::Text => f.write_str("Text"),
            Ty::Data => f.write_str("Data"),
            Ty::List(inner) => write!(f, "List({inner})"),
            Ty::Enum(_) => f.write_str("an enum"),
            Ty::Struct(_) => f.write_str("a struct"),
            Ty::Interface(_) => f.write_str("an interface"),
            Ty::Group(_) => f.write_str("a group"),
            Ty::AnyPointer => f.write_str("AnyPointer"),
        }
    }
}

impl Ty {
    /// Stored as a pointer, which can be null.
    pub fn is_pointer(&self) -> bool {
        matches!(self, Ty::Text | Ty::Data | Ty::List(_) | Ty::Struct(_) | Ty::Interface(_) | Ty::AnyPointer)
    }
}

/// Reads what `capnp compile -o-` wrote; capnpc's types are in the module `home`.
pub fn load(mut request: &[u8], home: &str) -> capnp::Result<Schema> {
    let mut options = ReaderOptions::new();
    options.traversal_limit_in_words(None);
    let message = capnp::serialize::read_message(&mut request, options)?;
    let context = GeneratorContext::new(&message)?;
    let nodes = message.get_root::<code_generator_request::Reader<'_>>()?.get_nodes()?;
    let mut annotations = Annotations::default();
    for node in nodes {
        if matches!(node.which(), Ok(node::Annotation(_))) {
            let name = short_name(node)?;
            if let Some(index) = ANNOTATIONS.iter().position(|known| *known == name) {
                annotations.0[index] = Some(node.get_id());
            }
        }
    }
    let annotations = &annotations;
    let mut schema = Schema::default();
    for node in nodes {
        let id = node.get_id();
        if !context.scope_map.contains_key(&id) {
            // Parameter structs have no place in the module tree; they are named after their method.
            if let node::Struct(inner) = node.which()? {
                schema.structs.insert(id, structure(node, inner, String::new(), annotations)?);
            }
            continue;
        }
        let module = context.get_qualified_module(id).replacen("crate", home, 1);
        let display = node.get_display_name()?.to_string()?;
        match node.which()? {
            node::Interface(inner) => {
                let mut methods = Vec::new();
                for (ordinal, method) in inner.get_methods()?.iter().enumerate() {
                    methods.push(Method {
                        name: method.get_name()?.to_string()?,
                        native: annotations.text("name", method.get_annotations()?)?,
                        ordinal: u16::try_from(ordinal).map_err(|error| capnp::Error::failed(error.to_string()))?,
                        params: method.get_param_struct_type(),
                        results: method.get_result_struct_type(),
                        stream: method.get_result_struct_type() == STREAM_RESULT,
                    });
                }
                let supers = inner.get_superclasses()?.iter().map(|superclass| superclass.get_id()).collect();
                let wraps = wrapped(node, annotations)?;
                let speaks_as = annotations.text("speaksAs", node.get_annotations()?)?;
                schema.interfaces.push(Interface {
                    id,
                    wire_id: id,
                    speaks_as,
                    display,
                    module,
                    wraps,
                    supers,
                    methods,
                });
            }
            node::Struct(inner) => {
                schema.structs.insert(id, structure(node, inner, module, annotations)?);
            }
            node::Enum(inner) => {
                let mut enumerants = Vec::new();
                for enumerant in inner.get_enumerants()? {
                    enumerants.push(enumerant.get_name()?.to_string()?);
                }
                let name = short_name(node)?;
                schema.enums.insert(id, Enum { display, path: module, name, enumerants });
            }
            _ => {}
        }
    }
    let ids: HashMap<_, _> = schema.interfaces.iter().map(|known| (known.display.clone(), known.id)).collect();
    for interface in &mut schema.interfaces {
        if let Some(other) = &interface.speaks_as {
            let missing =
                || capnp::Error::failed(format!("{} speaks as {other}, which is not there", interface.display));
            interface.wire_id = *ids.get(other).ok_or_else(missing)?;
        }
    }
    schema.interfaces.sort_by(|a, b| a.display.cmp(&b.display));
    Ok(schema)
}

fn short_name(node: node::Reader<'_>) -> capnp::Result<String> {
    let display = node.get_display_name()?.to_str()?;
    Ok(display[node.get_display_name_prefix_length() as usize..].to_owned())
}

/// The text of the node's `$Proxy.wrap`, without namespace.
fn wrapped(node: node::Reader<'_>, annotations: &Annotations) -> capnp::Result<Option<String>> {
    let text = annotations.text("wrap", node.get_annotations()?)?;
    Ok(text.and_then(|text| text.rsplit("::").next().map(str::to_owned)))
}

fn structure(
    node: node::Reader<'_>,
    inner: node::struct_::Reader<'_>,
    module: String,
    annotations: &Annotations,
) -> capnp::Result<Struct> {
    let mut fields = Vec::new();
    for found in inner.get_fields()? {
        let in_union = found.get_discriminant_value() != field::NO_DISCRIMINANT;
        let name = found.get_name()?.to_string()?;
        let (ty, offset) = match found.which()? {
            field::Slot(slot) => (ty(slot.get_type()?)?, slot.get_offset()),
            field::Group(group) => (Ty::Group(group.get_type_id()), 0),
        };
        fields.push(Field { name, ty, offset, in_union });
    }
    let name = match wrapped(node, annotations)? {
        Some(name) => name,
        None => short_name(node)?,
    };
    Ok(Struct { display: node.get_display_name()?.to_string()?, module, name, fields })
}

fn ty(from: type_::Reader<'_>) -> capnp::Result<Ty> {
    Ok(match from.which()? {
        type_::Void(()) => Ty::Void,
        type_::Bool(()) => Ty::Bool,
        type_::Int8(()) => Ty::Number("i8"),
        type_::Int16(()) => Ty::Number("i16"),
        type_::Int32(()) => Ty::Number("i32"),
        type_::Int64(()) => Ty::Number("i64"),
        type_::Uint8(()) => Ty::Number("u8"),
        type_::Uint16(()) => Ty::Number("u16"),
        type_::Uint32(()) => Ty::Number("u32"),
        type_::Uint64(()) => Ty::Number("u64"),
        type_::Float32(()) => Ty::Number("f32"),
        type_::Float64(()) => Ty::Number("f64"),
        type_::Text(()) => Ty::Text,
        type_::Data(()) => Ty::Data,
        type_::List(list) => Ty::List(Box::new(ty(list.get_element_type()?)?)),
        type_::Enum(inner) => Ty::Enum(inner.get_type_id()),
        type_::Struct(inner) => Ty::Struct(inner.get_type_id()),
        type_::Interface(inner) => Ty::Interface(inner.get_type_id()),
        type_::AnyPointer(_) => Ty::AnyPointer,
    })
}
