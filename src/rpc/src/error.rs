//! The error of a command, as JSON-RPC reports it. Separate from the tables because every layer above returns it.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::code;

/// What a command returns.
pub type RpcResult = Result<Value, RpcError>;

/// Refusal of a command: a code of [`crate::code`] and a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    /// Error code.
    pub code: i32,
    /// Error text.
    pub message: String,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident = $code:ident;)*) => { $(
        $(#[$doc])*
        pub fn $name(message: impl Display) -> Self {
            Self::new(code::$code, message)
        }
    )* };
}

impl RpcError {
    /// Makes an error with this code.
    pub fn new(code: i32, message: impl Display) -> Self {
        RpcError { code, message: message.to_string() }
    }

    constructors! {
        /// -1: a failure without a code of its own.
        misc = MISC_ERROR;
        /// -3: unexpected type.
        type_error = TYPE_ERROR;
        /// -4: unspecified wallet problem.
        wallet = WALLET_ERROR;
        /// -5: invalid address, key, or unknown object named by hash.
        invalid_address_or_key = INVALID_ADDRESS_OR_KEY;
        /// -6: not enough funds.
        insufficient_funds = WALLET_INSUFFICIENT_FUNDS;
        /// -8: invalid, missing or duplicate parameter.
        invalid_parameter = INVALID_PARAMETER;
        /// -9: not connected, or the serving process is gone.
        not_connected = CLIENT_NOT_CONNECTED;
        /// -13: the wallet is locked.
        unlock_needed = WALLET_UNLOCK_NEEDED;
        /// -14: wrong passphrase.
        passphrase_incorrect = WALLET_PASSPHRASE_INCORRECT;
        /// -15: wrong encryption state.
        wrong_enc_state = WALLET_WRONG_ENC_STATE;
        /// -16: encrypting failed.
        encryption_failed = WALLET_ENCRYPTION_FAILED;
        /// -18: no such wallet.
        wallet_not_found = WALLET_NOT_FOUND;
        /// -19: no wallet named while several are loaded.
        wallet_not_specified = WALLET_NOT_SPECIFIED;
        /// -20: database error.
        database = DATABASE_ERROR;
        /// -22: raw data could not be parsed.
        deserialization = DESERIALIZATION_ERROR;
        /// -25: could not be submitted.
        verify = VERIFY_ERROR;
        /// -26: rejected by the rules.
        verify_rejected = VERIFY_REJECTED;
        /// -27: already in the UTXO set.
        already_in_utxo_set = VERIFY_ALREADY_IN_UTXO_SET;
        /// -28: warming up.
        in_warmup = IN_WARMUP;
        /// -32600: not a request.
        invalid_request = INVALID_REQUEST;
        /// -32602: invalid parameters.
        invalid_params = INVALID_PARAMS;
        /// -32603: an error of the program.
        internal = INTERNAL_ERROR;
        /// -32700: not JSON.
        parse = PARSE_ERROR;
    }

    /// -32601: no such method.
    pub fn method_not_found() -> Self {
        Self::new(code::METHOD_NOT_FOUND, "Method not found")
    }

    /// Returns the `error` member of a reply.
    pub fn to_json(&self) -> Value {
        json!({"code": self.code, "message": self.message})
    }
}

impl From<interfaces::RpcError> for RpcError {
    fn from(interfaces::RpcError { code, message }: interfaces::RpcError) -> Self {
        RpcError { code, message }
    }
}

impl From<RpcError> for interfaces::RpcError {
    fn from(RpcError { code, message }: RpcError) -> Self {
        interfaces::RpcError { code, message }
    }
}

impl From<interfaces::WalletError> for RpcError {
    fn from(interfaces::WalletError { code, message }: interfaces::WalletError) -> Self {
        RpcError { code, message }
    }
}

impl From<interfaces::Error> for RpcError {
    /// A process that is gone is "not connected" (-9); anything else that kept the question from being asked is a
    /// miscellaneous error (-1).
    fn from(error: interfaces::Error) -> Self {
        match error {
            interfaces::Error::Disconnected { .. } => Self::not_connected(error),
            interfaces::Error::Unsupported { .. }
            | interfaces::Error::TimedOut { .. }
            | interfaces::Error::Overloaded { .. }
            | interfaces::Error::Cancelled { .. }
            | interfaces::Error::Internal { .. } => Self::misc(error),
        }
    }
}
