//! One request as a command sees it. Separate from the HTTP server because commands also arrive from another process.

use bitcoin::BlockHash;
use serde_json::Value;

use crate::{RpcError, json};

/// Path under which requests name a wallet.
const WALLET_PATH: &str = "/wallet/";

/// One JSON-RPC request, already authenticated.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Name of the command.
    pub method: String,
    /// The `params` member: an array, an object, or null.
    pub params: Value,
    /// Path of the HTTP request, e.g. `/wallet/name`.
    pub uri: String,
    /// Authenticated user.
    pub user: String,
    /// Tip of the active chain after the request came in, if another process passed the request on and knew it.
    pub tip: Option<BlockHash>,
}

impl Request {
    /// Makes a request with positional parameters and no wallet, as tests and in-process callers do.
    pub fn new(method: &str, params: Vec<Value>) -> Self {
        Request {
            method: method.to_owned(),
            params: Value::Array(params),
            uri: "/".to_owned(),
            user: String::new(),
            tip: None,
        }
    }

    /// Returns the name of the wallet the path names, percent-decoded; it may be empty (the default wallet).
    pub fn wallet(&self) -> Option<String> {
        let path = self.uri.split_once('?').map_or(self.uri.as_str(), |(path, _)| path);
        path.strip_prefix(WALLET_PATH).map(percent_decode)
    }
}

impl TryFrom<interfaces::RpcRequest> for Request {
    type Error = RpcError;

    fn try_from(request: interfaces::RpcRequest) -> Result<Self, RpcError> {
        let interfaces::RpcRequest { method, params, uri, user, tip } = request;
        let params = common::json::parse(params.as_bytes()).map_err(|_| RpcError::parse("Parse error"))?;
        match params {
            Value::Array(_) | Value::Object(_) | Value::Null => Ok(Request { method, params, uri, user, tip }),
            other => Err(json::wrong_type(&other, "array")),
        }
    }
}

impl From<&Request> for interfaces::RpcRequest {
    fn from(Request { method, params, uri, user, tip }: &Request) -> Self {
        interfaces::RpcRequest {
            method: method.clone(),
            params: params.to_string(),
            uri: uri.clone(),
            user: user.clone(),
            tip: *tip,
        }
    }
}

/// Decodes `%xx`; a percent sign that starts no escape stays as it is.
fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = bytes.get(at + 1..at + 3).filter(|_| byte == b'%');
        let value = escape
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match value {
            Some(value) => {
                decoded.push(value);
                at += 3;
            }
            None => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    common::lossless::from_bytes(&decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallet_of_the_path() {
        let check = |uri: &str, expected: Option<&str>| {
            let request = Request { uri: uri.to_owned(), ..Request::new("x", vec![]) };
            assert_eq!(request.wallet().as_deref(), expected, "{uri}");
        };
        check("/", None);
        check("/wallet", None);
        check("/wallet/", Some(""));
        check("/wallet/a%20b", Some("a b"));
        check("/wallet/w/sub", Some("w/sub"));
        check("/wallet/100%", Some("100%"));
        check("/wallet/%zz%4", Some("%zz%4"));
        check("/wallet/gr%C3%BCn", Some("grün"));
        check("/wallet/gr%FCn", Some(common::lossless::from_bytes(b"gr\xfcn").as_str()));
    }
}
