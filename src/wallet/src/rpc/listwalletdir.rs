//! `listwalletdir`

use rpc::command::{example_cli, example_rpc};
use rpc::{Command, Res};
use serde_json::{Value, json};

use super::CATEGORY;
use crate::db::WalletFormat;
use crate::loader::Loader;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "listwalletdir",
    category: CATEGORY,
    args: &[],
    description: "Lists the wallets in the wallet directory.",
    result: &[Res::obj(
        "",
        "",
        &[Res::arr(
            "wallets",
            "",
            &[Res::obj(
                "",
                "",
                &[
                    Res::str("name", "The wallet name"),
                    Res::arr("warnings", "what keeps it from being loaded", &[Res::str("", "")]).optional(),
                ],
            )],
        )],
    )],
    examples: &[example_cli!("listwalletdir", ""), example_rpc!("listwalletdir", "")],
    run: |loader, _| {
        let wallets: Vec<Value> = loader
            .list()
            .into_iter()
            .map(|(name, format)| {
                let warnings: &[&str] = match format {
                    WalletFormat::Sqlite => &[],
                    WalletFormat::Legacy => &[
                        "This wallet is a legacy wallet and will need to be migrated with migratewallet before it can \
                         be loaded",
                    ],
                };
                json!({"name": name, "warnings": warnings})
            })
            .collect();
        Ok(json!({"wallets": wallets}))
    },
}];
