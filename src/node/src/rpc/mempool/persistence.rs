//! `savemempool` and `importmempool`.

use std::path::Path;

use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, code, example_cli, example_rpc, json as values};
use serde_json::{Value, json};

use crate::NodeContext;
use crate::mempool_persist::{self, ImportOptions};
use crate::rpc::support::engine_error;

pub(super) const SAVE: Command<NodeContext> = Command {
    name: "savemempool",
    category: "blockchain",
    args: &[],
    description: "Writes the mempool to disk. Fails until the one stored last was loaded.",
    result: &[Res::obj("", "", &[Res::str("filename", "The file it was written to")])],
    examples: &[example_cli!("savemempool", ""), example_rpc!("savemempool", "")],
    run: save,
};

pub(super) const IMPORT: Command<NodeContext> = Command {
    name: "importmempool",
    category: "blockchain",
    args: &[
        Arg::required("filepath", ArgType::Str, "The file"),
        Arg::optional("options", ArgType::ObjNamed, "")
            .inner(&[
                Arg::or(
                    "use_current_time",
                    ArgType::Bool,
                    "true",
                    "Give the transactions the current time instead of the file's. Do not trust a stranger's.",
                ),
                Arg::or(
                    "apply_fee_delta_priority",
                    ArgType::Bool,
                    "false",
                    "Add the file's fee deltas (see prioritisetransaction). Do not trust a stranger's.",
                ),
                Arg::or(
                    "apply_unbroadcast_set",
                    ArgType::Bool,
                    "false",
                    "Take over which transactions no peer has asked for yet. Do not trust a stranger's.",
                ),
            ])
            .oneline("options"),
    ],
    description: "Reads a mempool.dat file and hands its transactions to the mempool.\n\
                  Warning: a file from someone else may do harm, most of all if more than the transactions is taken.",
    result: &[Res::obj("", "", &[])],
    examples: &[
        example_cli!("importmempool", "/path/to/mempool.dat"),
        example_rpc!("importmempool", "/path/to/mempool.dat"),
    ],
    run: import,
};

fn save(ctx: &NodeContext, _: &Call<'_>) -> RpcResult {
    if !ctx.kernel.mempool_info().map_err(engine_error)?.loaded {
        return Err(RpcError::misc("The mempool was not loaded yet"));
    }
    let path = mempool_persist::path(&ctx.net_datadir);
    mempool_persist::dump(&ctx.kernel, &path, ctx.args.get_bool("persistmempoolv1"))
        .map_err(|_| RpcError::misc("Unable to dump mempool to disk"))?;
    Ok(json!({"filename": path.display().to_string()}))
}

fn import(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    if ctx.kernel.is_initial_block_download().map_err(engine_error)? {
        return Err(RpcError::new(
            code::CLIENT_IN_INITIAL_DOWNLOAD,
            "Can only import the mempool after the block download and sync is done.",
        ));
    }
    let flag = |name: &str, default: bool| match call.option("options", name) {
        Value::Null => Ok(default),
        value => values::as_bool(value),
    };
    let options = ImportOptions {
        use_current_time: flag("use_current_time", true)?,
        apply_fee_deltas: flag("apply_fee_delta_priority", false)?,
        apply_unbroadcast: flag("apply_unbroadcast_set", false)?,
    };
    let expiry = ctx.args.get_int("mempoolexpiry").saturating_mul(60 * 60);
    let path = Path::new(call.str("filepath")?);
    mempool_persist::load(&ctx.kernel, path, expiry, options, &|| ctx.shutdown.is_requested())
        .map_err(|_| RpcError::misc("Unable to import mempool file, see debug log for details."))?;
    Ok(json!({}))
}
