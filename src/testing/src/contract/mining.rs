//! What every node must do for a miner.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use bitcoin::absolute::LockTime;
use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::{
    Block, BlockHash, OutPoint, Sequence, SignedAmount, Target, Transaction, TxIn, TxMerkleNode, TxOut, Txid, Witness,
    Wtxid, transaction,
};
use interfaces::{
    BlockCheck, BlockCheckOptions, BlockCreateOptions, BlockCreateOptionsV30, BlockTemplate, BlockWaitOptions,
    BlockWaitOptionsV30, CoinbaseTx, Error, Mining, MiningV30,
};

use crate::blocks::script;
use crate::mining::merkle_root;

/// How long anything may take before it counts as hung.
const LIMIT: Duration = Duration::from_secs(60);

/// Makes the coinbase a template asks for, paying to `tag`.
fn coinbase(wanted: CoinbaseTx, tag: u8) -> Transaction {
    let CoinbaseTx {
        version,
        sequence,
        script_sig_prefix,
        witness,
        block_reward_remaining,
        required_outputs,
        lock_time,
    } = wanted;
    let input = TxIn {
        previous_output: OutPoint::null(),
        script_sig: [script_sig_prefix.as_bytes(), &[0xaa, tag]].concat().into(),
        sequence: Sequence(sequence),
        witness: witness.map(|item| Witness::from_slice(&[item])).unwrap_or_default(),
    };
    let mut output = vec![TxOut { value: block_reward_remaining, script_pubkey: script(tag) }];
    output.extend(required_outputs);
    Transaction {
        version: transaction::Version(version as i32),
        lock_time: LockTime::from_consensus(lock_time),
        input: vec![input],
        output,
    }
}

fn solve(mut header: Header) -> Header {
    while !Target::from_compact(header.bits).is_met_by(header.block_hash()) {
        header.nonce += 1;
    }
    header
}

/// Completes a template's block.
fn solved(template: &Arc<dyn BlockTemplate>, tag: u8) -> Block {
    let mut block = template.block().unwrap();
    block.txdata[0] = coinbase(template.coinbase_tx().unwrap(), tag);
    block.header.merkle_root = merkle_root(&block.txdata[0], &template.coinbase_merkle_path().unwrap());
    assert!(block.check_merkle_root());
    block.header = solve(block.header);
    block
}

fn submit(template: &Arc<dyn BlockTemplate>, block: &Block) -> bool {
    let Header { version, time, nonce, .. } = block.header;
    template.submit_solution(version.to_consensus() as u32, time, nonce, block.txdata.first().cloned()).unwrap()
}

fn good() -> BlockCheck {
    BlockCheck { result: true, reason: String::new(), debug: String::new() }
}

/// Checks a node on a chain where a block takes moments and nobody else mines. Calls every method; adds two blocks.
pub fn mining(mining: &Arc<dyn Mining>) {
    assert!(mining.is_test_chain().unwrap());
    mining.is_initial_block_download().unwrap();
    let tip = mining.tip().unwrap().expect("there is a tip");
    assert_eq!(mining.wait_tip_changed(BlockHash::all_zeros(), 0.0).unwrap(), Some(tip));
    for timeout in [-1.0, 0.0, 1.0, f64::NAN] {
        assert_eq!(mining.wait_tip_changed(tip.hash, timeout).unwrap(), Some(tip), "{timeout}");
    }
    mining.interrupt().unwrap();
    assert_eq!(mining.wait_tip_changed(tip.hash, f64::MAX).unwrap(), None);

    refused_options(mining);
    let create = |options| mining.create_new_block(options, false).unwrap().expect("nobody interrupts");
    let template = create(BlockCreateOptions::default());
    let block = template.block().unwrap();
    assert_eq!(block.header, template.block_header().unwrap());
    assert_eq!(block.header.merkle_root, TxMerkleNode::all_zeros(), "the miner's to fill in");
    assert_eq!(block.header.prev_blockhash, tip.hash);
    assert_eq!(template.tx_fees().unwrap().len(), block.txdata.len() - 1);
    assert_eq!(template.tx_sigops().unwrap().len(), block.txdata.len() - 1);
    let empty = create(BlockCreateOptions { use_mempool: false, ..BlockCreateOptions::default() });
    assert_eq!(empty.block().unwrap().txdata.len(), 1);
    assert_eq!(empty.tx_fees().unwrap(), []);
    let unchecked = BlockCheckOptions { check_merkle_root: false, check_pow: false };
    assert_eq!(mining.check_block(block, unchecked).unwrap(), good());

    waits(mining, &template);
    solutions(mining, template);

    let (txid, wtxid) = (Txid::from_byte_array([9; 32]), Wtxid::from_byte_array([9; 32]));
    assert_eq!(mining.transactions_by_txid(vec![txid, txid]).unwrap(), [None, None]);
    assert_eq!(mining.transactions_by_wtxid(vec![wtxid]).unwrap(), [None]);
    assert_eq!(mining.transactions_by_txid(Vec::new()).unwrap(), []);
}

fn refused_options(mining: &Arc<dyn Mining>) {
    let usual = BlockCreateOptions::default();
    for (options, says) in [
        (
            BlockCreateOptions { block_reserved_weight: 1999, ..usual },
            "block_reserved_weight (1999) is lower than minimum safety value of (2000)",
        ),
        (
            BlockCreateOptions { block_reserved_weight: u64::MAX, ..usual },
            "block_reserved_weight (18446744073709551615) exceeds consensus maximum block weight (4000000)",
        ),
        (
            BlockCreateOptions { coinbase_output_max_additional_sigops: 80_001, ..usual },
            "coinbase_output_max_additional_sigops (80001) exceeds consensus maximum block sigops cost (80000)",
        ),
    ] {
        assert_eq!(mining.create_new_block(options, false).err(), Some(Error::internal(says)));
    }
}

/// Waits that end because of time, and because they are interrupted, before and while they wait.
fn waits(mining: &Arc<dyn Mining>, template: &Arc<dyn BlockTemplate>) {
    let never = SignedAmount::MAX_MONEY;
    for timeout in [-1.0, 0.0, 1.0, f64::NAN] {
        let next = template.wait_next(BlockWaitOptions { timeout, fee_threshold: never }).unwrap();
        assert!(next.is_none(), "{timeout}");
    }
    template.interrupt_wait().unwrap();
    assert!(template.wait_next(BlockWaitOptions::default()).unwrap().is_none());

    let tip = mining.tip().unwrap().unwrap();
    let (done, wait) = channel();
    let (waiting, done_too) = (mining.clone(), done.clone());
    std::thread::spawn(move || done.send(waiting.wait_tip_changed(tip.hash, f64::MAX).unwrap().is_none()));
    mining.interrupt().unwrap();
    assert_eq!(wait.recv_timeout(LIMIT), Ok(true));
    let waiting = template.clone();
    std::thread::spawn(move || done_too.send(waiting.wait_next(BlockWaitOptions::default()).unwrap().is_none()));
    template.interrupt_wait().unwrap();
    assert_eq!(wait.recv_timeout(LIMIT), Ok(true));
}

/// Solutions, bad and good, and what waits for them.
fn solutions(mining: &Arc<dyn Mining>, template: Arc<dyn BlockTemplate>) {
    let tip = mining.tip().unwrap().unwrap();
    assert!(!template.submit_solution(0, 0, 0, None).unwrap());
    let block = solved(&template, 1);
    assert_eq!(mining.check_block(block.clone(), BlockCheckOptions::default()).unwrap(), good());
    let mut unsolved = block.clone();
    while Target::from_compact(unsolved.header.bits).is_met_by(unsolved.block_hash()) {
        unsolved.header.nonce += 1;
    }
    let check = mining.check_block(unsolved.clone(), BlockCheckOptions::default()).unwrap();
    assert_eq!((check.result, check.reason.as_str()), (false, "high-hash"));
    assert!(!submit(&template, &unsolved));
    assert_eq!(template.block().unwrap().txdata[0], unsolved.txdata[0], "a refused solution stays in the template");

    let (done, wait) = channel();
    let (waiting, send) = (mining.clone(), done.clone());
    std::thread::spawn(move || send.send(waiting.wait_tip_changed(tip.hash, f64::MAX).unwrap().map(|tip| tip.hash)));
    let old = template.clone();
    std::thread::spawn(move || {
        let next = old.wait_next(BlockWaitOptions::default()).unwrap();
        done.send(next.map(|next| next.block_header().unwrap().prev_blockhash))
    });
    assert!(submit(&template, &block));
    let hash = block.block_hash();
    for _ in 0..2 {
        assert_eq!(wait.recv_timeout(LIMIT), Ok(Some(hash)));
    }
    let now = mining.tip().unwrap().unwrap();
    assert_eq!((now.hash, now.height), (hash, tip.height + 1));

    assert!(submit(&template, &block), "a block that is known counts as submitted");
    let again = mining.submit_block(block.clone()).unwrap();
    assert_eq!((again.result, again.reason.as_str()), (false, "duplicate"));
    let check = mining.check_block(block, BlockCheckOptions::default()).unwrap();
    assert_eq!((check.result, check.reason.as_str()), (false, "inconclusive-not-best-prevblk"));

    let next = mining.create_new_block(BlockCreateOptions::default(), false).unwrap().unwrap();
    let block = solved(&next, 2);
    assert_eq!(mining.submit_block(block.clone()).unwrap(), good());
    assert_eq!(mining.tip().unwrap().map(|tip| tip.hash), Some(block.block_hash()));
}

/// Checks a node as clients of version 30 see it; adds a block.
pub fn mining_v30(mining: &Arc<dyn MiningV30>) {
    assert!(mining.is_test_chain().unwrap());
    mining.is_initial_block_download().unwrap();
    let tip = mining.tip().unwrap().unwrap();
    assert_eq!(mining.wait_tip_changed(tip.hash, 1.0).unwrap(), Some(tip));
    let options = BlockCreateOptionsV30 {
        use_mempool: true,
        block_reserved_weight: 8000,
        coinbase_output_max_additional_sigops: 400,
    };
    let low = BlockCreateOptionsV30 { block_reserved_weight: 0, ..options };
    assert!(matches!(mining.create_new_block(low), Err(Error::Internal { .. })));
    let template = mining.create_new_block(options).unwrap().unwrap();
    let mut block = template.block().unwrap();
    assert_eq!(template.block_header().unwrap(), block.header);
    assert_eq!(template.tx_fees().unwrap().len(), template.tx_sigops().unwrap().len());

    let coinbase = template.coinbase_tx().unwrap();
    assert_eq!(coinbase, block.txdata[0]);
    let commitment = template.coinbase_commitment().unwrap();
    match usize::try_from(template.witness_commitment_index().unwrap()) {
        Ok(index) => assert_eq!(coinbase.output[index].script_pubkey, commitment),
        Err(_) => assert!(commitment.is_empty()),
    }
    block.header.merkle_root = merkle_root(&coinbase, &template.coinbase_merkle_path().unwrap());
    block.header = solve(block.header);
    let checked = interfaces::BlockCheckOptionsV30 { check_merkle_root: true, check_pow: true };
    assert_eq!(mining.check_block(block.clone(), checked).unwrap(), good());

    let forever = BlockWaitOptionsV30 { timeout: f64::MAX, fee_threshold: SignedAmount::MAX_MONEY };
    assert!(template.wait_next(BlockWaitOptionsV30 { timeout: 0.0, ..forever }).unwrap().is_none());
    template.interrupt_wait().unwrap();
    assert!(template.wait_next(forever).unwrap().is_none());
    let Header { version, time, nonce, .. } = block.header;
    let version = version.to_consensus() as u32;
    assert!(!template.submit_solution(version, time, nonce, None).unwrap());
    assert!(template.submit_solution(version, time, nonce, Some(coinbase)).unwrap());
    let next = template.wait_next(forever).unwrap().expect("there is another tip");
    assert_eq!(next.block_header().unwrap().prev_blockhash, block.block_hash());
}
