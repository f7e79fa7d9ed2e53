//! Lets a peer say anything: each message by its name and with its checksum, before, during and after the handshake, and
//! bytes that are no message. They go through the transport, the handlers and the engine of a node with a short chain.

#![no_main]

use std::cell::RefCell;
use std::sync::Arc;

use kernel::logging::{LogSink, Record};
use kernel::{Chain, Events, Kernel, Options};
use libfuzzer_sys::fuzz_target;
use p2p::fuzz::Conversation;

struct Nobody;

impl Events for Nobody {}

impl LogSink for Nobody {
    fn log(&self, _: &Record<'_>) {}
}

/// A data directory, and the node on it. It learns from input to input: of each what it finds valid.
fn node() -> (tempfile::TempDir, Conversation) {
    let dir = tempfile::tempdir().expect("there is room for a data directory");
    let mut options = Options::new(Chain::Regtest, dir.path());
    options.db_cache = 16 << 20;
    options.par = 1;
    options.max_tip_age = 1 << 40;
    let kernel = Kernel::load(options, Arc::new(Nobody), Arc::new(Nobody)).expect("the engine starts");
    kernel.import_blocks(&[]).expect("the engine runs");
    (dir, Conversation::new(kernel))
}

thread_local! {
    static NODE: RefCell<(tempfile::TempDir, Conversation)> = RefCell::new(node());
}

fuzz_target!(|script: &[u8]| NODE.with_borrow_mut(|(_, node)| node.play(script)));
