//! Hands bytes to the JSON-RPC server as a request's body: single requests, batches, notifications, parameters by
//! position and by name, for the commands about the server itself. Whatever comes in, an answer in JSON goes out.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rpc::server::fuzz::Loopback;

static SERVER: LazyLock<Loopback> = LazyLock::new(Loopback::new);

fuzz_target!(|bytes: &[u8]| drop(SERVER.body(bytes)));
