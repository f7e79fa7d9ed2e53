//! The program that `cargo xtask bench node` starts. Wires the command line to the measurements.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "for developers, who see a panic as such")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use bench::chain::{self, Plan};
use bench::measure::{self, Setup};
use bench::node::Program;

mod flags {
    //! The command line.
    #![allow(missing_docs, reason = "the macro's own items carry no documentation")]
    use std::path::PathBuf;

    xflags::xflags! {
        /// Measures nodes, or makes what they are measured with.
        cmd bench {
            /// Measure programs side by side.
            cmd node {
                /// Directory of bitcoind and bitcoin-node.
                required bin: PathBuf
                /// Directory that keeps generated chains.
                required chains: PathBuf
                /// Another bitcoind to compare with.
                optional --peer program: PathBuf
                /// Length of the longer chain; the shorter is a tenth of it.
                optional --blocks count: u32
                /// Transactions that are offered for acceptance.
                optional --transactions count: u32
                /// What the chain is made from.
                optional --seed seed: u64
                /// Only these: wallet, payments, sync, start, reindex, calls, accept, relay. May be given several times.
                repeated --only what: String
                /// Only these columns: bitcoind, bitcoin-node, peer. May be given several times.
                repeated --column name: String
            }
            /// Write a chain and transactions to a directory.
            cmd generate {
                required directory: PathBuf
                optional --blocks count: u32
                optional --transactions count: u32
                optional --seed seed: u64
            }
        }
    }
}

fn main() -> ExitCode {
    match run(flags::Bench::from_env_or_exit()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("error: {err:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: flags::Bench) -> Result<()> {
    match flags.subcommand {
        flags::BenchCmd::Node(flags) => {
            let plan = plan(flags.blocks, flags.transactions, flags.seed);
            measure::run(&Setup {
                programs: programs(&flags.bin, flags.peer, &flags.column),
                chains: flags.chains,
                plan,
                only: flags.only,
            })
        }
        flags::BenchCmd::Generate(flags) => {
            let made = chain::at(&flags.directory, plan(flags.blocks, flags.transactions, flags.seed))?;
            println!("{}\n{}", made.blocks.display(), made.transactions.display());
            Ok(())
        }
    }
}

fn plan(blocks: Option<u32>, transactions: Option<u32>, seed: Option<u64>) -> Plan {
    Plan { blocks: blocks.unwrap_or(20_000), transactions: transactions.unwrap_or(20_000), seed: seed.unwrap_or(1) }
}

fn programs(bin: &std::path::Path, peer: Option<PathBuf>, columns: &[String]) -> Vec<Program> {
    let own = ["bitcoind", "bitcoin-node"].map(|name| Program { name, path: bin.join(name) });
    let mut programs: Vec<Program> = own.into();
    programs.extend(peer.map(|path| Program { name: "peer", path }));
    programs.retain(|program| columns.is_empty() || columns.iter().any(|name| name == program.name));
    programs
}
