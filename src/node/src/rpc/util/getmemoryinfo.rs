//! `getmemoryinfo`.

use kernel::LockedMemory;
use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::json;

use crate::NodeContext;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getmemoryinfo",
    category: "control",
    args: &[Arg::new(
        "mode",
        ArgType::Str,
        Default::Json("\"stats\""),
        "What to tell: \"stats\" of memory that is kept from being written to disk, \"mallocinfo\" the state of the heap \
         as XML (only with glibc).",
    )],
    description: "Returns how the node's memory is used.",
    result: &[
        Res::obj(
            "",
            "",
            &[Res::obj(
                "locked",
                "Memory that is kept from being written to disk",
                &[
                    Res::num("used", "Bytes in use"),
                    Res::num("free", "Bytes set aside and not in use"),
                    Res::num("total", "All bytes"),
                    Res::num("locked", "As many of them as the system agreed to keep; less than all is not safe"),
                    Res::num("chunks_used", "Pieces in use"),
                    Res::num("chunks_free", "Pieces not in use"),
                ],
            )],
        )
        .when("mode \"stats\""),
        Res::str("", "\"<malloc version=\"1\">...\"").when("mode \"mallocinfo\""),
    ],
    examples: &[example_cli!("getmemoryinfo", ""), example_rpc!("getmemoryinfo", "")],
    run,
};

fn run(_: &NodeContext, call: &Call<'_>) -> RpcResult {
    match call.str("mode")? {
        "stats" => {
            let LockedMemory { used, free, total, locked, chunks_used, chunks_free } =
                kernel::locked_memory().ok_or_else(|| RpcError::internal("the engine does not say"))?;
            Ok(json!({"locked": {
                "used": used,
                "free": free,
                "total": total,
                "locked": locked,
                "chunks_used": chunks_used,
                "chunks_free": chunks_free,
            }}))
        }
        "mallocinfo" => {
            let state = kernel::malloc_state();
            Ok(json!(state.ok_or_else(|| RpcError::invalid_parameter("mallocinfo mode not available"))?))
        }
        other => Err(RpcError::invalid_parameter(format!("unknown mode {other}"))),
    }
}
