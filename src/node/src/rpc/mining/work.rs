//! What the commands that mine share: where the reward goes, and the work itself.

use bitcoin::{Block, BlockHash, ScriptBuf};
use kernel::BlockVerdict;
use rpc::RpcError;

use crate::NodeContext;
use crate::mining::{Ground, MiningOptions, TemplateError, grind};
use crate::rpc::shape::descriptor::{self, Underivable};
use crate::rpc::support::{Result, engine_error};

/// Reads the options blocks are made by.
pub(super) fn options(ctx: &NodeContext) -> Result<MiningOptions> {
    MiningOptions::from_args(&ctx.args).map_err(RpcError::misc)
}

/// Turns a failure to make a block into what a client sees.
pub(super) fn template_error(error: TemplateError) -> RpcError {
    match error {
        TemplateError::Kernel(error) => engine_error(error),
        TemplateError::Reward => RpcError::internal(error),
        TemplateError::Invalid(_) => RpcError::misc(error),
    }
}

/// Returns the script a descriptor stands for; `Ok(Err)` says why the text is no descriptor.
pub(super) fn script_of_descriptor(ctx: &NodeContext, text: &str) -> Result<Result<ScriptBuf, RpcError>> {
    let descriptors = match descriptor::parse(text, ctx.chain.network(), false) {
        Ok(descriptors) => descriptors,
        Err(error) => return Ok(Err(RpcError::invalid_address_or_key(error))),
    };
    let [descriptor] = descriptors.as_slice() else {
        return Err(RpcError::invalid_parameter("Multipath descriptor not accepted"));
    };
    if descriptor.is_range() {
        return Err(RpcError::invalid_parameter(
            "Ranged descriptor not accepted. Maybe pass through deriveaddresses first?",
        ));
    }
    let mut scripts = descriptor
        .expand(0)
        .map_err(|Underivable| RpcError::invalid_address_or_key("Cannot derive script without private keys"))?;
    // Of combo's scripts: P2WPKH where there is one, else P2PKH.
    let which = match scripts.len() {
        4 => 2,
        2 => 1,
        _ => 0,
    };
    Ok(Ok(scripts.swap_remove(which).script))
}

/// Completes a block. `None` if no nonce is left.
pub(super) fn complete(ctx: &NodeContext, mut block: Block, tries: &mut u64) -> Result<Option<Block>, Ground> {
    match grind(&mut block, tries, || ctx.shutdown.is_requested()) {
        Ground::Found => Ok(Some(block)),
        Ground::NoNonce => Ok(None),
        Ground::GaveUp => Err(Ground::GaveUp),
    }
}

/// Hands a mined block in.
pub(super) fn submit(ctx: &NodeContext, block: &Block) -> Result<BlockHash> {
    let bytes = bitcoin::consensus::serialize(block);
    let processed = ctx.kernel.process_block(&bytes, true, true).map_err(engine_error)?;
    if !processed.accepted {
        return Err(RpcError::internal("ProcessNewBlock, block not accepted"));
    }
    Ok(block.block_hash())
}

/// Returns what BIP22 has for a verdict: null if valid, else the reject reason.
pub(super) fn bip22(verdict: &BlockVerdict) -> rpc::RpcResult {
    match verdict {
        BlockVerdict::Valid => Ok(serde_json::Value::Null),
        BlockVerdict::Invalid { reason, .. } if reason.is_empty() => Ok("rejected".into()),
        BlockVerdict::Invalid { reason, .. } => Ok(reason.as_str().into()),
        BlockVerdict::Failed { reason } => Err(RpcError::verify(reason)),
    }
}
