//! `getwalletinfo`

use rpc::command::{example_cli, example_rpc};
use rpc::{Command, Res, json};
use serde_json::{Map, Value, json as object};

use super::{CATEGORY, LAST_PROCESSED, last_processed, synced_wallet};
use crate::loader::Loader;
use crate::state::{State, flags};
use crate::wallet::behind::warning;

/// What legacy wallets of the last version had; clients look at it.
const WALLET_VERSION: u32 = 169_900;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "getwalletinfo",
    category: CATEGORY,
    args: &[],
    description: "Returns the state of the wallet.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::str("walletname", "the wallet name"),
            Res::num("walletversion", "(DEPRECATED) always 169900"),
            Res::str("format", "the database format (only sqlite)"),
            Res::num("txcount", "number of transactions in the wallet"),
            Res::num("keypoolsize", "number of receiving addresses made ahead of use"),
            Res::num("keypoolsize_hd_internal", "number of change addresses made ahead of use").optional(),
            Res::time(
                "unlocked_until",
                "until when the keys are readable, or 0 if they are not (only if the wallet is encrypted)",
            )
            .optional(),
            Res::bool("private_keys_enabled", "false if the wallet is watch only"),
            Res::bool("avoid_reuse", "whether the wallet tracks which addresses were spent from"),
            Res::obj(
                "scanning",
                "the running search of the chain, or false",
                &[Res::num("duration", "seconds since it started"), Res::num("progress", "part done, from 0 to 1")],
            )
            .skip_type_check(),
            Res::bool("descriptors", "whether this is a descriptor wallet"),
            Res::bool("external_signer", "whether keys are in an external signer"),
            Res::bool("blank", "whether the wallet was made without keys"),
            Res::time("birthtime", "from when on blocks are searched").optional(),
            Res::arr("flags", "the wallet's flags", &[Res::str("flag", "name of a flag")]),
            LAST_PROCESSED,
            Res::arr("warnings", "what keeps the wallet from following the chain", &[Res::str("warning", "a warning")])
                .optional(),
        ],
    )],
    examples: &[example_cli!("getwalletinfo", ""), example_rpc!("getwalletinfo", "")],
    run: |loader, call| {
        let wallet = synced_wallet(loader, call)?;
        let state = wallet.state();
        let pool = |internal: bool| -> i64 {
            let active = state.active.iter().filter(|((side, _), _)| *side == internal);
            active.filter_map(|(_, id)| state.managers.get(id)).map(|manager| i64::from(manager.keypool_size())).sum()
        };
        let mut info = Map::new();
        let mut put = |key: &str, value: Value| drop(info.insert(key.to_owned(), value));
        put("walletname", wallet.name.clone().into());
        put("walletversion", WALLET_VERSION.into());
        put("format", "sqlite".into());
        put("txcount", state.txs.len().into());
        put("keypoolsize", pool(false).into());
        put("keypoolsize_hd_internal", pool(true).into());
        if state.is_encrypted() {
            put("unlocked_until", state.relock_time.into());
        }
        put("private_keys_enabled", (!state.has_flag(flags::DISABLE_PRIVATE_KEYS)).into());
        put("avoid_reuse", state.has_flag(flags::AVOID_REUSE).into());
        put(
            "scanning",
            match wallet.scan.running() {
                Some((duration, progress)) => object!({"duration": duration, "progress": json::float(progress)}),
                None => false.into(),
            },
        );
        put("descriptors", state.has_flag(flags::DESCRIPTORS).into());
        put("external_signer", state.has_flag(flags::EXTERNAL_SIGNER).into());
        put("blank", state.has_flag(flags::BLANK).into());
        if let Some(birth) = state.birth_time() {
            put("birthtime", birth.into());
        }
        put("flags", flag_names(&state).into());
        put("lastprocessedblock", last_processed(&state));
        if let Some(reason) = &state.behind.reason {
            put("warnings", vec![warning(reason)].into());
        }
        Ok(info.into())
    },
}];

fn flag_names(state: &State) -> Vec<String> {
    let set = (0..64).map(|bit| 1u64 << bit).filter(|flag| state.has_flag(*flag));
    set.map(|flag| match flags::NAMES.iter().find(|(known, _)| *known == flag) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("unknown_flag_{}", flag.trailing_zeros()),
    })
    .collect()
}
