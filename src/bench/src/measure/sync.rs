//! Syncing from a peer with every script checked, and rebuilding the chain state from the blocks on disk.

use std::time::Instant;

use anyhow::{Context, Result};

use super::Stage;
use crate::node::{Node, Scratch};
use crate::peer;
use crate::table::Better::{Less, More};

/// The programs, and again in the opposite order: over the minutes that this takes a machine is not always equally fast.
fn both_orders(programs: usize) -> impl Iterator<Item = usize> {
    (0..programs).chain((0..programs).rev())
}

/// Syncs a directory for each program, which is kept; twice if that is what is measured.
pub(super) fn run(stage: &mut Stage, print: bool) -> Result<()> {
    let port = peer::serve(stage.chain.clone())?;
    let count = stage.programs.len();
    let (mut sums, mut memory) = (vec![(0.0, 0.0); count], vec![0.0_f64; count]);
    for at in both_orders(count).take(if print { 2 * count } else { count }) {
        let program = &stage.programs[at];
        let again = if stage.synced.len() < count { "" } else { "-again" };
        let directory = Scratch::new(&format!("{}-{}{again}", program.name, stage.height))?;
        let node = Node::start(program, &directory, &[&format!("-connect=127.0.0.1:{port}")])?;
        node.wait_for_tip(&stage.tip, stage.patience()).with_context(|| format!("{} did not sync", program.name))?;
        sums[at].0 += node.started.elapsed().saturating_sub(node.ready_after).as_secs_f64();
        sums[at].1 += node.processor_seconds();
        memory[at] = memory[at].max(node.peak_memory());
        node.stop()?;
        if again.is_empty() {
            stage.synced.push(directory);
        }
    }
    if print {
        rows(stage, "sync from a peer", &sums);
        let memory: Vec<_> = memory.into_iter().map(Some).collect();
        stage.table.row("peak memory of the sync", "MiB", Less, &memory);
    }
    Ok(())
}

/// Prints what two turns of each program took.
fn rows(stage: &Stage, what: &str, sums: &[(f64, f64)]) {
    let rates: Vec<_> = sums.iter().map(|(seconds, _)| Some(2.0 * f64::from(stage.height) / seconds)).collect();
    let processor: Vec<_> = sums.iter().map(|(_, seconds)| Some(seconds / 2.0)).collect();
    stage.table.row(what, "blocks/s", More, &rates);
    stage.table.row(what, "processor s", Less, &processor);
}

/// From exec until the tip is there again, twice.
pub(super) fn reindex(stage: &Stage) -> Result<()> {
    let mut sums = vec![(0.0, 0.0); stage.programs.len()];
    for at in both_orders(sums.len()) {
        let (program, directory) = (&stage.programs[at], &stage.synced[at]);
        let begin = Instant::now();
        let node = Node::start(program, directory, &["-reindex-chainstate", "-connect=0"])?;
        node.wait_for_tip(&stage.tip, stage.patience()).with_context(|| format!("{} did not reindex", program.name))?;
        sums[at].0 += begin.elapsed().as_secs_f64();
        sums[at].1 += node.processor_seconds();
        node.stop()?;
    }
    rows(stage, "-reindex-chainstate", &sums);
    Ok(())
}
