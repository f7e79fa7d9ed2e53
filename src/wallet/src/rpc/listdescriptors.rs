//! `listdescriptors`

use bitcoin::PublicKey;
use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Command, Res, ResType, RpcError};
use serde_json::{Map, Value, json};

use super::{CATEGORY, wallet};
use crate::descriptor::key::Form;
use crate::loader::Loader;
use crate::manager::Manager;
use crate::state::{State, flags};

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "listdescriptors",
    category: CATEGORY,
    args: &[Arg::or("private", ArgType::Bool, "false", "Show private descriptors.")],
    description: "Lists the descriptors of the wallet.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::str("wallet_name", "Name of the wallet"),
            Res::arr(
                "descriptors",
                "Sorted by text",
                &[Res::obj(
                    "",
                    "",
                    &[
                        Res::str("desc", "The descriptor"),
                        Res::num("timestamp", "When its first key was made"),
                        Res::bool("active", "Whether new addresses come from it"),
                        Res::bool("internal", "Whether they are for change; only if active").optional(),
                        Res::new(ResType::ArrFixed, "range", "Only if it stands for scripts per index")
                            .inner(&[Res::num("", "First index"), Res::num("", "Last index")])
                            .optional(),
                        Res::num("next", "The same as next_index").optional(),
                        Res::num("next_index", "Index of the next address; only if it stands for scripts per index")
                            .optional(),
                    ],
                )],
            ),
        ],
    )],
    examples: &[
        example_cli!("listdescriptors", ""),
        example_cli!("listdescriptors", "true"),
        example_rpc!("listdescriptors", "true"),
    ],
    run: |loader, call| {
        let wallet = wallet(loader, call)?;
        let private = call.bool("private")?;
        let state = wallet.state();
        if private && state.has_flag(flags::DISABLE_PRIVATE_KEYS) {
            return Err(RpcError::wallet("Can't get private descriptor string for watch-only wallets"));
        }
        if private {
            state.ensure_unlocked()?;
        }
        let mut listed = state
            .managers
            .values()
            .map(|manager| Ok((text(&state, manager, private)?, manager)))
            .collect::<Result<Vec<_>, RpcError>>()?;
        listed.sort_by(|one, two| one.0.cmp(&two.0));
        let descriptors: Vec<Value> = listed.into_iter().map(|(text, manager)| entry(&state, manager, text)).collect();
        Ok(json!({"wallet_name": wallet.name, "descriptors": descriptors}))
    },
}];

fn text(state: &State, manager: &Manager, private: bool) -> Result<String, RpcError> {
    let secrets = |public: &PublicKey| manager.secret(state.master.as_ref(), public);
    let form = if private { Form::Private(&secrets) } else { Form::Normalized(&manager.cache) };
    manager.descriptor().text(form).ok_or_else(|| RpcError::wallet("Can't get descriptor string."))
}

fn entry(state: &State, manager: &Manager, text: String) -> Value {
    let mut entry = Map::new();
    let mut put = |key: &str, value: Value| drop(entry.insert(key.to_owned(), value));
    let record = &manager.record;
    let side = state.active.iter().find(|(_, id)| **id == manager.id).map(|((internal, _), _)| *internal);
    put("desc", text.into());
    put("timestamp", record.creation_time.into());
    put("active", side.is_some().into());
    if let Some(internal) = side {
        put("internal", internal.into());
    }
    if record.descriptor.is_ranged() {
        put("range", json!([record.range_start, record.range_end - 1]));
        put("next", record.next_index.into());
        put("next_index", record.next_index.into());
    }
    entry.into()
}
