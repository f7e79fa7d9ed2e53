//! Prints the tip of a node and what RPC commands say, then waits for a block, from the threads of a pool that knows
//! nothing of connections: objects are `Send` and `Sync`, and every thread may call them.
//!
//!     bitcoin-node -regtest -ipcbind=unix
//!     cargo run --package examples -- unix:$HOME/.bitcoin/regtest/node.sock

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use interfaces::{Mining, Rpc, TipRef};
use tokio::task::{JoinSet, spawn_blocking};

/// Time for each call.
const LIMIT: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("usage: tip unix:PATH")?;
    let (_connection, init) = ipc::connect(&address, Path::new(""), "node")?;
    let (mining, rpc) = (init.make_mining()?, init.make_rpc()?);

    let tip = spawn_blocking({
        let mining = mining.clone();
        move || multiprocess::within(LIMIT, || mining.tip())
    });
    let tip = tip.await??.ok_or("the chain has no block yet")?;
    println!("tip {} {}", tip.height, tip.hash);

    let mut commands = JoinSet::new();
    for command in ["uptime", "getblockcount", "getbestblockhash"] {
        let rpc = rpc.clone();
        commands.spawn_blocking(move || ask(&rpc, command));
    }
    while let Some(answer) = commands.join_next().await {
        println!("rpc {}", answer??);
    }

    if let Some(new) = spawn_blocking(move || next(&mining, tip)).await?? {
        println!("new {} {}", new.height, new.hash);
    }
    Ok(())
}

/// Runs an RPC command without arguments.
fn ask(rpc: &Arc<dyn Rpc>, command: &str) -> interfaces::Result<String> {
    let request = format!(r#"{{"method": "{command}", "params": []}}"#);
    multiprocess::within(LIMIT, || rpc.execute_rpc(request, "/".to_owned(), String::new()))
}

/// Waits for another tip; `None` if it stays the same, or the node is shutting down.
fn next(mining: &Arc<dyn Mining>, tip: TipRef) -> interfaces::Result<Option<TipRef>> {
    let new = mining.wait_tip_changed(tip.hash, LIMIT.as_secs_f64() * 1000.0)?;
    Ok(new.filter(|new| *new != tip))
}
