//! `deriveaddresses`.

use bitcoin::Network;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::{Value, json};

use crate::NodeContext;
use crate::rpc::shape::descriptor::{self, Descriptor, Underivable};
use crate::rpc::shape::{address, script};
use crate::rpc::support::{Result, parse_range};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "deriveaddresses",
    category: "util",
    args: &[
        Arg::required("descriptor", ArgType::Str, "The descriptor."),
        Arg::optional("range", ArgType::Range, "The indexes of a ranged descriptor: an end, or [begin,end]."),
    ],
    description: "Returns the addresses a descriptor stands for, for example:\n\
                  \x20    pkh(<pubkey>)                                     P2PKH of a key\n\
                  \x20    wpkh(<pubkey>)                                    P2WPKH of a key\n\
                  \x20    sh(multi(<n>,<pubkey>,<pubkey>,...))              P2SH multisig\n\
                  \x20    raw(<hex script>)                                 exactly this script\n\
                  \x20    tr(<pubkey>,multi_a(<n>,<pubkey>,<pubkey>,...))   P2TR with a multisig script\n\
                  \nA <pubkey> is a key in hex, or an xpub/xprv with a path, where \"h\" marks hardened steps.",
    result: &[
        Res::arr("", "", &[Res::str("address", "An address")]).when("for single derivation descriptors"),
        Res::arr(
            "",
            "A list for each of the descriptors the multipath steps stand for",
            &[Res::arr("", "The addresses of one of them", &[Res::str("address", "An address")])],
        )
        .when("for multipath descriptors"),
    ],
    examples: &[
        "First three native segwit receive addresses\n",
        example_cli!(
            "deriveaddresses",
            "\"wpkh([d34db33f/84h/0h/0h]xpub6DJ2dNUysrn5Vt36jH2KLBT2i1auw1tTSSomg8PhqNiUtx8QX2SvC9nrHu81fT41fvDUnhMjEzQgXnQjK\
             Eu3oaqMSzhSrHMxyyoEAmUHQbY/0/*)#cjjspncu\" \"[0,2]\""
        ),
        example_rpc!(
            "deriveaddresses",
            "\"wpkh([d34db33f/84h/0h/0h]xpub6DJ2dNUysrn5Vt36jH2KLBT2i1auw1tTSSomg8PhqNiUtx8QX2SvC9nrHu81fT41fvDUnhMjEzQgXnQjK\
             Eu3oaqMSzhSrHMxyyoEAmUHQbY/0/*)#cjjspncu\", \"[0,2]\""
        ),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let network = ctx.chain.network();
    let range = match call.value("range") {
        Value::Null => (0, 0),
        range => parse_range(range)?,
    };
    let all = descriptor::parse(call.str("descriptor")?, network, true).map_err(RpcError::invalid_address_or_key)?;
    let ranged = all.iter().any(Descriptor::is_range);
    if !ranged && call.given() > 1 {
        return Err(RpcError::invalid_parameter("Range should not be specified for an un-ranged descriptor"));
    }
    if ranged && call.given() == 1 {
        return Err(RpcError::invalid_parameter("Range must be specified for a ranged descriptor"));
    }
    let mut lists = all.iter().map(|one| addresses(one, range, network)).collect::<Result<Vec<_>>>()?;
    Ok(if lists.len() == 1 { lists.swap_remove(0) } else { Value::Array(lists) })
}

fn addresses(descriptor: &Descriptor, (low, high): (u32, u32), network: Network) -> Result<Value> {
    let mut list = Vec::new();
    for index in low..=high {
        let scripts = descriptor
            .expand(index)
            .map_err(|Underivable| RpcError::invalid_address_or_key("Cannot derive script without private keys"))?;
        for one in scripts {
            match address::encode(&one.script, network) {
                Some(address) => list.push(json!(address)),
                None if descriptor.is_combo() && matches!(script::Kind::of(&one.script), script::Kind::PubKey(_)) => {}
                None => {
                    return Err(RpcError::invalid_address_or_key("Descriptor does not have a corresponding address"));
                }
            }
        }
    }
    Ok(Value::Array(list))
}
