//! What programs get that connect to a node, without a connection in between.

use std::sync::mpsc::channel;
use std::time::Duration;

use interfaces::{BlockCreateOptions, BlockWaitOptions, ClientV30, Error};
use node::clients::Offer;
use serde_json::json;
use testing::contract;

use crate::Node;

/// How long anything may take before it counts as hung.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn clients_make_blocks_and_call_commands() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    // A recent tip: on an old one any wait ends, since test chains then allow blocks of the lowest difficulty.
    node.mine(1);
    let client = node.clients.connect(Offer::default());
    let init = client.init();
    contract::echo(&init.make_echo().unwrap());
    contract::mining(&init.make_mining().unwrap());
    contract::mining_v30(&init.make_mining_old2(Some(ClientV30 {})).unwrap());
    let refused = init.make_mining_old2(None).err();
    assert_eq!(refused, Some(Error::internal("Old mining interface (@2) not supported. Please update your client!")));
    contract::rpc(&init.make_rpc().unwrap());

    let request = json!({"method": "getblockcount", "id": 7, "jsonrpc": "2.0"}).to_string();
    let count = init.make_rpc().unwrap().execute_rpc(request, "/".to_owned(), String::new()).unwrap();
    assert_eq!(count, r#"{"jsonrpc":"2.0","result":4,"id":7}"#);
    node.stop();
}

#[test]
fn a_client_gets_what_its_socket_offers() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    let nothing = Offer { echo: false, mining: false, rpc: false, ..Offer::default() };
    let gone = node.clients.connect(Offer { mining: true, ..nothing }).init();
    assert!(gone.make_mining().is_err(), "a client that is gone gets nothing");
    let client = node.clients.connect(Offer { mining: true, ..nothing });
    client.init().make_mining().ok().unwrap();
    client.init().make_mining_old2(Some(ClientV30 {})).ok().unwrap();
    assert_eq!(client.init().make_rpc().err(), Some(Error::unsupported("Init.makeRpc")));
    assert_eq!(client.init().make_echo().err(), Some(Error::unsupported("Init.makeEcho")));
    let client = node.clients.connect(Offer { rpc: true, ..nothing });
    client.init().make_rpc().ok().unwrap();
    assert_eq!(client.init().make_mining().err(), Some(Error::unsupported("Init.makeMining")));
    let old = client.init().make_mining_old2(Some(ClientV30 {})).err();
    assert_eq!(old, Some(Error::unsupported("Init.makeMiningOld2")));
    let wallets = client.init().make_wallet_loader(testing::config(), testing::FakeChain::new(1)).err();
    assert_eq!(wallets, Some(Error::unsupported("Init.makeWalletLoader")));
    node.stop();
}

#[test]
fn a_client_over_its_budget_disturbs_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    let small = node.clients.connect(Offer { memory: 8000, ..Offer::default() });
    let mining = small.init().make_mining().unwrap();
    let create = || mining.create_new_block(BlockCreateOptions::default(), false);
    let mut held = Vec::new();
    let error = loop {
        match create() {
            Ok(template) => held.push(template),
            Err(Error::Overloaded { limit, .. }) => break limit,
            Err(error) => panic!("{error}"),
        }
        assert!(held.len() < 100);
    };
    assert!(!held.is_empty());
    assert!(error.starts_with("the objects of this client may take 1 MB and take 1 MB"), "{error}");
    let other = node.clients.connect(Offer::default());
    other.init().make_mining().unwrap().create_new_block(BlockCreateOptions::default(), false).unwrap().unwrap();
    let mut echoes = Vec::new();
    while let Ok(echo) = small.init().make_echo() {
        echoes.push(echo);
        assert!(echoes.len() < 100, "every object counts");
    }
    drop(echoes);
    held.pop();
    assert!(create().unwrap().is_some(), "what is dropped is free again");
    node.stop();
}

#[test]
fn waits_end_with_the_client_and_with_the_node() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    node.mine(1);
    let (done, wait) = channel();
    let start = |init: std::sync::Arc<dyn interfaces::Init>| {
        let mining = init.make_mining().unwrap();
        let tip = mining.tip().unwrap().unwrap();
        let template = mining.create_new_block(BlockCreateOptions::default(), false).unwrap().unwrap();
        let (first, second) = (done.clone(), done.clone());
        std::thread::spawn(move || first.send(mining.wait_tip_changed(tip.hash, f64::MAX).unwrap().is_none()));
        std::thread::spawn(move || second.send(template.wait_next(BlockWaitOptions::default()).unwrap().is_none()));
    };
    let (gone, stays) = (node.clients.connect(Offer::default()), node.clients.connect(Offer::default()));
    start(gone.init());
    start(stays.init());
    drop(gone);
    for _ in 0..2 {
        assert_eq!(wait.recv_timeout(LIMIT), Ok(true));
    }
    assert!(wait.try_recv().is_err(), "the other client's waits go on");
    node.stop();
    for _ in 0..2 {
        assert_eq!(wait.recv_timeout(LIMIT), Ok(true));
    }
    drop(stays);
}
