//! What the user sees: results, errors and the exit code.
//!
//! Separate because the exact bytes are interface: scripts compare them. Invariant: JSON is laid out as Bitcoin
//! Core lays it out (two spaces, an empty list as `[` newline `]`), and a number is printed with the digits the
//! server sent.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

use crate::error::CliError;

/// Text for one of the standard streams and the code to exit with; text goes to standard error where `code` is not 0.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Exit code before the system cuts it to eight bits.
    pub code: i32,
    /// Without the closing newline; nothing is printed where it is empty.
    pub text: String,
}

impl Outcome {
    /// A failure of the client itself.
    pub fn failure(error: &CliError) -> Outcome {
        Outcome { code: 1, text: format!("error: {error}") }
    }

    /// The outcome of a JSON-RPC reply: its result or its error.
    pub fn from_reply(reply: &Value) -> Result<Outcome, CliError> {
        match &reply["error"] {
            Value::Null => Ok(Outcome { code: 0, text: result_text(&reply["result"]) }),
            error => error_outcome(error),
        }
    }
}

/// A result as printed: text raw, nothing for `null`, anything else as indented JSON.
pub fn result_text(result: &Value) -> String {
    match result {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => indented(other),
    }
}

const WALLET_NOT_SPECIFIED: i64 = -19;

fn error_outcome(error: &Value) -> Result<Outcome, CliError> {
    let code = &error["code"];
    let mut text = String::new();
    if error.is_object() {
        if !code.is_null() {
            text = format!("error code: {}\n", scalar_text(code));
        }
        if let Value::String(message) = &error["message"] {
            text.push_str("error message:\n");
            text.push_str(message);
        }
        if code.as_i64() == Some(WALLET_NOT_SPECIFIED) {
            text.push_str(
                " Or for the CLI, specify the \"-rpcwallet=<walletname>\" option before the command \
                 (run \"bitcoin-cli -h\" for help or \"bitcoin-cli listwallets\" to see which wallets are currently \
                 loaded).",
            );
        }
    } else {
        text = format!("error: {}", compact(error));
    }
    let Some(code) = code.as_i64().and_then(|n| i32::try_from(n).ok()) else {
        return Err(CliError::wrong_type(code, "number"));
    };
    Ok(Outcome { code: code.saturating_abs(), text })
}

/// A value inside a line of text: numbers and strings as they are, `1` for true, nothing for everything else.
pub fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(true) => "1".to_owned(),
        Value::Bool(false) | Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

fn compact(value: &Value) -> String {
    written(value, Layout { depth: None, has_value: false })
}

fn indented(value: &Value) -> String {
    written(value, Layout { depth: Some(0), has_value: false })
}

fn written(value: &Value, layout: Layout) -> String {
    let mut out = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut out, layout)).expect("a JSON value serializes into memory");
    String::from_utf8(out).expect("serde_json writes UTF-8")
}

/// Core's layout; differs from serde_json's own in empty containers and in escaping DEL.
struct Layout {
    /// Levels below the top, or `None` for everything on one line.
    depth: Option<usize>,
    /// Whether the container being closed has had a value.
    has_value: bool,
}

impl Layout {
    fn open<W: ?Sized + io::Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.has_value = false;
        writer.write_all(bracket)?;
        if let Some(depth) = &mut self.depth {
            *depth += 1;
            writer.write_all(b"\n")?;
        }
        Ok(())
    }

    fn indent<W: ?Sized + io::Write>(&self, writer: &mut W) -> io::Result<()> {
        (0..self.depth.unwrap_or(0)).try_for_each(|_| writer.write_all(b"  "))
    }

    fn item<W: ?Sized + io::Write>(&self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(if self.depth.is_some() { b",\n" } else { b"," })?;
        }
        self.indent(writer)
    }

    fn close<W: ?Sized + io::Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        if let Some(depth) = &mut self.depth {
            *depth -= 1;
            if self.has_value {
                writer.write_all(b"\n")?;
            }
        }
        self.indent(writer)?;
        writer.write_all(bracket)
    }
}

impl Formatter for Layout {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.item(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.item(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(if self.depth.is_some() { b": " } else { b":" })
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut pieces = fragment.split('\u{7f}');
        writer.write_all(pieces.next().unwrap_or_default().as_bytes())?;
        pieces.try_for_each(|piece| {
            writer.write_all(b"\\u007f")?;
            writer.write_all(piece.as_bytes())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_result(json: &str, expected: &str) {
        assert_eq!(result_text(&serde_json::from_str(json).unwrap()), expected, "{json}");
    }

    #[test]
    fn results() {
        let cases = [
            ("null", ""),
            ("\"raw \\\"text\\\"\\nline\"", "raw \"text\"\nline"),
            ("true", "true"),
            ("0.00001000", "0.00001000"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("4.656542373906925e-10", "4.656542373906925e-10"),
            ("[]", "[\n]"),
            ("{}", "{\n}"),
            (r#"["a",1]"#, "[\n  \"a\",\n  1\n]"),
            (r#"{"z":{},"a":[[]]}"#, "{\n  \"z\": {\n  },\n  \"a\": [\n    [\n    ]\n  ]\n}"),
            (r#"{"n":null,"t":"a/b\u007f\u0001é"}"#, "{\n  \"n\": null,\n  \"t\": \"a/b\\u007f\\u0001é\"\n}"),
        ];
        for (json, expected) in cases {
            check_result(json, expected);
        }
    }

    #[track_caller]
    fn check_reply(json: &str, expected: Result<(i32, &str), &str>) {
        let got = Outcome::from_reply(&serde_json::from_str(json).unwrap());
        let got = got.map(|outcome| (outcome.code, outcome.text)).map_err(|e| e.to_string());
        assert_eq!(got.as_ref().map(|(c, t)| (*c, t.as_str())).map_err(String::as_str), expected, "{json}");
    }

    #[test]
    fn replies() {
        let hint = " Or for the CLI, specify the \"-rpcwallet=<walletname>\" option before the command (run \
                    \"bitcoin-cli -h\" for help or \"bitcoin-cli listwallets\" to see which wallets are currently loaded).";
        let many = format!("error code: -19\nerror message:\nMany.{hint}");
        let cases = [
            (r#"{"result":5,"error":null,"id":1}"#, Ok((0, "5"))),
            (
                r#"{"result":null,"error":{"code":-8,"message":"no"},"id":1}"#,
                Ok((8, "error code: -8\nerror message:\nno")),
            ),
            (
                r#"{"error":{"code":-32601,"message":"Method not found"}}"#,
                Ok((32601, "error code: -32601\nerror message:\nMethod not found")),
            ),
            (r#"{"error":{"code":-19,"message":"Many."}}"#, Ok((19, many.as_str()))),
            (r#"{"error":{"code":-1}}"#, Ok((1, "error code: -1\n"))),
            (r#"{"error":"odd"}"#, Err("JSON value of type null is not of expected type number")),
        ];
        for (json, expected) in cases {
            check_reply(json, expected);
        }
    }
}
