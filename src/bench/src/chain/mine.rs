//! Blocks around transactions: the coinbase and the work.

use anyhow::{Context, Result};
use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut,
    Witness, transaction,
};

/// Regtest's first reward, and the blocks after which it halves.
const REWARD: (u64, u32) = (5_000_000_000, 150);
/// When the genesis block was made, and the seconds between blocks.
const CLOCK: (u32, u32) = (1_296_688_602, 600);
/// Regtest's difficulty.
const BITS: u32 = 0x207f_ffff;
/// What a coinbase's commitment to witnesses begins with: OP_RETURN, a push of 36 bytes and the tag of BIP141.
const COMMITMENT: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];

/// What a block may create.
pub(super) fn subsidy(height: u32) -> u64 {
    REWARD.0.checked_shr(height / REWARD.1).unwrap_or(0)
}

/// Makes a block. `extra` sets its coinbase apart from others of that height.
pub(super) fn block(
    parent: BlockHash,
    height: u32,
    extra: u32,
    script: ScriptBuf,
    value: u64,
    transactions: Vec<Transaction>,
) -> Result<Block> {
    let reserved = [0; 32];
    let input = TxIn {
        previous_output: OutPoint::null(),
        script_sig: Builder::new().push_int(i64::from(height)).push_slice(extra.to_le_bytes()).into_script(),
        sequence: Sequence::MAX,
        witness: Witness::from_slice(&[reserved]),
    };
    let coinbase = Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![input],
        output: vec![TxOut { value: Amount::from_sat(value), script_pubkey: script }],
    };
    let header = Header {
        version: Version::from_consensus(0x2000_0000),
        prev_blockhash: parent,
        merkle_root: TxMerkleNode::all_zeros(),
        time: CLOCK.0 + height * CLOCK.1,
        bits: CompactTarget::from_consensus(BITS),
        nonce: 0,
    };
    let mut block = Block { header, txdata: std::iter::once(coinbase).chain(transactions).collect() };
    let root = block.witness_root().context("a block has a coinbase")?;
    let commitment = Block::compute_witness_commitment(&root, &reserved);
    let script_pubkey = ScriptBuf::from_bytes([&COMMITMENT, commitment.as_byte_array().as_slice()].concat());
    block.txdata[0].output.push(TxOut { value: Amount::ZERO, script_pubkey });
    block.header.merkle_root = block.compute_merkle_root().context("a block has a coinbase")?;
    let target = block.header.target();
    while !target.is_met_by(block.block_hash()) {
        block.header.nonce += 1;
    }
    Ok(block)
}
