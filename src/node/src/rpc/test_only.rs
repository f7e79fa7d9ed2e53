//! Commands for tests: the clock.

mod setmocktime;

use rpc::Command;

use crate::NodeContext;

pub(super) const COMMANDS: &[Command<NodeContext>] = &[setmocktime::COMMAND];
