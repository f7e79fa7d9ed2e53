//! Payments out of wallets of more and more coins: how long choosing coins takes, with signing and writing down.
//!
//! The coins are nearly equal, each a satoshi less than the one before, so that no short cut over equal coins helps, and
//! are on a hundred addresses. Each payment is given up again, so that the next has the same coins to choose from.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::transaction::Version;
use bitcoin::{Address, Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
use serde_json::{Value, json};

use super::calls::call;
use super::median;
use crate::node::{Client, Node, Program, Scratch};
use crate::table::Better::Less;
use crate::table::Table;

/// Coins in the wallet, with the payments to make: how many of the coins each takes.
const WALLETS: [(usize, &[u64]); 4] = [(100, &[5, 50]), (1_000, &[5, 500]), (10_000, &[5, 500]), (100_000, &[5, 500])];
/// Value of the first coin, satoshi.
const COIN: u64 = 1_000_000;
/// Coins that one transaction makes.
const OUTPUTS: usize = 2_000;
/// Transactions in a block.
const BLOCK: usize = 2;
/// Addresses that the coins are on.
const ADDRESSES: usize = 100;
/// Payments of each program; the middle one counts.
const TURNS: usize = 7;

pub(super) fn run(programs: &[Program], table: &Table) -> Result<()> {
    for (coins, payments) in WALLETS {
        let (mut scratch, mut nodes) = (Vec::new(), Vec::new());
        for program in programs {
            let directory = Scratch::new(&format!("{}-payments-{coins}", program.name))?;
            // Nothing enters a mempool: a payment can be given up at once.
            let options =
                ["-connect=0", "-fallbackfee=0.0002", "-walletbroadcast=0", "-rpcservertimeout=600", "-keypool=100"];
            let node = Node::start(program, &directory, &options)?;
            scratch.push(directory);
            fund(&mut node.client()?, coins).with_context(|| format!("cannot fill {}'s wallet", program.name))?;
            nodes.push(node);
        }
        for inputs in payments {
            let mut samples = vec![Vec::new(); nodes.len()];
            for _ in 0..TURNS {
                for (node, samples) in nodes.iter().zip(&mut samples) {
                    samples.push(pay(&mut node.client()?, inputs * COIN)?);
                }
            }
            let values: Vec<_> = samples.into_iter().map(|samples| median(samples, 1e3)).collect();
            table.row(&format!("{coins} coins, payment of {inputs}"), "ms", Less, &values);
        }
        nodes.into_iter().try_for_each(Node::stop)?;
    }
    Ok(())
}

/// Pays, measured, and gives the payment up.
fn pay(client: &mut Client, amount: u64) -> Result<Duration> {
    let to = ScriptBuf::new_p2wpkh(&bitcoin::hashes::Hash::from_byte_array([7; 20]));
    let to = Address::from_script(&to, bitcoin::Network::Regtest)?.to_string();
    let params = json!([to, Amount::from_sat(amount).to_btc()]);
    let begin = Instant::now();
    let txid = client.call("sendtoaddress", params)?;
    let taken = begin.elapsed();
    client.call("abandontransaction", json!([txid]))?;
    Ok(taken)
}

/// Makes a wallet with so many coins.
fn fund(client: &mut Client, coins: usize) -> Result<()> {
    client.call("createwallet", json!(["bench"]))?;
    let mut scripts = Vec::new();
    for _ in 0..ADDRESSES {
        let address = client.call("getnewaddress", json!([]))?;
        let address: Address<_> = address.as_str().context("an address")?.parse()?;
        scripts.push(address.assume_checked().script_pubkey());
    }
    // What anyone can spend needs no signatures.
    let anyone = client.call("getdescriptorinfo", json!(["raw(51)"]))?["descriptor"].take();
    let sources = coins.div_ceil(OUTPUTS);
    let blocks = client.call("generatetodescriptor", json!([100 + sources, anyone]))?;
    let mut made = 0;
    let mut transactions = Vec::new();
    for block in blocks.as_array().context("blocks")?.iter().take(sources) {
        let block = client.call("getblock", json!([block, 2]))?;
        let coinbase: Transaction = deserialize_hex(block["tx"][0]["hex"].as_str().context("a transaction")?)?;
        let count = OUTPUTS.min(coins - made);
        let outputs = (made..made + count).map(|number| TxOut {
            value: Amount::from_sat(COIN - number as u64),
            script_pubkey: scripts[number % ADDRESSES].clone(),
        });
        let transaction = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::new(coinbase.compute_txid(), 0),
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            }],
            output: outputs.collect(),
        };
        transactions.push(Value::String(serialize_hex(&transaction)));
        made += count;
    }
    for block in transactions.chunks(BLOCK) {
        client.call("generateblock", json!([anyone, block]))?;
    }
    // The coins had better have the confirmations of old ones.
    client.call("generatetodescriptor", json!([10, anyone]))?;
    let wallet = call("getbalances", json!([]));
    let balances: Value = serde_json::from_slice(client.send(&client.request("/wallet/bench", &wallet))?)?;
    let trusted = balances["result"]["mine"]["trusted"].as_f64().context("a balance")?;
    let expected = (0..coins as u64).map(|number| COIN - number).sum::<u64>();
    ensure!(Amount::from_btc(trusted)?.to_sat() == expected, "the wallet has {trusted} BTC");
    Ok(())
}
