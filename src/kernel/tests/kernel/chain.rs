//! Blocks: in, out, off the chain and on again, and across a restart.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use bitcoin::hashes::{Hash, sha256d};
use bitcoin::{Amount, BlockHash, OutPoint};
use kernel::{
    BlockVerdict, Chain, ChainTipStatus, CoinHashType, CoinView, Error, InvalidKind, TemplateOptions, Validity,
    VersionBitsParameters,
};

use crate::support::{LINES, Node, grind, spend};

#[test]
fn genesis_of_a_new_directory() {
    let node = Node::new();
    let tip = node.kernel.tip().unwrap();
    assert_eq!(tip.hash.to_string(), "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206");
    assert_eq!((tip.height, tip.confirmations, tip.previous(), tip.next), (0, 1, None, None));
    assert_eq!(tip.chainwork_hex(), format!("{:064x}", 2));
    assert_eq!(node.kernel.block(&tip.hash).unwrap(), bitcoin::constants::genesis_block(bitcoin::Network::Regtest));
    assert!(node.kernel.read_undo(&tip.hash).unwrap().is_empty());
    assert!(node.kernel.is_initial_block_download().unwrap());
    assert_eq!(node.kernel.latest_tip(), Some(tip.hash));
    node.events.wait_for("status Verifying blocks…");
}

#[test]
fn mined_blocks_are_described_and_read() {
    let node = Node::new();
    let hashes = node.mine(3);
    let kernel = &node.kernel;
    let tip = kernel.tip().unwrap();
    assert_eq!((tip.height, tip.hash), (3, hashes[2]));
    assert_eq!(kernel.latest_tip(), Some(tip.hash));
    assert!(!kernel.is_initial_block_download().unwrap());

    let second = kernel.block_index(&hashes[1]).unwrap().unwrap();
    assert_eq!(second.header, kernel.block(&hashes[1]).unwrap().header);
    assert_eq!((second.previous(), second.next), (Some(hashes[0]), Some(hashes[2])));
    assert_eq!((second.confirmations, second.n_tx, second.chain_tx_count), (2, 1, 3));
    assert_eq!(second.status.validity, Validity::Scripts);
    assert!(second.active && second.status.have_data && second.status.have_undo && !second.status.failed);

    assert_eq!(kernel.hash_at(1).unwrap(), Some(hashes[0]));
    assert_eq!(kernel.hash_at(4).unwrap(), None);
    assert_eq!(kernel.hash_at(u32::MAX).unwrap(), None);
    assert_eq!(kernel.block_index_at(2).unwrap(), Some(second.clone()));
    assert_eq!(kernel.block_indexes(2, 9).unwrap().len(), 2);
    assert_eq!(kernel.ancestor(&hashes[2], 2).unwrap(), Some(second.clone()));
    assert_eq!(kernel.ancestor(&hashes[0], 2).unwrap(), None);
    assert_eq!(kernel.best_header().unwrap(), Some(tip.clone()));
    assert_eq!(kernel.find_first_block(second.max_time, 2).unwrap(), Some(second));
    assert!(kernel.has_blocks(&hashes[2], 0, None).unwrap());
    assert!(!kernel.has_blocks(&BlockHash::all_zeros(), 0, None).unwrap());
    assert_eq!(kernel.locator().unwrap()[..2], [hashes[2], hashes[1]]);
    assert_eq!(kernel.find_fork(&[BlockHash::all_zeros(), hashes[1]]).unwrap().unwrap().height, 2);
    assert_eq!(kernel.find_fork(&[BlockHash::all_zeros()]).unwrap(), None);

    let blocks = kernel.read_blocks(1, 10).unwrap();
    assert_eq!(blocks.iter().map(|(index, _)| index.hash).collect::<Vec<_>>(), hashes);
    assert!(matches!(kernel.read_block(&BlockHash::all_zeros()), Err(Error::BlockNotFound(_))));
    assert_eq!(kernel.block_index(&BlockHash::all_zeros()).unwrap(), None);

    let info = kernel.chain_info().unwrap();
    assert_eq!((info.tip.height, info.headers, info.importing, info.prune), (3, 3, false, None));
    assert!(info.size_on_disk > 0 && info.verification_progress > 0.99);
    assert_eq!(kernel.verification_progress(&tip.hash).unwrap(), info.verification_progress);
}

#[test]
fn statistics_of_the_coins() {
    let node = Node::new();
    let hashes = node.mine(3);
    let kernel = &node.kernel;
    let statistics = |hash_type| kernel.coin_stats(hash_type).unwrap().unwrap();
    let serialized = statistics(CoinHashType::Serialized);
    assert_eq!((serialized.height, serialized.best_block), (3, hashes[2]));
    assert_eq!((serialized.outputs, serialized.transactions), (3, 3));
    assert_eq!(serialized.total, Some(Amount::from_int_btc(150)));
    let muhash = statistics(CoinHashType::MuHash);
    assert_ne!(serialized.hash, muhash.hash);
    kernel.invalidate_block(&hashes[2]).unwrap();
    assert_ne!(statistics(CoinHashType::MuHash).hash, muhash.hash);
    kernel.reconsider_block(&hashes[2]).unwrap();
    assert_eq!(statistics(CoinHashType::MuHash).hash, muhash.hash);
    assert_eq!(statistics(CoinHashType::None).hash, sha256d::Hash::all_zeros());
    assert!(kernel.verify_chain(4, 0).unwrap());
    assert_eq!(kernel.block_subsidy(149).unwrap(), Amount::from_int_btc(50));
    assert_eq!(kernel.block_subsidy(150).unwrap(), Amount::from_int_btc(25));
}

#[test]
fn refused_blocks_say_why() {
    let node = Node::new();
    let first = node.mine(1)[0];
    let submit = |block: &bitcoin::Block| node.kernel.submit_block(&bitcoin::consensus::serialize(block)).unwrap();
    let refused = |block: &bitcoin::Block, kind: InvalidKind, expected: &str| {
        let processed = submit(block);
        let Some(BlockVerdict::Invalid { kind: found, reason, .. }) = processed.verdict else {
            panic!("{processed:?}")
        };
        assert_eq!((found, &reason[..]), (kind, expected));
    };

    let good = node.next_block();
    let mut greedy = good.clone();
    greedy.txdata[0].output[0].value += Amount::from_sat(1);
    grind(&mut greedy);
    refused(&greedy, InvalidKind::Consensus, "bad-cb-amount");
    let again = submit(&greedy);
    assert!(!again.accepted && !again.new, "{again:?}");

    let mut tampered = good.clone();
    tampered.txdata[0].output[0].value -= Amount::from_sat(1);
    refused(&tampered, InvalidKind::Mutated, "bad-txnmrklroot");

    let verdict = node.kernel.test_block_validity(&greedy, true, true).unwrap();
    assert!(matches!(verdict, BlockVerdict::Invalid { reason, .. } if reason == "bad-cb-amount"));
    assert!(node.kernel.test_block_validity(&good, true, true).unwrap().is_valid());
    let old = node.kernel.block(&first).unwrap();
    let verdict = node.kernel.test_block_validity(&old, true, true).unwrap();
    assert!(matches!(verdict, BlockVerdict::Invalid { reason, .. } if reason == "inconclusive-not-best-prevblk"));

    assert!(matches!(node.kernel.submit_block(&[1, 2, 3]), Err(Error::Decode(_))));
    assert!(matches!(node.kernel.submit_block(&[]), Err(Error::Decode(_))));
    let duplicate = submit(&old);
    assert!(duplicate.accepted && !duplicate.new && duplicate.verdict.is_none());
    node.submit(&good);

    let mut orphan = node.next_block();
    orphan.header.prev_blockhash = BlockHash::all_zeros();
    grind(&mut orphan);
    let processed = submit(&orphan);
    assert!(!processed.accepted);
    let headers = node.kernel.process_headers(&[orphan.header], true).unwrap();
    assert!(matches!(headers.verdict, BlockVerdict::Invalid { kind: InvalidKind::MissingPrevious, .. }));
    let ahead = node.next_block();
    let headers = node.kernel.process_headers(&[ahead.header], true).unwrap();
    assert!(headers.verdict.is_valid());
    assert_eq!(headers.last.unwrap().hash, ahead.block_hash());
    assert_eq!(node.kernel.chain_info().unwrap().headers, 3);
    assert!(matches!(node.kernel.read_block(&ahead.block_hash()), Err(Error::BlockNotDownloaded(_))));
    assert_eq!(node.kernel.chain_tips().unwrap()[0].status, ChainTipStatus::HeadersOnly);
    node.kernel.sync_events().unwrap();
    assert!(node.events.take().contains(&"invalid bad-cb-amount".to_owned()));
}

#[test]
fn invalidate_and_reconsider_in_order() {
    let node = Node::new();
    let hashes = node.mine(3);
    node.kernel.sync_events().unwrap();
    node.events.take();

    node.kernel.invalidate_block(&hashes[1]).unwrap();
    assert_eq!(node.kernel.tip().unwrap().hash, hashes[0]);
    assert_eq!(node.kernel.latest_tip(), Some(hashes[0]));
    assert!(node.kernel.block_index(&hashes[2]).unwrap().unwrap().status.failed);
    let tips = node.kernel.chain_tips().unwrap();
    let seen: Vec<_> = tips.iter().map(|tip| (tip.height, tip.branch_length, tip.status.name())).collect();
    assert_eq!(seen, [(3, 2, "invalid"), (1, 0, "active")]);
    node.kernel.sync_events().unwrap();
    assert_eq!(node.events.take(), ["disconnected 3", "disconnected 2"]);

    node.kernel.reconsider_block(&hashes[2]).unwrap();
    assert_eq!(node.kernel.tip().unwrap().hash, hashes[2]);
    assert_eq!(node.kernel.latest_tip(), Some(hashes[2]));
    node.kernel.sync_events().unwrap();
    assert_eq!(node.events.take(), ["connected 2", "tip 2", "connected 3", "tip 3"]);

    node.kernel.precious_block(&hashes[2]).unwrap();
    for result in [
        node.kernel.invalidate_block(&BlockHash::all_zeros()),
        node.kernel.reconsider_block(&BlockHash::all_zeros()),
        node.kernel.precious_block(&BlockHash::all_zeros()),
    ] {
        assert!(matches!(result, Err(Error::BlockNotFound(_))), "{result:?}");
    }
}

#[test]
fn restart_finds_the_same_chain() {
    let node = Node::new();
    let coin = node.mature_coin();
    let tip = node.kernel.tip().unwrap();
    let old = node.kernel.clone();
    let events = node.events.clone();
    let node = node.restart(|_| {});
    assert!(events.take().iter().any(|line| line.starts_with("flushed")));
    assert!(matches!(old.tip(), Err(Error::Closed)));
    assert!(matches!(old.shutdown(), Err(Error::Closed)));
    assert_eq!(node.kernel.tip().unwrap(), tip);
    let found = node.kernel.coin(&coin, CoinView::Chain).unwrap().unwrap();
    assert_eq!((found.height, found.coinbase, found.output.value), (Some(1), true, Amount::from_int_btc(50)));

    let node = node.restart(|options| options.reindex_chainstate = true);
    assert_eq!(node.kernel.tip().unwrap().hash, tip.hash);
    let node = node.restart(|options| options.reindex = true);
    assert_eq!(node.kernel.tip().unwrap().hash, tip.hash);
}

#[test]
fn coins_and_undo() {
    let node = Node::new();
    let coin = node.mature_coin();
    let tx = spend(coin, &[Amount::from_int_btc(20), Amount::from_sat(29 * 100_000_000)]);
    node.accept(&tx);
    let hash = node.mine(1)[0];
    assert_eq!(node.kernel.coin(&coin, CoinView::Chain).unwrap(), None);
    let outputs: Vec<_> = (0..3).map(|vout| OutPoint { txid: tx.compute_txid(), vout }).collect();
    let coins = node.kernel.coins(&outputs, CoinView::Chain).unwrap();
    assert_eq!(coins[0].as_ref().unwrap().output, tx.output[0]);
    assert_eq!(coins[1].as_ref().unwrap().height, Some(102));
    assert_eq!(coins[2], None);

    let undo = node.kernel.read_undo(&hash).unwrap();
    assert_eq!(undo.len(), 1);
    assert_eq!((undo[0].len(), undo[0][0].height, undo[0][0].coinbase), (1, Some(1), true));

    let mut seen = BTreeSet::new();
    let mut last = 0;
    let best = node
        .kernel
        .for_each_coin(&mut |outpoint, _, percent| {
            assert!(percent >= last, "progress goes up");
            last = percent;
            seen.insert(outpoint);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(best.hash, hash);
    // A coinbase for each block, one of them spent, and two outputs for it.
    assert_eq!(seen.len(), 102 - 1 + 2);
    assert!(seen.contains(&outputs[0]) && !seen.contains(&coin));
    let mut count = 0;
    let visit = &mut |_, _, _| {
        count += 1;
        ControlFlow::Break(())
    };
    node.kernel.for_each_coin(visit).unwrap();
    assert_eq!(count, 1);
    node.kernel.interrupt();
    let result = node.kernel.for_each_coin(&mut |_, _, _| ControlFlow::Continue(()));
    assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
}

#[test]
fn deployments_follow_the_options() {
    let node = Node::with(|options| {
        options.activation_heights = vec![("csv".to_owned(), 7)];
        options.version_bits = vec![VersionBitsParameters {
            deployment: "testdummy".to_owned(),
            start_time: 0,
            timeout: i64::MAX,
            min_activation_height: 0,
        }];
    });
    let deployments = node.kernel.deployments(None).unwrap();
    let names: Vec<_> = deployments.deployments.iter().map(|deployment| &deployment.name[..]).collect();
    assert_eq!(names, ["bip34", "bip66", "bip65", "csv", "segwit", "testdummy"]);
    let csv = &deployments.deployments[3];
    assert_eq!((csv.active, csv.height, csv.signalling.is_none()), (false, Some(7), true));
    node.mine(143);
    let deployments = node.kernel.deployments(None).unwrap();
    assert!(deployments.deployments[3].active);
    let signalling = deployments.deployments[5].signalling.clone().unwrap();
    assert_eq!((&signalling.status[..], &signalling.status_next[..]), ("defined", "started"));
    let template = node.kernel.block_template(&TemplateOptions::default()).unwrap();
    assert_eq!(template.deployments[0].name, "testdummy");
    assert_eq!(template.version, 0x2000_0000 | 1 << template.deployments[0].bit);
    assert!(deployments.script_flags.contains(&"TAPROOT".to_owned()), "{:?}", deployments.script_flags);
    let missing = node.kernel.deployments(Some(&BlockHash::all_zeros()));
    assert!(matches!(missing, Err(Error::BlockNotFound(_))));
}

#[test]
fn blocks_come_from_a_file() {
    let source = Node::with(|options| options.blocks_xor = false);
    let hashes = source.mine(5);
    source.kernel.shutdown().unwrap();
    let file = source.dir.path().join("regtest/blocks/blk00000.dat");
    let node = Node::new();
    node.kernel.import_blocks(&[file.with_extension("missing"), file]).unwrap();
    assert_eq!(node.kernel.tip().unwrap().hash, hashes[4]);
    assert!(LINES.contain("Could not open blocks file"));
}

#[test]
fn a_fork_with_more_work_takes_over() {
    let ours = Node::new();
    let theirs = Node::new();
    let common = ours.mine(1)[0];
    ours.mine(1);
    theirs.kernel.submit_block(&ours.kernel.read_block(&common).unwrap()).unwrap();
    // A clock of its own makes the blocks differ.
    let mut fork = theirs.next_block();
    fork.header.time += 1;
    grind(&mut fork);
    theirs.submit(&fork);
    let longer = theirs.mine(1)[0];
    ours.kernel.sync_events().unwrap();
    ours.events.take();

    let first = ours.kernel.process_block(&theirs.kernel.read_block(&fork.block_hash()).unwrap(), true, true).unwrap();
    assert_eq!((first.new, first.accepted, first.verdict), (true, true, None));
    let statuses: Vec<_> = ours.kernel.chain_tips().unwrap().iter().map(|tip| tip.status.name()).collect();
    assert_eq!(statuses.len(), 2);
    assert!(statuses.contains(&"valid-headers"), "{statuses:?}");
    let second = ours.kernel.process_block(&theirs.kernel.read_block(&longer).unwrap(), true, true).unwrap();
    assert_eq!(second.verdict, Some(BlockVerdict::Valid));
    assert_eq!(ours.kernel.tip().unwrap().hash, longer);
    assert!(ours.kernel.chain_tips().unwrap().iter().any(|tip| tip.status == ChainTipStatus::ValidFork));
    ours.kernel.sync_events().unwrap();
    assert_eq!(ours.events.take(), ["disconnected 2", "connected 2", "connected 3", "tip 3"]);
}

#[test]
fn chain_options_reach_the_engine() {
    let work = bitcoin::Work::from_be_bytes([0x10; 32]);
    let node = Node::with(|options| {
        options.minimum_chain_work = Some(work);
        options.assume_valid = Some(BlockHash::from_byte_array([7; 32]));
    });
    node.mine(1);
    assert!(node.kernel.is_initial_block_download().unwrap(), "a tip with too little work ends it");
    assert!(LINES.contain(&format!("Setting nMinimumChainWork={}", "10".repeat(32))));
    assert!(LINES.contain(&format!("Assuming ancestors of block {} have valid signatures", "07".repeat(32))));

    let node = Node::with(|options| {
        options.chain = Chain::Signet;
        options.signet_challenge = Some(vec![0x51]);
    });
    let template = node.kernel.block_template(&TemplateOptions::default()).unwrap();
    assert_eq!(template.signet_challenge, Some(vec![0x51]));
    assert!(template.segwit);
    // A custom signet has the difficulty of all signets, which is too much to mine here; validity is checked without.
    let verdict = node.kernel.test_block_validity(&node.kernel.block(&template.previous.hash).unwrap(), false, true);
    assert!(!verdict.unwrap().is_valid());
}
