//! The warnings a node shows its user, under `warnings` of several RPC commands. They are kept apart from the log
//! because they hold until their cause is gone, and each cause has at most one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A message that the programs of a pre-release build always show.
const PRE_RELEASE: &str = "This is a pre-release test build - use at your own risk - do not use for mining or merchant \
                           applications";

/// The warnings in force, by cause.
#[derive(Debug)]
pub struct Warnings {
    by_cause: Mutex<BTreeMap<String, String>>,
}

impl Default for Warnings {
    fn default() -> Self {
        Self { by_cause: Mutex::new(BTreeMap::from([("".to_owned(), PRE_RELEASE.to_owned())])) }
    }
}

impl Warnings {
    /// Starts with the warning every pre-release build carries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a warning in force. Returns whether its cause was new.
    pub fn set(&self, cause: &str, message: &str) -> bool {
        let mut warnings = self.by_cause.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.contains_key(cause) {
            return false;
        }
        warnings.insert(cause.to_owned(), message.to_owned());
        true
    }

    /// Lifts a warning. Returns whether it was in force.
    pub fn unset(&self, cause: &str) -> bool {
        self.by_cause.lock().unwrap_or_else(PoisonError::into_inner).remove(cause).is_some()
    }

    /// Returns the messages in force.
    pub fn messages(&self) -> Vec<String> {
        self.by_cause.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_per_cause() {
        let warnings = Warnings::new();
        assert_eq!(warnings.messages().len(), 1);
        assert!(warnings.set("fork", "look out"));
        assert!(!warnings.set("fork", "again"));
        assert_eq!(warnings.messages()[1], "look out");
        assert!(warnings.unset("fork"));
        assert!(!warnings.unset("fork"));
    }
}
