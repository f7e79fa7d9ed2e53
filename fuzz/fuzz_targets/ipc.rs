//! Lets the other end of a connection between processes say anything: bytes, or calls, returns and releases of the methods
//! that the schemas have.

#![no_main]

use std::sync::{Arc, LazyLock};

use interfaces::Init;
use libfuzzer_sys::fuzz_target;

#[path = "../../src/ipc/tests/script.rs"]
mod script;

static INIT: LazyLock<Arc<dyn Init>> = LazyLock::new(script::offer);

fuzz_target!(|input: &[u8]| script::run(&INIT, input));
