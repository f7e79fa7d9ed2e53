//! `lockunspent` and `listlockunspent`

use bitcoin::{OutPoint, Txid};
use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Command, Res, RpcError, json};
use serde_json::{Value, json as object};

use super::{CATEGORY, synced_wallet, wallet};
use crate::loader::Loader;
use crate::state::State;

pub(super) static COMMANDS: &[Command<Loader>] = &[
    Command {
        name: "lockunspent",
        category: CATEGORY,
        args: &[
            Arg::required("unlock", ArgType::Bool, "Unlock (true) or lock (false) the outputs"),
            Arg::or("transactions", ArgType::Arr, "[]", "The outputs; all locked ones if left out when unlocking.")
                .inner(&[Arg::optional("", ArgType::Obj, "").inner(&[
                    Arg::required("txid", ArgType::StrHex, "The transaction id"),
                    Arg::required("vout", ArgType::Num, "The output number"),
                ])]),
            Arg::or("persistent", ArgType::Bool, "false", "Keep the lock across restarts. Ignored when unlocking."),
        ],
        description: "Locks outputs, so that no payment spends them, or unlocks them.",
        result: &[Res::bool("", "Whether it was done")],
        examples: &[
            example_cli!(
                "lockunspent",
                "false \"[{\\\"txid\\\":\\\"a08e6907dbbd3d809776dbfc5d82e371b764ed838b5655e72f463568df1aadf0\\\",\\\"vout\\\":1}]\""
            ),
            example_rpc!(
                "lockunspent",
                "false, [{\\\"txid\\\":\\\"a08e6907dbbd3d809776dbfc5d82e371b764ed838b5655e72f463568df1aadf0\\\",\\\"vout\\\":1}]"
            ),
        ],
        run: |loader, call| {
            let wallet = synced_wallet(loader, call)?;
            let (unlock, persistent) = (call.bool("unlock")?, call.bool("persistent")?);
            let outpoints = if call.has("transactions") {
                let state = wallet.state();
                let outputs = call.array("transactions")?.iter();
                outputs.map(|output| checked(&state, output, unlock, persistent)).collect::<Result<Vec<_>, _>>()?
            } else if unlock {
                wallet.state().locked.keys().copied().collect()
            } else {
                Vec::new()
            };
            wallet.lock_coins(&outpoints, !unlock, persistent)?;
            Ok(true.into())
        },
    },
    Command {
        name: "listlockunspent",
        category: CATEGORY,
        args: &[],
        description: "Lists the locked outputs.",
        result: &[Res::arr(
            "",
            "",
            &[Res::obj("", "", &[Res::hex("txid", "The transaction id locked"), Res::num("vout", "The vout value")])],
        )],
        examples: &[example_cli!("listlockunspent", ""), example_rpc!("listlockunspent", "")],
        run: |loader, call| {
            let wallet = wallet(loader, call)?;
            let state = wallet.state();
            let locked = state.locked.keys();
            Ok(locked.map(|outpoint| object!({"txid": outpoint.txid.to_string(), "vout": outpoint.vout})).collect())
        },
    },
];

/// Reads an output and checks that it can be locked or unlocked.
fn checked(state: &State, output: &Value, unlock: bool, persistent: bool) -> Result<OutPoint, RpcError> {
    let invalid = |text: &str| Err(RpcError::invalid_parameter(format!("Invalid parameter, {text}")));
    json::as_object(output)?;
    for (name, kind) in [("txid", "string"), ("vout", "number")] {
        match output.get(name) {
            None | Some(Value::Null) => return Err(RpcError::type_error(format!("Missing {name}"))),
            Some(value) if json::type_name(value) != kind => {
                return Err(RpcError::type_error(format!(
                    "JSON value of type {} for field {name} is not of expected type {kind}",
                    json::type_name(value)
                )));
            }
            Some(_) => {}
        }
    }
    let txid: Txid = json::parse_hash(output.get("txid").unwrap_or(&Value::Null), "txid")?;
    let vout: i32 = json::as_int(output.get("vout").unwrap_or(&Value::Null))?;
    let Ok(vout) = u32::try_from(vout) else { return invalid("vout cannot be negative") };
    let outpoint = OutPoint::new(txid, vout);
    let Some(tx) = state.txs.get(&txid) else { return invalid("unknown transaction") };
    if tx.tx.output.get(vout as usize).is_none() {
        return invalid("vout index out of bounds");
    }
    if state.is_spent(&outpoint) {
        return invalid("expected unspent output");
    }
    match (unlock, state.locked.contains_key(&outpoint)) {
        (true, false) => invalid("expected locked output"),
        (false, true) if !persistent => invalid("output already locked"),
        _ => Ok(outpoint),
    }
}
