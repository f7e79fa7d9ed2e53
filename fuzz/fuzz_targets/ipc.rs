//! Lets the other end of a connection between processes say anything: bytes, or calls, returns and releases of the methods
//! that the schemas have.

#![no_main]

use std::sync::{Arc, LazyLock};

use interfaces::{Echo, Init, Result, Rpc};
use libfuzzer_sys::fuzz_target;
use testing::{FakeEcho, FakeRpc};

#[path = "../../src/ipc/tests/script.rs"]
mod script;

/// Offers what does not wait.
struct Offer;

impl Init for Offer {
    fn make_echo(&self) -> Result<Arc<dyn Echo>> {
        Ok(Arc::new(FakeEcho))
    }

    fn make_rpc(&self) -> Result<Arc<dyn Rpc>> {
        Ok(Arc::new(FakeRpc))
    }
}

static INIT: LazyLock<Arc<dyn Init>> = LazyLock::new(|| Arc::new(Offer));

fuzz_target!(|input: &[u8]| script::run(&INIT, input));
