//! What is measured, in the order of a node's life: it syncs, starts again, rebuilds its state, answers calls, takes
//! transactions and passes them on. Every program gets the same data in the same run, and one is asked after the other in
//! short turns wherever that is possible, so that whatever else the machine does touches all alike.

mod accept;
mod calls;
mod payments;
mod relay;
mod start;
mod sync;
mod wallet;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::chain::{self, Plan};
use crate::node::{Program, Scratch};
use crate::peer::Chain;
use crate::table::Table;

/// What there is to measure.
const ALL: [&str; 8] = ["wallet", "payments", "sync", "start", "reindex", "calls", "accept", "relay"];
/// The shorter chain's part of the longer one, and the least there is of it.
const SHORTER: (u32, u32) = (10, 200);

/// Measures something of each program and prints it.
type Measure = fn(&Stage) -> Result<()>;

/// What a run is about.
pub struct Setup {
    /// The columns.
    pub programs: Vec<Program>,
    /// Where chains are kept.
    pub chains: PathBuf,
    /// The longer chain.
    pub plan: Plan,
    /// If not empty, only these.
    pub only: Vec<String>,
}

/// A chain, and what each program made of it.
struct Stage<'a> {
    programs: &'a [Program],
    table: &'a Table,
    chain: Arc<Chain>,
    tip: String,
    height: u32,
    transactions: Vec<String>,
    /// A synced data directory for each program.
    synced: Vec<Scratch>,
}

/// Measures and prints.
pub fn run(setup: &Setup) -> Result<()> {
    for name in &setup.only {
        ensure!(ALL.contains(&name.as_str()), "{name} cannot be measured; there is {}", ALL.join(", "));
    }
    let wanted = |name: &str| setup.only.is_empty() || setup.only.iter().any(|only| only == name);
    let table = Table::new(setup.programs.iter().map(|program| program.name).collect());
    if wanted("wallet") {
        wallet::run(&setup.programs, &table).context("cannot measure wallet")?;
    }
    if wanted("payments") {
        payments::run(&setup.programs, &table).context("cannot measure payments")?;
    }
    if !setup.only.is_empty() && setup.only.iter().all(|only| only == "wallet" || only == "payments") {
        return Ok(());
    }
    let shorter = (setup.plan.blocks / SHORTER.0).max(SHORTER.1).min(setup.plan.blocks);
    for blocks in [shorter, setup.plan.blocks] {
        let mut stage = Stage::new(setup, &table, Plan { blocks, ..setup.plan })?;
        println!("{blocks} blocks");
        sync::run(&mut stage, wanted("sync"))?;
        let measures: [(&str, Measure); 5] = [
            ("start", start::run),
            ("reindex", sync::reindex),
            ("calls", calls::run),
            ("accept", accept::run),
            ("relay", relay::run),
        ];
        for (name, measure) in measures {
            if wanted(name) {
                measure(&stage).with_context(|| format!("cannot measure {name}"))?;
            }
        }
        if shorter == setup.plan.blocks {
            break;
        }
    }
    Ok(())
}

impl<'a> Stage<'a> {
    fn new(setup: &'a Setup, table: &'a Table, plan: Plan) -> Result<Stage<'a>> {
        let files = chain::at(&setup.chains, plan)?;
        let bytes = fs::read(&files.blocks).with_context(|| format!("cannot read {}", files.blocks.display()))?;
        let transactions = fs::read_to_string(&files.transactions)
            .with_context(|| format!("cannot read {}", files.transactions.display()))?;
        let chain = Arc::new(Chain::new(&bytes)?);
        Ok(Stage {
            programs: &setup.programs,
            table,
            tip: chain.tip().to_string(),
            chain,
            height: plan.blocks,
            transactions: transactions.lines().map(str::to_owned).collect(),
            synced: Vec::new(),
        })
    }

    /// Enough time for the chain, on a slow and busy machine.
    fn patience(&self) -> Duration {
        Duration::from_secs(60) + Duration::from_millis(20) * self.height
    }
}

/// The middle one of some times, in the unit of which `per_second` make a second.
fn median(mut samples: Vec<Duration>, per_second: f64) -> Option<f64> {
    samples.sort_unstable();
    samples.get(samples.len() / 2).map(|middle| middle.as_secs_f64() * per_second)
}
