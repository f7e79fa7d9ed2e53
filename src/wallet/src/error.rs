//! Why a wallet operation was not carried out: refused, or the node could not be asked, or the file could not be
//! written. RPC commands and the [`interfaces`] objects turn it into their own errors.

use interfaces::WalletError;
use rpc::{RpcError, code};

use crate::db::DbError;

/// Result of a wallet operation.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a wallet operation was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The wallet says no.
    #[error("{message}")]
    Refused {
        /// JSON-RPC error code.
        code: i32,
        /// What to tell the user.
        message: String,
    },
    /// The node could not be asked.
    #[error("{0}")]
    Chain(#[from] interfaces::Error),
    /// The wallet file failed.
    #[error("{0}")]
    Db(#[from] DbError),
}

impl Error {
    /// Refuses with a code.
    pub(crate) fn refused(code: i32, message: impl Into<String>) -> Self {
        Error::Refused { code, message: message.into() }
    }

    /// Refuses with the code for wallet errors in general.
    pub(crate) fn wallet(message: impl Into<String>) -> Self {
        Error::refused(code::WALLET_ERROR, message)
    }

    /// Says in front of a reason what failed for it. That the node could not be asked stays as it is.
    pub(crate) fn within(self, what: &str) -> Self {
        match self {
            Error::Chain(_) => self,
            Error::Refused { .. } | Error::Db(_) => Error::wallet(format!("{what} {self}")),
        }
    }

    /// Refuses because the wallet is locked.
    pub(crate) fn locked() -> Self {
        Error::refused(
            code::WALLET_UNLOCK_NEEDED,
            "Error: Please enter the wallet passphrase with walletpassphrase first.",
        )
    }
}

impl From<Error> for RpcError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused { code, message } => RpcError { code, message },
            Error::Chain(error) => error.into(),
            Error::Db(error) => RpcError::wallet(error),
        }
    }
}

/// Splits a result as interface methods do: a refusal is part of the answer, the rest kept the question from being
/// asked.
pub(crate) fn split<T>(result: Result<T>) -> interfaces::Result<std::result::Result<T, WalletError>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Error::Chain(error)) => Err(error),
        Err(error) => {
            let RpcError { code, message } = error.into();
            Ok(Err(WalletError { code, message }))
        }
    }
}
