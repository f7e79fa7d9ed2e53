//! The next block, complete but for its proof of work.

use std::sync::Mutex;

use bitcoin::block::{Header, Version};
use bitcoin::blockdata::script::Builder;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::opcodes::OP_0;
use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::{
    Amount, Block, OutPoint, Script, ScriptBuf, Sequence, SignedAmount, Transaction, TxIn, TxMerkleNode, TxOut,
    Witness, absolute, transaction,
};
use kernel::{BlockTemplate, BlockVerdict, Kernel};

use super::MiningOptions;

/// Starts the output that commits to the witnesses (BIP141).
const COMMITMENT_PREFIX: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
/// Coinbase scripts are at least two bytes long; up to this height the height alone is shorter.
const LAST_ONE_BYTE_HEIGHT: u32 = 16;

/// Reject reason of a block that is not on top of the tip.
const NOT_ON_TIP: &str = "inconclusive-not-best-prevblk";

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The engine could not be asked.
    #[error(transparent)]
    Kernel(#[from] kernel::Error),
    /// Fees and subsidy do not add up to an amount.
    #[error("block reward is out of range")]
    Reward,
    /// The result is not a valid block.
    #[error("TestBlockValidity failed: {0}")]
    Invalid(String),
}

/// A block without proof of work, and what it was made of.
#[derive(Debug, Clone)]
pub struct NewBlock {
    /// The block. Its merkle root is right, its nonce zero.
    pub block: Block,
    /// What it was made of.
    pub template: BlockTemplate,
}

/// Size of the last block that was put together, as `getmininginfo` reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastBlock {
    /// Weight, with what is reserved.
    pub weight: u64,
    /// Transactions without the coinbase.
    pub transactions: usize,
}

static LAST_BLOCK: Mutex<Option<LastBlock>> = Mutex::new(None);

/// Returns the size of the last block put together by this process, if there was one.
pub fn last_block() -> Option<LastBlock> {
    *LAST_BLOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Puts together the block after the tip, paying to `script`, and checks it. Starts over when the tip changes in
/// between.
pub fn new_block(
    kernel: &Kernel,
    options: &MiningOptions,
    script: &Script,
    use_mempool: bool,
) -> Result<NewBlock, TemplateError> {
    loop {
        match try_new_block(kernel, options, script, use_mempool) {
            Err(TemplateError::Invalid(reason)) if reason.starts_with(NOT_ON_TIP) => {}
            result => return result,
        }
    }
}

fn try_new_block(
    kernel: &Kernel,
    options: &MiningOptions,
    script: &Script,
    use_mempool: bool,
) -> Result<NewBlock, TemplateError> {
    let template = kernel.block_template(&options.engine(use_mempool))?;
    if options.print_priority {
        for tx in &template.transactions {
            log::info!("fee {} weight {} txid {}", tx.fee.to_sat(), tx.weight, tx.transaction.compute_txid());
        }
    }
    let last = LastBlock { weight: template.weight, transactions: template.transactions.len() };
    *LAST_BLOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(last);
    let block = assemble(&template, options.block_version, script)?;
    log::info!(
        "CreateNewBlock(): block weight: {} txs: {} fees: {} sigops {}",
        block.weight().to_wu(),
        template.transactions.len(),
        template.fees.to_sat(),
        template.sigops
    );
    check(kernel, &block)?;
    Ok(NewBlock { block, template })
}

/// Validates a block without proof of work on top of the tip.
pub fn check(kernel: &Kernel, block: &Block) -> Result<(), TemplateError> {
    match kernel.test_block_validity(block, false, false)? {
        BlockVerdict::Valid => Ok(()),
        BlockVerdict::Invalid { reason, debug, .. } if debug.is_empty() => Err(TemplateError::Invalid(reason)),
        BlockVerdict::Invalid { reason, debug, .. } => Err(TemplateError::Invalid(format!("{reason}, {debug}"))),
        BlockVerdict::Failed { reason } => Err(TemplateError::Invalid(reason)),
    }
}

/// Puts the parts of a template together.
pub(crate) fn assemble(
    template: &BlockTemplate,
    version: Option<i32>,
    script: &Script,
) -> Result<Block, TemplateError> {
    let subsidy = SignedAmount::from_sat(i64::try_from(template.subsidy.to_sat()).map_err(|_| TemplateError::Reward)?);
    let reward = subsidy
        .checked_add(template.fees)
        .and_then(|reward| Amount::try_from(reward).ok())
        .ok_or(TemplateError::Reward)?;
    let mut txdata = vec![coinbase(template.height, reward, script, template.segwit)];
    txdata.extend(template.transactions.iter().map(|tx| tx.transaction.clone()));
    let header = Header {
        version: Version::from_consensus(version.unwrap_or(template.version)),
        prev_blockhash: template.previous.hash,
        merkle_root: TxMerkleNode::all_zeros(),
        time: template.time,
        bits: template.bits,
        nonce: 0,
    };
    let mut block = Block { header, txdata };
    regenerate_commitments(&mut block);
    Ok(block)
}

/// Makes a coinbase: the height in its script (BIP34), not final before its own height, the reward to `script`.
fn coinbase(height: u32, reward: Amount, script: &Script, segwit: bool) -> Transaction {
    let mut script_sig = Builder::new().push_int(i64::from(height));
    if height <= LAST_ONE_BYTE_HEIGHT {
        script_sig = script_sig.push_opcode(OP_0);
    }
    // The reserved value whose hash the commitment includes (BIP141).
    let witness = if segwit { Witness::from_slice(&[[0u8; 32]]) } else { Witness::new() };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::from_consensus(height.saturating_sub(1)),
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: script_sig.into_script(),
            sequence: Sequence::ENABLE_LOCKTIME_NO_RBF,
            witness,
        }],
        output: vec![TxOut { value: reward, script_pubkey: script.to_owned() }],
    }
}

/// Replaces the commitment to the witnesses and the merkle root by those of the transactions now in the block.
pub fn regenerate_commitments(block: &mut Block) {
    let root = witness_root(&block.txdata);
    if let Some(coinbase) = block.txdata.first_mut() {
        if let Some(old) =
            coinbase.output.iter().rposition(|output| output.script_pubkey.as_bytes().starts_with(&COMMITMENT_PREFIX))
        {
            coinbase.output.remove(old);
        }
        coinbase.output.push(TxOut { value: Amount::ZERO, script_pubkey: commitment_script(root) });
    }
    block.header.merkle_root = block.compute_merkle_root().unwrap_or(TxMerkleNode::all_zeros());
}

/// Merkle root over the hashes with witnesses, zero standing in for the coinbase's (BIP141).
fn witness_root(transactions: &[Transaction]) -> sha256d::Hash {
    let own = transactions.iter().skip(1).map(|tx| tx.compute_wtxid().to_raw_hash());
    let hashes = std::iter::once(sha256d::Hash::all_zeros()).chain(own);
    bitcoin::merkle_tree::calculate_root(hashes).unwrap_or(sha256d::Hash::all_zeros())
}

fn commitment_script(witness_root: sha256d::Hash) -> ScriptBuf {
    let mut preimage = [0u8; 64];
    preimage[..32].copy_from_slice(witness_root.as_byte_array());
    let commitment = sha256d::Hash::hash(&preimage);
    let mut payload = [0u8; 36];
    payload[..4].copy_from_slice(&COMMITMENT_PREFIX[2..]);
    payload[4..].copy_from_slice(commitment.as_byte_array());
    Builder::new().push_opcode(OP_RETURN).push_slice(payload).into_script()
}

/// Returns the script of the output that commits to the witnesses, if the block has one.
pub(crate) fn commitment(block: &Block) -> Option<&Script> {
    let outputs = &block.txdata.first()?.output;
    let found = outputs.iter().rfind(|output| output.script_pubkey.as_bytes().starts_with(&COMMITMENT_PREFIX))?;
    Some(&found.script_pubkey)
}

#[cfg(test)]
mod tests {
    use bitcoin::{BlockHash, CompactTarget, Work};
    use kernel::{BlockIndex, BlockStatus, TemplateTransaction, Validity};

    use super::*;

    fn template(height: u32, fees: i64, transactions: Vec<TemplateTransaction>) -> BlockTemplate {
        let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest).header;
        BlockTemplate {
            previous: BlockIndex {
                hash: genesis.block_hash(),
                height: height - 1,
                header: genesis,
                median_time: 1,
                max_time: 1,
                chainwork: Work::from_be_bytes([0; 32]),
                n_tx: 1,
                chain_tx_count: 1,
                status: BlockStatus { validity: Validity::Scripts, have_data: true, have_undo: true, failed: false },
                active: true,
                confirmations: 1,
                next: None,
            },
            height,
            version: 0x2000_0000,
            time: 1_600_000_000,
            min_time: 2,
            bits: CompactTarget::from_consensus(0x207f_ffff),
            subsidy: Amount::from_sat(5_000_000_000),
            segwit: true,
            signet_challenge: None,
            deployments: vec![],
            transactions,
            chunk_feerates: vec![],
            fees: SignedAmount::from_sat(fees),
            weight: 8000,
            sigops: 400,
        }
    }

    fn payment(value: u64) -> TemplateTransaction {
        let transaction = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn::default()],
            output: vec![TxOut { value: Amount::from_sat(value), script_pubkey: ScriptBuf::new() }],
        };
        let weight = transaction.weight().to_wu();
        TemplateTransaction { transaction, fee: SignedAmount::from_sat(1000), sigops: 0, weight }
    }

    #[test]
    fn coinbase_scripts_start_with_the_height() {
        let check = |height: u32, script: &str| {
            let block = assemble(&template(height, 0, vec![]), None, Script::new()).expect("assembles");
            let coinbase = &block.txdata[0];
            assert_eq!(coinbase.input[0].script_sig.to_hex_string(), script, "{height}");
            assert_eq!(coinbase.lock_time.to_consensus_u32(), height - 1);
            assert!(coinbase.is_coinbase() && !coinbase.input[0].sequence.is_final());
        };
        check(1, "5100");
        check(16, "6000");
        check(17, "0111");
        check(127, "017f");
        check(128, "028000");
        check(500_000, "0320a107");
    }

    #[test]
    fn reward_is_subsidy_and_fees() {
        let block =
            assemble(&template(200, 2000, vec![payment(1), payment(2)]), None, Script::new()).expect("assembles");
        assert_eq!(block.txdata.len(), 3);
        assert_eq!(block.txdata[0].output[0].value.to_sat(), 5_000_002_000);
        assert!(assemble(&template(200, -6_000_000_000, vec![]), None, Script::new()).is_err());
    }

    #[test]
    fn commitments_hold_and_follow_the_content() {
        let mut block = assemble(&template(200, 0, vec![payment(1)]), Some(7), Script::new()).expect("assembles");
        assert!(block.check_merkle_root() && block.check_witness_commitment());
        assert_eq!(block.header.version.to_consensus(), 7);
        let before = block.clone();
        block.txdata.push(payment(3).transaction);
        assert!(!block.check_merkle_root());
        regenerate_commitments(&mut block);
        assert!(block.check_merkle_root() && block.check_witness_commitment());
        assert_eq!(block.txdata[0].output.len(), 2);
        assert_ne!(commitment(&block), commitment(&before));
    }

    #[test]
    fn an_empty_block_has_the_well_known_commitment() {
        let block = assemble(&template(1, 0, vec![]), None, Script::new()).expect("assembles");
        assert_eq!(
            commitment(&block).expect("committed").to_hex_string(),
            "6a24aa21a9ede2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9"
        );
        assert_ne!(block.header.prev_blockhash, BlockHash::all_zeros());
    }
}
