//! `keypoolrefill`

use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Command, Default, Res, RpcError};
use serde_json::Value;

use super::{CATEGORY, wallet};
use crate::loader::Loader;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "keypoolrefill",
    category: CATEGORY,
    args: &[Arg::new(
        "newsize",
        ArgType::Num,
        Default::Hint("1000, or as set by -keypool"),
        "The new number of addresses ahead of use",
    )],
    description: "Derives addresses ahead of use.\nRequires wallet passphrase to be set with walletpassphrase call if \
                  wallet is encrypted.",
    result: &[Res::none()],
    examples: &[example_cli!("keypoolrefill", ""), example_rpc!("keypoolrefill", "")],
    run: |loader, call| {
        let wallet = wallet(loader, call)?;
        let size = match call.opt_int::<i32>("newsize")? {
            Some(size) if size < 0 => {
                return Err(RpcError::invalid_parameter("Invalid parameter, expected valid size."));
            }
            Some(size) if size > 0 => size,
            _ => wallet.options.keypool,
        };
        let mut state = wallet.state();
        state.ensure_unlocked()?;
        state.top_up_all(size)?;
        Ok(Value::Null)
    },
}];
