//! `getblock`.

use rpc::{Arg, ArgType, Call, Command, Res, RpcResult, example_cli, example_rpc, json};

use crate::NodeContext;
use crate::rpc::shape::block::{COINBASE_DOC, View, header_doc, write_with_ids};
use crate::rpc::shape::transaction::{INPUT_DOC, INPUT_WITH_PREVOUT_DOC, transaction_doc};
use crate::rpc::support::{block_and_undo, engine_error, find_block};

macro_rules! block_doc {
    ($tx:expr) => {
        header_doc!(
            [
                Res::num("size", "Serialized size"),
                Res::num("strippedsize", "Serialized size without witnesses"),
                Res::num("weight", "Weight (BIP141)"),
                COINBASE_DOC
            ],
            [Res::arr("tx", "The transactions", $tx)]
        )
    };
}

/// Where `tx` is in the description of a block; `fee`, `vin` in that of a transaction; `prevout` in that of an input.
const TX: usize = 10;
const FEE_AT: usize = 9;
const VIN: usize = 7;
const PREVOUT: usize = 6;

const WITH_TRANSACTIONS: &[Res] =
    &Res::elide(*block_doc!(&[Res::obj("", "", TRANSACTION)]), [TX], "Same as for verbosity = 1");
const TRANSACTION: &[Res] = &Res::elide(
    *transaction_doc!(INPUT_DOC, FEE, HEX),
    [FEE_AT],
    "The transaction as getrawtransaction has it, in place of its id",
);
const WITH_PREVOUTS: &[Res] =
    &Res::elide(*block_doc!(&[Res::obj("", "", TRANSACTION_WITH_PREVOUTS)]), [TX], "Same as for verbosity = 2");
const TRANSACTION_WITH_PREVOUTS: &[Res] = &Res::elide(*transaction_doc!(INPUT, FEE, HEX), [VIN], "");
const INPUT: &[Res] = &Res::elide(*INPUT_WITH_PREVOUT_DOC, [PREVOUT], "Same as for verbosity = 2");

const FEE: Res = Res::amount("fee", "The fee in BTC (only if undo data is at hand)").optional();
const HEX: Res = Res::hex("hex", "The serialized transaction in hex");

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getblock",
    category: "blockchain",
    args: &[
        Arg::required("blockhash", ArgType::StrHex, "The block hash"),
        Arg::or(
            "verbosity|verbose",
            ArgType::Num,
            "1",
            "0 for hex, 1 for an object with transaction ids, 2 with transactions, 3 with the outputs they spend too",
        )
        .skip_type_check(),
    ],
    description: "Returns a block: serialized in hex (verbosity 0), or as an object with the ids of its transactions (1), \
                  with the transactions (2), or with the transactions and the outputs they spend (3, where undo data is \
                  at hand).",
    result: &[
        Res::hex("", "The serialized block in hex").when("for verbosity = 0"),
        Res::obj("", "", block_doc!(&[Res::hex("", "The transaction id")])).when("for verbosity = 1"),
        Res::obj("", "", WITH_TRANSACTIONS).when("for verbosity = 2"),
        Res::obj("", "", WITH_PREVOUTS).when("for verbosity = 3"),
    ],
    examples: &[
        example_cli!("getblock", "\"00000000c937983704a73af28acdec37b049d214adbda81d7e2a3dd146f6ed09\""),
        example_rpc!("getblock", "\"00000000c937983704a73af28acdec37b049d214adbda81d7e2a3dd146f6ed09\""),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let hash = call.hash("blockhash")?;
    let verbosity = call.verbosity("verbosity", 1, true)?;
    let index = find_block(ctx, &hash)?;
    if verbosity <= 1 {
        let raw = ctx.kernel.read_block(&hash).map_err(engine_error)?;
        return call.write_with(|out| {
            if verbosity <= 0 {
                out.push(b'"');
                json::append_hex(out, &raw);
                out.push(b'"');
                return Ok(());
            }
            let unreadable = |error| engine_error(kernel::Error::BlockUnreadable(hash, error));
            write_with_ids(out, &index, &raw).map_err(unreadable)
        });
    }
    let (block, undo) = block_and_undo(ctx, &index)?;
    let (undo, network) = (undo.as_deref(), ctx.chain.network());
    call.write(&View { index: &index, block: &block, undo, prevouts: verbosity > 2, network })
}
