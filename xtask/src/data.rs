//! Reading TOML data with errors that fit on one line.

use anyhow::{Result, anyhow};
use serde::de::DeserializeOwned;

/// Reads a value.
///
/// # Errors
/// When the text is not TOML or not that value; the message names the line.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    toml::from_str(text).map_err(|err| {
        let line = err.span().map(|span| text[..span.start].lines().count().max(1));
        let message = err.message().replace('\n', ", ");
        match line {
            Some(line) => anyhow!("line {line}: {message}"),
            None => anyhow!("{message}"),
        }
    })
}
