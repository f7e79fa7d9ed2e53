//! `listwallets`

use rpc::command::{example_cli, example_rpc};
use rpc::{Command, Res};

use super::CATEGORY;
use crate::loader::Loader;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "listwallets",
    category: CATEGORY,
    args: &[],
    description: "Lists the loaded wallets. See getwalletinfo for more on one.",
    result: &[Res::arr("", "", &[Res::str("walletname", "the wallet name")])],
    examples: &[example_cli!("listwallets", ""), example_rpc!("listwallets", "")],
    run: |loader, _| Ok(loader.wallets().iter().map(|wallet| wallet.name.clone()).collect::<Vec<_>>().into()),
}];
