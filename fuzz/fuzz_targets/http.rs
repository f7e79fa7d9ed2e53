//! Hands bytes to the HTTP server as all that a client sends on a connection: requests of any form, one after another, with
//! and without a password, cut anywhere.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rpc::server::fuzz::Loopback;

static SERVER: LazyLock<Loopback> = LazyLock::new(Loopback::new);

fuzz_target!(|bytes: &[u8]| drop(SERVER.connection(bytes)));
