//! JSON-RPC without commands.

use interfaces::{Result, Rpc};

/// Answers as a node does that has no command at all.
pub struct FakeRpc;

impl Rpc for FakeRpc {
    fn execute_rpc(&self, request: String, _uri: String, _user: String) -> Result<String> {
        let answer = match request.trim_start().chars().next() {
            Some('{') => r#"{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":1}"#,
            Some('[') => "[]",
            _ => r#"{"result":null,"error":{"code":-32700,"message":"Parse error"},"id":null}"#,
        };
        Ok(answer.to_owned())
    }
}
