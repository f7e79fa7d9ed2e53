//! The warnings a node shows its user, under `warnings` of several RPC commands. They are kept apart from the log
//! because they hold until their cause is gone, and each cause has at most one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use interfaces::Subscription;

/// What the programs of a pre-release build always show.
const PRE_RELEASE: &str = "This is a pre-release test build - use at your own risk - do not use for mining or merchant \
                           applications";

/// What a warning is about; warnings are listed in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Consensus rules this program does not know are in force.
    UnknownNewRules,
    /// A chain with more work than the active one is invalid by our rules.
    LargeWorkInvalidChain,
    /// The clock disagrees with the peers'.
    ClockOutOfSync,
    /// The program is a test build.
    PreReleaseBuild,
    /// A wallet says what is wrong with it; the number tells such warnings apart.
    Wallet(u64),
    /// The program is about to end because of an internal error.
    FatalInternalError,
}

/// The warnings in force, by cause.
#[derive(Debug)]
pub struct Warnings {
    by_cause: Mutex<BTreeMap<Cause, String>>,
}

impl Default for Warnings {
    fn default() -> Self {
        Self { by_cause: Mutex::new(BTreeMap::from([(Cause::PreReleaseBuild, PRE_RELEASE.to_owned())])) }
    }
}

impl Warnings {
    /// Starts with the warning every pre-release build carries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a warning in force unless its cause has one. Returns whether it had none.
    pub fn set(&self, cause: Cause, message: &str) -> bool {
        let mut warnings = self.by_cause.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.contains_key(&cause) {
            return false;
        }
        warnings.insert(cause, message.to_owned());
        true
    }

    /// Lifts a warning. Returns whether it was in force.
    pub fn unset(&self, cause: Cause) -> bool {
        self.by_cause.lock().unwrap_or_else(PoisonError::into_inner).remove(&cause).is_some()
    }

    /// Puts a warning of a wallet in force until the result is dropped.
    pub fn raise(self: &Arc<Self>, message: &str) -> Raised {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let cause = Cause::Wallet(NEXT.fetch_add(1, Ordering::Relaxed));
        self.set(cause, message);
        Raised { warnings: self.clone(), cause }
    }

    /// Returns the messages in force.
    pub fn messages(&self) -> Vec<String> {
        self.by_cause.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// Keeps a warning in force.
#[derive(Debug)]
pub struct Raised {
    warnings: Arc<Warnings>,
    cause: Cause,
}

impl Subscription for Raised {}

impl Drop for Raised {
    fn drop(&mut self) {
        self.warnings.unset(self.cause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_per_cause_in_order() {
        let warnings = Warnings::new();
        assert_eq!(warnings.messages(), [PRE_RELEASE]);
        assert!(warnings.set(Cause::UnknownNewRules, "look out"));
        assert!(!warnings.set(Cause::UnknownNewRules, "again"));
        assert!(warnings.set(Cause::FatalInternalError, "gone"));
        assert_eq!(warnings.messages(), ["look out", PRE_RELEASE, "gone"]);
        assert!(warnings.unset(Cause::UnknownNewRules));
        assert!(!warnings.unset(Cause::UnknownNewRules));
    }
    #[test]
    fn raised_warnings_hold_as_long_as_they_are_kept() {
        let warnings = Arc::new(Warnings::new());
        let (first, second) = (warnings.raise("behind"), warnings.raise("behind"));
        assert_eq!(warnings.messages(), [PRE_RELEASE, "behind", "behind"]);
        drop(first);
        assert_eq!(warnings.messages(), [PRE_RELEASE, "behind"]);
        drop(second);
        assert_eq!(warnings.messages(), [PRE_RELEASE]);
    }
}
