//! `getdescriptorinfo`.

use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::{Map, json};

use crate::NodeContext;
use crate::rpc::shape::descriptor;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getdescriptorinfo",
    category: "util",
    args: &[Arg::required("descriptor", ArgType::Str, "The descriptor.")],
    description: "Analyses a descriptor.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::str(
                "descriptor",
                "The descriptor without private keys; the first of several if it has multipath steps",
            ),
            Res::arr(
                "multipath_expansion",
                "All descriptors the multipath steps stand for (only if there are any)",
                &[Res::str("", "")],
            )
            .optional(),
            Res::str("checksum", "The checksum of the descriptor as given"),
            Res::bool("isrange", "Whether it stands for a range of scripts"),
            Res::bool("issolvable", "Whether it tells how to spend"),
            Res::bool("hasprivatekeys", "Whether it was given with a private key"),
        ],
    )],
    examples: &[
        example_cli!(
            "getdescriptorinfo",
            "\"wpkh([d34db33f/84h/0h/0h]0279be667ef9dcbbac55a06295Ce870b07029Bfcdb2dce28d959f2815b16f81798)\""
        ),
        example_rpc!(
            "getdescriptorinfo",
            "\"wpkh([d34db33f/84h/0h/0h]0279be667ef9dcbbac55a06295Ce870b07029Bfcdb2dce28d959f2815b16f81798)\""
        ),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let text = call.str("descriptor")?;
    let all = descriptor::parse(text, ctx.chain.network(), false).map_err(RpcError::invalid_address_or_key)?;
    let mut out = Map::new();
    let expanded: Vec<String> = all.iter().map(descriptor::Descriptor::to_public).collect();
    out.insert("descriptor".into(), json!(expanded.first()));
    if expanded.len() > 1 {
        out.insert("multipath_expansion".into(), json!(expanded));
    }
    out.insert("checksum".into(), json!(descriptor::checksum_of(text).unwrap_or_default()));
    out.insert("isrange".into(), json!(all.iter().any(descriptor::Descriptor::is_range)));
    out.insert("issolvable".into(), json!(all.iter().all(descriptor::Descriptor::is_solvable)));
    out.insert("hasprivatekeys".into(), json!(all.iter().any(descriptor::Descriptor::has_private_keys)));
    Ok(out.into())
}
