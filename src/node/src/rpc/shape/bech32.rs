//! Bech32 and Bech32m (BIP173, BIP350) as far as an address needs them: decoding, and saying where a mistyped one is
//! wrong.
//!
//! Written out here because the libraries only say that a checksum failed: finding up to two wrong characters takes the
//! syndromes of the code over GF(1024). The positions are hints; no correction is offered, since a wrong one costs money.

const CHARSET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CHECKSUM_LEN: usize = 6;
const MAX_LEN: usize = 90;
/// Order of the multiplicative group of GF(1024).
const ORDER: usize = 1023;

/// Which of the two checksums a string carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// BIP173, witness version 0.
    Bech32,
    /// BIP350, witness version 1 and up.
    Bech32m,
}

impl Variant {
    const fn constant(self) -> u32 {
        match self {
            Variant::Bech32 => 1,
            Variant::Bech32m => 0x2bc8_30a3,
        }
    }
}

/// A string with a valid checksum.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Checksum it carries.
    pub variant: Variant,
    /// Human-readable part in lower case.
    pub hrp: String,
    /// 5-bit groups without the checksum.
    pub data: Vec<u8>,
}

/// Why a string did not decode.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Text as Bitcoin Core words it.
    pub message: &'static str,
    /// Positions that are probably wrong, ascending; empty if unknown.
    pub positions: Vec<usize>,
}

impl Fault {
    fn new(message: &'static str, positions: Vec<usize>) -> Self {
        Self { message, positions }
    }
}

/// Decodes a string, or says what is wrong with it and where.
pub(crate) fn decode(text: &str) -> Result<Decoded, Fault> {
    let bytes = text.as_bytes();
    if bytes.len() > MAX_LEN {
        return Err(Fault::new("Bech32 string too long", (MAX_LEN..bytes.len()).collect()));
    }
    let strange = strange_characters(bytes);
    if !strange.is_empty() {
        return Err(Fault::new("Invalid character or mixed case", strange));
    }
    let Some(separator) = bytes.iter().rposition(|&b| b == b'1') else {
        return Err(Fault::new("Missing separator", vec![]));
    };
    if separator == 0 || separator + CHECKSUM_LEN >= bytes.len() {
        return Err(Fault::new("Invalid separator position", vec![separator]));
    }
    let hrp = text[..separator].to_ascii_lowercase();
    let mut values = Vec::with_capacity(bytes.len() - separator);
    for (i, byte) in bytes.iter().enumerate().skip(separator + 1) {
        match CHARSET.iter().position(|c| *c == byte.to_ascii_lowercase()) {
            Some(value) => values.push(value as u8),
            None => return Err(Fault::new("Invalid Base 32 character", vec![i])),
        }
    }
    let residue = residue(&hrp, &values);
    for variant in [Variant::Bech32, Variant::Bech32m] {
        if residue == variant.constant() {
            values.truncate(values.len() - CHECKSUM_LEN);
            return Ok(Decoded { variant, hrp, data: values });
        }
    }
    Err(checksum_fault(residue, values.len(), bytes.len()))
}

/// Regroups 5-bit values into bytes; `None` if padding is longer than 4 bits or not zero.
pub(crate) fn to_bytes(groups: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(groups.len() * 5 / 8);
    let (mut acc, mut bits) = (0u32, 0u32);
    for group in groups {
        acc = ((acc << 5) | u32::from(*group)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((acc >> bits) as u8);
        }
    }
    (bits < 5 && (acc << (8 - bits)) & 0xff == 0).then_some(bytes)
}

fn strange_characters(bytes: &[u8]) -> Vec<usize> {
    let (mut lower, mut upper) = (false, false);
    let mut found = Vec::new();
    for (i, byte) in bytes.iter().enumerate() {
        match byte {
            b'a'..=b'z' if upper => found.push(i),
            b'a'..=b'z' => lower = true,
            b'A'..=b'Z' if lower => found.push(i),
            b'A'..=b'Z' => upper = true,
            33..=126 => {}
            _ => found.push(i),
        }
    }
    found
}

/// Remainder of the codeword polynomial modulo the generator, six 5-bit coefficients packed with the highest first.
fn residue(hrp: &str, values: &[u8]) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let expanded = hrp.bytes().map(|b| b >> 5).chain([0]).chain(hrp.bytes().map(|b| b & 31));
    expanded.chain(values.iter().copied()).fold(1, |c, value| {
        let top = c >> 25;
        let mut c = ((c & 0x1ff_ffff) << 5) ^ u32::from(value);
        for (bit, term) in GENERATOR.iter().enumerate() {
            if (top >> bit) & 1 == 1 {
                c ^= term;
            }
        }
        c
    })
}

/// Blames the variant that explains the string with fewer wrong characters.
fn checksum_fault(residue: u32, data_len: usize, text_len: usize) -> Fault {
    let field = Field::new();
    let mut best: Option<(Variant, Vec<usize>)> = None;
    for variant in [Variant::Bech32, Variant::Bech32m] {
        let from_right = field.locate(residue ^ variant.constant(), data_len);
        let fewer = best.as_ref().is_none_or(|(_, known)| from_right.len() < known.len());
        if !from_right.is_empty() && fewer {
            let mut positions: Vec<usize> = from_right.iter().map(|p| text_len - 1 - p).collect();
            positions.sort_unstable();
            best = Some((variant, positions));
        }
    }
    match best {
        Some((Variant::Bech32, positions)) => Fault::new("Invalid Bech32 checksum", positions),
        Some((Variant::Bech32m, positions)) => Fault::new("Invalid Bech32m checksum", positions),
        None => Fault::new("Invalid checksum", vec![]),
    }
}

/// GF(1024) as GF(32)[e]/(e² + 9e + 23), GF(32) as GF(2)[x]/(x⁵ + x³ + 1): powers of `e` and their logarithms.
/// The generator's roots are e^997, e^998 and e^999.
struct Field {
    exp: [u16; ORDER],
    log: [u16; ORDER + 1],
}

impl Field {
    fn new() -> Self {
        let times = |mut a: u16, mut b: u16| {
            let mut product = 0;
            while b != 0 {
                if b & 1 == 1 {
                    product ^= a;
                }
                a <<= 1;
                if a & 32 != 0 {
                    a ^= 0b10_1001;
                }
                b >>= 1;
            }
            product
        };
        let mut field = Field { exp: [0; ORDER], log: [0; ORDER + 1] };
        let mut power = 1u16;
        for i in 0..ORDER {
            field.exp[i] = power;
            field.log[usize::from(power)] = i as u16;
            let (high, low) = (power >> 5, power & 31);
            power = (times(high, 9) ^ low) << 5 | times(high, 23);
        }
        field
    }

    /// e^i times `value`.
    fn shift(&self, value: u16, i: usize) -> u16 {
        if value == 0 { 0 } else { self.exp[(usize::from(self.log[usize::from(value)]) + i) % ORDER] }
    }

    /// Logarithm of a non-zero value.
    fn log(&self, value: u16) -> usize {
        usize::from(self.log[usize::from(value)])
    }

    /// Logarithm of the quotient of two non-zero values.
    fn log_ratio(&self, over: u16, under: u16) -> usize {
        (ORDER + self.log(over) - self.log(under)) % ORDER
    }

    /// Error polynomial at e^root.
    fn syndrome(&self, residue: u32, root: usize) -> u16 {
        (0..CHECKSUM_LEN).fold(0, |sum, k| {
            let coefficient = ((residue >> (5 * k)) & 31) as u16;
            sum ^ self.shift(coefficient, root * k % ORDER)
        })
    }

    /// Finds one or two error positions, counted from the right, that explain the residue; empty if there are none
    /// within `len`. An error's value must lie in GF(32), i.e. its logarithm be a multiple of 33.
    fn locate(&self, residue: u32, len: usize) -> Vec<usize> {
        let s: [u16; 3] = [997, 998, 999].map(|root| self.syndrome(residue, root));
        let in_base_field = |log: usize| log.is_multiple_of(33);
        if s.iter().all(|s| *s != 0) && self.log_ratio(s[1], s[0]) == self.log_ratio(s[2], s[1]) {
            let p = self.log_ratio(s[1], s[0]);
            let value = self.log(s[0]) + (ORDER - 997) * p;
            return if p < len && in_base_field(value) { vec![p] } else { vec![] };
        }
        for p1 in 0..len {
            let (a, b) = (s[2] ^ self.shift(s[1], p1), s[1] ^ self.shift(s[0], p1));
            if a == 0 || b == 0 {
                continue;
            }
            let p2 = self.log_ratio(a, b);
            if p2 >= len || p1 == p2 {
                continue;
            }
            let c = s[1] ^ self.shift(s[0], p2);
            if c == 0 {
                continue;
            }
            let inverse = ORDER - self.log(self.exp[p1] ^ self.exp[p2]);
            let value2 = self.log(b) + inverse + (ORDER - 997) * p2;
            let value1 = self.log(c) + inverse + (ORDER - 997) * p1;
            if in_base_field(value1) && in_base_field(value2) {
                return vec![p1, p2];
            }
        }
        vec![]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_wrong() {
        let check = |text: &str, message: &str, positions: &[usize]| {
            let fault = decode(text).expect_err(text);
            assert_eq!((fault.message, fault.positions.as_slice()), (message, positions), "{text}");
        };
        check("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "Invalid Bech32 checksum", &[41]);
        check("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3t4", "Invalid character or mixed case", &[40]);
        check("bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4", "Invalid Base 32 character", &[59]);
        check("bc1q", "Invalid separator position", &[2]);
        check("bcq", "Missing separator", &[]);
        check("bcrt1q049edschfnwystcqnsvyfpj23mpsg3jcedq9xv", "Invalid Bech32 checksum", &[9]);
        check("bcrt1qax9suht3qv95sw33xavx8crpxduefdrsvgsklu", "Invalid Bech32 checksum", &[22, 43]);
    }

    #[test]
    fn decodes_both_variants() {
        let check = |text: &str, variant: Variant, len: usize| {
            let decoded = decode(text).expect(text);
            assert_eq!((decoded.variant, decoded.data.len()), (variant, len));
        };
        check("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Variant::Bech32, 33);
        check("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", Variant::Bech32m, 53);
        check("bc1gmk9yu", Variant::Bech32, 0);
    }
}
