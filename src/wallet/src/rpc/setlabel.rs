//! `setlabel`

use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Command, Res, RpcError};
use serde_json::Value;

use super::{CATEGORY, checked_label, parse_address, wallet};
use crate::loader::Loader;
use crate::state::State;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "setlabel",
    category: CATEGORY,
    args: &[
        Arg::required("address", ArgType::Str, "The bitcoin address to label."),
        Arg::required("label", ArgType::Str, "The label."),
    ],
    description: "Sets the label of an address.",
    result: &[Res::none()],
    examples: &[
        example_cli!("setlabel", "\"bc1q09vm5lfy0j5reeulh4x5752q25uqqvz34hufdl\" \"tabby\""),
        example_rpc!("setlabel", "\"bc1q09vm5lfy0j5reeulh4x5752q25uqqvz34hufdl\", \"tabby\""),
    ],
    run: |loader, call| {
        let wallet = wallet(loader, call)?;
        let address = parse_address(call.str("address")?, loader.options.network)
            .ok_or_else(|| RpcError::invalid_address_or_key("Invalid Bitcoin address"))?;
        let label = checked_label(call.str("label")?)?;
        let mut state = wallet.state();
        let purpose = if state.is_mine(&address.script_pubkey()) { "receive" } else { "send" };
        state.commit(State::label_changes(&address.to_string(), label, purpose))?;
        Ok(Value::Null)
    },
}];
