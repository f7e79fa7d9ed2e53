//! `encryptwallet`, `walletpassphrase`, `walletlock`, `walletpassphrasechange`

use std::sync::Arc;

use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Call, Command, Res, RpcError};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{CATEGORY, wallet};
use crate::loader::Loader;

fn secret(call: &Call<'_>, name: &str) -> Result<Zeroizing<String>, RpcError> {
    Ok(Zeroizing::new(call.str(name)?.to_owned()))
}

pub(super) static COMMANDS: &[Command<Loader>] = &[
    Command {
        name: "encryptwallet",
        category: CATEGORY,
        args: &[Arg::required("passphrase", ArgType::Str, "The passphrase; should be long.")],
        description: "Encrypts the private keys with a passphrase, for the first time. From then on commands that need \
                      private keys need walletpassphrase first.\nNew addresses come from a new seed: make a new backup.",
        result: &[Res::str("", "What to do next")],
        examples: &[
            example_cli!("encryptwallet", "\"my pass phrase\""),
            example_rpc!("encryptwallet", "\"my pass phrase\""),
        ],
        run: |loader, call| {
            wallet(loader, call)?.encrypt(&secret(call, "passphrase")?)?;
            Ok("wallet encrypted; The keypool has been flushed and a new HD seed was generated. You need to make a new \
                backup with the backupwallet RPC."
                .into())
        },
    },
    Command {
        name: "walletpassphrase",
        category: CATEGORY,
        args: &[
            Arg::required("passphrase", ArgType::Str, "The wallet passphrase"),
            Arg::required("timeout", ArgType::Num, "Seconds to keep the keys readable, at most 100000000 (~3 years)."),
        ],
        description: "Makes the private keys readable for some time. Given again, the new time counts.",
        result: &[Res::none()],
        examples: &[
            example_cli!("walletpassphrase", "\"my pass phrase\" 60"),
            example_rpc!("walletpassphrase", "\"my pass phrase\", 60"),
        ],
        run: |loader, call| {
            let wallet = wallet(loader, call)?;
            let (until, seconds) = wallet.unlock(&secret(call, "passphrase")?, call.i64("timeout")?)?;
            loader.relocker.schedule(Arc::downgrade(&wallet), until, seconds);
            Ok(Value::Null)
        },
    },
    Command {
        name: "walletlock",
        category: CATEGORY,
        args: &[],
        description: "Makes the private keys unreadable until the next walletpassphrase.",
        result: &[Res::none()],
        examples: &[example_cli!("walletlock", ""), example_rpc!("walletlock", "")],
        run: |loader, call| {
            wallet(loader, call)?.lock()?;
            Ok(Value::Null)
        },
    },
    Command {
        name: "walletpassphrasechange",
        category: CATEGORY,
        args: &[
            Arg::required("oldpassphrase", ArgType::Str, "The current passphrase"),
            Arg::required("newpassphrase", ArgType::Str, "The new passphrase"),
        ],
        description: "Changes the wallet passphrase.",
        result: &[Res::none()],
        examples: &[
            example_cli!("walletpassphrasechange", "\"old one\" \"new one\""),
            example_rpc!("walletpassphrasechange", "\"old one\", \"new one\""),
        ],
        run: |loader, call| {
            wallet(loader, call)?
                .change_passphrase(&secret(call, "oldpassphrase")?, &secret(call, "newpassphrase")?)?;
            Ok(Value::Null)
        },
    },
];
