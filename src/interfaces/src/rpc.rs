//! JSON-RPC commands as data that crosses processes: how the node serves commands that live in the wallet process.

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
}

/// A command's refusal, as JSON-RPC reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcError {
    /// Error code (Bitcoin Core `rpc/protocol.h`).
    pub code: i32,
    /// Error text.
    pub message: String,
}
