//! From exec until the first answer, on a data directory with the chain in it.

use anyhow::Result;

use super::{Stage, median};
use crate::node::Node;
use crate::table::Better::Less;

/// Starts of each program.
const STARTS: usize = 7;

pub(super) fn run(stage: &Stage) -> Result<()> {
    let mut samples = vec![Vec::new(); stage.programs.len()];
    for _ in 0..STARTS {
        for ((program, directory), samples) in stage.programs.iter().zip(&stage.synced).zip(&mut samples) {
            let node = Node::start(program, directory, &["-connect=0"])?;
            samples.push(node.ready_after);
            node.stop()?;
        }
    }
    let values: Vec<_> = samples.into_iter().map(|samples| median(samples, 1e3)).collect();
    stage.table.row("exec to ready", "ms", Less, &values);
    Ok(())
}
