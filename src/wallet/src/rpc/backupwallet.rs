//! `backupwallet`

use std::path::Path;

use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Command, Res, RpcError};
use serde_json::Value;

use super::{CATEGORY, synced_wallet};
use crate::loader::Loader;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "backupwallet",
    category: CATEGORY,
    args: &[Arg::required("destination", ArgType::Str, "The file to copy to")],
    description: "Copies the wallet file to another, which is replaced if it is there.",
    result: &[Res::none()],
    examples: &[example_cli!("backupwallet", "\"backup.dat\""), example_rpc!("backupwallet", "\"backup.dat\"")],
    run: |loader, call| {
        let wallet = synced_wallet(loader, call)?;
        let state = wallet.state();
        let destination = Path::new(call.str("destination")?);
        // Copying a database onto itself would destroy it.
        let same = destination.canonicalize().is_ok_and(|path| Some(path) == state.db.path().canonicalize().ok());
        if same || state.db.backup(destination).is_err() {
            return Err(RpcError::wallet("Error: Wallet backup failed!"));
        }
        Ok(Value::Null)
    },
}];
