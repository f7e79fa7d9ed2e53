//! `decoderawtransaction`.

use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcError, RpcResult, example_cli, example_rpc};

use crate::NodeContext;
use crate::rpc::shape::transaction::{self, Encoding, INPUT_DOC, Spent, transaction_doc};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "decoderawtransaction",
    category: "rawtransactions",
    args: &[
        Arg::required("hexstring", ArgType::StrHex, "The serialized transaction in hex"),
        Arg::new(
            "iswitness",
            ArgType::Bool,
            Default::Hint("depends on heuristic tests"),
            "Whether it is serialized with witnesses. If not given, both are tried and the likelier is taken; give it \
             where that may go wrong, as with transactions that have no inputs yet.",
        ),
    ],
    description: "Returns a serialized transaction as an object.",
    result: &[Res::obj("", "", transaction_doc!(INPUT_DOC))],
    examples: &[
        example_cli!("decoderawtransaction", "\"hexstring\""),
        example_rpc!("decoderawtransaction", "\"hexstring\""),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let encoding = match call.opt_bool("iswitness")? {
        None => Encoding::Either,
        Some(true) => Encoding::Witness,
        Some(false) => Encoding::Legacy,
    };
    let tx = transaction::from_hex(call.str("hexstring")?, encoding)
        .ok_or_else(|| RpcError::deserialization("TX decode failed"))?;
    Ok(transaction::to_json(&tx, ctx.chain.network(), Spent::Unknown, false).into())
}
