//! The body of a request as it is read: one request, a batch, or neither.
//!
//! Separate from what is done with it because it is read in one go: only the members that mean something are kept, the
//! first of each name, and parameters that are given by name are looked at for one that is given twice, which a parsed
//! JSON object could not tell.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The name by which the parser hands over a number that no machine type holds, as an object of one member.
const NUMBER: &str = "$serde_json::private::Number";

/// A body that is JSON.
#[derive(Debug, PartialEq)]
pub(super) enum Body {
    One(Box<Incoming>),
    /// `None` for what is no object.
    Many(Vec<Option<Incoming>>),
    Neither,
}

/// A request as it came. Members that are null are as good as missing, but for the id.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Incoming {
    pub id: Option<Value>,
    pub version: Option<Value>,
    pub method: Option<Value>,
    pub params: Option<Params>,
}

/// Parameters.
#[derive(Debug, PartialEq)]
pub(super) enum Params {
    /// Positional ones, or named ones.
    Values(Value),
    /// Named ones, of which this one is given twice.
    Repeated(String),
    /// Something else.
    Wrong,
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Body, D::Error> {
        deserializer.deserialize_any(BodyVisitor)
    }
}

/// What is neither an object nor an array is of no interest but that it is JSON.
macro_rules! neither {
    ($neither:expr) => {
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($neither)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($neither)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($neither)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($neither)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($neither)
        }

        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($neither)
        }

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("any JSON value")
        }
    };
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = Body;

    neither!(Body::Neither);

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Body, A::Error> {
        Ok(IncomingVisitor.visit_map(members)?.map_or(Body::Neither, |request| Body::One(request.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut requests: A) -> Result<Body, A::Error> {
        let mut all = Vec::new();
        while let Some(request) = requests.next_element_seed(IncomingVisitor)? {
            all.push(request);
        }
        Ok(Body::Many(all))
    }
}

struct IncomingVisitor;

impl<'de> DeserializeSeed<'de> for IncomingVisitor {
    type Value = Option<Incoming>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Incoming>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for IncomingVisitor {
    type Value = Option<Incoming>;

    neither!(None);

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Option<Incoming>, A::Error> {
        skip(items)?;
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Option<Incoming>, A::Error> {
        let mut incoming = Incoming::default();
        let mut number = false;
        while let Some(member) = members.next_key_seed(MemberVisitor)? {
            let slot = match member {
                Member::Id => &mut incoming.id,
                Member::Version => &mut incoming.version,
                Member::Method => &mut incoming.method,
                Member::Params if incoming.params.is_none() => {
                    incoming.params = Some(members.next_value_seed(ParamsVisitor)?);
                    continue;
                }
                Member::Params | Member::Other => &mut None,
                Member::Number => {
                    number = true;
                    &mut None
                }
            };
            let value = members.next_value()?;
            slot.get_or_insert(value);
        }
        Ok((!number).then_some(incoming))
    }
}

/// Members of a request.
enum Member {
    Id,
    Version,
    Method,
    Params,
    Number,
    Other,
}

struct MemberVisitor;

impl<'de> DeserializeSeed<'de> for MemberVisitor {
    type Value = Member;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Member, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Member, E> {
        Ok(match name {
            "id" => Member::Id,
            "jsonrpc" => Member::Version,
            "method" => Member::Method,
            "params" => Member::Params,
            NUMBER => Member::Number,
            _ => Member::Other,
        })
    }
}

struct ParamsVisitor;

impl<'de> DeserializeSeed<'de> for ParamsVisitor {
    type Value = Params;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Params, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ParamsVisitor {
    type Value = Params;

    fn visit_unit<E>(self) -> Result<Params, E> {
        Ok(Params::Values(Value::Array(Vec::new())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Params, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element()? {
            values.push(value);
        }
        Ok(Params::Values(Value::Array(values)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Params, A::Error> {
        let mut named = Map::new();
        let mut repeated = None;
        let mut number = false;
        while let Some(name) = members.next_key::<String>()? {
            number |= name == NUMBER;
            let value: Value = members.next_value()?;
            if named.contains_key(&name) {
                repeated.get_or_insert(name);
            } else {
                named.insert(name, value);
            }
        }
        Ok(match repeated {
            _ if number => Params::Wrong,
            Some(name) => Params::Repeated(name),
            None => Params::Values(Value::Object(named)),
        })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Params, E> {
        Ok(Params::Wrong)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Params, E> {
        Ok(Params::Wrong)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Params, E> {
        Ok(Params::Wrong)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Params, E> {
        Ok(Params::Wrong)
    }

    fn visit_str<E>(self, _: &str) -> Result<Params, E> {
        Ok(Params::Wrong)
    }

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }
}

fn skip<'de, A: SeqAccess<'de>>(mut items: A) -> Result<(), A::Error> {
    while items.next_element::<Value>()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Option<Body> {
        common::json::read(text.as_bytes()).ok()
    }

    #[test]
    fn members() {
        let check = |text: &str, expected: Incoming| assert_eq!(read(text), Some(Body::One(expected.into())), "{text}");
        check("{}", Incoming::default());
        check(
            r#"{"jsonrpc":"2.0","id":1.50,"method":"a","params":[1.5,{"x":[]}],"more":{"id":5}}"#,
            Incoming {
                id: serde_json::from_str("1.50").ok(),
                version: Some(json!("2.0")),
                method: Some(json!("a")),
                params: serde_json::from_str(r#"[1.5,{"x":[]}]"#).ok().map(Params::Values),
            },
        );
        // The first of each name.
        check(
            r#"{"id":null,"id":1,"method":"a","method":"b","params":null,"params":[1]}"#,
            Incoming {
                id: Some(Value::Null),
                method: Some(json!("a")),
                params: Some(Params::Values(json!([]))),
                ..Incoming::default()
            },
        );
    }

    #[test]
    fn parameters() {
        let check = |text: &str, expected: Params| {
            let body = format!(r#"{{"params":{text}}}"#);
            let expected = Incoming { params: Some(expected), ..Incoming::default() };
            assert_eq!(read(&body), Some(Body::One(expected.into())), "{body}");
        };
        check(r#"{"x":1,"y":2}"#, Params::Values(json!({"x": 1, "y": 2})));
        check(r#"{"x":1,"y":2.5,"x":{"z":1,"z":2},"y":1}"#, Params::Repeated("x".to_owned()));
        check(r#"{"y":{"z":1,"z":2}}"#, Params::Values(json!({"y": {"z": 2}})));
        check(r#"[{"x":1,"x":1}]"#, Params::Values(json!([{"x": 1}])));
        for wrong in ["5", "-5", "1.5", "1e400", "true", r#""text""#, "123456789012345678901234567890"] {
            check(wrong, Params::Wrong);
        }
    }

    #[test]
    fn batches_and_neither() {
        let check = |text: &str, expected: Body| assert_eq!(read(text), Some(expected), "{text}");
        for neither in ["5", "-5", "1.5", "1e400", "true", "null", r#""text""#] {
            check(neither, Body::Neither);
        }
        let empty = || Some(Incoming::default());
        check("[]", Body::Many(Vec::new()));
        check(
            r#"[{},5,1.5,"x",null,true,[{"id":1},2],{}]"#,
            Body::Many(vec![empty(), None, None, None, None, None, None, empty()]),
        );
        for broken in ["", "{", "[", "[{}", r#"{"a":1 "b"}"#, r#"{"a":tru}"#, "[1,]", "{} x", r#"{"params":[}"#] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }

    #[test]
    fn depth_is_that_of_any_json() {
        let nested = |depth: usize| format!(r#"{{"more":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(511)).is_some());
        assert!(read(&nested(512)).is_none());
        assert!(read(&nested(100_000)).is_none());
    }
}
