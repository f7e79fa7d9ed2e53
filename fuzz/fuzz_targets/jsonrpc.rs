//! Hands bytes to the JSON-RPC server as a request's body: single requests, batches, notifications, parameters by
//! position and by name, for the commands about the server itself. Whatever comes in, an answer in JSON goes out.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use rpc::Registry;
use rpc::server::JsonRpc;

/// Bytes beyond which a body is cut: longer ones find nothing new.
const MOST_BYTES: usize = 1 << 16;

static SERVER: LazyLock<JsonRpc> = LazyLock::new(|| {
    let registry = Arc::new(Registry::new());
    registry.add(rpc::control::commands(&registry, || {}));
    registry.finish_warmup();
    JsonRpc::without_server(registry)
});

fuzz_target!(|body: &[u8]| {
    let body = String::from_utf8_lossy(&body[..body.len().min(MOST_BYTES)]);
    let reply = SERVER.answer(&body, "/", "fuzz");
    assert!(serde_json::from_str::<serde_json::Value>(&reply).is_ok(), "{reply}");
});
