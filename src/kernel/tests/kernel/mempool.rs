//! Transactions: in, refused, described, mined.

use bitcoin::{Amount, OutPoint, SignedAmount, Transaction};
use kernel::{AcceptResult, CoinView, FeeRate, RejectKind, TemplateOptions};

use crate::support::{Node, spend};

const COIN: u64 = 50 * 100_000_000;

fn sat(sat: u64) -> Amount {
    Amount::from_sat(sat)
}

fn output(tx: &Transaction, vout: u32) -> OutPoint {
    OutPoint { txid: tx.compute_txid(), vout }
}

#[test]
fn refusals_have_reasons() {
    let node = Node::new();
    let coin = node.mature_coin();
    let young = node.kernel.block(&node.kernel.hash_at(3).unwrap().unwrap()).unwrap().txdata[0].compute_txid();
    let immature = OutPoint { txid: young, vout: 0 };
    let good = spend(coin, &[sat(COIN - 1000)]);
    let mut unsigned = good.clone();
    unsigned.input[0].witness.clear();
    let mut empty = good.clone();
    empty.input.clear();
    for (tx, kind, reason) in [
        (
            spend(OutPoint { vout: 7, ..coin }, &[sat(1000)]),
            RejectKind::MissingInputs,
            "bad-txns-inputs-missingorspent",
        ),
        (spend(coin, &[sat(COIN + 1)]), RejectKind::Consensus, "bad-txns-in-belowout"),
        (spend(coin, &[sat(COIN)]), RejectKind::Reconsiderable, "min relay fee not met"),
        (spend(coin, &[sat(COIN - 1000), sat(1)]), RejectKind::NotStandard, "dust"),
        (spend(immature, &[sat(COIN - 1000)]), RejectKind::PrematureSpend, "bad-txns-premature-spend-of-coinbase"),
        (spend(coin, &[]), RejectKind::Consensus, "bad-txns-vout-empty"),
        (empty, RejectKind::Consensus, "bad-txns-vin-empty"),
    ] {
        let rejection = node.reject(&tx);
        assert_eq!((rejection.kind, &rejection.reason[..]), (kind, reason), "{rejection:?}");
    }
    let rejection = node.reject(&unsigned);
    assert_eq!(rejection.kind, RejectKind::WitnessStripped, "{rejection:?}");
    assert!(rejection.message().contains("Witness program"), "{}", rejection.message());
    assert_eq!(node.kernel.mempool_info().unwrap().size, 0);

    let AcceptResult::Accepted(accepted) = node.kernel.accept_transaction(&good, true).unwrap() else { panic!() };
    assert_eq!((accepted.fee, accepted.vsize), (sat(1000), good.vsize() as u64));
    assert_eq!(accepted.effective_includes, [good.compute_wtxid()]);
    assert_eq!(accepted.effective_feerate.to_sat_per_kvb(), 1_000_000 / good.vsize() as i64);
    assert!(!node.kernel.mempool_contains(&good.compute_txid()).unwrap());
    node.accept(&good);
    assert_eq!(node.reject(&good).reason, "txn-already-in-mempool");
}

#[test]
fn entries_relatives_and_views() {
    let node = Node::new();
    let coin = node.mature_coin();
    let parent = spend(coin, &[sat(COIN / 2), sat(COIN / 2 - 1000)]);
    let child = spend(output(&parent, 0), &[sat(COIN / 2 - 5000)]);
    let kernel = &node.kernel;
    node.accept(&parent);
    node.accept(&child);
    let (parent_id, child_id) = (parent.compute_txid(), child.compute_txid());

    assert_eq!(kernel.mempool_txids().unwrap().0, [parent_id, child_id]);
    let entries = kernel.mempool_entries().unwrap();
    let entry = kernel.mempool_entry(&child_id).unwrap().unwrap();
    assert_eq!(entries[1], entry);
    assert_eq!((entry.fee, entry.modified_fee), (sat(5000), SignedAmount::from_sat(5000)));
    assert_eq!((entry.ancestor_count, entry.descendant_count, entry.height), (2, 1, 101));
    assert_eq!(entry.ancestor_fees, SignedAmount::from_sat(6000));
    assert_eq!((&entry.depends[..], &entry.spent_by[..]), (&[parent_id][..], &[][..]));
    assert_eq!(entries[0].spent_by, [child_id]);
    assert_eq!(entry.wtxid, child.compute_wtxid());
    assert_eq!(entry.vsize, child.vsize() as u64);
    assert!(entry.bip125_replaceable && !entry.unbroadcast);
    kernel.set_unbroadcast(&child_id, true).unwrap();
    assert_eq!(kernel.unbroadcast().unwrap(), [child_id]);
    assert!(kernel.mempool_entry(&child_id).unwrap().unwrap().unbroadcast);
    kernel.set_unbroadcast(&child_id, false).unwrap();

    assert_eq!(kernel.mempool_ancestors(&child_id).unwrap().unwrap()[0].txid, parent_id);
    assert_eq!(kernel.mempool_descendants(&parent_id).unwrap().unwrap()[0].txid, child_id);
    assert_eq!(kernel.mempool_ancestors(&coin.txid).unwrap(), None);
    let ancestry = kernel.mempool_ancestry(&[parent_id, child_id, coin.txid]).unwrap();
    let counts: Vec<_> = ancestry.iter().map(|a| a.map(|a| (a.ancestors, a.descendants, a.cluster))).collect();
    assert_eq!(counts, [Some((1, 2, 2)), Some((2, 1, 2)), None]);
    assert_eq!(kernel.mempool_spenders(&[coin, output(&child, 0)]).unwrap(), [Some(parent_id), None]);

    let held = kernel.mempool_transaction(&child_id).unwrap().unwrap();
    assert_eq!((&held.transaction, held.fee), (&child, sat(5000)));
    assert_eq!(kernel.mempool_transaction_by_wtxid(&child.compute_wtxid()).unwrap(), Some(held.clone()));
    assert_eq!(kernel.mempool_transaction(&coin.txid).unwrap(), None);
    assert_eq!(kernel.mempool_transactions().unwrap()[1], held);

    let spent = output(&parent, 0);
    assert_eq!(kernel.coin(&spent, CoinView::Chain).unwrap(), None);
    assert_eq!(kernel.coin(&spent, CoinView::WithMempool).unwrap().unwrap().height, None);
    assert_eq!(kernel.coin(&spent, CoinView::UnspentWithMempool).unwrap(), None);
    assert!(kernel.coin(&output(&parent, 1), CoinView::UnspentWithMempool).unwrap().is_some());
    assert_eq!(kernel.coin(&coin, CoinView::UnspentWithMempool).unwrap(), None);

    let chunks = kernel.mempool_cluster(&parent_id).unwrap();
    assert_eq!(chunks.iter().map(|chunk| chunk.txids.clone()).collect::<Vec<_>>(), [vec![parent_id, child_id]]);
    assert_eq!((chunks[0].fee, chunks[0].weight), (SignedAmount::from_sat(6000), entry.chunk_weight));
    assert!(kernel.mempool_cluster(&coin.txid).unwrap().is_empty());
    let diagram = kernel.mempool_diagram().unwrap();
    assert_eq!((diagram[0].weight, diagram[0].fee.to_sat(), diagram.len()), (0, 0, 2));
    assert_eq!((diagram[1].weight, diagram[1].fee), (chunks[0].weight, chunks[0].fee));

    kernel.prioritise(&child_id, SignedAmount::from_sat(-100)).unwrap();
    let deltas = kernel.prioritisations().unwrap();
    assert_eq!((deltas[0].txid, deltas[0].modified_fee), (child_id, Some(SignedAmount::from_sat(4900))));
    let info = kernel.mempool_info().unwrap();
    assert_eq!((info.size, info.bytes), (2, (parent.vsize() + child.vsize()) as u64));
    assert_eq!((info.total_fee, info.min_fee.to_sat_per_kvb(), info.loaded), (sat(6000), 100, false));
    assert_eq!((info.max_usage, info.cluster_count, info.max_datacarrier), (300_000_000, 64, Some(100_000)));
}

#[test]
fn events_of_a_transaction_in_order() {
    let node = Node::new();
    let coin = node.mature_coin();
    node.kernel.sync_events().unwrap();
    node.events.take();
    let first = spend(coin, &[sat(COIN - 1000)]);
    let better = spend(coin, &[sat(COIN - 9000)]);
    node.accept(&first);
    assert_eq!(node.accept(&better).replaced, [first.compute_txid()]);
    let block = node.next_block();
    assert_eq!(block.txdata[1], better);
    let (_, hash) = node.submit(&block);
    node.kernel.invalidate_block(&hash).unwrap();
    node.kernel.sync_events().unwrap();
    let (first, better) = (first.compute_txid(), better.compute_txid());
    let expected = [
        format!("added {first}"),
        format!("removed {first} Replaced"),
        format!("added {better}"),
        "mined 1 at 102".to_owned(),
        "connected 102".to_owned(),
        "tip 102".to_owned(),
        "disconnected 102".to_owned(),
        format!("added {better}"),
    ];
    assert_eq!(node.events.take(), expected);
    assert!(node.kernel.mempool_contains(&better).unwrap());
}

#[test]
fn packages_and_stored_transactions() {
    let node = Node::new();
    let coin = node.mature_coin();
    let parent = spend(coin, &[sat(COIN - 1000)]);
    let child = spend(output(&parent, 0), &[sat(COIN - 5000)]);
    let package = [parent.clone(), child.clone()];
    let result = node.kernel.accept_package(&package, true, None).unwrap();
    assert_eq!(result.rejection, None);
    assert!(result.transactions.iter().all(|tx| matches!(tx, Some(AcceptResult::Accepted(_)))), "{result:?}");
    assert_eq!(node.kernel.mempool_info().unwrap().size, 0);

    let wrong_order = [child.clone(), parent.clone()];
    let result = node.kernel.accept_package(&wrong_order, true, None).unwrap();
    assert_eq!(result.rejection.unwrap().reason, "package-not-sorted");
    assert!(node.kernel.accept_package(&[], true, None).unwrap().transactions.is_empty());
    let limit = Some(FeeRate::from_sat_per_kvb(1000));
    let result = node.kernel.accept_package(&package, false, limit).unwrap();
    assert_eq!(result.rejection.unwrap().reason, "transaction failed");
    let Some(AcceptResult::Rejected(rejection)) = &result.transactions[0] else { panic!("{:?}", result.transactions) };
    assert_eq!(rejection.reason, "max feerate exceeded");

    let result = node.kernel.accept_package(&package, false, None).unwrap();
    assert_eq!(result.rejection, None);
    assert_eq!(node.kernel.mempool_info().unwrap().size, 2);
    let result = node.kernel.accept_package(&package, false, None).unwrap();
    assert!(matches!(result.transactions[0], Some(AcceptResult::AlreadyInMempool { .. })), "{result:?}");

    let stored = spend(output(&child, 0), &[sat(COIN - 9000)]);
    let time = node.kernel.tip().unwrap().time() - 60;
    let result = node.kernel.accept_stored_transaction(&stored, time).unwrap();
    assert!(matches!(result, AcceptResult::Accepted(_)), "{result:?}");
    assert_eq!(node.kernel.mempool_entry(&stored.compute_txid()).unwrap().unwrap().time, time);
    node.kernel.set_mempool_loaded(true).unwrap();
    assert!(node.kernel.mempool_info().unwrap().loaded);
}

#[test]
fn templates_take_the_best_that_fits() {
    let node = Node::new();
    let coin = node.mature_coin();
    let split = spend(coin, &[sat(COIN / 2), sat(COIN / 2 - 1000)]);
    node.accept(&split);
    node.mine(1);
    let cheap = spend(output(&split, 0), &[sat(COIN / 2 - 200)]);
    let dear = spend(output(&split, 1), &[sat(COIN / 2 - 1000 - 9000)]);
    node.accept(&cheap);
    node.accept(&dear);
    let ids = |options: &TemplateOptions| -> Vec<_> {
        let template = node.kernel.block_template(options).unwrap();
        template.transactions.iter().map(|tx| tx.transaction.compute_txid()).collect()
    };
    let (cheap_id, dear_id) = (cheap.compute_txid(), dear.compute_txid());
    let all = TemplateOptions::default();
    assert_eq!(ids(&all), [dear_id, cheap_id]);
    let template = node.kernel.block_template(&all).unwrap();
    assert_eq!((template.height, template.fees), (103, SignedAmount::from_sat(9200)));
    assert_eq!(template.subsidy, sat(COIN));
    assert_eq!(template.weight, 8000 + cheap.weight().to_wu() + dear.weight().to_wu());
    assert!(template.segwit && template.chunk_feerates[0] > template.chunk_feerates[1]);
    assert_eq!(template.transactions[0].weight, dear.weight().to_wu());
    assert!(template.time >= template.min_time);
    assert_eq!(node.kernel.next_work_required(template.time).unwrap(), template.bits);
    assert_eq!(ids(&TemplateOptions { max_weight: 8000 + dear.weight().to_wu() + 10, ..all.clone() }), [dear_id]);
    assert_eq!(ids(&TemplateOptions { min_feerate: FeeRate::from_sat_per_kvb(50_000), ..all.clone() }), [dear_id]);
    assert_eq!(ids(&TemplateOptions { use_mempool: false, ..all }), []);
}
