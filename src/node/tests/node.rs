//! Runs whole nodes on temporary regtest directories, with a wallet side that only keeps what it is given.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "node/clients.rs"]
mod clients;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bitcoin::base64::Engine as _;
use bitcoin::{BlockHash, Transaction};
use common::args::Program;
use interfaces::{
    BlockRange, Chain, ChainNotifications, ConnectedBlock, CreateWallet, MempoolRemovalReason, ProcessConfig, Result,
    RpcCommand, RpcError, RpcRequest, ScanRequest, Wallet, WalletError, WalletLoader, WalletSettingUpdate,
};
use node::clients::{Clients, Listening};
use serde_json::{Value, json};

/// Anyone's coins: a script that any signature-less input satisfies is not standard, but a block takes it.
const OP_TRUE_DESCRIPTOR: &str = "raw(51)";

/// One node at a time: log and clock are the process's.
static ONE_NODE: Mutex<()> = Mutex::new(());

/// A wallet side that answers nothing.
struct NoWallet;

impl WalletLoader for NoWallet {
    fn load_wallets(&self) -> Result<std::result::Result<(), WalletError>> {
        Ok(Ok(()))
    }
    fn rpc_commands(&self) -> Result<Vec<RpcCommand>> {
        Ok(Vec::new())
    }
    fn execute_rpc(&self, _: RpcRequest) -> Result<std::result::Result<String, RpcError>> {
        Err(interfaces::Error::unsupported("WalletLoader.executeRpc"))
    }
    fn rpc_help(&self, _: String) -> Result<Option<String>> {
        Ok(None)
    }
    fn create_wallet(&self, _: CreateWallet) -> Result<std::result::Result<Arc<dyn Wallet>, WalletError>> {
        Err(interfaces::Error::unsupported("WalletLoader.createWallet"))
    }
    fn load_wallet(&self, _: String) -> Result<std::result::Result<Arc<dyn Wallet>, WalletError>> {
        Err(interfaces::Error::unsupported("WalletLoader.loadWallet"))
    }
    fn wallets(&self) -> Result<Vec<Arc<dyn Wallet>>> {
        Ok(Vec::new())
    }
    fn list_wallet_dir(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
    fn set_mock_time(&self, _: Option<i64>) -> Result<()> {
        Ok(())
    }
    fn stop(&self) -> Result<()> {
        Ok(())
    }
    fn reopen_log(&self) -> Result<()> {
        Ok(())
    }
}

/// A running node.
struct Node {
    thread: Option<JoinHandle<ExitCode>>,
    chain: Arc<dyn Chain>,
    clients: Arc<Clients>,
    config: ProcessConfig,
    port: u16,
    _one: MutexGuard<'static, ()>,
}

/// A socket that nobody can reach: clients are made directly.
struct NoSocket;

impl Listening for NoSocket {
    fn address(&self) -> String {
        "nowhere".to_owned()
    }

    fn close(self: Box<Self>) {}
}

impl Node {
    /// Starts a node and returns once it serves commands.
    fn start(datadir: &Path, options: &[&str]) -> Node {
        let one = ONE_NODE.lock().unwrap_or_else(PoisonError::into_inner);
        // The listener is closed before the node binds the port; nothing else on this machine asks for this number.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut argv = vec![
            "bitcoin-node".to_owned(),
            "-ipcbind=unix".to_owned(),
            "-regtest".to_owned(),
            format!("-datadir={}", datadir.display()),
        ];
        argv.extend([format!("-rpcport={port}"), "-printtoconsole=0".to_owned(), "-listen=0".to_owned()]);
        argv.extend(options.iter().map(|option| (*option).to_owned()));
        let (sender, receiver) = channel();
        let (reach, reached) = channel();
        let factory: node::WalletFactory = Box::new(move |config, chain| {
            sender.send((config, chain)).unwrap();
            Ok(Arc::new(NoWallet))
        });
        let thread = std::thread::spawn(move || {
            let listen: node::clients::Listen = Box::new(move |_, _, clients| {
                reach.send(clients).unwrap();
                Ok(Box::new(NoSocket))
            });
            node::run(
                argv.into_iter().map(Into::into).collect(),
                Program::BitcoinNode,
                node::Parties { wallet: Some(factory), listen: Some(listen), companion: None, counted: None },
            )
        });
        let clients = reached.recv_timeout(Duration::from_secs(60)).expect("the node listens");
        let (config, chain) = receiver.recv_timeout(Duration::from_secs(60)).expect("the node starts");
        let node = Node { thread: Some(thread), chain, clients, config, port, _one: one };
        while node.rpc("getmempoolinfo", json!([]))["result"]["loaded"] != json!(true) {
            std::thread::yield_now();
        }
        node
    }

    /// Calls a command and returns the whole reply.
    fn rpc(&self, method: &str, params: Value) -> Value {
        let cookie = std::fs::read_to_string(Path::new(&self.config.net_datadir).join(".cookie")).unwrap();
        let authorization = bitcoin::base64::engine::general_purpose::STANDARD.encode(cookie.trim());
        let body = json!({"id": 1, "method": method, "params": params}).to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic {authorization}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        serde_json::from_str(reply.split("\r\n\r\n").nth(1).unwrap()).unwrap()
    }

    fn mine(&self, blocks: u32) -> Vec<BlockHash> {
        self.mine_to(blocks, OP_TRUE_DESCRIPTOR)
    }

    fn mine_to(&self, blocks: u32, descriptor: &str) -> Vec<BlockHash> {
        let reply = self.rpc("generatetodescriptor", json!([blocks, descriptor]));
        let hashes = reply["result"].as_array().unwrap_or_else(|| panic!("{reply}"));
        hashes.iter().map(|hash| hash.as_str().unwrap().parse().unwrap()).collect()
    }

    /// Waits for the node to end and returns what its exit code looks like.
    fn join(mut self) -> String {
        let code = self.thread.take().unwrap().join().expect("no panic");
        format!("{code:?}")
    }

    fn stop(self) {
        assert_eq!(self.rpc("stop", json!([]))["result"], json!("Bitcoin Core stopping"));
        assert_eq!(self.join(), format!("{:?}", ExitCode::SUCCESS));
    }
}

/// Records what happens to the chain.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    fn push(&self, text: String) -> Result<()> {
        self.0.lock().unwrap().push(text);
        Ok(())
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl ChainNotifications for Recorder {
    fn transaction_added(&self, transaction: Transaction, _: u64) -> Result<()> {
        self.push(format!("added {}", transaction.compute_txid()))
    }
    fn transaction_removed(&self, transaction: Transaction, reason: MempoolRemovalReason, _: u64) -> Result<()> {
        self.push(format!("removed {} {reason:?}", transaction.compute_txid()))
    }
    fn block_connected(&self, connected: ConnectedBlock) -> Result<()> {
        assert_eq!(connected.data.block_hash(), connected.block.hash);
        self.push(format!("connected {}", connected.block.height))
    }
    fn block_disconnected(&self, disconnected: ConnectedBlock) -> Result<()> {
        self.push(format!("disconnected {}", disconnected.block.height))
    }
    fn chain_state_flushed(&self, _: Vec<BlockHash>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn wallet_side_sees_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    assert_eq!(node.config.chain, "regtest");
    assert_eq!(Path::new(&node.config.wallet_dir), dir.path().join("regtest/wallets"));
    let chain = node.chain.clone();
    assert_eq!(chain.status().unwrap().tip.height, 0);
    testing::contract::chain(&chain);

    let recorder = Arc::new(Recorder::default());
    let subscription = chain.subscribe(recorder.clone()).unwrap();
    let hashes = node.mine(3);
    chain.sync_notifications(None).unwrap();
    testing::contract::chain(&chain);
    assert_eq!(recorder.take(), ["connected 1", "connected 2", "connected 3"]);

    let tip = chain.status().unwrap().tip;
    assert_eq!((tip.hash, tip.height, tip.active), (hashes[2], 3, true));
    assert_eq!(chain.block_at(2).unwrap().unwrap().hash, hashes[1]);
    assert_eq!(chain.block_at(4).unwrap(), None);
    assert_eq!(chain.find_block(hashes[0]).unwrap().unwrap().height, 1);
    assert_eq!(chain.find_fork(chain.tip_locator().unwrap()).unwrap().unwrap().height, 3);
    assert_eq!(chain.find_first_block(0, 2).unwrap().unwrap().height, 2);
    assert!(chain.has_blocks(BlockRange { last: hashes[2], min_height: 0, max_height: None }).unwrap());
    assert_eq!(chain.estimate_fee(6, true).unwrap().rate, None);

    let scan = |scripts: &[&[u8]], start: u32, max_blocks: u32| {
        let scripts = scripts.iter().map(|script| script.to_vec().into()).collect();
        chain.scan(ScanRequest { start_height: start, stop_height: None, scripts, max_blocks }).unwrap()
    };
    let page = scan(&[&[0x51]], 0, 2);
    assert_eq!((page.blocks.len(), page.next_height), (1, Some(2)));
    let page = scan(&[&[0x51]], 2, 100);
    assert_eq!((page.blocks.len(), page.next_height, page.last.map(|last| last.height)), (2, None, Some(3)));
    assert_eq!(scan(&[&[0x52]], 0, 100).blocks, []);
    assert_eq!(scan(&[&[0x51]], 9, 100).last, None);

    node.rpc("invalidateblock", json!([hashes[2].to_string()]));
    chain.sync_notifications(None).unwrap();
    assert_eq!(recorder.take(), ["disconnected 3"]);
    drop(subscription);
    // To another script, or it could be the block that was just called invalid.
    node.mine_to(1, "raw(52)");
    chain.sync_notifications(None).unwrap();
    assert_eq!(recorder.take(), [""; 0]);
    node.stop();
    assert!(chain.status().is_err());
}

#[test]
fn datadir_holds_what_it_should_after_a_stop() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &["-pid=x.pid"]);
    let net = dir.path().join("regtest");
    assert!(net.join("x.pid").exists() && net.join(".cookie").exists());
    let update = WalletSettingUpdate { name: "w".to_owned(), load_on_startup: true };
    assert!(node.chain.update_wallet_setting(update).unwrap());
    node.stop();
    assert!(!net.join("x.pid").exists() && !net.join(".cookie").exists());
    let directories: Vec<String> = std::fs::read_dir(&net)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    for directory in &directories {
        assert!(["blocks", "chainstate", "indexes", "wallets"].contains(&directory.as_str()), "{directory}");
    }
    assert_eq!(std::fs::read_dir(net.join("wallets")).unwrap().count(), 0);
    let settings = std::fs::read_to_string(net.join("settings.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&settings).unwrap()["wallet"], json!(["w"]));
    let log = std::fs::read_to_string(net.join("debug.log")).unwrap();
    for line in ["init message: Done loading", "Shutdown in progress...", "Shutdown done"] {
        assert!(log.contains(line), "{line}");
    }
}

#[test]
fn mempool_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &["-acceptnonstdtxn=1"]);
    node.mine(101);
    let block = node.chain.block_at(1).unwrap().unwrap();
    let coinbase = node.rpc("getblock", json!([block.hash.to_string(), 1]))["result"]["tx"][0].clone();
    let spend = Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![bitcoin::TxIn {
            previous_output: format!("{}:0", coinbase.as_str().unwrap()).parse().unwrap(),
            ..bitcoin::TxIn::default()
        }],
        output: vec![bitcoin::TxOut {
            value: bitcoin::Amount::from_int_btc(49),
            script_pubkey: bitcoin::ScriptBuf::from_bytes([&[0x6a, 0x4c, 80][..], &[0; 80]].concat()),
        }],
    };
    let refused = node.chain.broadcast(spend.clone(), bitcoin::Amount::from_sat(1), true).unwrap();
    assert_eq!(refused, Err(interfaces::BroadcastError::MaxFeeExceeded));
    node.chain.broadcast(spend.clone(), bitcoin::Amount::ZERO, true).unwrap().unwrap();
    node.stop();

    let node = Node::start(dir.path(), &["-acceptnonstdtxn=1"]);
    let txid = spend.compute_txid();
    assert_eq!(node.chain.mempool_transactions().unwrap(), [spend]);
    let entry = node.rpc("getmempoolentry", json!([txid.to_string()]));
    assert_eq!(entry["result"]["unbroadcast"], json!(true));
    assert_eq!(node.chain.mempool_ancestry(vec![txid]).unwrap()[0].as_ref().unwrap().ancestors, 1);
    node.stop();
}

#[test]
fn fault_ends_the_program_with_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    node.chain.abort_node("out of paper".to_owned()).unwrap();
    assert_eq!(node.join(), format!("{:?}", ExitCode::FAILURE));
    let log = std::fs::read_to_string(dir.path().join("regtest/debug.log")).unwrap();
    assert!(log.contains("A fatal internal error occurred, see debug.log for details: out of paper"));
}
