//! Which inbound connection gives way when all places are taken and another peer comes.
//!
//! Peers that are hard to imitate are kept: of many networks, near, useful, of long standing. Of the rest one goes from
//! the network that has most of them, the youngest. An attacker who wants all places has to be better than others in
//! every way.

use std::collections::HashMap;
use std::time::Duration;

use crate::PeerId;
use crate::time::Time;

/// What is known of a connection that may give way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub id: PeerId,
    pub connected: Time,
    /// Shortest round trip.
    pub min_ping: Option<Duration>,
    /// When its last new block came, Unix seconds.
    pub last_block: i64,
    /// When its last transaction was accepted, Unix seconds.
    pub last_transaction: i64,
    /// It wants transactions.
    pub relays: bool,
    /// The network it comes from, under a secret key.
    pub group: u64,
    /// It comes from this host, or through Tor.
    pub is_local: bool,
}

/// Returns the connection that gives way; none if all are worth keeping.
pub(crate) fn select(mut candidates: Vec<Candidate>) -> Option<PeerId> {
    protect(&mut candidates, 4, |_| true, |one| one.group);
    protect(&mut candidates, 8, |_| true, |one| std::cmp::Reverse(one.min_ping.unwrap_or(Duration::MAX)));
    protect(&mut candidates, 4, |_| true, |one| (one.last_transaction, one.relays, std::cmp::Reverse(one.connected)));
    protect(&mut candidates, 8, |one| !one.relays, |one| (one.last_block, std::cmp::Reverse(one.connected)));
    protect(&mut candidates, 4, |_| true, |one| (one.last_block, std::cmp::Reverse(one.connected)));
    // Half of the rest by age, half of these from networks that would lose in all of the above.
    let half = candidates.len() / 2;
    let before = candidates.len();
    protect(&mut candidates, half / 2, |one| one.is_local, |one| std::cmp::Reverse(one.connected));
    let left = half - (before - candidates.len());
    protect(&mut candidates, left, |_| true, |one| std::cmp::Reverse(one.connected));

    let mut groups: HashMap<u64, (usize, Time)> = HashMap::new();
    for one in &candidates {
        let (count, youngest) = groups.entry(one.group).or_insert((0, Time::ZERO));
        *count += 1;
        *youngest = one.connected.max(*youngest);
    }
    let (group, _) = groups.into_iter().max_by_key(|(_, size)| *size)?;
    candidates.iter().filter(|one| one.group == group).max_by_key(|one| (one.connected, one.id)).map(|one| one.id)
}

/// Takes off the list, of those that `may`, the `count` with the highest rank.
fn protect<K: Ord>(
    candidates: &mut Vec<Candidate>,
    count: usize,
    may: impl Fn(&Candidate) -> bool,
    rank: impl Fn(&Candidate) -> K,
) {
    let mut ranked: Vec<&Candidate> = candidates.iter().filter(|one| may(one)).collect();
    ranked.sort_by_key(|one| std::cmp::Reverse(rank(one)));
    let kept: Vec<PeerId> = ranked.into_iter().take(count).map(|one| one.id).collect();
    candidates.retain(|one| !kept.contains(&one.id));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(count: i64, change: impl Fn(&mut Candidate)) -> Vec<Candidate> {
        let make = |id: i64| {
            let mut one = Candidate {
                id,
                connected: Duration::from_secs(id.unsigned_abs()),
                min_ping: None,
                last_block: 0,
                last_transaction: 0,
                relays: true,
                group: id.unsigned_abs(),
                is_local: false,
            };
            change(&mut one);
            one
        };
        (0..count).map(make).collect()
    }

    #[test]
    fn few_are_all_kept() {
        assert_eq!(select(candidates(20, |_| {})), None);
        assert!(select(candidates(60, |_| {})).is_some());
    }

    #[test]
    fn useful_near_and_old_peers_stay() {
        let useful = [90, 91, 92, 93, 94, 95, 96, 97];
        let chosen = |change: &dyn Fn(&mut Candidate)| {
            let mut all = candidates(100, |_| {});
            all.iter_mut().filter(|one| useful.contains(&one.id)).for_each(change);
            select(all).unwrap()
        };
        assert!(!useful.contains(&chosen(&|one| one.min_ping = Some(Duration::from_millis(1)))));
        assert!(!useful.contains(&chosen(&|one| (one.last_block, one.relays) = (9, false))));
        assert!(!useful.contains(&chosen(&|one| one.connected = Duration::ZERO)));
    }

    #[test]
    fn the_youngest_of_the_largest_group_goes() {
        let all = candidates(100, |one| {
            if one.id % 3 == 0 {
                one.group = 5000;
            }
        });
        // 99 is the youngest of the group whose number is highest; four of it are kept for their group.
        let gone = select(all).unwrap();
        assert_eq!(gone % 3, 0);
        assert!(gone > 80, "{gone}");
    }
}
