//! Bad options, damaged files, handlers that misbehave.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use bitcoin::{Block, SignedAmount};
use kernel::{BlockIndex, Chain, Error, Events, Interrupt, Kernel, LoadError, Options, TemplateOptions};

use crate::support::{LINES, Node, Recorder, load, options};

#[test]
fn options_are_checked() {
    let check = |change: &dyn Fn(&mut Options), expected: &str| {
        let dir = tempfile::tempdir().unwrap();
        let mut options = options(&dir);
        change(&mut options);
        let error = load(options).map(drop).unwrap_err();
        assert!(matches!(error, LoadError::Options(_)), "{error:?}");
        assert_eq!(error.to_string(), expected);
    };
    check(&|o| o.prune = 549, "Prune configured below the minimum of 550 MiB.  Please use a higher number.");
    check(&|o| o.prune = u64::MAX, "Prune target is too large.");
    check(
        &|o| o.activation_heights = vec![("nothing".to_owned(), 1)],
        "Invalid name (nothing@1) for -testactivationheight=name@height.",
    );
    check(&|o| o.mempool.cluster_count = 65, "limitclustercount must be less than or equal to 64");
    check(
        &|o| {
            o.chain = Chain::Main;
            o.mempool.require_standard = false;
        },
        "acceptnonstdtxn is not currently supported for main chain",
    );
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("regtest"), "").unwrap();
    assert!(matches!(load(options(&dir)), Err(LoadError::Directory { .. })));
}

#[test]
fn every_chain_opens() {
    for (chain, genesis) in [
        (Chain::Main, "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"),
        (Chain::Test, "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943"),
        (Chain::Testnet4, "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043"),
        (Chain::Signet, "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6"),
    ] {
        let node = Node::with(|options| options.chain = chain);
        assert_eq!(node.kernel.tip().unwrap().hash.to_string(), genesis);
        let is_signet = node.kernel.block_template(&Default::default()).unwrap().signet_challenge.is_some();
        assert_eq!(is_signet, chain == Chain::Signet);
        node.kernel.shutdown().unwrap();
        // The databases of one chain are of no use to another.
        let mut other = options(&node.dir);
        other.chain = Chain::Regtest;
        let error = load(other).map(drop).unwrap_err();
        assert!(matches!(error, LoadError::Incompatible(_) | LoadError::Corrupted(_)), "{error:?}");
    }
}

#[test]
fn interrupted_before_it_starts() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(&dir);
    let interrupt = Interrupt::new();
    options.interrupt = interrupt.clone();
    interrupt.interrupt();
    assert!(interrupt.is_interrupted());
    assert!(matches!(load(options), Err(LoadError::Interrupted)));
}

fn first_block_file(node: &Node) -> PathBuf {
    node.dir.path().join("regtest/blocks/blk00000.dat")
}

#[test]
fn damaged_block_file() {
    let node = Node::with(|options| options.blocks_xor = false);
    let hashes = node.mine(20);
    node.kernel.flush().unwrap();
    let file = first_block_file(&node);
    let mut bytes = std::fs::read(&file).unwrap();
    let raw = node.kernel.read_block(&hashes[18]).unwrap();
    let at = bytes.windows(raw.len()).position(|window| window == raw).unwrap();
    bytes[at..at + raw.len()].fill(0xff);
    std::fs::write(&file, &bytes).unwrap();

    let error = node.kernel.read_block(&hashes[18]).unwrap_err();
    assert!(matches!(error, Error::BlockUnreadable(hash, _) if hash == hashes[18]), "{error:?}");
    assert!(error.to_string().contains("blk00000.dat"), "{error}");
    // A range ends before it.
    assert_eq!(node.kernel.read_blocks(18, 5).unwrap().len(), 1);

    node.kernel.shutdown().unwrap();
    let error = load(options(&node.dir)).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "Corrupted block database detected");
    assert!(error.reindex_may_help(), "{error:?}");

    std::fs::remove_file(&file).unwrap();
    let error = load(options(&node.dir)).map(drop).unwrap_err();
    assert!(error.reindex_may_help(), "{error:?}");
}

#[test]
fn damaged_databases() {
    for (dir, expected) in
        [("blocks/index", "Error opening block database"), ("chainstate", "Error opening coins database")]
    {
        let node = Node::new();
        node.mine(2);
        node.kernel.shutdown().unwrap();
        for entry in std::fs::read_dir(node.dir.path().join("regtest").join(dir)).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("MANIFEST") {
                std::fs::write(path, "not a manifest").unwrap();
            }
        }
        let error = load(options(&node.dir)).map(drop).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(error.reindex_may_help());
    }
}

#[test]
fn pruning_needs_its_option() {
    let node = Node::new();
    let error = node.kernel.prune_to(1).unwrap_err();
    assert_eq!(error.to_string(), "Cannot prune blocks because node is not in prune mode.");
    let node = Node::with(|options| {
        options.prune = 1;
        options.fast_prune = true;
    });
    assert_eq!(node.kernel.prune_to(1).unwrap_err().to_string(), "Blockchain is too short for pruning.");
    let hashes = node.mine(1100);
    node.kernel.prune_to(700).unwrap();
    let prune = node.kernel.chain_info().unwrap().prune.unwrap();
    assert!(prune.have_pruned && prune.target_size.is_none());
    assert!(prune.first_stored_height > 1, "{prune:?}");
    assert!(matches!(node.kernel.read_block(&hashes[0]), Err(Error::BlockPruned(_))));
    assert!(!node.kernel.has_blocks(&hashes[1099], 0, None).unwrap());
    let error = {
        node.kernel.shutdown().unwrap();
        load(options(&node.dir)).map(drop).unwrap_err()
    };
    assert!(error.to_string().contains("-reindex to go back to unpruned mode"), "{error}");
}

#[test]
fn stop_height_ends_validation() {
    let node = Node::with(|options| options.stop_at_height = Some(2));
    node.mine(2);
    node.events.wait_for("stop");
}

/// Asks the engine back from within its events, and panics.
#[derive(Default)]
struct Nosy {
    kernel: OnceLock<Kernel>,
    answers: Mutex<Vec<String>>,
}

impl Events for Nosy {
    fn block_connected(&self, index: &BlockIndex, _: &Block) {
        let Some(kernel) = self.kernel.get() else { return };
        let mut answers = self.answers.lock().unwrap();
        answers.push(format!("tip {}", kernel.tip().unwrap().height));
        for refused in [
            kernel.sync_events(),
            kernel.shutdown(),
            kernel.invalidate_block(&index.hash),
            kernel.import_blocks(&[]),
            kernel.submit_block(&[]).map(drop),
        ] {
            assert!(matches!(refused, Err(Error::EventThread)), "{refused:?}");
        }
        drop(answers);
        panic!("on purpose");
    }
}

#[test]
fn handlers_may_ask_and_panic() {
    let dir = tempfile::tempdir().unwrap();
    let nosy = Arc::new(Nosy::default());
    let kernel = Kernel::load(options(&dir), nosy.clone(), LINES.clone()).unwrap();
    kernel.import_blocks(&[]).unwrap();
    kernel.sync_events().unwrap();
    nosy.kernel.set(kernel.clone()).unwrap();
    let node = Node { kernel, events: Arc::new(Recorder::default()), dir };
    node.mine(2);
    node.kernel.sync_events().unwrap();
    assert_eq!(nosy.answers.lock().unwrap().len(), 2);
    assert!(LINES.contain("a handler of the event block_connected panicked"));
    node.kernel.shutdown().unwrap();
}

/// Wants to see nothing, and counts what passes.
#[derive(Default)]
struct Bored {
    passed: AtomicUsize,
}

impl Events for Bored {
    fn wants_blocks(&self) -> bool {
        false
    }

    fn wants_transactions(&self) -> bool {
        false
    }

    fn block_passed(&self) {
        self.passed.fetch_add(1, Ordering::SeqCst);
    }

    fn block_connected(&self, _: &BlockIndex, _: &Block) {
        panic!("nobody wanted to see it");
    }
}

#[test]
fn what_nobody_wants_to_see_passes() {
    let dir = tempfile::tempdir().unwrap();
    let bored = Arc::new(Bored::default());
    let kernel = Kernel::load(options(&dir), bored.clone(), LINES.clone()).unwrap();
    kernel.import_blocks(&[]).unwrap();
    let node = Node { kernel, events: Arc::new(Recorder::default()), dir };
    node.kernel.sync_events().unwrap();
    let before = bored.passed.load(Ordering::SeqCst);
    node.mine(3);
    node.kernel.sync_events().unwrap();
    assert_eq!(bored.passed.load(Ordering::SeqCst), before + 3);
    node.kernel.shutdown().unwrap();
}

#[test]
fn dropping_the_last_handle_closes() {
    let node = Node::new();
    let hashes = node.mine(1);
    let Node { kernel, dir, .. } = node;
    drop(kernel);
    let (kernel, _) = load(options(&dir)).unwrap();
    assert_eq!(kernel.tip().unwrap().hash, hashes[0]);
}

#[test]
fn log_categories_are_switched() {
    assert!(kernel::logging::enable_category("validation"));
    assert!(!kernel::logging::enable_category("nonsense"));
    assert!(!kernel::logging::set_category_level("nonsense", kernel::logging::Level::Trace));
    let node = Node::new();
    node.mine(1);
    node.kernel.sync_events().unwrap();
    assert!(LINES.contain("Debug validation"), "no debug line");
    assert!(LINES.contain("UpdateTip: new best="), "no line of the engine's");
    assert!(kernel::logging::disable_category("validation"));
}

#[test]
fn a_directory_is_opened_once() {
    let node = Node::new();
    let error = load(options(&node.dir)).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "Error opening block database");
    assert_eq!(node.kernel.tip().unwrap().height, 0);
}

#[test]
fn extremes_are_answered() {
    let node = Node::with(|options| {
        options.db_cache = 0;
        options.signature_cache = 0;
        options.par = i32::MIN;
        options.check_level = Some(i64::MAX);
        options.check_blocks = Some(-1);
        options.mempool.expiry = -1;
        options.prevout_fetch_threads = i32::MAX;
    });
    let coin = node.mature_coin();
    let kernel = &node.kernel;
    assert!(kernel.process_headers(&[], true).unwrap().verdict.is_valid());
    assert_eq!(kernel.find_first_block(i64::MAX, u32::MAX).unwrap(), None);
    assert_eq!(kernel.find_first_block(i64::MIN, 0).unwrap().unwrap().height, 0);
    let tip = kernel.tip().unwrap().hash;
    assert!(kernel.has_blocks(&tip, u32::MAX, Some(u32::MAX)).unwrap());
    assert!(kernel.read_blocks(u32::MAX, u32::MAX).unwrap().is_empty());
    assert!(kernel.block_indexes(100, u32::MAX).unwrap().len() == 2);
    for _ in 0..2 {
        kernel.prioritise(&coin.txid, SignedAmount::MAX).unwrap();
    }
    kernel.set_unbroadcast(&coin.txid, true).unwrap();
    let none = TemplateOptions { max_weight: 0, reserved_weight: u64::MAX / 2, ..TemplateOptions::default() };
    assert!(kernel.block_template(&none).unwrap().transactions.is_empty());
    kernel.next_work_required(0).unwrap();
    kernel.invalidate_block(&kernel.hash_at(0).unwrap().unwrap()).unwrap();
    kernel::set_mock_time(Some(i64::MIN));
    kernel::set_mock_time(None);
}

#[test]
fn many_threads_and_a_shutdown() {
    let node = Node::new();
    node.mature_coin();
    let kernel = &node.kernel;
    std::thread::scope(|scope| {
        let ask = || loop {
            let answers = [
                kernel.tip().map(drop),
                kernel.chain_info().map(drop),
                kernel.sync_events(),
                kernel.read_blocks(0, 50).map(drop),
                kernel.mempool_info().map(drop),
                kernel.flush(),
            ];
            if answers.iter().any(|answer| matches!(answer, Err(Error::Closed))) {
                return;
            }
            for answer in answers {
                answer.unwrap();
            }
        };
        let askers: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        node.mine(30);
        kernel.shutdown().unwrap();
        for asker in askers {
            asker.join().unwrap();
        }
    });
    let (kernel, _) = load(options(&node.dir)).unwrap();
    assert_eq!(kernel.tip().unwrap().height, 131);
}
