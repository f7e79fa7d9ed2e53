//! `submitheader`.

use bitcoin::block::Header;
use bitcoin::consensus::encode::deserialize_partial;
use bitcoin::hex::FromHex;
use kernel::BlockVerdict;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::Value;

use crate::NodeContext;
use crate::rpc::support::engine_error;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "submitheader",
    category: "mining",
    args: &[Arg::required("hexdata", ArgType::StrHex, "the hex-encoded block header data")],
    description: "Submits a header as a candidate for the tip. An invalid one is an error.",
    result: &[Res::none()],
    examples: &[example_cli!("submitheader", "\"aabbcc\""), example_rpc!("submitheader", "\"aabbcc\"")],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let failed = || RpcError::deserialization("Block header decode failed");
    let bytes = Vec::from_hex(call.str("hexdata")?).map_err(|_| failed())?;
    let (header, _) = deserialize_partial::<Header>(&bytes).map_err(|_| failed())?;
    if ctx.kernel.block_index(&header.prev_blockhash).map_err(engine_error)?.is_none() {
        return Err(RpcError::verify(format!("Must submit previous header ({}) first", header.prev_blockhash)));
    }
    match ctx.kernel.process_headers(&[header], true).map_err(engine_error)?.verdict {
        BlockVerdict::Valid => Ok(Value::Null),
        BlockVerdict::Invalid { reason, .. } | BlockVerdict::Failed { reason } => Err(RpcError::verify(reason)),
    }
}
