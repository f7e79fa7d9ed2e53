//! Why options could not be used, in the words Bitcoin Core uses.

use crate::chain::UnknownChain;
use crate::settings::SettingsError;

/// Why options could not be used. `Display` is what follows `Error: ` on standard error.
#[derive(Debug, thiserror::Error)]
pub enum ArgsError {
    /// The command line is wrong.
    #[error("Error parsing command line arguments: {0}")]
    CommandLine(String),
    /// A word that is no option, for a program that takes none.
    #[error("Command line contains unexpected token '{0}', see bitcoind -h for a list of options.")]
    UnexpectedToken(String),
    /// A configuration file is wrong.
    #[error("Error reading configuration file: {0}")]
    ConfigFile(String),
    /// The data directory named on the command line is not there.
    #[error("Specified data directory \"{0}\" does not exist.")]
    NoDatadir(String),
    /// The chain is unknown.
    #[error(transparent)]
    UnknownChain(#[from] UnknownChain),
    /// More than one chain was selected.
    #[error("Invalid combination of -regtest, -signet, -testnet, -testnet4 and -chain. Can use at most one.")]
    ManyChains,
    /// A directory could not be made.
    #[error("cannot create directory {path}: {error}")]
    CreateDir {
        /// The directory.
        path: String,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
    /// The data directory holds a configuration file that is not the one in use.
    #[error("{0}")]
    IgnoredConfig(String),
    /// `settings.json` cannot be read.
    #[error("Settings file could not be read:\n- {0}")]
    ReadSettings(#[source] SettingsError),
    /// `settings.json` cannot be written.
    #[error("Settings file could not be written:\n- {0}")]
    WriteSettings(#[source] SettingsError),
}
