//! `getnewaddress` and `getrawchangeaddress`

use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Command, Default, Res};

use super::{CATEGORY, checked_label, output_type, wallet};
use crate::loader::Loader;

const TYPES: &str = "Kind of address: \"legacy\", \"p2sh-segwit\", \"bech32\", \"bech32m\".";

pub(super) static COMMANDS: &[Command<Loader>] = &[
    Command {
        name: "getnewaddress",
        category: CATEGORY,
        args: &[
            Arg::or("label", ArgType::Str, "\"\"", "Label of the address; made if there is none by that name."),
            Arg::new("address_type", ArgType::Str, Default::Hint("set by -addresstype"), TYPES),
        ],
        description: "Returns a new address for receiving payments, filed under a label.",
        result: &[Res::str("address", "The new bitcoin address")],
        examples: &[example_cli!("getnewaddress", ""), example_rpc!("getnewaddress", "")],
        run: |loader, call| {
            let wallet = wallet(loader, call)?;
            if !wallet.state().can_get_addresses(false) {
                return Err(crate::error::Error::wallet("Error: This wallet has no available keys").into());
            }
            let label = checked_label(call.str("label")?)?;
            let kind = output_type(call, "address_type")?;
            Ok(wallet.new_address(label, kind)?.to_string().into())
        },
    },
    Command {
        name: "getrawchangeaddress",
        category: CATEGORY,
        args: &[Arg::new("address_type", ArgType::Str, Default::Hint("set by -changetype"), TYPES)],
        description: "Returns a new address for change, for use with raw transactions.",
        result: &[Res::str("address", "The address")],
        examples: &[example_cli!("getrawchangeaddress", ""), example_rpc!("getrawchangeaddress", "")],
        run: |loader, call| {
            let wallet = wallet(loader, call)?;
            Ok(wallet.new_change_address(output_type(call, "address_type")?)?.to_string().into())
        },
    },
];
