//! `submitblock`.

use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcResult, example_cli, example_rpc};

use super::work::bip22;
use crate::NodeContext;
use crate::rpc::support::{decode_block, engine_error};

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
    let block = decode_block(call.str("hexdata")?)?;
    let processed = ctx.kernel.submit_block(&block).map_err(engine_error)?;
    match &processed.verdict {
        _ if !processed.new && processed.accepted => Ok("duplicate".into()),
        None => Ok("inconclusive".into()),
        Some(verdict) => bip22(verdict),
    }
}
