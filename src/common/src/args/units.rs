//! Amounts of bytes as options take them: digits, and a letter for the unit.

/// Bytes of a unit: lower case counts in thousands, upper case in 1024s.
fn unit(letter: char) -> Option<u64> {
    Some(match letter {
        'k' => 1000,
        'K' => 1 << 10,
        'm' => 1_000_000,
        'M' => 1 << 20,
        'g' => 1_000_000_000,
        'G' => 1 << 30,
        't' => 1_000_000_000_000,
        'T' => 1 << 40,
        _ => return None,
    })
}

/// Reads an amount of bytes; `default` is the unit's letter where none is written.
pub fn parse_bytes(text: &str, default: char) -> Option<u64> {
    let (digits, letter) = match text.chars().next_back().filter(|letter| unit(*letter).is_some()) {
        Some(letter) => (&text[..text.len() - 1], letter),
        None => (text, default),
    };
    // Rust's own parser would take a sign.
    let digits = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse::<u64>().ok()?.checked_mul(unit(letter)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_bytes() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(parse_bytes(text, 'M'), expected, "{text:?}");
        check("0", Some(0));
        check("5", Some(5 << 20));
        check("5k", Some(5000));
        check("1T", Some(1 << 40));
        check("16777215T", Some(16_777_215 << 40));
        check("16777216T", None);
        for text in ["", "k", "-1", "+1", " 1", "1 ", "1x", "1kk", "0x1", "1.5", "99999999999999999999", "1é"] {
            check(text, None);
        }
    }
}
