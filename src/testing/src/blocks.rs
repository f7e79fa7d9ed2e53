//! Blocks and transactions for fakes: valid to look at, without proof of work or signatures.

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut,
    Witness, transaction,
};

/// Returns a script that differs for each `tag`.
pub fn script(tag: u8) -> ScriptBuf {
    ScriptBuf::from_bytes([&[0x00, 0x14][..], &[tag; 20]].concat())
}

fn transaction(input: TxIn, output: Vec<TxOut>) -> Transaction {
    Transaction { version: transaction::Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output }
}

/// Returns the coinbase of a block at `height` that pays to `script`.
pub fn coinbase(height: u32, script: ScriptBuf) -> Transaction {
    let input = TxIn {
        previous_output: OutPoint::null(),
        script_sig: ScriptBuf::from_bytes([&[4][..], &height.to_le_bytes()].concat()),
        sequence: Sequence::MAX,
        witness: Witness::from_slice(&[[0u8; 32]]),
    };
    transaction(input, vec![TxOut { value: Amount::from_sat(50_0000_0000), script_pubkey: script }])
}

/// Returns a transaction that spends `from` and pays `value` to `script`.
pub fn payment(from: OutPoint, value: Amount, script: ScriptBuf) -> Transaction {
    let input = TxIn {
        previous_output: from,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::from_slice(&[vec![0x30; 71], vec![0x02; 33]]),
    };
    transaction(input, vec![TxOut { value, script_pubkey: script }])
}

/// Returns a block on top of `previous`.
pub fn block_on(previous: BlockHash, time: u32, transactions: Vec<Transaction>) -> Block {
    let header = Header {
        version: Version::TWO,
        prev_blockhash: previous,
        merkle_root: TxMerkleNode::all_zeros(),
        time,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce: 0,
    };
    let mut block = Block { header, txdata: transactions };
    block.header.merkle_root = block.compute_merkle_root().expect("a block has a coinbase");
    block
}
