//! Syncing from a peer with every script checked, and rebuilding the chain state from the blocks on disk.

use std::time::Instant;

use anyhow::{Context, Result};

use super::Stage;
use crate::node::{Node, Scratch};
use crate::peer;
use crate::table::Better::{Less, More};

/// Syncs a directory for each program, which is kept.
pub(super) fn run(stage: &mut Stage, print: bool) -> Result<()> {
    let port = peer::serve(stage.chain.clone())?;
    let (mut rates, mut processor, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for program in stage.programs {
        let directory = Scratch::new(&format!("{}-{}", program.name, stage.height))?;
        let node = Node::start(program, &directory, &[&format!("-connect=127.0.0.1:{port}")])?;
        node.wait_for_tip(&stage.tip, stage.patience()).with_context(|| format!("{} did not sync", program.name))?;
        let seconds = node.started.elapsed().saturating_sub(node.ready_after).as_secs_f64();
        rates.push(Some(f64::from(stage.height) / seconds));
        processor.push(Some(node.processor_seconds()));
        memory.push(Some(node.peak_memory()));
        node.stop()?;
        stage.synced.push(directory);
    }
    if print {
        stage.table.row("sync from a peer", "blocks/s", More, &rates);
        stage.table.row("sync from a peer", "processor s", Less, &processor);
        stage.table.row("peak memory of the sync", "MiB", Less, &memory);
    }
    Ok(())
}

/// From exec until the tip is there again. Every program goes twice, the second time in the opposite order: over the
/// minutes that this takes a machine is not always equally fast.
pub(super) fn reindex(stage: &Stage) -> Result<()> {
    let mut sums = vec![(0.0, 0.0); stage.programs.len()];
    let there: Vec<usize> = (0..sums.len()).collect();
    for &at in there.iter().chain(there.iter().rev()) {
        let (program, directory) = (&stage.programs[at], &stage.synced[at]);
        let begin = Instant::now();
        let node = Node::start(program, directory, &["-reindex-chainstate", "-connect=0"])?;
        node.wait_for_tip(&stage.tip, stage.patience()).with_context(|| format!("{} did not reindex", program.name))?;
        sums[at].0 += begin.elapsed().as_secs_f64();
        sums[at].1 += node.processor_seconds();
        node.stop()?;
    }
    let rates: Vec<_> = sums.iter().map(|(seconds, _)| Some(2.0 * f64::from(stage.height) / seconds)).collect();
    let processor: Vec<_> = sums.iter().map(|(_, seconds)| Some(seconds / 2.0)).collect();
    stage.table.row("-reindex-chainstate", "blocks/s", More, &rates);
    stage.table.row("-reindex-chainstate", "processor s", Less, &processor);
    Ok(())
}
