//! `generatetoaddress` and `generatetodescriptor`, and `generate`, which is no more.

use bitcoin::ScriptBuf;
use rpc::{Arg, ArgType, Command, Res, RpcError, RpcResult, code, example_cli};
use serde_json::{Value, json};

use super::work::{complete, options, script_of_descriptor, submit, template_error};
use crate::NodeContext;
use crate::mining::new_block;
use crate::rpc::support::parse_address;

const MAX_TRIES: Arg = Arg::or("maxtries", ArgType::Num, "1000000", "How many iterations to try.");
const RESULT: &[Res] = &[Res::arr("", "hashes of blocks generated", &[Res::hex("", "blockhash")])];
const GONE_TEXT: &str = "has been replaced by the -generate cli option. Refer to -help for more information.";

pub(super) const TO_ADDRESS: Command<NodeContext> = Command {
    name: "generatetoaddress",
    category: "hidden",
    args: &[
        Arg::required("nblocks", ArgType::Num, "How many blocks are generated."),
        Arg::required("address", ArgType::Str, "The address to send the newly generated bitcoin to."),
        MAX_TRIES,
    ],
    description: "Mines blocks whose reward goes to an address, and returns their hashes.",
    result: RESULT,
    examples: &[
        "\nGenerate 11 blocks to myaddress\n",
        example_cli!("generatetoaddress", "11 \"myaddress\""),
        "With a wallet, an address to send the new coins to can be had with:\n",
        example_cli!("getnewaddress", ""),
    ],
    run: |ctx, call| {
        let count = call.int::<i32>("nblocks")?;
        let tries = i64::from(call.int::<i32>("maxtries")?) as u64;
        let script = parse_address(ctx, call.str("address")?)
            .ok_or_else(|| RpcError::invalid_address_or_key("Error: Invalid address"))?;
        generate(ctx, &script, count, tries)
    },
};

pub(super) const TO_DESCRIPTOR: Command<NodeContext> = Command {
    name: "generatetodescriptor",
    category: "hidden",
    args: &[
        Arg::required("num_blocks", ArgType::Num, "How many blocks are generated."),
        Arg::required("descriptor", ArgType::Str, "The descriptor to send the newly generated bitcoin to."),
        MAX_TRIES,
    ],
    description: "Mines blocks whose reward goes to a descriptor, and returns their hashes.",
    result: RESULT,
    examples: &["\nGenerate 11 blocks to mydesc\n", example_cli!("generatetodescriptor", "11 \"mydesc\"")],
    run: |ctx, call| {
        let count = call.int::<i32>("num_blocks")?;
        let tries = call.int::<u64>("maxtries")?;
        let script = script_of_descriptor(ctx, call.str("descriptor")?)??;
        generate(ctx, &script, count, tries)
    },
};

pub(super) const GONE: Command<NodeContext> = Command {
    name: "generate",
    category: "hidden",
    args: &[],
    description: GONE_TEXT,
    result: &[],
    examples: &[],
    run: |_, _| Err(RpcError::new(code::METHOD_NOT_FOUND, GONE.help())),
};

fn generate(ctx: &NodeContext, script: &ScriptBuf, count: i32, mut tries: u64) -> RpcResult {
    let options = options(ctx)?;
    let mut left = count;
    let mut hashes = Vec::new();
    while left > 0 && !ctx.shutdown.is_requested() {
        let new = new_block(&ctx.kernel, &options, script, true).map_err(template_error)?;
        let Ok(block) = complete(ctx, new.block, &mut tries) else { break };
        if let Some(block) = block {
            hashes.push(json!(submit(ctx, &block)?.to_string()));
            left -= 1;
        }
    }
    Ok(Value::Array(hashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generate_explains_itself() {
        assert_eq!(
            GONE.help(),
            "generate\n\nhas been replaced by the -generate cli option. Refer to -help for more information.\n"
        );
    }
}
