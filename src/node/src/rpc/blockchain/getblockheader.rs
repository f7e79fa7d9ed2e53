//! `getblockheader`.

use bitcoin::consensus::encode::serialize_hex;
use rpc::{Arg, ArgType, Call, Command, Res, RpcResult, example_cli, example_rpc, json as values};
use serde_json::json;

use crate::NodeContext;
use crate::rpc::shape::block::{HeaderView, header_doc};
use crate::rpc::support::find_block;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getblockheader",
    category: "blockchain",
    args: &[
        Arg::required("blockhash", ArgType::StrHex, "The block hash"),
        Arg::or("verbose", ArgType::Bool, "true", "true for an object, false for the serialized header in hex"),
    ],
    description: "Returns the header of a block: as an object, or serialized in hex.",
    result: &[
        Res::obj("", "", header_doc!()).when("for verbose = true"),
        Res::hex("", "The serialized header in hex").when("for verbose=false"),
    ],
    examples: &[
        example_cli!("getblockheader", "\"00000000c937983704a73af28acdec37b049d214adbda81d7e2a3dd146f6ed09\""),
        example_rpc!("getblockheader", "\"00000000c937983704a73af28acdec37b049d214adbda81d7e2a3dd146f6ed09\""),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let hash = values::parse_hash(call.value("blockhash"), "hash")?;
    let index = find_block(ctx, &hash)?;
    if call.bool("verbose")? {
        return call.write(&HeaderView(&index));
    }
    Ok(json!(serialize_hex(&index.header)))
}
