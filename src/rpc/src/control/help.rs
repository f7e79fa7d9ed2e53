//! `help`: the list of commands, or all about one.

use serde_json::Value;

use super::Control;
use crate::{Arg, ArgType, Command, Default, Res};

pub(super) static COMMANDS: &[Command<Control>] = &[Command {
    name: "help",
    category: "control",
    args: &[Arg::new("command", ArgType::Str, Default::Hint("all commands"), "The command to explain")],
    description: "Lists all commands, or explains one.",
    result: &[Res::str("", "The help text"), Res::any()],
    examples: &[],
    run: |control, call| {
        let Some(registry) = control.registry.upgrade() else { return Ok(Value::Null) };
        Ok(match call.opt_str("command")? {
            // For the test that holds the client's conversion table against ours.
            Some("dump_all_command_conversions") => Value::Array(registry.conversions()),
            command => Value::String(registry.help(command.filter(|name| !name.is_empty()))),
        })
    },
}];
