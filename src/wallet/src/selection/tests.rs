//! Searches beside trying every set, and the order in which coins are preferred.

use std::cell::Cell;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, TxOut, Weight};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// Nobody ends a search here, and nothing needs to be lifted.
struct Quiet;

impl Surroundings for Quiet {
    fn go_on(&self) -> Result<(), Error> {
        Ok(())
    }

    fn bump_fee(&self, _: Vec<Txid>) -> Result<i64, Error> {
        Ok(0)
    }
}

fn never() -> Result<(), Error> {
    Ok(())
}

fn goal(target: i64) -> Goal {
    Goal {
        target,
        rate: Rate::from_sat_per_kvb(0),
        long_term: Rate::from_sat_per_kvb(0),
        subtract_fee: false,
        change_fee: 0,
        cost_of_change: 0,
        change_target: CHANGE_LOWER,
        min_change: 1,
        max_weight: 400_000,
        change_weight: 124,
        group: false,
    }
}

const UNCONFIRMED: Unconfirmed = Unconfirmed { change: true, long_chains: false, max_ancestors: 25, max_cluster: 25 };

fn entries(list: &[(i64, i64, i64)]) -> Vec<Entry> {
    let entry = |(group, (amount, weight, waste)): (usize, &(i64, i64, i64))| Entry {
        group,
        amount: *amount,
        weight: *weight,
        waste: *waste,
    };
    list.iter().enumerate().map(entry).collect()
}

fn plain(amounts: &[i64]) -> Vec<Entry> {
    entries(&amounts.iter().map(|amount| (*amount, 272, 0)).collect::<Vec<_>>())
}

/// Number, in satoshi, of coin `number`: a key hash of its own, settled, ours if told so.
fn coin(number: u32, value: u64) -> Candidate {
    let mut hash = [0; 20];
    hash[..4].copy_from_slice(&number.to_le_bytes());
    Candidate {
        coin: Coin {
            outpoint: OutPoint::new(Txid::from_byte_array([number as u8; 32]), number),
            output: TxOut {
                value: Amount::from_sat(value),
                script_pubkey: ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_byte_array(hash)),
            },
            depth: 10,
            safe: true,
            solvable: true,
            from_me: false,
        },
        weight: InputWeight { weight: Weight::from_wu(271), segwit: true },
        kind: Some(OutputType::Bech32),
        ancestors: 0,
        cluster: 0,
        bump_fee: 0,
    }
}

fn chosen(candidates: &[Candidate], goal: &Goal) -> Result<Vec<u64>, Failure> {
    let chosen = select(candidates, goal, &UNCONFIRMED, &Quiet, &mut rng(1))?;
    let mut values: Vec<u64> =
        chosen.coins.iter().map(|number| candidates[*number].coin.output.value.to_sat()).collect();
    values.sort_unstable();
    Ok(values)
}

fn why(result: Result<Vec<u64>, Failure>) -> String {
    match result.unwrap_err() {
        Failure::None => "none".to_owned(),
        Failure::Because(reason) => reason.to_owned(),
        Failure::Ended(error) => error.to_string(),
    }
}

/// Every set of groups with its amount, weight and waste.
fn sets(pool: &[Entry]) -> impl Iterator<Item = (i64, i64, i64)> + '_ {
    (1_u32..1 << pool.len()).map(|bits| {
        let members = pool.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
        members.fold((0, 0, 0), |(amount, weight, waste), (_, entry)| {
            (amount + entry.amount, weight + entry.weight, waste + entry.waste)
        })
    })
}

fn sums(pool: &[Entry], found: &[usize]) -> (i64, i64, i64) {
    found.iter().fold((0, 0, 0), |(amount, weight, waste), group| {
        let entry = pool[*group];
        (amount + entry.amount, weight + entry.weight, waste + entry.waste)
    })
}

fn random_pool(rng: &mut StdRng) -> Vec<Entry> {
    let sign = if rng.gen_range(0..2) == 0 { 1 } else { -1 };
    let list: Vec<_> = (0..rng.gen_range(1..12))
        .map(|_| {
            let weight = *[230, 272, 364, 592].choose(rng).unwrap();
            (rng.gen_range(1..40), weight, sign * weight / 100)
        })
        .collect();
    entries(&list)
}

#[test]
fn branch_and_bound_finds_the_least_waste_of_all_sets() {
    let mut rng = rng(7);
    let (mut found_some, mut found_none) = (0, 0);
    for _ in 0..3000 {
        let pool = random_pool(&mut rng);
        let goal = Goal {
            cost_of_change: rng.gen_range(0..6),
            max_weight: rng.gen_range(300..3000),
            ..goal(rng.gen_range(1..120))
        };
        let fits = |(amount, weight, _): &(i64, i64, i64)| {
            (goal.target..=goal.target + goal.cost_of_change).contains(amount) && *weight <= goal.max_weight
        };
        let best = sets(&pool).filter(fits).map(|(amount, _, waste)| waste + amount - goal.target).min();
        match search::branch_and_bound(pool.clone(), &goal, &never) {
            Ok(found) => {
                let sums = sums(&pool, &found);
                assert!(fits(&sums), "{pool:?} {goal:?} {found:?}");
                // Groups of the same amount are tried the least wasteful first; only with those of lower fees later,
                // where more groups mean less waste, a heavier one of them could be better.
                if pool[0].waste >= 0 {
                    assert_eq!(Some(sums.2 + sums.0 - goal.target), best, "{pool:?} {goal:?} {found:?}");
                }
                found_some += 1;
            }
            Err(Failure::Ended(error)) => panic!("{error}"),
            Err(_) => {
                let lighter_clone =
                    pool.iter().any(|a| pool.iter().any(|b| a.amount == b.amount && a.weight != b.weight));
                assert!(best.is_none() || lighter_clone, "{pool:?} {goal:?}");
                found_none += 1;
            }
        }
    }
    assert!(found_some > 500 && found_none > 500, "{found_some} {found_none}");
}

#[test]
fn coin_grinder_finds_the_lightest_of_all_sets() {
    let mut rng = rng(8);
    let mut found_some = 0;
    for _ in 0..3000 {
        let pool = random_pool(&mut rng);
        let goal = Goal { change_target: rng.gen_range(0..20), ..goal(rng.gen_range(1..120)) };
        let max_weight = rng.gen_range(300..3000);
        let enough = |(amount, weight, _): &(i64, i64, i64)| {
            *amount >= goal.target + goal.change_target && *weight <= max_weight
        };
        let best = sets(&pool).filter(enough).map(|(amount, weight, _)| (weight, amount)).min();
        match search::coin_grinder(pool.clone(), &goal, max_weight, &never) {
            Ok(found) => {
                let sums = sums(&pool, &found);
                assert!(enough(&sums), "{pool:?} {goal:?} {found:?}");
                assert_eq!(Some((sums.1, sums.0)), best, "{pool:?} {goal:?} {max_weight} {found:?}");
                found_some += 1;
            }
            Err(Failure::Ended(error)) => panic!("{error}"),
            Err(failure) => {
                assert_eq!(best, None, "{pool:?} {goal:?} {max_weight}");
                let heavy = matches!(failure, Failure::Because(_));
                let too_heavy = sets(&pool).any(|(amount, ..)| amount >= goal.target + goal.change_target);
                assert!(!heavy || too_heavy);
            }
        }
    }
    assert!(found_some > 500, "{found_some}");
}

#[test]
fn searches_end_after_their_tries() {
    // Nothing is exact, and there are far more sets than tries.
    let pool = plain(&(0..3000).map(|n| 100_000_000 - 2 * n).collect::<Vec<_>>());
    let asked = Cell::new(0);
    let count = || {
        asked.set(asked.get() + 1);
        Ok(())
    };
    assert!(matches!(search::branch_and_bound(pool.clone(), &goal(20_000_000_001), &count), Err(Failure::None)));
    assert_eq!(asked.get(), 24);
    let ended = || Err(Error::wallet("enough"));
    let goal = goal(20_000_000_001);
    assert!(matches!(search::branch_and_bound(pool.clone(), &goal, &ended), Err(Failure::Ended(_))));
    assert!(matches!(search::coin_grinder(pool.clone(), &goal, 400_000, &ended), Err(Failure::Ended(_))));
    assert!(matches!(random::knapsack(pool, &goal, 400_000, &mut rng(1), &ended), Err(Failure::Ended(_))));
}

#[test]
fn knapsack_takes_what_is_exact_or_close_or_the_smallest_larger_one() {
    let solve = |amounts: &[i64], target: i64, max_weight: i64| {
        let goal = Goal { change_target: 100, ..goal(target) };
        let pool = plain(amounts);
        random::knapsack(pool.clone(), &goal, max_weight, &mut rng(3), &never).map(|found| {
            let mut chosen: Vec<i64> = found.iter().map(|group| pool[*group].amount).collect();
            chosen.sort_unstable();
            chosen
        })
    };
    assert_eq!(solve(&[500, 1000, 2000], 1000, 10_000).unwrap(), [1000]);
    // All that are smaller, exactly.
    assert_eq!(solve(&[300, 700, 9000], 1000, 10_000).unwrap(), [300, 700]);
    // Together they are not enough.
    assert_eq!(solve(&[300, 600, 9000, 5000], 1000, 10_000).unwrap(), [5000]);
    // The target exactly, out of several.
    assert_eq!(solve(&[100, 200, 300, 400, 500, 900], 1200, 10_000).unwrap().iter().sum::<i64>(), 1200);
    // With change, and closer than the larger one.
    assert_eq!(solve(&[550, 560, 640, 3000], 1000, 10_000).unwrap().iter().sum::<i64>(), 1110);
    // The larger one is closer.
    assert_eq!(solve(&[700, 700, 1101], 1000, 10_000).unwrap(), [1101]);
    // What is less than the change that is aimed at is no solution if there is something larger.
    assert_eq!(solve(&[500, 550, 1200], 1000, 10_000).unwrap(), [1200]);
    assert_eq!(solve(&[500, 550], 1000, 10_000).unwrap(), [500, 550]);
    // Too heavy.
    assert_eq!(solve(&[300, 700, 9000], 1000, 400).unwrap(), [9000]);
    assert!(matches!(solve(&[300, 700], 1000, 400), Err(Failure::Because(_))));
    assert!(matches!(solve(&[300, 600], 1000, 10_000), Err(Failure::None)));
}

#[test]
fn knapsack_comes_close_in_random_pools() {
    let mut rng = rng(4);
    for _ in 0..300 {
        let pool = random_pool(&mut rng);
        let goal = Goal { change_target: 3, ..goal(rng.gen_range(1..60)) };
        let max_weight = rng.gen_range(300..3000);
        let enough = |(amount, weight, _): &(i64, i64, i64)| *amount >= goal.target && *weight <= max_weight;
        match random::knapsack(pool.clone(), &goal, max_weight, &mut rng, &never) {
            Ok(found) => assert!(enough(&sums(&pool, &found)), "{pool:?} {goal:?} {max_weight} {found:?}"),
            Err(Failure::Ended(error)) => panic!("{error}"),
            Err(Failure::None) => assert!(!sets(&pool).any(|set| enough(&set)), "{pool:?} {goal:?} {max_weight}"),
            Err(Failure::Because(_)) => {}
        }
    }
}

#[test]
fn the_draw_pays_for_change_and_drops_what_is_too_heavy() {
    let mut rng = rng(5);
    let target = goal(100_000);
    let pool = plain(&[40_000; 10]);
    for _ in 0..50 {
        let found = random::single_random_draw(pool.clone(), &target, 100_000, &mut rng).unwrap();
        assert_eq!(found.len(), 4, "150,000 are needed");
    }
    // Only three fit; the large ones stay, in whatever order they are drawn.
    let pool = plain(&[40_000, 40_000, 40_000, 60_000, 60_000, 60_000]);
    for _ in 0..50 {
        let found = random::single_random_draw(pool.clone(), &target, 3 * 272, &mut rng).unwrap();
        assert!(sums(&pool, &found).0 >= 150_000 && found.len() == 3);
    }
    assert!(matches!(random::single_random_draw(pool, &target, 2 * 272, &mut rng), Err(Failure::Because(_))));
    assert!(matches!(random::single_random_draw(plain(&[140_000]), &target, 272, &mut rng), Err(Failure::None)));
    // The same coins do not always go.
    let pool = plain(&(0..20).map(|n| 60_000 + n).collect::<Vec<_>>());
    let mut draw = || random::single_random_draw(pool.clone(), &target, 100_000, &mut rng).unwrap();
    let first = draw();
    assert!((0..20).any(|_| draw() != first));
}

#[test]
fn the_smallest_coin_that_is_enough_is_taken() {
    const BTC: u64 = 100_000_000;
    // At a rate where inputs cost more now than later, no coin is spent that is not needed.
    let goal = Goal {
        rate: Rate::from_sat_per_kvb(100_000),
        long_term: Rate::from_sat_per_kvb(10_000),
        change_fee: 3100,
        cost_of_change: 3780,
        ..goal(BTC as i64 / 2)
    };
    let coins = [coin(1, 20 * BTC), coin(2, BTC), coin(3, 3 * BTC)];
    for seed in 0..20 {
        let chosen = select(&coins, &goal, &UNCONFIRMED, &Quiet, &mut rng(seed)).unwrap();
        assert_eq!(chosen.coins.len(), 1);
    }
    let small =
        (0..20).filter(|seed| select(&coins, &goal, &UNCONFIRMED, &Quiet, &mut rng(*seed)).unwrap().coins == [1]);
    assert!(small.count() >= 15);
}

#[test]
fn a_payment_without_change_is_preferred() {
    let goal = Goal { cost_of_change: 500, ..goal(170_000) };
    assert_eq!(chosen(&[coin(1, 100_000), coin(2, 70_300), coin(3, 900_000)], &goal).unwrap(), [70_300, 100_000]);
    let exact = select(&[coin(1, 170_000), coin(2, 900_000)], &goal, &UNCONFIRMED, &Quiet, &mut rng(1)).unwrap();
    assert_eq!((exact.waste, exact.change, exact.coins), (0, 0, vec![0]));
    // Recipients who pay the fee get no more than they have to, so there is change.
    let theirs = Goal { subtract_fee: true, ..goal };
    let shared = select(&[coin(1, 170_400), coin(2, 900_000)], &theirs, &UNCONFIRMED, &Quiet, &mut rng(1)).unwrap();
    assert_eq!((shared.method == Method::BranchAndBound, shared.change >= 400), (false, true));
}

#[test]
fn settled_coins_come_first_and_unconfirmed_ones_last() {
    let young = |number, value, depth, from_me| {
        let mut coin = coin(number, value);
        (coin.coin.depth, coin.coin.from_me) = (depth, from_me);
        if depth == 0 {
            (coin.ancestors, coin.cluster) = (1, 1);
        }
        coin
    };
    let goal = goal(100_000);
    let settled = coin(1, 500_000);
    let fresh = young(2, 160_000, 5, false);
    let change = young(3, 155_000, 0, true);
    assert_eq!(chosen(&[fresh.clone(), settled.clone()], &goal).unwrap(), [500_000]);
    assert_eq!(
        chosen(&[young(2, 100_000, 1, true), settled.clone()], &goal).unwrap(),
        [100_000],
        "ours is settled at once"
    );
    assert_eq!(chosen(&[fresh.clone(), change.clone()], &goal).unwrap(), [160_000]);
    assert_eq!(chosen(std::slice::from_ref(&change), &goal).unwrap(), [155_000]);
    // With few ancestors rather than with many.
    let mut deep = young(4, 150_000, 0, true);
    (deep.ancestors, deep.cluster) = (9, 9);
    assert_eq!(chosen(&[deep.clone(), change.clone()], &goal).unwrap(), [155_000]);
    assert_eq!(chosen(&[deep.clone()], &goal).unwrap(), [150_000]);
    (deep.ancestors, deep.cluster) = (2, 25);
    let too_long = "Unconfirmed UTXOs are available, but spending them creates a chain of transactions that will be \
                    rejected by the mempool";
    assert_eq!(why(chosen(&[deep.clone()], &goal)), too_long);
    let never = Unconfirmed { change: false, ..UNCONFIRMED };
    assert!(matches!(select(&[change], &goal, &never, &Quiet, &mut rng(1)), Err(Failure::None)));
    let always = Unconfirmed { long_chains: true, ..UNCONFIRMED };
    assert_eq!(select(&[deep], &goal, &always, &Quiet, &mut rng(1)).unwrap().coins, [0]);
}

#[test]
fn kinds_are_mixed_only_where_no_kind_is_enough() {
    let legacy = |number, value| Candidate { kind: Some(OutputType::Legacy), ..coin(number, value) };
    let pool = [coin(1, 90_000), coin(2, 90_000), legacy(3, 90_000), legacy(4, 70_000)];
    assert_eq!(chosen(&pool, &goal(165_000)).unwrap(), [90_000, 90_000]);
    let two = select(&pool, &goal(165_000), &UNCONFIRMED, &Quiet, &mut rng(1)).unwrap();
    assert!(two.coins.iter().all(|number| *number < 2));
    assert_eq!(chosen(&pool, &goal(340_000)).unwrap(), [70_000, 90_000, 90_000, 90_000]);
}

#[test]
fn coins_of_a_script_go_together_a_hundred_at_most() {
    let at = |script: u32, number, value| {
        let mut coin = coin(number, value);
        coin.coin.output.script_pubkey = self::coin(script, 1).coin.output.script_pubkey;
        coin
    };
    let together = Goal { group: true, ..goal(60_000) };
    let pool = [at(1, 1, 50_000), at(1, 2, 40_000), at(1, 3, 30_000)];
    assert_eq!(chosen(&pool, &together).unwrap(), [30_000, 40_000, 50_000]);
    // Of 230 coins, one group is not full; it is used only if nothing else is left.
    let many: Vec<Candidate> = (0..230).map(|number| at(1, number, 1000)).collect();
    assert_eq!(chosen(&many, &Goal { group: true, ..goal(45_000) }).unwrap().len(), 100);
    assert_eq!(chosen(&many, &Goal { group: true, ..goal(150_000) }).unwrap().len(), 200);
    assert_eq!(chosen(&many, &Goal { group: true, ..goal(201_000) }).unwrap().len(), 230);
    // A coin that costs more than it is worth comes along, but does not count.
    let costly = Goal { rate: Rate::from_sat_per_kvb(10_000), ..together };
    let pool = [at(1, 1, 120_000), at(1, 2, 100)];
    assert!(select(&pool, &costly, &UNCONFIRMED, &Quiet, &mut rng(1)).unwrap().coins.contains(&0));
}

#[test]
fn what_is_not_enough_or_too_heavy_is_refused() {
    assert_eq!(why(chosen(&[coin(1, 1000)], &goal(1001))), "none");
    assert_eq!(why(chosen(&[], &goal(1))), "none");
    // Worth less than it costs.
    let costly = Goal { rate: Rate::from_sat_per_kvb(100_000), ..goal(1000) };
    assert_eq!(why(chosen(&[coin(1, 7000)], &costly)), "none");
    let many: Vec<Candidate> = (0..2000).map(|number| coin(number, 1000 + u64::from(number % 7))).collect();
    let heavy = "The inputs size exceeds the maximum weight. Please try sending a smaller amount or manually \
                 consolidating your wallet's UTXOs";
    assert_eq!(why(chosen(&many, &goal(1_900_000))), heavy);
    let narrow = Goal { max_weight: 0, ..goal(1000) };
    let text = "Maximum transaction weight is less than transaction weight without inputs";
    assert_eq!(why(chosen(&[coin(1, 2000)], &narrow)), text);
    let no_room = Goal { max_weight: 100, ..goal(1000) };
    let text = "Maximum transaction weight is too low, can not accommodate change output";
    assert_eq!(why(chosen(&[coin(1, 2000)], &no_room)), text);
}

#[test]
fn what_several_coins_depend_on_is_paid_for_once() {
    struct Shared;
    impl Surroundings for Shared {
        fn go_on(&self) -> Result<(), Error> {
            Ok(())
        }

        fn bump_fee(&self, txids: Vec<Txid>) -> Result<i64, Error> {
            assert_eq!(txids.len(), 2);
            Ok(700)
        }
    }
    let low = |number, value| {
        let mut coin = Candidate { bump_fee: 500, ancestors: 1, cluster: 1, ..coin(number, value) };
        (coin.coin.depth, coin.coin.from_me) = (0, true);
        coin
    };
    let pool = [low(1, 100_000), low(2, 100_000)];
    let both = select(&pool, &goal(120_000), &UNCONFIRMED, &Shared, &mut rng(1)).unwrap();
    assert_eq!((both.coins.len(), both.bump_fee, both.change), (2, 700, 79_300));
    let one = select(&pool, &goal(30_000), &UNCONFIRMED, &Shared, &mut rng(1)).unwrap();
    assert_eq!((one.coins.len(), one.bump_fee, one.change), (1, 500, 69_500));
}

#[test]
fn change_is_aimed_at_as_core_does() {
    let mut rng = rng(6);
    assert_eq!(change_target(25_000, 10, &mut rng), 50_010);
    let targets: Vec<i64> = (0..1000).map(|_| change_target(40_000, 10, &mut rng) - 10).collect();
    assert!(targets.iter().all(|target| (50_000..80_000).contains(target)));
    assert!(targets.iter().max() > Some(&75_000) && targets.iter().min() < Some(&55_000));
    let largest = (0..1000).map(|_| change_target(i64::MAX / 2, 0, &mut rng)).max().unwrap();
    assert!((900_000..1_000_000).contains(&largest));
}

#[test]
fn waste_is_what_inputs_cost_now_and_change_or_excess() {
    let goal = Goal {
        rate: Rate::from_sat_per_kvb(20_000),
        long_term: Rate::from_sat_per_kvb(10_000),
        change_fee: 620,
        cost_of_change: 1300,
        min_change: 681,
        ..goal(100_000)
    };
    let pool = [coin(1, 200_000)];
    // 68 virtual bytes: 1360 now, 680 later.
    let alone = select(&pool, &goal, &UNCONFIRMED, &Quiet, &mut rng(1)).unwrap();
    assert_eq!((alone.waste, alone.change), (680 + 1300, 200_000 - 1360 - 100_000 - 620));
    // A satoshi below the least change: all of it goes to the fee.
    let pool = [coin(1, 100_000 + 1360 + 620 + 680)];
    let alone = select(&pool, &goal, &UNCONFIRMED, &Quiet, &mut rng(1)).unwrap();
    assert_eq!((alone.waste, alone.change), (680 + 1300, 0));
    let pool = [coin(1, 100_000 + 1360 + 620 + 681)];
    let alone = select(&pool, &goal, &UNCONFIRMED, &Quiet, &mut rng(1)).unwrap();
    assert_eq!((alone.waste, alone.change), (680 + 1300, 681));
}
