//! The description of what a command returns, for help and for the check under `-rpcdoccheck`.

use serde_json::{Map, Value};

use crate::json;

/// Type of a result, or of a member or element of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResType {
    /// A string.
    Str,
    /// A string of hexadecimal digits.
    StrHex,
    /// An amount in BTC.
    Amount,
    /// A number.
    Num,
    /// A number: Unix seconds.
    Time,
    /// A boolean.
    Bool,
    /// Null.
    None,
    /// Anything; not shown in help.
    Any,
    /// An array of any length; the last of [`Res::inner`] describes all further elements.
    Arr,
    /// An array of fixed length.
    ArrFixed,
    /// An object.
    Obj,
    /// An object whose keys are not fixed; the first of [`Res::inner`] describes each member.
    ObjDyn,
}

/// Whether help shows a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elision {
    /// Shown.
    Shown,
    /// Checked, but not shown.
    Skipped,
    /// Shown as `...` with this text.
    Summary(&'static str),
}

/// A result, or a member or element of one.
#[derive(Debug, Clone, Copy)]
pub struct Res {
    /// Type.
    pub kind: ResType,
    /// Key in the enclosing object; empty elsewhere.
    pub key: &'static str,
    /// May be missing.
    pub optional: bool,
    /// Description.
    pub help: &'static str,
    /// Members or elements.
    pub inner: &'static [Res],
    /// For which calls this is the result; empty for all.
    pub condition: &'static str,
    /// Not checked under `-rpcdoccheck`.
    pub skip_type_check: bool,
    pub(crate) elision: Elision,
}

impl Res {
    /// Describes a result.
    pub const fn new(kind: ResType, key: &'static str, help: &'static str) -> Self {
        Res {
            kind,
            key,
            optional: false,
            help,
            inner: &[],
            condition: "",
            skip_type_check: false,
            elision: Elision::Shown,
        }
    }

    /// A string.
    pub const fn str(key: &'static str, help: &'static str) -> Self {
        Res::new(ResType::Str, key, help)
    }

    /// Hexadecimal digits.
    pub const fn hex(key: &'static str, help: &'static str) -> Self {
        Res::new(ResType::StrHex, key, help)
    }

    /// A number.
    pub const fn num(key: &'static str, help: &'static str) -> Self {
        Res::new(ResType::Num, key, help)
    }

    /// Unix seconds.
    pub const fn time(key: &'static str, help: &'static str) -> Self {
        Res::new(ResType::Time, key, help)
    }

    /// An amount in BTC.
    pub const fn amount(key: &'static str, help: &'static str) -> Self {
        Res::new(ResType::Amount, key, help)
    }

    /// A boolean.
    pub const fn bool(key: &'static str, help: &'static str) -> Self {
        Res::new(ResType::Bool, key, help)
    }

    /// Null.
    pub const fn none() -> Self {
        Res::new(ResType::None, "", "")
    }

    /// Anything; not shown in help.
    pub const fn any() -> Self {
        Res::new(ResType::Any, "", "")
    }

    /// An object with these members.
    pub const fn obj(key: &'static str, help: &'static str, inner: &'static [Res]) -> Self {
        Res::new(ResType::Obj, key, help).inner(inner)
    }

    /// An object with keys of the caller's or the data's.
    pub const fn obj_dyn(key: &'static str, help: &'static str, inner: &'static [Res]) -> Self {
        Res::new(ResType::ObjDyn, key, help).inner(inner)
    }

    /// An array with these elements.
    pub const fn arr(key: &'static str, help: &'static str, inner: &'static [Res]) -> Self {
        Res::new(ResType::Arr, key, help).inner(inner)
    }

    /// Sets members or elements.
    pub const fn inner(mut self, inner: &'static [Res]) -> Self {
        self.inner = inner;
        self
    }

    /// May be missing.
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Names the calls this is the result of, e.g. `for verbosity = 0`.
    pub const fn when(mut self, condition: &'static str) -> Self {
        self.condition = condition;
        self
    }

    /// Is not checked under `-rpcdoccheck`.
    pub const fn skip_type_check(mut self) -> Self {
        self.skip_type_check = true;
        self
    }

    /// Is checked, but not shown in help.
    pub const fn elided(mut self) -> Self {
        self.elision = Elision::Skipped;
        self
    }

    /// Is shown as `...` with this text.
    pub const fn summary(mut self, text: &'static str) -> Self {
        self.elision = Elision::Summary(text);
        self
    }

    /// Elides all fields but those at the positions in `keep`; the first is shown as `...` with `text`, if there is any.
    pub const fn elide<const N: usize, const K: usize>(
        mut fields: [Res; N],
        keep: [usize; K],
        text: &'static str,
    ) -> [Res; N] {
        let mut at = 0;
        while at < N {
            let (mut kept, mut next) = (false, 0);
            while next < K {
                kept |= keep[next] == at;
                next += 1;
            }
            if !kept {
                fields[at] = if at == 0 && !text.is_empty() { fields[at].summary(text) } else { fields[at].elided() };
            }
            at += 1;
        }
        fields
    }

    fn json_type(&self) -> Option<&'static str> {
        match self.kind {
            ResType::Any => None,
            ResType::None => Some("null"),
            ResType::Str | ResType::StrHex => Some("string"),
            ResType::Num | ResType::Amount | ResType::Time => Some("number"),
            ResType::Bool => Some("bool"),
            ResType::Arr | ResType::ArrFixed => Some("array"),
            ResType::Obj | ResType::ObjDyn => Some("object"),
        }
    }

    /// Returns how `value` differs from this description; `None` if it does not.
    pub(crate) fn mismatch(&self, value: &Value) -> Option<Value> {
        if self.skip_type_check {
            return None;
        }
        let expected = self.json_type()?;
        let found = json::type_name(value);
        if found != expected {
            return Some(format!("returned type is {found}, but declared as {expected} in doc").into());
        }
        let errors = match value {
            Value::Array(elements) => self.mismatched_elements(elements),
            Value::Object(members) => self.mismatched_members(members),
            _ => return None,
        };
        (!errors.is_empty()).then_some(Value::Object(errors))
    }

    fn mismatched_elements(&self, elements: &[Value]) -> Map<String, Value> {
        let described = |at: usize| self.inner.get(at).or(self.inner.last());
        elements
            .iter()
            .enumerate()
            .filter_map(|(at, value)| Some((at.to_string(), described(at)?.mismatch(value)?)))
            .collect()
    }

    fn mismatched_members(&self, members: &Map<String, Value>) -> Map<String, Value> {
        if self.kind == ResType::ObjDyn {
            let described = self.inner.first();
            return members
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), described?.mismatch(value)?)))
                .collect();
        }
        let mut errors = Map::new();
        for key in members.keys() {
            if !self.inner.iter().any(|described| described.key == key) {
                errors.insert(key.clone(), "key returned that was not in doc".into());
            }
        }
        for described in self.inner {
            let error = match members.get(described.key) {
                Some(value) => described.mismatch(value),
                None if described.optional => None,
                None => Some("key missing, despite not being optional in doc".into()),
            };
            if let Some(error) = error {
                errors.insert(described.key.to_owned(), error);
            }
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DOC: Res =
        Res::obj("", "", &[Res::num("n", ""), Res::str("s", "").optional(), Res::arr("a", "", &[Res::hex("", "")])]);

    #[test]
    fn fields_are_elided() {
        let fields = Res::elide([Res::num("a", ""), Res::num("b", ""), Res::num("c", "")], [1], "as above");
        let shown = fields.map(|field| field.elision);
        assert_eq!(shown, [Elision::Summary("as above"), Elision::Shown, Elision::Skipped]);
        let silent = Res::elide([Res::num("a", ""), Res::num("b", "")], [1], "");
        assert_eq!(silent.map(|field| field.elision), [Elision::Skipped, Elision::Shown]);
    }

    #[test]
    fn differences_from_the_description() {
        let check = |value: Value, expected: Option<Value>| assert_eq!(DOC.mismatch(&value), expected);
        check(json!({"n": 1, "a": ["00"]}), None);
        check(json!({"n": 1, "s": "x", "a": []}), None);
        check(json!(1), Some(json!("returned type is number, but declared as object in doc")));
        check(json!({"a": []}), Some(json!({"n": "key missing, despite not being optional in doc"})));
        check(json!({"n": 1, "a": [], "x": 1}), Some(json!({"x": "key returned that was not in doc"})));
        check(
            json!({"n": 1, "a": ["00", 5]}),
            Some(json!({"a": {"1": "returned type is number, but declared as string in doc"}})),
        );
    }
}
