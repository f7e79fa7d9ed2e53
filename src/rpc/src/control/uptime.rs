//! `uptime`: how long the program has run.

use serde_json::json;

use super::Control;
use crate::command::{example_cli, example_rpc};
use crate::{Command, Res};

pub(super) static COMMANDS: &[Command<Control>] = &[Command {
    name: "uptime",
    category: "control",
    args: &[],
    description: "Returns how long the server has been running.",
    result: &[Res::num("", "Seconds since the server started")],
    examples: &[example_cli!("uptime", ""), example_rpc!("uptime", "")],
    run: |control, _| Ok(json!(control.started.elapsed().as_secs())),
}];
