//! The description of one argument: what help prints of it and what the type check holds it to.

use serde_json::Value;

use crate::json;

/// Type of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgType {
    /// A string.
    Str,
    /// A string of hexadecimal digits.
    StrHex,
    /// A number.
    Num,
    /// A boolean.
    Bool,
    /// An amount in BTC: number or string; checked when read.
    Amount,
    /// A number or a pair of numbers; checked when read.
    Range,
    /// An array; [`Arg::inner`] describes the elements.
    Arr,
    /// An object; [`Arg::inner`] describes its members.
    Obj,
    /// An object whose members may also be given as named parameters of their own.
    ObjNamed,
    /// An object whose keys the caller chooses.
    ObjUserKeys,
}

impl ArgType {
    /// Returns the JSON type wanted, or `None` where several are possible.
    pub fn json_type(self) -> Option<&'static str> {
        match self {
            ArgType::Str | ArgType::StrHex => Some("string"),
            ArgType::Num => Some("number"),
            ArgType::Bool => Some("bool"),
            ArgType::Amount | ArgType::Range => None,
            ArgType::Arr => Some("array"),
            ArgType::Obj | ArgType::ObjNamed | ArgType::ObjUserKeys => Some("object"),
        }
    }
}

/// Whether an argument must be given, and what holds if it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Must be given.
    Required,
    /// May be left out; nothing takes its place.
    Optional,
    /// May be left out; this JSON text takes its place (strings with their quotes: `"\"all\""`).
    Json(&'static str),
    /// May be left out; help prints this of what happens then.
    Hint(&'static str),
}

/// One argument of a command, or a member or element of one.
#[derive(Debug, Clone, Copy)]
pub struct Arg {
    /// Name, with aliases after it separated by `|`.
    pub names: &'static str,
    /// Type.
    pub kind: ArgType,
    /// Required, optional, default.
    pub default: Default,
    /// Description for help.
    pub help: &'static str,
    /// Members of an object, elements of an array.
    pub inner: &'static [Arg],
    /// Left out of help, as is every argument after it.
    pub hidden: bool,
    /// Any JSON type is passed through to the command.
    pub skip_type_check: bool,
    /// A member of [`ArgType::ObjNamed`] that shares its name with a positional argument.
    pub also_positional: bool,
    /// Replaces the one-line form in the first line of help unless empty.
    pub oneline: &'static str,
    /// Replaces, for a member of an object, the value shown and the type in its description.
    pub type_str: Option<(&'static str, &'static str)>,
}

impl Arg {
    /// Describes an argument.
    pub const fn new(names: &'static str, kind: ArgType, default: Default, help: &'static str) -> Self {
        Arg {
            names,
            kind,
            default,
            help,
            inner: &[],
            hidden: false,
            skip_type_check: false,
            also_positional: false,
            oneline: "",
            type_str: None,
        }
    }

    /// Describes an argument that must be given.
    pub const fn required(names: &'static str, kind: ArgType, help: &'static str) -> Self {
        Arg::new(names, kind, Default::Required, help)
    }

    /// Describes an argument that may be left out.
    pub const fn optional(names: &'static str, kind: ArgType, help: &'static str) -> Self {
        Arg::new(names, kind, Default::Optional, help)
    }

    /// Describes an argument with a default, written as JSON text.
    pub const fn or(names: &'static str, kind: ArgType, default: &'static str, help: &'static str) -> Self {
        Arg::new(names, kind, Default::Json(default), help)
    }

    /// Adds members or elements.
    pub const fn inner(mut self, inner: &'static [Arg]) -> Self {
        self.inner = inner;
        self
    }

    /// Leaves the argument, and those after it, out of help.
    pub const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Accepts any JSON type; the command checks it.
    pub const fn skip_type_check(mut self) -> Self {
        self.skip_type_check = true;
        self
    }

    /// Allows a positional argument of the same name beside this member.
    pub const fn also_positional(mut self) -> Self {
        self.also_positional = true;
        self
    }

    /// Sets the one-line form.
    pub const fn oneline(mut self, oneline: &'static str) -> Self {
        self.oneline = oneline;
        self
    }

    /// Sets the value shown and the type named in the description.
    pub const fn type_str(mut self, value: &'static str, description: &'static str) -> Self {
        self.type_str = Some((value, description));
        self
    }

    /// Returns the name without aliases.
    pub fn name(&self) -> &'static str {
        self.names.split('|').next().unwrap_or(self.names)
    }

    /// Says whether `name` is the name or an alias.
    pub fn is_named(&self, name: &str) -> bool {
        self.names.split('|').any(|own| own == name)
    }

    /// Says whether it may be left out.
    pub fn is_optional(&self) -> bool {
        self.default != Default::Required
    }

    /// Returns the default as a value; null where there is none.
    pub(crate) fn default_value(&self) -> Value {
        match self.default {
            Default::Json(text) => serde_json::from_str(text).expect("defaults in the table are JSON"),
            Default::Required | Default::Optional | Default::Hint(_) => Value::Null,
        }
    }

    /// Returns what is wrong with the type of `value`, if anything is.
    pub(crate) fn type_mismatch(&self, value: &Value) -> Option<String> {
        if self.skip_type_check || (self.is_optional() && value.is_null()) {
            return None;
        }
        let expected = self.kind.json_type()?;
        (json::type_name(value) != expected).then(|| json::wrong_type_text(value, expected))
    }
}
