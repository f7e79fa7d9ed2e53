//! JSON-RPC for clients: the same commands as over HTTP, without credentials.

use interfaces::{Result, Rpc};

pub(super) struct LocalRpc(::rpc::server::JsonRpc);

impl LocalRpc {
    pub(super) fn new(json_rpc: ::rpc::server::JsonRpc) -> Self {
        LocalRpc(json_rpc)
    }
}

impl Rpc for LocalRpc {
    fn execute_rpc(&self, request: String, uri: String, user: String) -> Result<String> {
        Ok(self.0.answer(&request, &uri, &user))
    }
}
