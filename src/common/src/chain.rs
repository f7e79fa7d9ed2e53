//! The chains by name, and what follows from the name alone: ports, directories, address prefix.

use std::fmt;
use std::str::FromStr;

use bitcoin::Network;

/// A chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Chain {
    /// The main chain.
    #[default]
    Main,
    /// Testnet3.
    Test,
    /// Testnet4 (BIP94).
    Testnet4,
    /// Signet (BIP325).
    Signet,
    /// A private chain for tests.
    Regtest,
}

/// The name is none of a chain's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Unknown chain {0}.")]
pub struct UnknownChain(pub String);

impl Chain {
    /// All chains.
    pub const ALL: [Chain; 5] = [Chain::Main, Chain::Test, Chain::Testnet4, Chain::Signet, Chain::Regtest];

    /// Returns the name, as in `-chain`, section headers and `getblockchaininfo`.
    pub const fn name(self) -> &'static str {
        match self {
            Chain::Main => "main",
            Chain::Test => "test",
            Chain::Testnet4 => "testnet4",
            Chain::Signet => "signet",
            Chain::Regtest => "regtest",
        }
    }

    /// Returns the directory below the data directory; empty for the main chain.
    pub const fn subdir(self) -> &'static str {
        match self {
            Chain::Main => "",
            Chain::Test => "testnet3",
            Chain::Testnet4 => "testnet4",
            Chain::Signet => "signet",
            Chain::Regtest => "regtest",
        }
    }

    /// Returns the default port of the RPC server.
    pub const fn rpc_port(self) -> u16 {
        match self {
            Chain::Main => 8332,
            Chain::Test => 18332,
            Chain::Testnet4 => 48332,
            Chain::Signet => 38332,
            Chain::Regtest => 18443,
        }
    }

    /// Returns the default port for peers.
    pub const fn p2p_port(self) -> u16 {
        match self {
            Chain::Main => 8333,
            Chain::Test => 18333,
            Chain::Testnet4 => 48333,
            Chain::Signet => 38333,
            Chain::Regtest => 18444,
        }
    }

    /// Returns the human-readable part of segwit addresses.
    pub const fn bech32_hrp(self) -> &'static str {
        match self {
            Chain::Main => "bc",
            Chain::Test | Chain::Testnet4 | Chain::Signet => "tb",
            Chain::Regtest => "bcrt",
        }
    }

    /// Returns rust-bitcoin's name for the chain.
    pub const fn network(self) -> Network {
        match self {
            Chain::Main => Network::Bitcoin,
            Chain::Test => Network::Testnet,
            Chain::Testnet4 => Network::Testnet4,
            Chain::Signet => Network::Signet,
            Chain::Regtest => Network::Regtest,
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Chain {
    type Err = UnknownChain;

    fn from_str(name: &str) -> Result<Self, UnknownChain> {
        Chain::ALL.into_iter().find(|chain| chain.name() == name).ok_or_else(|| UnknownChain(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for chain in Chain::ALL {
            assert_eq!(chain.name().parse(), Ok(chain));
        }
        assert_eq!("testnet3".parse::<Chain>().map_err(|e| e.to_string()), Err("Unknown chain testnet3.".to_owned()));
    }
}
