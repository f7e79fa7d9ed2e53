//! What every chain must do.

use std::sync::Arc;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, OutPoint, Txid};
use interfaces::{BlockRange, BroadcastError, BumpFees, Chain, MempoolRemovalReason, ScanRequest, WalletSettingUpdate};

use crate::blocks::{payment, script};
use crate::{ChainEvent, ChainRecorder, FakeChain};

fn unknown() -> OutPoint {
    OutPoint::new(Txid::from_byte_array([7; 32]), 1)
}

/// Checks a chain that does not change meanwhile. Calls every method but those that change the node.
pub fn chain(chain: &Arc<dyn Chain>) {
    let status = chain.status().unwrap();
    let tip = status.tip.clone();
    assert!(tip.active);
    assert_eq!(chain.block_at(tip.height).unwrap(), Some(tip.clone()));
    assert_eq!(chain.block_at(tip.height + 1).unwrap(), None);
    assert_eq!(chain.find_block(tip.hash).unwrap(), Some(tip.clone()));
    assert_eq!(chain.find_block(BlockHash::all_zeros()).unwrap(), None);

    let genesis = chain.block_at(0).unwrap().expect("a chain has a genesis block");
    let locator = chain.tip_locator().unwrap();
    assert_eq!(locator.first(), Some(&tip.hash));
    assert_eq!(locator.last(), Some(&genesis.hash));
    assert_eq!(chain.find_fork(locator).unwrap(), Some(tip.clone()));
    assert_eq!(chain.find_fork(vec![genesis.hash]).unwrap(), Some(genesis.clone()));
    assert_eq!(chain.find_fork(vec![BlockHash::all_zeros()]).unwrap(), None);
    assert_eq!(chain.find_fork(Vec::new()).unwrap(), None);

    assert_eq!(chain.find_first_block(0, 0).unwrap(), Some(genesis.clone()));
    assert_eq!(chain.find_first_block(i64::MAX, 0).unwrap(), None);
    assert!(chain.has_blocks(BlockRange { last: tip.hash, min_height: 0, max_height: None }).unwrap());
    assert!(chain.has_blocks(BlockRange { last: tip.hash, min_height: 0, max_height: Some(0) }).unwrap());

    let everything = ScanRequest { start_height: 0, stop_height: None, scripts: Vec::new(), max_blocks: u32::MAX };
    let page = chain.scan(everything.clone()).unwrap();
    assert_eq!((page.blocks.len(), page.last, page.next_height), (0, Some(tip.clone()), None));
    if tip.height > 0 {
        let page = chain.scan(ScanRequest { max_blocks: 1, ..everything.clone() }).unwrap();
        assert_eq!((page.last, page.next_height), (Some(genesis.clone()), Some(1)));
        let page = chain.scan(ScanRequest { stop_height: Some(0), ..everything }).unwrap();
        assert_eq!((page.last, page.next_height), (Some(genesis), None));
    }

    assert_eq!(chain.find_coins(vec![unknown()]).unwrap(), vec![None]);
    assert_eq!(chain.find_coins(Vec::new()).unwrap(), Vec::new());
    let orphan = payment(unknown(), Amount::from_sat(1000), script(9));
    assert_eq!(chain.broadcast(orphan, Amount::ZERO, false).unwrap(), Err(BroadcastError::MissingInputs));
    assert_eq!(chain.mempool_ancestry(vec![unknown().txid]).unwrap(), vec![None]);
    assert_eq!(chain.mempool_transactions().unwrap(), Vec::new());

    let policy = chain.fee_policy().unwrap();
    assert!(policy.ancestor_limit > 0 && policy.descendant_limit > 0);
    assert!(chain.estimate_fee(6, true).unwrap().target >= 1);
    chain.estimate_fee(6, false).unwrap();
    let nothing = BumpFees { each: vec![Amount::ZERO], together: Amount::ZERO };
    assert_eq!(chain.bump_fees(vec![unknown().txid], 5000).unwrap(), nothing);
    let orphan = payment(unknown(), Amount::from_sat(1000), script(9));
    assert!(!chain.exceeds_cluster_limits(orphan).unwrap());

    let recorder = Arc::new(ChainRecorder::default());
    let subscription = chain.subscribe(recorder.clone()).unwrap();
    chain.sync_notifications(Some(tip.hash)).unwrap();
    chain.sync_notifications(None).unwrap();
    drop(subscription);

    chain.init_warning("look\nout".to_owned()).unwrap();
    drop(chain.raise_warning("behind".to_owned()).unwrap());

    for load_on_startup in [true, false] {
        let update = WalletSettingUpdate { name: "contract".to_owned(), load_on_startup };
        assert!(chain.update_wallet_setting(update).unwrap());
    }
}

/// Checks `chain`, behind which `fake` is, where that takes changes to the chain: refusals, coins, events.
pub fn fake_chain(chain: &Arc<dyn Chain>, fake: &FakeChain) {
    let recorder = Arc::new(ChainRecorder::default());
    let subscription = chain.subscribe(recorder.clone()).unwrap();
    assert_eq!(fake.subscriptions(), 1);

    let from = fake.coinbase_at(1);
    let coin = chain.find_coins(vec![from, unknown()]).unwrap();
    let found = coin[0].clone().expect("the coinbase is unspent");
    assert_eq!((found.height, found.coinbase, &coin[1]), (Some(1), true, &None));

    let cheap = payment(from, found.output.value - Amount::from_sat(500), script(50));
    let excess = payment(from, found.output.value + Amount::ONE_SAT, script(50));
    let reason = "bad-txns-in-belowout".to_owned();
    let refused = Err(BroadcastError::MempoolRejected { reason });
    assert_eq!(chain.broadcast(excess, Amount::ZERO, true).unwrap(), refused);
    let limit = Amount::from_sat(100);
    assert_eq!(chain.broadcast(cheap.clone(), limit, true).unwrap(), Err(BroadcastError::MaxFeeExceeded));
    assert_eq!(chain.broadcast(cheap.clone(), Amount::ZERO, true).unwrap(), Ok(()));
    assert_eq!(chain.mempool_transactions().unwrap(), vec![cheap.clone()]);
    let txid = cheap.compute_txid();
    assert!(chain.mempool_ancestry(vec![txid]).unwrap()[0].is_some());
    let fees = chain.bump_fees(vec![txid, unknown().txid], 5000).unwrap();
    assert_eq!((fees.each, fees.together), (vec![Amount::from_sat(5), Amount::ZERO], Amount::from_sat(5)));
    let mut pays_nobody = cheap.clone();
    pays_nobody.output.clear();
    assert!(chain.exceeds_cluster_limits(pays_nobody).unwrap());
    let unconfirmed = chain.find_coins(vec![OutPoint::new(txid, 0)]).unwrap()[0].clone();
    assert_eq!(unconfirmed.map(|coin| coin.height), Some(None));

    fake.remove_transaction(txid, MempoolRemovalReason::Replaced);
    assert_eq!(chain.broadcast(cheap.clone(), Amount::ZERO, true).unwrap(), Ok(()));
    fake.mine();
    assert_eq!(chain.broadcast(cheap.clone(), Amount::ZERO, true).unwrap(), Err(BroadcastError::AlreadyInUtxoSet));
    let page = chain
        .scan(ScanRequest { start_height: 0, stop_height: None, scripts: vec![script(50)], max_blocks: 1000 })
        .unwrap();
    assert_eq!(page.blocks.len(), 1);
    assert_eq!((&page.blocks[0].positions, &page.blocks[0].transactions), (&vec![1], &vec![cheap.clone()]));

    let stale = fake.disconnect_tip();
    assert_eq!(chain.find_block(stale).unwrap().map(|block| block.active), Some(false));
    fake.flushed();
    chain.sync_notifications(None).unwrap();
    let events = recorder.events();
    assert_eq!(events.len(), 6, "{events:?}");
    assert_eq!(events[0], ChainEvent::Added(cheap.clone(), 1));
    assert_eq!(events[1], ChainEvent::Removed(cheap.clone(), MempoolRemovalReason::Replaced, 2));
    assert_eq!(events[2], ChainEvent::Added(cheap.clone(), 3));
    let ChainEvent::Connected(connected) = &events[3] else { panic!("{:?}", events[3]) };
    assert_eq!((connected.block.hash, &connected.data.txdata[1]), (stale, &cheap));
    let ChainEvent::Disconnected(gone) = &events[4] else { panic!("{:?}", events[4]) };
    assert_eq!((gone.block.hash, gone.block.active), (stale, false));
    assert_eq!(events[5], ChainEvent::Flushed(chain.tip_locator().unwrap()));

    drop(subscription);
    assert_eq!(fake.subscriptions(), 0);
    fake.mine();
    chain.sync_notifications(None).unwrap();
    assert_eq!(recorder.events().len(), 6, "no event after the subscription is dropped");

    let before = fake.warnings();
    let raised = chain.raise_warning("behind the chain".to_owned()).unwrap();
    assert_eq!(fake.warnings(), [before.clone(), vec!["behind the chain".to_owned()]].concat());
    drop(raised);
    assert_eq!(fake.warnings(), before);

    chain.abort_node("disk full".to_owned()).unwrap();
    assert_eq!(fake.aborted().as_deref(), Some("disk full"));
}
