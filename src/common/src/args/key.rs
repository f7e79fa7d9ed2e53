//! One key and its value, as command line and configuration files write them: sections, negation, elision.

use serde_json::Value;

use super::table::Opt;

/// A key taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Before the dot; empty if there is none.
    pub section: String,
    /// Without section and negation.
    pub name: String,
    /// Written with a leading `no`.
    pub negated: bool,
}

impl Key {
    /// Takes apart `name`, `noname`, `section.name` or `section.noname`.
    pub fn parse(key: &str) -> Key {
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        let (negated, name) = match name.strip_prefix("no") {
            Some(name) => (true, name),
            None => (false, name),
        };
        Key { section: section.to_owned(), name: name.to_owned(), negated }
    }

    /// Returns the value to store: `false` for a negation, the text otherwise, or why it is not allowed.
    pub fn value(&self, value: Option<&str>, opt: &Opt) -> Result<Value, String> {
        let name = &self.name;
        if self.negated {
            if opt.disallow_negation {
                return Err(format!("Negating of -{name} is meaningless and therefore forbidden"));
            }
            if let Some(value) = value.filter(|value| !text_to_bool(value)) {
                log::warn!("Parsed potentially confusing double-negative -{name}={value}");
                return Ok(Value::Bool(true));
            }
            return Ok(Value::Bool(false));
        }
        if value.is_none() && opt.disallow_elision {
            return Err(format!("Can not set -{name} with no value. Please specify value with -{name}=value."));
        }
        Ok(Value::String(value.unwrap_or_default().to_owned()))
    }
}

/// Reads a boolean: empty is true, a number is true unless zero, any other text is false.
pub(super) fn text_to_bool(text: &str) -> bool {
    text.is_empty() || text_to_int(text) != 0
}

/// Reads leading digits as C's `atoi` does, but stays at the limits instead of overflowing; no digits are zero.
pub(super) fn text_to_int(text: &str) -> i64 {
    let (negative, digits) = leading_digits(text);
    if digits.is_empty() {
        return 0;
    }
    let signed = if negative { format!("-{digits}") } else { digits.to_owned() };
    signed.parse().unwrap_or(if negative { i64::MIN } else { i64::MAX })
}

/// Reads leading digits of a number that cannot be negative: with a minus it is zero.
pub(super) fn text_to_uint(text: &str) -> u64 {
    match leading_digits(text) {
        (true, _) | (_, "") => 0,
        (false, digits) => digits.parse().unwrap_or(u64::MAX),
    }
}

/// Returns whether there is a minus, and the digits up to what is none.
fn leading_digits(text: &str) -> (bool, &str) {
    let text = text.trim_matches([' ', '\x0c', '\n', '\r', '\t', '\x0b']);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    (negative, &digits[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let check = |key: &str, section: &str, name: &str, negated: bool| {
            assert_eq!(Key::parse(key), Key { section: section.to_owned(), name: name.to_owned(), negated });
        };
        check("server", "", "server", false);
        check("noserver", "", "server", true);
        check("regtest.server", "regtest", "server", false);
        check("regtest.noserver", "regtest", "server", true);
        check("node", "", "de", true);
        check("a.b.c", "a", "b.c", false);
    }

    #[test]
    fn integers() {
        let check = |text: &str, expected: i64| assert_eq!(text_to_int(text), expected, "{text:?}");
        check("", 0);
        check("12", 12);
        check("-3", -3);
        check("+4", 4);
        check(" 5 ", 5);
        check("6x", 6);
        check("x6", 0);
        check("0x10", 0);
        check("99999999999999999999", i64::MAX);
        check("-99999999999999999999", i64::MIN);
        assert_eq!(["-1", "x", " +7y", "99999999999999999999"].map(text_to_uint), [0, 0, 7, u64::MAX]);
        assert!(text_to_bool("") && text_to_bool("2") && !text_to_bool("0") && !text_to_bool("true"));
    }
}
