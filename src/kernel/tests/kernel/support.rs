//! A regtest node without a network: data directory, recorded events, a miner and coins to spend.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::opcodes::OP_TRUE;
use bitcoin::script::Builder;
use bitcoin::transaction::Version as TxVersion;
use bitcoin::{
    Amount, Block, BlockHash, OutPoint, ScriptBuf, Sequence, Target, Transaction, TxIn, TxMerkleNode, TxOut, Txid,
    Witness,
};
use kernel::logging::{LogSink, Record};
use kernel::{
    AcceptResult, Accepted, BlockIndex, BlockVerdict, Chain, Events, Kernel, Options, ProcessedBlock, Rejection,
    RemovalReason, TemplateOptions,
};

/// Log lines of all tests: the engine has one logger.
#[derive(Default)]
pub struct Lines(Mutex<Vec<String>>);

impl LogSink for Lines {
    fn log(&self, record: &Record<'_>) {
        let Record { category, level, file, function, message, .. } = record;
        self.0.lock().unwrap().push(format!("{level:?} {category} {file} {function} {message}"));
    }
}

impl Lines {
    pub fn contain(&self, part: &str) -> bool {
        self.0.lock().unwrap().iter().any(|line| line.contains(part))
    }
}

pub static LINES: std::sync::LazyLock<Arc<Lines>> = std::sync::LazyLock::new(Arc::default);

/// Events as lines of text, in the order they came.
#[derive(Default)]
pub struct Recorder {
    lines: Mutex<Vec<String>>,
    changed: Condvar,
}

impl Recorder {
    fn push(&self, line: String) {
        self.lines.lock().unwrap().push(line);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap()
    }

    /// Returns what came since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lock())
    }

    /// Waits for a line.
    pub fn wait_for(&self, line: &str) {
        let missing = |lines: &mut Vec<String>| !lines.iter().any(|seen| seen == line);
        drop(self.changed.wait_while(self.lock(), missing).unwrap());
    }
}

impl Events for Recorder {
    fn block_connected(&self, index: &BlockIndex, block: &Block) {
        assert_eq!(index.hash, block.block_hash());
        self.push(format!("connected {}", index.height));
    }

    fn block_disconnected(&self, index: &BlockIndex, _: &Block) {
        self.push(format!("disconnected {}", index.height));
    }

    fn tip_updated(&self, tip: &BlockIndex, _: Option<BlockHash>, _: bool) {
        self.push(format!("tip {}", tip.height));
    }

    fn transaction_added(&self, transaction: &Transaction, _: u64) {
        self.push(format!("added {}", transaction.compute_txid()));
    }

    fn transaction_removed(&self, transaction: &Transaction, reason: RemovalReason, _: u64) {
        self.push(format!("removed {} {reason:?}", transaction.compute_txid()));
    }

    fn transactions_mined(&self, txids: &[Txid], height: u32) {
        self.push(format!("mined {} at {height}", txids.len()));
    }

    fn chain_state_flushed(&self, locator: &[BlockHash]) {
        self.push(format!("flushed {}", locator.len()));
    }

    fn block_checked(&self, _: BlockHash, verdict: &BlockVerdict) {
        if let BlockVerdict::Invalid { reason, .. } = verdict {
            self.push(format!("invalid {reason}"));
        }
    }

    fn status(&self, text: &str) {
        self.push(format!("status {text}"));
    }

    fn fatal_error(&self, message: &str) {
        self.push(format!("fatal {message}"));
    }

    fn stop_height_reached(&self) {
        self.push("stop".to_owned());
    }
}

/// A node in a directory of its own.
pub struct Node {
    pub kernel: Kernel,
    pub events: Arc<Recorder>,
    pub dir: tempfile::TempDir,
}

pub fn options(dir: &tempfile::TempDir) -> Options {
    let mut options = Options::new(Chain::Regtest, dir.path().join("regtest"));
    options.db_cache = 16 << 20;
    options.par = 1;
    options
}

pub fn load(options: Options) -> Result<(Kernel, Arc<Recorder>), kernel::LoadError> {
    let events = Arc::new(Recorder::default());
    let kernel = Kernel::load(options, events.clone(), LINES.clone())?;
    kernel.import_blocks(&[]).unwrap();
    Ok((kernel, events))
}

impl Node {
    pub fn new() -> Node {
        Node::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Options)) -> Node {
        let dir = tempfile::tempdir().unwrap();
        let mut options = options(&dir);
        change(&mut options);
        let (kernel, events) = load(options).unwrap();
        Node { kernel, events, dir }
    }

    /// Stops and opens again.
    pub fn restart(self, change: impl FnOnce(&mut Options)) -> Node {
        self.kernel.shutdown().unwrap();
        let mut options = options(&self.dir);
        change(&mut options);
        let (kernel, events) = load(options).unwrap();
        Node { kernel, events, dir: self.dir }
    }

    /// Mines blocks from the mempool and returns their hashes.
    pub fn mine(&self, count: u32) -> Vec<BlockHash> {
        (0..count).map(|_| self.submit(&self.next_block()).1).collect()
    }

    /// Makes the next block, mined.
    pub fn next_block(&self) -> Block {
        let template = self.kernel.block_template(&TemplateOptions::default()).unwrap();
        let reward = template.subsidy + template.fees.to_unsigned().unwrap();
        let coinbase = coinbase(template.height, reward);
        let mut txdata = vec![coinbase];
        txdata.extend(template.transactions.into_iter().map(|tx| tx.transaction));
        let mut block = Block {
            header: Header {
                version: Version::from_consensus(template.version),
                prev_blockhash: template.previous.hash,
                merkle_root: TxMerkleNode::all_zeros(),
                time: template.time,
                bits: template.bits,
                nonce: 0,
            },
            txdata,
        };
        grind(&mut block);
        block
    }

    /// Submits a block that must be new and valid.
    pub fn submit(&self, block: &Block) -> (ProcessedBlock, BlockHash) {
        let processed = self.kernel.submit_block(&bitcoin::consensus::serialize(block)).unwrap();
        assert_eq!(
            processed,
            ProcessedBlock { new: true, accepted: true, verdict: Some(BlockVerdict::Valid) },
            "{}",
            block.block_hash()
        );
        (processed, block.block_hash())
    }

    /// Mines until the first coinbase is mature and returns its outpoint.
    pub fn mature_coin(&self) -> OutPoint {
        let first = self.mine(1)[0];
        self.mine(100);
        OutPoint { txid: self.kernel.block(&first).unwrap().txdata[0].compute_txid(), vout: 0 }
    }

    pub fn accept(&self, tx: &Transaction) -> Accepted {
        match self.kernel.accept_transaction(tx, false).unwrap() {
            AcceptResult::Accepted(accepted) => accepted,
            other => panic!("{other:?}"),
        }
    }

    pub fn reject(&self, tx: &Transaction) -> Rejection {
        match self.kernel.accept_transaction(tx, true).unwrap() {
            AcceptResult::Rejected(rejection) => rejection,
            other => panic!("{other:?}"),
        }
    }
}

/// The script that pays to anyone: P2WSH of a lone `OP_TRUE`.
pub fn anyone() -> ScriptBuf {
    ScriptBuf::new_p2wsh(&witness_script().wscript_hash())
}

fn witness_script() -> ScriptBuf {
    Builder::new().push_opcode(OP_TRUE).into_script()
}

fn coinbase(height: u32, value: Amount) -> Transaction {
    let script_sig = Builder::new().push_int(height.into()).push_int(0).into_script();
    Transaction {
        version: TxVersion::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn { previous_output: OutPoint::null(), script_sig, ..TxIn::default() }],
        output: vec![TxOut { value, script_pubkey: anyone() }],
    }
}

/// Spends an output of [`anyone`]'s into `values`.
pub fn spend(coin: OutPoint, values: &[Amount]) -> Transaction {
    let output = |value: &Amount| TxOut { value: *value, script_pubkey: anyone() };
    Transaction {
        version: TxVersion::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: coin,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::from_slice(&[witness_script().to_bytes()]),
        }],
        output: values.iter().map(output).collect(),
    }
}

/// Fills in the commitments and finds the nonce.
pub fn grind(block: &mut Block) {
    block.txdata[0].output.retain(|output| !output.script_pubkey.is_op_return());
    block.txdata[0].input[0].witness = Witness::from_slice(&[[0; 32]]);
    let root = block.witness_root().unwrap();
    let commitment = Block::compute_witness_commitment(&root, &[0; 32]);
    let mut script = vec![0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
    script.extend(commitment.to_byte_array());
    block.txdata[0].output.push(TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::from_bytes(script) });
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    find_nonce(block);
}

pub fn find_nonce(block: &mut Block) {
    let target = Target::from_compact(block.header.bits);
    while block.header.validate_pow(target).is_err() {
        block.header.nonce += 1;
    }
}
