//! Finds parameters that a request names twice.
//!
//! Separate because it reads the text once more: a parsed JSON object holds one value a name, and which of two a client
//! meant is not for the server to guess.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Names, for each request of a body in order, a member that its `params` object has twice.
pub(super) fn repeated_parameters(body: &[u8]) -> Vec<Option<String>> {
    let mut found = Vec::new();
    // The caller has parsed the body already; whatever else is wrong with it, its depth included, was said then.
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    deserializer.disable_recursion_limit();
    let _ = Walk { at: Place::Body, found: &mut found }.deserialize(&mut deserializer);
    found
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Body,
    Request,
    Params,
}

struct Walk<'a> {
    at: Place,
    found: &'a mut Vec<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if self.at != Place::Body {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        loop {
            self.found.push(None);
            if items.next_element_seed(Walk { at: Place::Request, found: self.found })?.is_none() {
                self.found.pop();
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        if self.at == Place::Body {
            self.found.push(None);
        }
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if self.at != Place::Params && name == "params" {
                members.next_value_seed(Walk { at: Place::Params, found: self.found })?;
                continue;
            }
            members.next_value::<IgnoredAny>()?;
            if self.at == Place::Params && !seen.insert(name.clone()) {
                let slot = self.found.last_mut().expect("pushed before the request was entered");
                slot.get_or_insert(name);
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated() {
        let check = |body: &str, expected: &[Option<&str>]| {
            let found = repeated_parameters(body.as_bytes());
            assert_eq!(found.iter().map(Option::as_deref).collect::<Vec<_>>(), expected, "{body}");
        };
        check(r#"{"method":"a","params":{"x":1,"y":1}}"#, &[None]);
        check(r#"{"params":{"x":1,"y":2.5,"x":{"z":1,"z":2}}}"#, &[Some("x")]);
        check(r#"{"params":{"y":{"z":1,"z":2}}}"#, &[None]);
        check(r#"{"params":[{"x":1,"x":1}],"x":1,"x":2}"#, &[None]);
        check(
            r#"[{"params":{"a":1}},5,1.5,"x",null,true,[{"params":{"c":1,"c":1}}],{"params":{"b":1,"b":2,"d":1,"d":1}}]"#,
            &[None, None, None, None, None, None, None, Some("b")],
        );
        check(r#"{"params":5}"#, &[None]);
        check("5", &[]);
        check("{", &[None]);
    }
}
