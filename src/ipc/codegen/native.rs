//! The Rust side: traits, structs and enums of the `interfaces` crate, as far as they can cross a process boundary.

use std::fmt;

use syn::{Fields, FnArg, GenericArgument, Item, Pat, PathArguments, ReturnType, TraitItem, Type, TypeParamBound};

/// What the `interfaces` crate defines.
#[derive(Default)]
pub struct Native {
    pub traits: Vec<Trait>,
    pub structs: Vec<Struct>,
    pub enums: Vec<Enum>,
}

pub struct Trait {
    pub name: String,
    pub methods: Vec<Method>,
    /// Methods that the trait also has in a form whose result is a future, named like them with [`ASYNC`].
    pub started: Vec<String>,
}

pub struct Method {
    pub name: String,
    pub args: Vec<Field>,
    /// `T` of the returned `Result<T>`.
    pub result: Ty,
    /// Returns [`SENT`]: who calls it does not wait for each answer.
    pub stream: bool,
}

pub struct Field {
    pub name: String,
    pub ty: Ty,
}

pub struct Struct {
    pub name: String,
    pub fields: Vec<Field>,
}

pub struct Enum {
    pub name: String,
    pub variants: Vec<Variant>,
}

pub struct Variant {
    pub name: String,
    pub content: Content,
}

pub enum Content {
    Unit,
    One(Ty),
    Named(Vec<Field>),
}

/// A type as it is written in a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ty {
    Unit,
    Bool,
    /// `u8` to `u64`, `i8` to `i64`, `f32`, `f64`.
    Number(String),
    String,
    Bytes,
    /// `bytes::Bytes`: bytes shared with the message they arrived in.
    SharedBytes,
    /// A type of the bitcoin crate that travels as bytes.
    Bitcoin(String),
    Amount,
    SignedAmount,
    FeeRate,
    /// A struct or enum of the crate.
    Named(String),
    /// `Arc<dyn Trait>`.
    Object(String),
    Option(Box<Ty>),
    List(Box<Ty>),
    /// `BTreeSet` or `HashSet`.
    Set(&'static str, Box<Ty>),
    /// `BTreeMap` or `HashMap`.
    Map(&'static str, Box<Ty>, Box<Ty>),
    Tuple(Vec<Ty>),
    Result(Box<Ty>, Box<Ty>),
}

/// Ends the names of provided methods that start a call and return `Option<interfaces::BoxFuture<T>>`.
pub const ASYNC: &str = "_async";

/// Name of the type that methods return whose calls are a stream: another name for `Result<()>`.
const SENT: &str = "Sent";

/// Types of the bitcoin crate that travel as bytes.
const BITCOIN: &[&str] =
    &["Txid", "Wtxid", "BlockHash", "TxMerkleNode", "Transaction", "Block", "Header", "ScriptBuf", "OutPoint", "TxOut"];

/// Of so many it is known how they look in the trace.
const MOST_IN_TUPLE: usize = 6;

const NUMBERS: &[&str] = &["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64"];

impl Ty {
    /// Travels as bytes of which there are never none, so that no bytes stand for "none".
    pub fn empty_is_none(&self) -> bool {
        matches!(self, Ty::Bitcoin(name) if name == "Transaction" || name == "Block")
    }
}

/// A type as an asynchronous client returns it: objects are clients, too.
pub struct Concrete<'a>(pub &'a Ty);

impl fmt::Display for Concrete<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ty::Object(name) => write!(f, "Arc<{name}Client>"),
            other => other.print(f, |ty| Concrete(ty).to_string()),
        }
    }
}

impl Ty {
    /// Prints the type as generated code names it; `inner` prints what it is made of.
    fn print(&self, f: &mut fmt::Formatter<'_>, inner: impl Fn(&Ty) -> String) -> fmt::Result {
        match self {
            Ty::Unit => f.write_str("()"),
            Ty::Bool => f.write_str("bool"),
            Ty::Number(name) => f.write_str(name),
            Ty::String => f.write_str("String"),
            Ty::Bytes => f.write_str("Vec<u8>"),
            Ty::SharedBytes => f.write_str("bytes::Bytes"),
            Ty::Bitcoin(name) if name == "Header" => f.write_str("bitcoin::block::Header"),
            Ty::Bitcoin(name) => write!(f, "bitcoin::{name}"),
            Ty::Amount => f.write_str("bitcoin::Amount"),
            Ty::SignedAmount => f.write_str("bitcoin::SignedAmount"),
            Ty::FeeRate => f.write_str("bitcoin::FeeRate"),
            Ty::Named(name) => write!(f, "interfaces::{name}"),
            Ty::Object(name) => write!(f, "Arc<dyn interfaces::{name}>"),
            Ty::Option(of) => write!(f, "Option<{}>", inner(of)),
            Ty::List(of) => write!(f, "Vec<{}>", inner(of)),
            Ty::Set(kind, of) => write!(f, "{kind}<{}>", inner(of)),
            Ty::Map(kind, key, value) => write!(f, "{kind}<{}, {}>", inner(key), inner(value)),
            Ty::Tuple(of) if of.len() == 1 => write!(f, "({},)", inner(&of[0])),
            Ty::Tuple(of) => write!(f, "({})", of.iter().map(inner).collect::<Vec<_>>().join(", ")),
            Ty::Result(ok, err) => write!(f, "Result<{}, {}>", inner(ok), inner(err)),
        }
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, Ty::to_string)
    }
}

/// Parses source files, given as name and content.
pub fn parse(sources: &[(String, String)]) -> Result<Native, String> {
    let mut native = Native::default();
    for (name, source) in sources {
        let file = syn::parse_file(source).map_err(|error| format!("{name}: {error}"))?;
        for item in file.items {
            add(&mut native, item).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    Ok(native)
}

fn add(native: &mut Native, item: Item) -> Result<(), String> {
    match item {
        Item::Trait(item) => {
            let name = item.ident.to_string();
            let (mut methods, mut started) = (Vec::new(), Vec::new());
            for inner in item.items {
                let TraitItem::Fn(function) = inner else { continue };
                // No method of its own: it says how others can be called.
                let ident = function.sig.ident.to_string();
                if let Some(of) = ident.strip_suffix(ASYNC).filter(|_| function.default.is_some()) {
                    started.push(of.to_owned());
                    continue;
                }
                if function.default.is_some() && !returns_result(&function.sig.output) {
                    continue;
                }
                let context = format!("{name}.{}", function.sig.ident);
                methods.push(method(function.sig).map_err(|error| format!("{context}: {error}"))?);
            }
            native.traits.push(Trait { name, methods, started });
        }
        Item::Struct(item) => {
            let name = item.ident.to_string();
            let Fields::Named(fields) = item.fields else { return Ok(()) };
            let fields = fields.named.into_iter().map(|f| (f.ident, f.ty));
            native.structs.push(Struct { fields: named(fields, &name)?, name });
        }
        Item::Enum(item) => {
            let name = item.ident.to_string();
            // The outer error is the runtime's business: it travels as an exception.
            if name == "Error" {
                return Ok(());
            }
            let mut variants = Vec::new();
            for variant in item.variants {
                let label = variant.ident.to_string();
                let context = format!("{name}::{label}");
                let content = match variant.fields {
                    Fields::Unit => Content::Unit,
                    Fields::Named(fields) => {
                        Content::Named(named(fields.named.into_iter().map(|f| (f.ident, f.ty)), &context)?)
                    }
                    Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                        Content::One(ty(&fields.unnamed[0].ty).map_err(|error| format!("{context}: {error}"))?)
                    }
                    Fields::Unnamed(_) => return Err(format!("{context}: only one unnamed field can cross")),
                };
                variants.push(Variant { name: label, content });
            }
            native.enums.push(Enum { name, variants });
        }
        _ => {}
    }
    Ok(())
}

fn named(fields: impl Iterator<Item = (Option<syn::Ident>, Type)>, context: &str) -> Result<Vec<Field>, String> {
    fields
        .map(|(name, kind)| {
            let name = name.map(|name| name.to_string()).unwrap_or_default();
            let ty = ty(&kind).map_err(|error| format!("{context}.{name}: {error}"))?;
            Ok(Field { name, ty })
        })
        .collect()
}

fn returns_result(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, result) if path(result).is_ok_and(|(name, _)| name == "Result" || name == SENT))
}

fn method(signature: syn::Signature) -> Result<Method, String> {
    let mut args = Vec::new();
    for input in signature.inputs {
        match input {
            FnArg::Receiver(_) => {}
            FnArg::Typed(input) => {
                let Pat::Ident(name) = *input.pat else { return Err("an argument has no name".to_owned()) };
                let name = name.ident.to_string();
                let ty = ty(&input.ty).map_err(|error| format!("{name}: {error}"))?;
                args.push(Field { name, ty });
            }
        }
    }
    let ReturnType::Type(_, result) = signature.output else { return Err("does not return a Result".to_owned()) };
    let (returned, mut inner) = path(&result)?;
    let name = signature.ident.to_string();
    if returned == SENT && inner.is_empty() {
        return Ok(Method { name, args, result: Ty::Unit, stream: true });
    }
    if returned != "Result" || inner.len() != 1 {
        return Err("does not return interfaces::Result<T>".to_owned());
    }
    Ok(Method { name, args, result: inner.remove(0), stream: false })
}

/// Splits a path type into its last name and its type arguments.
fn path(kind: &Type) -> Result<(String, Vec<Ty>), String> {
    let Type::Path(path) = kind else { return Err("only owned types can cross".to_owned()) };
    let last = path.path.segments.last().ok_or("empty path")?;
    let mut inner = Vec::new();
    if let PathArguments::AngleBracketed(arguments) = &last.arguments {
        for argument in &arguments.args {
            if let GenericArgument::Type(argument) = argument {
                inner.push(ty(argument)?);
            }
        }
    }
    Ok((last.ident.to_string(), inner))
}

fn ty(kind: &Type) -> Result<Ty, String> {
    match kind {
        Type::Tuple(tuple) if tuple.elems.is_empty() => return Ok(Ty::Unit),
        Type::Tuple(tuple) if tuple.elems.len() > MOST_IN_TUPLE => {
            return Err(format!("a tuple of more than {MOST_IN_TUPLE} cannot cross"));
        }
        Type::Tuple(tuple) => return Ok(Ty::Tuple(tuple.elems.iter().map(ty).collect::<Result<_, _>>()?)),
        Type::TraitObject(object) => {
            let name = object.bounds.iter().find_map(|bound| match bound {
                TypeParamBound::Trait(bound) => bound.path.segments.last().map(|last| last.ident.to_string()),
                _ => None,
            });
            return name.map(Ty::Object).ok_or_else(|| "trait object without a trait".to_owned());
        }
        _ => {}
    }
    let (name, mut inner) = path(kind)?;
    Ok(match (name.as_str(), inner.len()) {
        ("bool", 0) => Ty::Bool,
        ("String", 0) => Ty::String,
        ("Bytes", 0) => Ty::SharedBytes,
        ("Amount", 0) => Ty::Amount,
        ("SignedAmount", 0) => Ty::SignedAmount,
        ("FeeRate", 0) => Ty::FeeRate,
        ("Arc", 1) => inner.remove(0),
        ("Option", 1) => Ty::Option(Box::new(inner.remove(0))),
        ("Vec", 1) if inner[0] == Ty::Number("u8".to_owned()) => Ty::Bytes,
        ("Vec", 1) => Ty::List(Box::new(inner.remove(0))),
        ("BTreeSet", 1) => Ty::Set("BTreeSet", Box::new(inner.remove(0))),
        ("HashSet", 1) => Ty::Set("HashSet", Box::new(inner.remove(0))),
        ("BTreeMap" | "HashMap", 2) => {
            let value = Box::new(inner.remove(1));
            Ty::Map(if name == "HashMap" { "HashMap" } else { "BTreeMap" }, Box::new(inner.remove(0)), value)
        }
        ("Result", 2) => {
            let err = inner.remove(1);
            Ty::Result(Box::new(inner.remove(0)), Box::new(err))
        }
        (number, 0) if NUMBERS.contains(&number) => Ty::Number(name),
        (known, 0) if BITCOIN.contains(&known) => Ty::Bitcoin(name),
        (_, 0) => Ty::Named(name),
        _ => return Err(format!("{name}<…> cannot cross")),
    })
}
