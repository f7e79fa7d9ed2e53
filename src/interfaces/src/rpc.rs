//! JSON-RPC that crosses processes: to a node in the place of HTTP, and from the node to the wallet process, whose
//! commands it serves.

use crate::Result;

/// A node's JSON-RPC for programs that reach it over a socket.
///
/// Implemented by the node; called by `bitcoin-cli`. Whoever holds it may run every command: there are no credentials.
pub trait Rpc: Send + Sync {
    /// Executes one request, or a batch, as the HTTP server does.
    ///
    /// `request` is the JSON of the body; `uri` the path it would be posted to, such as `/wallet/name`; `user` the name
    /// that `-rpcwhitelist` applies to. Returns the JSON of the reply, errors of commands included; `null` where HTTP
    /// has no body.
    fn execute_rpc(&self, request: String, uri: String, user: String) -> Result<String>;
}

use bitcoin::BlockHash;

/// One RPC command as the process that implements it announces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcCommand {
    /// Name, as in the JSON-RPC `method` field.
    pub name: String,
    /// Category under which `help` lists it.
    pub category: String,
    /// Left out of the `help` listing.
    pub hidden: bool,
    /// Argument names in order, aliases separated by `|`.
    pub args: Vec<String>,
}

/// One JSON-RPC request, already authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcRequest {
    /// Name of the command.
    pub method: String,
    /// The `params` field as JSON text: an array, an object or `null`.
    pub params: String,
    /// Path of the HTTP request, e.g. `/wallet/name`.
    pub uri: String,
    /// Authenticated user.
    pub user: String,
    /// Tip of the active chain after the request came in, if the sender knows it: who has followed the chain that far
    /// need not ask for it again.
    pub tip: Option<BlockHash>,
}

/// A command's refusal, as JSON-RPC reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcError {
    /// Error code (Bitcoin Core `rpc/protocol.h`).
    pub code: i32,
    /// Error text.
    pub message: String,
}
