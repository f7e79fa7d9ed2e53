//! Who a program is: what the two ends of a connection tell each other first.

use std::fmt;

/// Longest part of an identity that is shown; the other side may say anything.
const SHOWN: usize = 64;

/// A program as it introduces itself; empty where it does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Name, such as `bitcoin-node`.
    pub program: String,
    /// Version, such as `v31.99.0`.
    pub version: String,
    /// Commit and compiler, as far as they are known.
    pub build: String,
    /// Chain it works on; empty if it has not been told yet.
    pub network: String,
}

impl Identity {
    /// Checks that the other side is of the same version: for programs that are made for each other.
    ///
    /// # Errors
    /// If it is not; the text names both.
    pub fn check_version(&self, other: &Identity) -> Result<(), Box<Skew>> {
        if self.version == other.version {
            return Ok(());
        }
        Err(Box::new(Skew { ours: self.clone(), theirs: other.clone(), kind: SkewKind::Version }))
    }

    /// Checks that the other side works on the same chain, if both are on one.
    ///
    /// # Errors
    /// If it does not; the text names both.
    pub fn check_network(&self, other: &Identity) -> Result<(), Box<Skew>> {
        if self.network == other.network || self.network.is_empty() || other.network.is_empty() {
            return Ok(());
        }
        Err(Box::new(Skew { ours: self.clone(), theirs: other.clone(), kind: SkewKind::Network }))
    }
}

/// A text of the other side, made fit for a line.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().take(SHOWN).try_for_each(|one| write!(f, "{}", one.escape_debug()))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Shown(&self.program), Shown(&self.version))?;
        if !self.build.is_empty() {
            write!(f, " ({})", Shown(&self.build))?;
        }
        if self.network.is_empty() { Ok(()) } else { write!(f, " on {}", Shown(&self.network)) }
    }
}

/// Two programs that do not go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skew {
    ours: Identity,
    theirs: Identity,
    kind: SkewKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SkewKind {
    Version,
    Network,
}

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Skew { ours, theirs, kind } = self;
        let (is, ours_is, theirs_is) = match kind {
            SkewKind::Version => ("is version", &ours.version, &theirs.version),
            SkewKind::Network => ("works on", &ours.network, &theirs.network),
        };
        let (ours, theirs) = (Shown(&ours.program), Shown(&theirs.program));
        write!(f, "{theirs} {is} {}, {ours} {is} {}", Shown(theirs_is), Shown(ours_is))
    }
}

impl std::error::Error for Skew {}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(program: &str, version: &str, network: &str) -> Identity {
        Identity {
            program: program.to_owned(),
            version: version.to_owned(),
            build: String::new(),
            network: network.to_owned(),
        }
    }

    #[test]
    fn skew_names_both() {
        let check = |ours: (&str, &str), theirs: (&str, &str), version: Option<&str>, network: Option<&str>| {
            let (ours, theirs) = (identity("node", ours.0, ours.1), identity("wallet", theirs.0, theirs.1));
            assert_eq!(ours.check_version(&theirs).err().map(|skew| skew.to_string()).as_deref(), version);
            assert_eq!(ours.check_network(&theirs).err().map(|skew| skew.to_string()).as_deref(), network);
        };
        check(("v1", "main"), ("v1", "main"), None, None);
        check(("v1", "main"), ("v1", ""), None, None);
        check(("v1", "main"), ("v2", "main"), Some("wallet is version v2, node is version v1"), None);
        check(("v1", "main"), ("v1", "test"), None, Some("wallet works on test, node works on main"));
    }

    #[test]
    fn what_strangers_say_stays_on_the_line() {
        let mut stranger = identity("a\nb", &"9".repeat(1000), "");
        stranger.build = "\u{1b}[0m".to_owned();
        assert_eq!(stranger.to_string(), format!("a\\nb {} (\\u{{1b}}[0m)", "9".repeat(SHOWN)));
    }
}
