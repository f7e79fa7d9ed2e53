//! `submitblock`.

use bitcoin::hex::FromHex;
use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcError, RpcResult, example_cli, example_rpc};

use super::work::bip22;
use crate::NodeContext;
use crate::rpc::support::engine_error;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "submitblock",
    category: "mining",
    args: &[
        Arg::required("hexdata", ArgType::StrHex, "the hex-encoded block data to submit"),
        Arg::new("dummy", ArgType::Str, Default::Hint("ignored"), "Not used; BIP22 has it."),
    ],
    description: "Submits a block. BIP22 specifies the call and its answers.",
    result: &[Res::none().when("If the block was accepted"), Res::str("", "According to BIP22").when("Otherwise")],
    examples: &[example_cli!("submitblock", "\"mydata\""), example_rpc!("submitblock", "\"mydata\"")],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let failed = || RpcError::deserialization("Block decode failed");
    let block = Vec::from_hex(call.str("hexdata")?).map_err(|_| failed())?;
    let processed = ctx.kernel.submit_block(&block).map_err(|error| match error {
        kernel::Error::Decode(_) => failed(),
        other => engine_error(other),
    })?;
    match &processed.verdict {
        _ if !processed.new && processed.accepted => Ok("duplicate".into()),
        None => Ok("inconclusive".into()),
        Some(verdict) => bip22(verdict),
    }
}
