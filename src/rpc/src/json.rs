//! JSON values as Bitcoin Core writes and reads them: amounts with eight decimals, sixteen-digit floats, and the
//! type errors its clients know. Separate from the tables because commands use it on nested values too.

use std::str::FromStr;

use bitcoin::{Amount, SignedAmount};
use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

use crate::RpcError;

const COIN: u64 = 100_000_000;
const MAX_MONEY: i64 = 21_000_000 * COIN as i64;

/// Returns Core's name of a value's type.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Makes the type error for `value` where `expected` was wanted.
pub fn wrong_type(value: &Value, expected: &str) -> RpcError {
    RpcError::type_error(wrong_type_text(value, expected))
}

pub(crate) fn wrong_type_text(value: &Value, expected: &str) -> String {
    format!("JSON value of type {} is not of expected type {expected}", type_name(value))
}

fn number(text: &str) -> Value {
    Value::Number(Number::from_str(text).expect("a decimal number is a JSON number"))
}

/// Writes an amount in BTC with eight decimals.
pub fn amount(amount: Amount) -> Value {
    let sat = amount.to_sat();
    number(&format!("{}.{:08}", sat / COIN, sat % COIN))
}

/// Writes a signed amount in BTC with eight decimals.
pub fn signed_amount(amount: SignedAmount) -> Value {
    let sat = amount.to_sat();
    let (sign, sat) = (if sat < 0 { "-" } else { "" }, sat.unsigned_abs());
    number(&format!("{sign}{}.{:08}", sat / COIN, sat % COIN))
}

/// Writes a floating point number with up to sixteen significant digits, like C's `%.16g`; not a number becomes null.
pub fn float(value: f64) -> Value {
    if !value.is_finite() {
        return Value::Null;
    }
    if value == 0.0 {
        return number("0");
    }
    let scientific = format!("{value:.15e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("scientific notation has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is an integer");
    if (-4..16).contains(&exponent) {
        let decimals = usize::try_from(15 - exponent).unwrap_or(0);
        let fixed = format!("{value:.decimals$}");
        return number(strip_zeros(&fixed));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    number(&format!("{}e{sign}{:02}", strip_zeros(mantissa), exponent.abs()))
}

fn strip_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// Writes bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = Vec::with_capacity(2 * bytes.len());
    append_hex(&mut text, bytes);
    String::from_utf8(text).expect("digits are ASCII")
}

/// Adds bytes in hexadecimal to the end of a text.
pub fn append_hex(text: &mut Vec<u8>, bytes: &[u8]) {
    let begin = text.len();
    text.resize(begin + 2 * bytes.len(), 0);
    for (digits, byte) in text[begin..].chunks_exact_mut(2).zip(bytes) {
        digits[0] = digit(byte >> 4);
        digits[1] = digit(byte & 15);
    }
}

/// Adds a hash, or another number of 256 bits with its lowest byte first, to the end of a text.
pub fn append_hash(text: &mut Vec<u8>, hash: &[u8; 32]) {
    let mut bytes = *hash;
    bytes.reverse();
    append_hex(text, &bytes);
}

/// Written so that a compiler does many at a time.
fn digit(nibble: u8) -> u8 {
    nibble + if nibble < 10 { b'0' } else { b'a' - 10 }
}

/// A hash that is written with its highest byte first.
#[derive(Debug, Clone, Copy)]
pub struct Hash<'a>(pub &'a [u8; 32]);

impl Serialize for Hash<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = Vec::with_capacity(64);
        append_hash(&mut text, self.0);
        serializer.serialize_str(str::from_utf8(&text).expect("digits are ASCII"))
    }
}

/// Something that is written as it displays.
#[derive(Debug, Clone, Copy)]
pub struct Text<T>(pub T);

impl<T: std::fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Prints a value over several lines, indented by four.
pub fn pretty(value: &Value) -> String {
    pretty_indented(value, 4)
}

/// Prints a value over several lines, indented by `width`; empty arrays and objects take one line.
pub fn pretty_indented(value: &Value, width: usize) -> String {
    let indent = " ".repeat(width);
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    match serde::Serialize::serialize(value, &mut serializer) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        // Writing a value to memory has no way to fail; the compact form is as good an answer as any.
        Err(_) => value.to_string(),
    }
}

/// Reads an amount in BTC from a number or a string.
pub fn parse_amount(value: &Value) -> Result<Amount, RpcError> {
    parse_amount_decimals(value, 8)
}

/// Reads an amount from a number or a string with `decimals` digits after the point, as units of its last digit.
pub fn parse_amount_decimals(value: &Value, decimals: u32) -> Result<Amount, RpcError> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return Err(RpcError::type_error("Amount is not a number or string")),
    };
    let units = parse_fixed_point(&text, decimals).ok_or_else(|| RpcError::type_error("Invalid amount"))?;
    if !(0..=MAX_MONEY).contains(&units) {
        return Err(RpcError::type_error("Amount out of range"));
    }
    Ok(Amount::from_sat(units.unsigned_abs()))
}

/// Parses a JSON number exactly into an integer count of `10^-decimals`; `None` if it has more digits than that, is
/// not a number, or does not fit below 10^18.
pub fn parse_fixed_point(text: &str, decimals: u32) -> Option<i64> {
    const UPPER_BOUND: i128 = 1_000_000_000_000_000_000 - 1;
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            (mantissa, exponent.parse::<i32>().ok()?)
        }
        None => (rest, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let digits_only = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) || !digits_only(whole) || !digits_only(fraction)
    {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let dropped = i32::try_from(digits.len() - significant.len()).ok()?;
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let scale = exponent
        .checked_sub(i32::try_from(fraction.len()).ok()?)?
        .checked_add(dropped)?
        .checked_add(i32::try_from(decimals).ok()?)?;
    if !(0..18).contains(&scale) || significant.len() > 18 {
        return None;
    }
    let units = significant.parse::<i128>().ok()?.checked_mul(10i128.checked_pow(scale.unsigned_abs())?)?;
    if units > UPPER_BOUND {
        return None;
    }
    let units = i64::try_from(units).ok()?;
    Some(if negative { -units } else { units })
}

/// Reads a string.
pub fn as_str(value: &Value) -> Result<&str, RpcError> {
    value.as_str().ok_or_else(|| wrong_type(value, "string"))
}

/// Reads a boolean.
pub fn as_bool(value: &Value) -> Result<bool, RpcError> {
    value.as_bool().ok_or_else(|| wrong_type(value, "bool"))
}

/// Reads an integer of any width; a number that is not one, or does not fit, is "out of range".
pub fn as_int<T: FromStr>(value: &Value) -> Result<T, RpcError> {
    let Value::Number(number) = value else { return Err(wrong_type(value, "number")) };
    number.as_str().parse().map_err(|_| RpcError::misc("JSON integer out of range"))
}

/// Reads a floating point number.
pub fn as_f64(value: &Value) -> Result<f64, RpcError> {
    let Value::Number(number) = value else { return Err(wrong_type(value, "number")) };
    number.as_str().parse().map_err(|_| RpcError::misc("JSON double out of range"))
}

/// Reads an array.
pub fn as_array(value: &Value) -> Result<&Vec<Value>, RpcError> {
    value.as_array().ok_or_else(|| wrong_type(value, "array"))
}

/// Reads an object.
pub fn as_object(value: &Value) -> Result<&serde_json::Map<String, Value>, RpcError> {
    value.as_object().ok_or_else(|| wrong_type(value, "object"))
}

/// Reads a 256-bit hash in display order; `name` is the parameter's, for the error.
pub fn parse_hash<T: FromStr>(value: &Value, name: &str) -> Result<T, RpcError> {
    let text = as_str(value)?;
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return text.parse().map_err(|_| not_hex(name, text));
    }
    if text.len() != 64 {
        return Err(RpcError::invalid_parameter(format!(
            "{name} must be of length 64 (not {}, for '{text}')",
            text.len()
        )));
    }
    Err(not_hex(name, text))
}

/// Reads bytes from a hexadecimal string; `name` is the parameter's, for the error.
pub fn parse_hex(value: &Value, name: &str) -> Result<Vec<u8>, RpcError> {
    use bitcoin::hex::FromHex;
    let text = value.as_str().unwrap_or("");
    if text.is_empty() {
        return Err(not_hex(name, text));
    }
    Vec::from_hex(text).map_err(|_| not_hex(name, text))
}

fn not_hex(name: &str, text: &str) -> RpcError {
    RpcError::invalid_parameter(format!("{name} must be hexadecimal string (not '{text}')"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_have_eight_decimals() {
        let check = |sat: i64, expected: &str| {
            assert_eq!(signed_amount(SignedAmount::from_sat(sat)).to_string(), expected);
            if let Ok(sat) = u64::try_from(sat) {
                assert_eq!(amount(Amount::from_sat(sat)).to_string(), expected);
            }
        };
        check(0, "0.00000000");
        check(1, "0.00000001");
        check(5_000_000_000, "50.00000000");
        check(-1, "-0.00000001");
        check(-150_000_000, "-1.50000000");
    }

    #[test]
    fn floats_have_sixteen_digits() {
        let check = |value: f64, expected: &str| assert_eq!(float(value).to_string(), expected);
        check(0.0, "0");
        check(1.0, "1");
        check(0.1, "0.1");
        check(4.656542373906925e-10, "4.656542373906925e-10");
        check(1e16, "1e+16");
        check(123456789.0, "123456789");
        check(0.0001, "0.0001");
        check(0.00001, "1e-05");
        check(1.0 / 3.0, "0.3333333333333333");
        check(-2.5, "-2.5");
    }

    #[test]
    fn fixed_point() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(parse_fixed_point(text, 8), expected, "{text}");
        check("0", Some(0));
        check("1", Some(100_000_000));
        check("-0.1", Some(-10_000_000));
        check("0.00000001", Some(1));
        check("0.000000001", None);
        check("1.100000000", Some(110_000_000));
        check("1e-8", Some(1));
        check("1e8", Some(10_000_000_000_000_000));
        check("1.", None);
        check(".1", None);
        check("01", None);
        check("", None);
        check("-", None);
        check("1e", None);
        check("1e+", None);
        check("9999999999.99999999", Some(999_999_999_999_999_999));
        check("10000000000.00000000", None);
        check("1e99999999999", None);
        check("+1", None);
        check(" 1", None);
    }

    #[test]
    fn amount_errors() {
        let check = |value: Value, expected: &str| {
            let error = parse_amount(&value).expect_err("no amount");
            assert_eq!((error.code, error.message.as_str()), (-3, expected));
        };
        check(json!(null), "Amount is not a number or string");
        check(json!("x"), "Invalid amount");
        check(json!(-1), "Amount out of range");
        check(json!(21000001), "Amount out of range");
    }

    #[test]
    fn hashes() {
        let check = |value: Value, expected: &str| {
            assert_eq!(parse_hash::<bitcoin::Txid>(&value, "txid").expect_err("no hash").message, expected);
        };
        check(json!("ab"), "txid must be of length 64 (not 2, for 'ab')");
        let bad = "Z".repeat(64);
        check(json!(bad), &format!("txid must be hexadecimal string (not '{bad}')"));
        check(json!(1), "JSON value of type number is not of expected type string");
    }
}
