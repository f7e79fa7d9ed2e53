//! JSON-RPC for clients: the same commands as over HTTP, without credentials.

use interfaces::{Result, Rpc};

use super::budget::Held;

pub(super) struct LocalRpc {
    json_rpc: ::rpc::server::JsonRpc,
    _held: [Held; 2],
}

impl LocalRpc {
    pub(super) fn new(json_rpc: ::rpc::server::JsonRpc, held: [Held; 2]) -> Self {
        LocalRpc { json_rpc, _held: held }
    }
}

impl Rpc for LocalRpc {
    fn execute_rpc(&self, request: String, uri: String, user: String) -> Result<String> {
        Ok(self.json_rpc.answer(&request, &uri, &user))
    }
}
