//! Peers that say anything at all: the fuzz target on its seeds and what they become, and how much memory a message takes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::{Arc, Mutex, PoisonError};

use kernel::logging::{LogSink, Record};
use kernel::{Chain, Events, Kernel, Options};
use p2p::fuzz::{Conversation, MESSAGES};
use peak_alloc::PeakAlloc;

/// Counts what the tests allocate, so they run one at a time.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;
static ALONE: Mutex<()> = Mutex::new(());

struct Nobody;

impl Events for Nobody {}

impl LogSink for Nobody {
    fn log(&self, _: &Record<'_>) {}
}

fn start(dir: &tempfile::TempDir) -> (Conversation, Kernel) {
    let mut options = Options::new(Chain::Regtest, dir.path());
    options.db_cache = 16 << 20;
    options.par = 1;
    options.max_tip_age = 1 << 40;
    let kernel = Kernel::load(options, Arc::new(Nobody), Arc::new(Nobody)).unwrap();
    kernel.import_blocks(&[]).unwrap();
    (Conversation::new(kernel.clone()), kernel)
}

#[test]
fn nothing_a_peer_says_does_harm() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let (mut conversation, kernel) = start(&dir);
    let height = kernel.tip().unwrap().height;
    let seeds = testing::fuzz::drive("p2p", 20_000, |script| conversation.play(script));
    for name in MESSAGES {
        assert!(seeds.iter().any(|seed| seed == name), "{name} has a seed");
    }
    // What was valid was taken: the scripts reach the engine.
    assert!(kernel.tip().unwrap().height > height);
    assert!(kernel.mempool_info().unwrap().size >= 3);
}

/// A message may make the node take a few times its own bytes, and what any message takes.
#[test]
fn memory_grows_with_the_bytes_that_came() {
    const ANY: usize = 1 << 20;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let (mut conversation, _) = start(&dir);
    // Counts of any size in front of few bytes, and a transaction that promises a list in each place it can.
    let mut payloads = Vec::new();
    for count in [&[0xfc][..], &[0xfd, 0xd0, 0x07], &[0xfe, 0x00, 0x09, 0x3d, 0x00], &[0xff; 9]] {
        payloads.push([count, &[1; 50]].concat());
        payloads.push([&[2, 0, 0, 0], count, &[0; 90]].concat());
        payloads.push([&[2, 0, 0, 0, 1], &[0; 36][..], count, &[0; 90]].concat());
        payloads.push([&[2, 0, 0, 0, 1], &[0; 41][..], count, &[0; 90]].concat());
        payloads.push([&[2, 0, 0, 0, 0, 1, 1], &[0; 41][..], &[0], count, &[0; 90]].concat());
        payloads.push([&[2, 0, 0, 0, 0, 1, 1], &[0; 41][..], &[0, 1], count, &[0; 90]].concat());
        // Version and a locator; a header and a list of transactions.
        payloads.push([&[0; 80], count, &[0; 90]].concat());
    }
    payloads.extend([vec![0; 4_000_000], vec![0xff; 4_000_000], vec![1; 4_000_000]]);
    for name in MESSAGES.iter().chain(&["unheard-of"]) {
        for payload in &payloads {
            MEMORY.reset_peak_usage();
            let before = MEMORY.current_usage();
            conversation.greet_and_say(name, payload);
            let taken = MEMORY.peak_usage() - before;
            // The test's own copy of the frame is one of the times.
            assert!(taken <= 4 * payload.len() + ANY, "{name} of {} bytes took {taken}", payload.len());
        }
    }
}
