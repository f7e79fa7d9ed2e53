//! Makes sure that enough files and connections can be open at once.

use common::args::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::ui;

/// Files the databases, the log and message captures may hold open.
const CORE: u64 = 151;
/// Connections made with `addnode`.
const ADDED_NODES: u64 = 8;

/// How many connections there may be, and what that follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connections {
    /// Connections besides those asked for by hand.
    pub automatic: i64,
    /// File descriptors the process may have.
    pub descriptors: u64,
}

/// Returns how many connections the user wants. What does not fit into 32 bits loses what is above them: the same number
/// is to mean the same as with Core.
pub(super) fn wanted(args: &Args) -> i32 {
    args.get_int("maxconnections") as i32
}

/// Raises the limit as far as needed and allowed. Refuses a limit that does not even do without peers.
pub(crate) fn raise(args: &Args) -> Result<Connections, String> {
    let wanted = i64::from(wanted(args).max(0));
    let bound = (args.get_all("bind").len() + args.get_all("whitebind").len()).max(1) as u64;
    let required = CORE + ADDED_NODES + bound;
    let descriptors = raise_to(wanted.unsigned_abs() + required);
    if descriptors < required {
        return Err(format!("Not enough file descriptors available. {descriptors} available, {required} required."));
    }
    let automatic = i64::try_from(descriptors - required).unwrap_or(i64::MAX).min(wanted);
    if automatic < wanted {
        ui::warning(&format!("Reducing -maxconnections from {wanted} to {automatic}, because of system limitations."));
    }
    Ok(Connections { automatic, descriptors })
}

/// Raises the soft limit to `wanted` where it is lower, and returns what it is then; at most `i32::MAX`, as the numbers
/// of descriptors are.
fn raise_to(wanted: u64) -> u64 {
    let most = i32::MAX.unsigned_abs().into();
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(soft) = current else { return most };
    if soft >= wanted {
        return soft.min(most);
    }
    let raised = maximum.map_or(wanted, |hard| wanted.min(hard));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised.min(most),
        Err(_) => soft.min(most),
    }
}
