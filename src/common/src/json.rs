//! Reads JSON that others wrote, as deep as Bitcoin Core reads it and no deeper.

use serde_json::Value;

/// Most arrays and objects within each other.
const MAX_DEPTH: usize = 512;

/// Reads a value of bearable depth.
pub fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    read(text)
}

/// The same for what is made of it at once.
pub fn read<'de, T: serde::Deserialize<'de>>(text: &'de [u8]) -> Result<T, serde_json::Error> {
    // Its own limit is lower, and reading without one takes a look at the depth first.
    serde_json::from_slice(text).or_else(|error| {
        if depth(text) > MAX_DEPTH {
            return Err(error);
        }
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        deserializer.disable_recursion_limit();
        let value = T::deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(value)
    })
}

/// Counts arrays and objects within each other, at least where the text is JSON.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next().filter(|byte| **byte != b'"') {
                    if *byte == b'\\' {
                        bytes.next();
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for depth in [1, 127, 128, 129, 512] {
            assert_eq!(parse(nested(depth).as_bytes()).unwrap().to_string(), nested(depth), "{depth}");
        }
        for depth in [513, 100_000] {
            assert!(parse(nested(depth).as_bytes()).is_err(), "{depth}");
        }
        assert!(parse(&nested(200).as_bytes()[..300]).is_err());
        assert!(parse("{\"a\":".repeat(100_000).as_bytes()).is_err());
        let deep = format!(r#"{{"a\"[":"\\","b":{}}}"#, nested(300));
        assert_eq!(super::depth(deep.as_bytes()), 301);
        assert!(parse(deep.as_bytes()).is_ok());
        // What comes behind the value is still found.
        assert!(parse(format!("{} x", nested(300)).as_bytes()).is_err());
    }
}
