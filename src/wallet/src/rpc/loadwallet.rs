//! `loadwallet`

use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Command, Res};
use serde_json::{Map, Value};

use super::{CATEGORY, WARNINGS, push_warnings};
use crate::loader::Loader;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "loadwallet",
    category: CATEGORY,
    args: &[
        Arg::required(
            "filename",
            ArgType::Str,
            "Directory of the wallet, absolute or relative to the wallet directory (-walletdir).",
        ),
        Arg::optional(
            "load_on_startup",
            ArgType::Bool,
            "Whether to load the wallet at start-up from now on; as before if left out.",
        ),
    ],
    description: "Loads a wallet. The wallet options the program was started with apply to it.",
    result: &[Res::obj("", "", &[Res::str("name", "Name of the wallet"), WARNINGS])],
    examples: &[example_cli!("loadwallet", "\"walletname\""), example_rpc!("loadwallet", "\"walletname\"")],
    run: |loader, call| {
        let (wallet, warnings) = loader.load(call.str("filename")?, call.opt_bool("load_on_startup")?)?;
        let mut result = Map::from_iter([("name".to_owned(), Value::from(wallet.name.clone()))]);
        push_warnings(&mut result, warnings);
        Ok(result.into())
    },
}];
