//! Amounts as options take them: a decimal number of bitcoins. Stricter than a general number parser, so that a
//! configuration means the same here and in Bitcoin Core.

const COIN: i64 = 100_000_000;
const MAX_MONEY: i64 = 21_000_000 * COIN;

/// Reads an amount in bitcoins as satoshi: digits, at most one point with at most eight digits after it, no sign.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || whole.len() > 10 || decimals.len() > 8 {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let units: i64 = format!("{decimals:0<8}").parse().ok()?;
    let value = whole.checked_mul(COIN)?.checked_add(units)?;
    (value <= MAX_MONEY).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(parse(text), expected, "{text:?}");
        check("0", Some(0));
        check(" 0.00001000 ", Some(1000));
        check("1", Some(COIN));
        check("1.", Some(COIN));
        check(".5", Some(COIN / 2));
        check("21000000", Some(MAX_MONEY));
        check("21000000.00000001", None);
        check("0.000000001", None);
        check("-1", None);
        check("", None);
        check("1e-8", None);
        check("1.2.3", None);
        check("99999999999", None);
    }
}
