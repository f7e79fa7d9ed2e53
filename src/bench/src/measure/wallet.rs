//! Calls that the wallet answers: in the split they cross to its process and back.

use anyhow::{Context, Result};
use serde_json::json;

use super::calls::{call, latency};
use crate::node::{Node, Program, Scratch};
use crate::table::Table;

pub(super) fn run(programs: &[Program], table: &Table) -> Result<()> {
    let (mut scratch, mut nodes) = (Vec::new(), Vec::new());
    for program in programs {
        let directory = Scratch::new(&format!("{}-wallet", program.name))?;
        let node = Node::start(program, &directory, &["-connect=0", "-fallbackfee=0.0001"])?;
        scratch.push(directory);
        let mut client = node.client()?;
        client.call("createwallet", json!(["bench"])).with_context(|| format!("{} has no wallet", program.name))?;
        let address = client.call("getnewaddress", json!([]))?;
        client.call("generatetoaddress", json!([110, address]))?;
        nodes.push(node);
    }
    for method in ["listwallets", "getbalances"] {
        latency(table, &nodes, method, "/wallet/bench", &call(method, json!([])))?;
    }
    nodes.into_iter().try_for_each(Node::stop)
}
