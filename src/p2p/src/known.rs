//! A set of hashes that forgets the oldest, for what a peer knows already and what was refused.
//!
//! Two generations: when the younger is full the older goes. Hashes are kept as 64 bits under a secret key, so that
//! nobody outside can make two of them look the same.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// Remembers at least the last `capacity` hashes put in.
#[derive(Debug)]
pub(crate) struct KnownSet {
    capacity: usize,
    key: RandomState,
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl KnownSet {
    /// Makes an empty set; memory is taken as it fills.
    pub(crate) fn new(capacity: usize) -> Self {
        KnownSet { capacity, key: RandomState::new(), young: HashSet::new(), old: HashSet::new() }
    }

    /// Puts a hash in.
    pub(crate) fn insert(&mut self, hash: &[u8; 32]) {
        let short = self.key.hash_one(hash);
        if self.young.len() >= self.capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(short);
    }

    /// Says whether a hash was put in lately.
    pub(crate) fn contains(&self, hash: &[u8; 32]) -> bool {
        let short = self.key.hash_one(hash);
        self.young.contains(&short) || self.old.contains(&short)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.young = HashSet::new();
        self.old = HashSet::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u16) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&n.to_le_bytes());
        bytes
    }

    #[test]
    fn the_last_are_kept_and_memory_is_bounded() {
        let mut set = KnownSet::new(100);
        for n in 0..1000 {
            set.insert(&hash(n));
            assert!(set.young.len() + set.old.len() <= 200);
        }
        assert!((900..1000).all(|n| set.contains(&hash(n))));
        assert!(!set.contains(&hash(0)));
        set.clear();
        assert!(!set.contains(&hash(999)));
    }
}
