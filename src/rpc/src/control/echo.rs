//! `echo`, `echojson`: return what they are given, for tests of clients.

use serde_json::Value;

use super::Control;
use crate::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult};

const fn any(name: &'static str) -> Arg {
    Arg::optional(name, ArgType::Str, "").skip_type_check()
}

const ARGS: &[Arg] = &[
    any("arg0"),
    any("arg1"),
    any("arg2"),
    any("arg3"),
    any("arg4"),
    any("arg5"),
    any("arg6"),
    any("arg7"),
    any("arg8"),
    any("arg9"),
];

const RESULT: &[Res] = &[Res::any()];

const fn echo(name: &'static str) -> Command<Control> {
    Command {
        name,
        category: "hidden",
        args: ARGS,
        description: "Returns its arguments. For tests; arg9='trigger_internal_bug' is answered as an internal bug.\n\
                      The client converts the arguments of echojson from JSON and takes those of echo as strings.",
        result: RESULT,
        examples: &[],
        run,
    }
}

pub(super) static COMMANDS: &[Command<Control>] = &[echo("echo"), echo("echojson")];

fn run(_: &Control, call: &Call<'_>) -> RpcResult {
    if call.value("arg9").as_str() == Some("trigger_internal_bug") {
        return Err(RpcError::misc("Internal bug detected: request.params[9].get_str() != \"trigger_internal_bug\""));
    }
    Ok(Value::Array(call.params().to_vec()))
}
