//! The program as others reach it through its socket: the contracts that every implementation of the interfaces keeps.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "socket/privilege.rs"]
mod privilege;

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use interfaces::{BlockCreateOptions, ClientV30, Error, Init, Mining};
use testing::contract;

/// A node that is killed unless it stops by itself.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        // Fails if it has ended, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(datadir: &Path, ipcbind: &str) -> Node {
    start_program(env!("CARGO_BIN_EXE_bitcoin-node").as_ref(), datadir, ipcbind)
}

fn start_program(program: &Path, datadir: &Path, ipcbind: &str) -> Node {
    let node = Command::new(program)
        .args(["-regtest", "-printtoconsole=0", "-disablewallet", "-server=0", "-listen=0", "-connect=0"])
        .arg(format!("-datadir={}", datadir.display()))
        .args(format!("-ipcbind={ipcbind}").split(' '))
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    Node(node)
}

fn connect(node: &mut Node, datadir: &Path) -> (impl Sized + use<>, Arc<dyn Init>) {
    reach(node, datadir, "unix")
}

fn reach(node: &mut Node, datadir: &Path, address: &str) -> (impl Sized + use<>, Arc<dyn Init>) {
    loop {
        match ipc::connect(address, &datadir.join("regtest"), "node") {
            Ok(connected) => return connected,
            Err(_) => assert!(node.0.try_wait().unwrap().is_none(), "the node runs"),
        }
        std::thread::yield_now();
    }
}

fn rpc(init: &Arc<dyn Init>, method: &str, params: &str) -> String {
    let request = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    init.make_rpc().unwrap().execute_rpc(request, "/".to_owned(), String::new()).unwrap()
}

fn stop(mut node: Node, init: &Arc<dyn Init>) -> ExitStatus {
    assert!(rpc(init, "stop", "[]").contains("stopping"));
    node.0.wait().unwrap()
}

#[test]
fn contracts_of_a_node_behind_its_socket() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = start(dir.path(), "unix");
    let (_link, init) = connect(&mut node, dir.path());
    // Waits for the chain, which RPC answers about only then.
    let mining = init.make_mining().unwrap();
    while rpc(&init, "getblockcount", "[]").contains("-28") {
        std::thread::yield_now();
    }
    // A recent tip, or test chains allow a block of the lowest difficulty at any moment, and waits end for that.
    let mined = rpc(&init, "generatetodescriptor", r#"[1,"raw(51)"]"#);
    assert!(mined.contains("result"), "{mined}");
    contract::introduce(&init);
    let told = init.introduce(testing::identity("test")).unwrap();
    assert_eq!((told.program.as_str(), told.network.as_str()), ("bitcoin-node", "regtest"));
    contract::echo(&init.make_echo().unwrap());
    contract::mining(&mining);
    contract::mining_v30(&init.make_mining_old2(Some(ClientV30 {})).unwrap());
    contract::rpc(&init.make_rpc().unwrap());
    assert!(rpc(&init, "getblockcount", "[]").contains(r#""result":4"#));
    drop(mining);
    assert!(stop(node, &init).success());
}

#[test]
fn a_wait_that_is_given_up_ends_in_the_node_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = start(dir.path(), "unix");
    let (_link, init) = connect(&mut node, dir.path());
    let mining = init.make_mining().unwrap();
    let tip = loop {
        match mining.tip().unwrap() {
            Some(tip) => break tip,
            None => std::thread::yield_now(),
        }
    };
    let token = ipc::CancelToken::new();
    let (ready, started) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn({
        let token = token.clone();
        move || {
            ready.send(()).unwrap();
            let waited = token.run(|| mining.wait_tip_changed(tip.hash, f64::MAX));
            // One thread of the node serves this one of ours: it answers only if the wait is over there as well.
            (waited, mining.tip())
        }
    });
    started.recv().unwrap();
    token.cancel();
    let (waited, after) = waiting.join().unwrap();
    assert_eq!(waited, Err(Error::Cancelled { call: "Mining.waitTipChanged".to_owned() }));
    assert_eq!(after, Ok(Some(tip)));
    while rpc(&init, "getblockcount", "[]").contains("-28") {
        std::thread::yield_now();
    }
    assert!(stop(node, &init).success());
}

/// `BITCOIN_CORE=<directory> cargo test -p bitcoin-node --features multiprocess --test socket -- --ignored`
#[test]
#[ignore = "needs Bitcoin Core's bitcoin-node"]
fn contracts_of_bitcoin_core_behind_its_socket() {
    let core = std::env::var_os("BITCOIN_CORE").expect("BITCOIN_CORE says where Core's programs are");
    let dir = tempfile::tempdir().unwrap();
    let mut node = start_program(&Path::new(&core).join("bitcoin-node"), dir.path(), "unix");
    let (_link, init) = connect(&mut node, dir.path());
    let mining = init.make_mining().unwrap();
    while rpc(&init, "getblockcount", "[]").contains("-28") {
        std::thread::yield_now();
    }
    assert!(rpc(&init, "generatetodescriptor", r#"[1,"raw(51)"]"#).contains("result"));
    assert_eq!(init.introduce(testing::identity("test")), Err(Error::unsupported("Init.introduce")));
    contract::echo(&init.make_echo().unwrap());
    contract::mining(&mining);
    contract::rpc(&init.make_rpc().unwrap());
    let old = init.make_mining_old2(Some(ClientV30 {})).err();
    assert!(matches!(old, Some(Error::Internal { message }) if message.contains("not supported")));
    drop(mining);
    assert!(stop(node, &init).success());
}

#[test]
fn a_client_of_a_killed_node_is_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = start(dir.path(), "unix,allow=mining");
    let (_link, init) = connect(&mut node, dir.path());
    let mining = init.make_mining().unwrap();
    assert_eq!(init.make_rpc().err(), Some(Error::unsupported("Init.makeRpc")));
    let tip = mining.tip().unwrap();
    let tip = match tip {
        Some(tip) => tip.hash,
        None => mining.wait_tip_changed(bitcoin::hashes::Hash::all_zeros(), 0.0).unwrap().unwrap().hash,
    };
    let waiting = std::thread::spawn(move || mining.wait_tip_changed(tip, f64::MAX));
    node.0.kill().unwrap();
    node.0.wait().unwrap();
    let call = "Mining.waitTipChanged".to_owned();
    assert_eq!(waiting.join().unwrap(), Err(Error::Disconnected { call }));
    let call = "Init.makeEcho".to_owned();
    assert_eq!(init.make_echo().err(), Some(Error::Disconnected { call }));
    // The next one takes the socket over.
    let mut next = start(dir.path(), "unix");
    let (_link, init) = connect(&mut next, dir.path());
    init.make_mining().unwrap();
    while rpc(&init, "getblockcount", "[]").contains("-28") {
        std::thread::yield_now();
    }
    assert!(stop(next, &init).success());
}

#[test]
fn a_client_over_the_memory_of_its_socket_is_told_which_limit() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = start(dir.path(), "unix,memory=1");
    let (_link, init) = connect(&mut node, dir.path());
    let mining = init.make_mining().unwrap();
    let mut held = Vec::new();
    let limit = loop {
        match mining.create_new_block(BlockCreateOptions::default(), false) {
            Ok(template) => held.push(template.unwrap()),
            Err(Error::Overloaded { limit, .. }) => break limit,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(limit, "the objects of this client may take 1 MB and take 1 MB; destroy some before asking for more");
    let (_other, second) = connect(&mut node, dir.path());
    let template = second.make_mining().unwrap().create_new_block(BlockCreateOptions::default(), false);
    assert!(template.unwrap().is_some(), "another client does not notice");
    held.truncate(held.len() / 2);
    assert!(mining.create_new_block(BlockCreateOptions::default(), false).unwrap().is_some());
    assert!(stop(node, &second).success());
}

#[test]
fn clients_over_the_memory_of_all_are_told_which_limit() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = start(dir.path(), "unix -ipcmemory=1");
    let (_link, init) = connect(&mut node, dir.path());
    let (_other, second) = connect(&mut node, dir.path());
    let limit = "the objects of all clients may take 1 MB and take 1 MB; destroy some before asking for more";
    let template = |mining: &Arc<dyn Mining>| match mining.create_new_block(BlockCreateOptions::default(), false) {
        Ok(template) => template,
        Err(Error::Overloaded { limit: found, .. }) if found == limit => None,
        Err(error) => panic!("{error}"),
    };
    let minings = [init.make_mining().unwrap(), second.make_mining().unwrap()];
    // Each has some of it when it is full.
    let mut held: Vec<Vec<_>> = vec![(0..10).filter_map(|_| template(&minings[0])).collect(), Vec::new()];
    held[1].extend(std::iter::from_fn(|| template(&minings[1])));
    assert_eq!((held[0].len(), held[1].len() > 100), (10, true), "{}", held[1].len());
    assert!(template(&minings[0]).is_none());
    held[1].clear();
    assert!(template(&minings[0]).is_some());
    assert!(stop(node, &init).success());
}
