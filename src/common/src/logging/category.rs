//! The log categories and which of them are enabled, readable without a lock.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use log::{Level, LevelFilter};

/// Names, in alphabetical order.
pub const CATEGORIES: &[&str] = &[
    "addrman",
    "bench",
    "blockstorage",
    "cmpctblock",
    "coindb",
    "estimatefee",
    "http",
    "i2p",
    "ipc",
    "kernel",
    "leveldb",
    "mempool",
    "mempoolrej",
    "net",
    "privatebroadcast",
    "proxy",
    "prune",
    "qt",
    "rand",
    "reindex",
    "rpc",
    "scan",
    "selectcoins",
    "tor",
    "txpackages",
    "txreconciliation",
    "validation",
    "walletdb",
    "zmq",
];

const _: () = assert!(CATEGORIES.len() <= 64, "one bit each");

/// A name that is accepted and means nothing any more.
const DEPRECATED: &str = "libevent";

/// Not set: the level for all categories holds.
const INHERIT: u8 = 0;

/// Returns the place of a category in [`CATEGORIES`].
pub(super) fn find(name: &str) -> Option<usize> {
    CATEGORIES.binary_search(&name).ok()
}

/// Which categories are enabled, and from which level on.
#[derive(Debug)]
pub struct Categories {
    enabled: AtomicU64,
    /// Least severe level of categories without their own, as `log::Level`'s number.
    level: AtomicU8,
    own_levels: [AtomicU8; CATEGORIES.len()],
}

impl Default for Categories {
    fn default() -> Self {
        Categories::new()
    }
}

impl Categories {
    /// None enabled, level debug.
    pub const fn new() -> Self {
        Categories {
            enabled: AtomicU64::new(0),
            level: AtomicU8::new(Level::Debug as u8),
            own_levels: [const { AtomicU8::new(INHERIT) }; CATEGORIES.len()],
        }
    }

    /// Enables or disables by name; `all`, `1` and the empty name mean every one. Returns whether the name is known.
    pub fn set(&self, name: &str, enable: bool) -> bool {
        let mask = match name {
            "" | "1" | "all" => u64::MAX,
            DEPRECATED => {
                log::warn!(
                    "The logging category `{name}` is deprecated, does nothing, and will be removed in a future version"
                );
                0
            }
            _ => match find(name) {
                Some(at) => 1 << at,
                None => return false,
            },
        };
        if enable {
            self.enabled.fetch_or(mask, Ordering::Relaxed);
        } else {
            self.enabled.fetch_and(!mask, Ordering::Relaxed);
        }
        true
    }

    /// Says whether the category at this place is enabled.
    pub fn is_enabled(&self, at: usize) -> bool {
        self.enabled.load(Ordering::Relaxed) >> at & 1 == 1
    }

    /// Says whether no category is enabled.
    pub fn none_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed) == 0
    }

    /// Says whether a record of the category at this place is written.
    pub fn will_log(&self, at: usize, level: Level) -> bool {
        level <= Level::Info || (self.is_enabled(at) && level <= self.level(at))
    }

    /// Returns the least severe level written of the category at this place.
    pub fn level(&self, at: usize) -> Level {
        let own = self.own_levels.get(at).map_or(INHERIT, |own| own.load(Ordering::Relaxed));
        level_of(if own == INHERIT { self.level.load(Ordering::Relaxed) } else { own })
    }

    /// Sets the level for categories without their own. Returns whether the level is one users may set.
    pub fn set_level(&self, level: &str) -> bool {
        user_level(level).map(|level| self.level.store(level as u8, Ordering::Relaxed)).is_some()
    }

    /// Sets the level of one category. Returns whether both names are known.
    pub fn set_category_level(&self, name: &str, level: &str) -> bool {
        let Some(level) = user_level(level) else { return false };
        match (name, find(name).and_then(|at| self.own_levels.get(at))) {
            (_, Some(own)) => own.store(level as u8, Ordering::Relaxed),
            ("" | "1" | "all", None) => self.level.store(level as u8, Ordering::Relaxed),
            (DEPRECATED, None) => {}
            _ => return false,
        }
        true
    }

    /// Returns the least severe level any record may have and be written.
    pub fn max_level(&self) -> LevelFilter {
        let enabled = (0..CATEGORIES.len()).filter(|&at| self.is_enabled(at));
        enabled.map(|at| self.level(at)).max().unwrap_or(Level::Info).max(Level::Info).to_level_filter()
    }
}

/// Returns a level users may set.
fn user_level(name: &str) -> Option<Level> {
    match name {
        "trace" => Some(Level::Trace),
        "debug" => Some(Level::Debug),
        "info" => Some(Level::Info),
        _ => None,
    }
}

fn level_of(number: u8) -> Level {
    match number {
        1 => Level::Error,
        2 => Level::Warn,
        3 => Level::Info,
        4 => Level::Debug,
        _ => Level::Trace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_for_the_search() {
        assert!(CATEGORIES.is_sorted());
        for (at, name) in CATEGORIES.iter().enumerate() {
            assert_eq!(find(name), Some(at));
        }
    }

    #[test]
    fn enabling_and_levels() {
        let state = Categories::new();
        let check = |name: &str, level: Level, expected: bool| {
            assert_eq!(state.will_log(find(name).unwrap(), level), expected, "{name} {level}");
        };
        check("net", Level::Debug, false);
        check("net", Level::Info, true);
        assert_eq!(state.max_level(), LevelFilter::Info);
        assert!(state.set("net", true) && !state.set("nonsense", true) && state.set("libevent", true));
        check("net", Level::Debug, true);
        check("net", Level::Trace, false);
        check("rpc", Level::Debug, false);
        assert_eq!(state.max_level(), LevelFilter::Debug);
        assert!(state.set_category_level("net", "trace"));
        check("net", Level::Trace, true);
        assert_eq!(state.max_level(), LevelFilter::Trace);
        assert!(state.set("all", true) && state.set("net", false));
        check("net", Level::Debug, false);
        check("rpc", Level::Debug, true);
        check("rpc", Level::Trace, false);
        assert!(state.set_level("trace") && !state.set_level("error") && !state.set_category_level("x", "trace"));
        check("rpc", Level::Trace, true);
    }
}
