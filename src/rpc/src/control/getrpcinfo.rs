//! `getrpcinfo`: what the server is doing.

use serde_json::json;

use super::Control;
use crate::command::{example_cli, example_rpc};
use crate::{Command, Res};

pub(super) static COMMANDS: &[Command<Control>] = &[Command {
    name: "getrpcinfo",
    category: "control",
    args: &[],
    description: "Returns what the RPC server is doing.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::arr(
                "active_commands",
                "Commands that are running",
                &[Res::obj(
                    "",
                    "One command",
                    &[Res::str("method", "Its name"), Res::num("duration", "Microseconds since it began")],
                )],
            ),
            Res::str("logpath", "Path of the log file"),
        ],
    )],
    examples: &[example_cli!("getrpcinfo", ""), example_rpc!("getrpcinfo", "")],
    run: |control, _| {
        let active = control.registry.upgrade().map(|registry| registry.active()).unwrap_or_default();
        let active: Vec<_> = active
            .into_iter()
            .map(|command| json!({"method": command.method, "duration": micros(command.duration)}))
            .collect();
        let path = common::logging::file_path().map(|path| path.display().to_string()).unwrap_or_default();
        Ok(json!({"active_commands": active, "logpath": path}))
    },
}];

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
