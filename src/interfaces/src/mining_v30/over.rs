//! The interfaces of version 30 over the present ones. It is here, beside the traits, because nothing but them is
//! needed for it: whoever implements [`Mining`] has [`MiningV30`], too.

use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::{Block, BlockHash, ScriptBuf, SignedAmount, Transaction, TxMerkleNode};

use crate::{
    BlockCheck, BlockCheckOptionsV30, BlockCreateOptionsV30, BlockTemplate, BlockTemplateV30, BlockWaitOptionsV30,
    Error, Mining, MiningV30, Result, TipRef,
};

/// Starts the output that commits to the witnesses (BIP141), which is at least this long in all.
const COMMITMENT: (&[u8], usize) = (&[0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed], 38);

/// Offers `mining` as version 30 did.
pub fn mining_as_v30(mining: Arc<dyn Mining>) -> Arc<dyn MiningV30> {
    Arc::new(Over(mining))
}

struct Over<T: ?Sized>(Arc<T>);

fn template(new: Option<Arc<dyn BlockTemplate>>) -> Option<Arc<dyn BlockTemplateV30>> {
    new.map(|template| Arc::new(Over(template)) as Arc<dyn BlockTemplateV30>)
}

impl MiningV30 for Over<dyn Mining> {
    fn is_test_chain(&self) -> Result<bool> {
        self.0.is_test_chain()
    }

    fn is_initial_block_download(&self) -> Result<bool> {
        self.0.is_initial_block_download()
    }

    fn tip(&self) -> Result<Option<TipRef>> {
        self.0.tip()
    }

    fn wait_tip_changed(&self, current_tip: BlockHash, timeout: f64) -> Result<Option<TipRef>> {
        self.0.wait_tip_changed(current_tip, timeout)
    }

    fn create_new_block(&self, options: BlockCreateOptionsV30) -> Result<Option<Arc<dyn BlockTemplateV30>>> {
        self.0.create_new_block(options.into(), false).map(template)
    }

    fn check_block(&self, block: Block, options: BlockCheckOptionsV30) -> Result<BlockCheck> {
        self.0.check_block(block, options.into())
    }
}

impl Over<dyn BlockTemplate> {
    /// The output that commits to the witnesses: the last one that looks like it.
    fn commitment(&self) -> Result<Option<(usize, ScriptBuf)>> {
        let (prefix, length) = COMMITMENT;
        let outputs = self.coinbase_tx()?.output.into_iter().map(|output| output.script_pubkey);
        let commits = |script: &ScriptBuf| script.len() >= length && script.as_bytes().starts_with(prefix);
        Ok(outputs.enumerate().rfind(|(_, script)| commits(script)))
    }
}

impl BlockTemplateV30 for Over<dyn BlockTemplate> {
    fn block_header(&self) -> Result<Header> {
        self.0.block_header()
    }

    fn block(&self) -> Result<Block> {
        self.0.block()
    }

    fn tx_fees(&self) -> Result<Vec<SignedAmount>> {
        self.0.tx_fees()
    }

    fn tx_sigops(&self) -> Result<Vec<i64>> {
        self.0.tx_sigops()
    }

    fn coinbase_tx(&self) -> Result<Transaction> {
        let first = self.0.block()?.txdata.into_iter().next();
        first.ok_or_else(|| Error::internal("the template has no coinbase"))
    }

    fn coinbase_commitment(&self) -> Result<ScriptBuf> {
        Ok(self.commitment()?.map(|(_, script)| script).unwrap_or_default())
    }

    fn witness_commitment_index(&self) -> Result<i32> {
        Ok(self.commitment()?.and_then(|(index, _)| i32::try_from(index).ok()).unwrap_or(-1))
    }

    fn coinbase_merkle_path(&self) -> Result<Vec<TxMerkleNode>> {
        self.0.coinbase_merkle_path()
    }

    fn submit_solution(&self, version: u32, timestamp: u32, nonce: u32, coinbase: Option<Transaction>) -> Result<bool> {
        self.0.submit_solution(version, timestamp, nonce, coinbase)
    }

    fn wait_next(&self, options: BlockWaitOptionsV30) -> Result<Option<Arc<dyn BlockTemplateV30>>> {
        self.0.wait_next(options.into()).map(template)
    }

    fn interrupt_wait(&self) -> Result<()> {
        self.0.interrupt_wait()
    }
}
