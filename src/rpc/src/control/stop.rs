//! `stop`: ends the program.

use std::time::Duration;

use common::version::CLIENT_NAME;
use serde_json::json;

use super::Control;
use crate::{Arg, ArgType, Command, Res};

pub(super) static COMMANDS: &[Command<Control>] = &[Command {
    name: "stop",
    category: "control",
    args: &[Arg::optional("wait", ArgType::Num, "Milliseconds to wait before answering, for tests").hidden()],
    description: "Asks the program to shut down in order.",
    result: &[Res::str("", "A string with the content 'Bitcoin Core stopping'")],
    examples: &[],
    run: |control, call| {
        // The server lets running commands finish, so the answer still reaches the client.
        (control.stop)();
        if let Some(wait) = call.opt_int::<i32>("wait")? {
            std::thread::sleep(Duration::from_millis(u64::try_from(wait).unwrap_or(0)));
        }
        Ok(json!(format!("{CLIENT_NAME} stopping")))
    },
}];
