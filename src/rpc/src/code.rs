//! Error codes of the JSON-RPC interface, by the names Bitcoin Core's `rpc/protocol.h` gives them.
//! They are a file of their own because clients match on them: a value here never changes.

/// The JSON sent is not a valid request object (HTTP 400).
pub const INVALID_REQUEST: i32 = -32600;
/// No such method (HTTP 404).
pub const METHOD_NOT_FOUND: i32 = -32601;
/// Invalid parameters, JSON-RPC 2.0 sense.
pub const INVALID_PARAMS: i32 = -32602;
/// A genuine error of the program.
pub const INTERNAL_ERROR: i32 = -32603;
/// The body is not JSON.
pub const PARSE_ERROR: i32 = -32700;

/// A failure without a code of its own; also wrong number of arguments (with the help text).
pub const MISC_ERROR: i32 = -1;
/// Unexpected type of a parameter.
pub const TYPE_ERROR: i32 = -3;
/// Unspecified problem with a wallet.
pub const WALLET_ERROR: i32 = -4;
/// Invalid address or key.
pub const INVALID_ADDRESS_OR_KEY: i32 = -5;
/// Not enough funds in the wallet.
pub const WALLET_INSUFFICIENT_FUNDS: i32 = -6;
/// Out of memory during the operation.
pub const OUT_OF_MEMORY: i32 = -7;
/// Invalid, missing or duplicate parameter.
pub const INVALID_PARAMETER: i32 = -8;
/// Not connected; here also: the process that serves the command is gone.
pub const CLIENT_NOT_CONNECTED: i32 = -9;
/// Still downloading initial blocks.
pub const CLIENT_IN_INITIAL_DOWNLOAD: i32 = -10;
/// Invalid label name.
pub const WALLET_INVALID_LABEL_NAME: i32 = -11;
/// The keypool ran out.
pub const WALLET_KEYPOOL_RAN_OUT: i32 = -12;
/// The passphrase must be entered first.
pub const WALLET_UNLOCK_NEEDED: i32 = -13;
/// The passphrase was wrong.
pub const WALLET_PASSPHRASE_INCORRECT: i32 = -14;
/// Command given in the wrong encryption state.
pub const WALLET_WRONG_ENC_STATE: i32 = -15;
/// Encrypting the wallet failed.
pub const WALLET_ENCRYPTION_FAILED: i32 = -16;
/// The wallet is unlocked already.
pub const WALLET_ALREADY_UNLOCKED: i32 = -17;
/// No such wallet.
pub const WALLET_NOT_FOUND: i32 = -18;
/// Several wallets are loaded and none was named.
pub const WALLET_NOT_SPECIFIED: i32 = -19;
/// Database error.
pub const DATABASE_ERROR: i32 = -20;
/// A structure in raw format could not be parsed.
pub const DESERIALIZATION_ERROR: i32 = -22;
/// The node was added already.
pub const CLIENT_NODE_ALREADY_ADDED: i32 = -23;
/// The node was not added before.
pub const CLIENT_NODE_NOT_ADDED: i32 = -24;
/// A transaction or block could not be submitted.
pub const VERIFY_ERROR: i32 = -25;
/// A transaction or block was rejected by the rules.
pub const VERIFY_REJECTED: i32 = -26;
/// The transaction's outputs are in the UTXO set.
pub const VERIFY_ALREADY_IN_UTXO_SET: i32 = -27;
/// Still warming up.
pub const IN_WARMUP: i32 = -28;
/// The node to disconnect is not connected.
pub const CLIENT_NODE_NOT_CONNECTED: i32 = -29;
/// Invalid IP address or subnet.
pub const CLIENT_INVALID_IP_OR_SUBNET: i32 = -30;
/// P2P is disabled.
pub const CLIENT_P2P_DISABLED: i32 = -31;
/// The method is deprecated.
pub const METHOD_DEPRECATED: i32 = -32;
/// There is no mempool.
pub const CLIENT_MEMPOOL_DISABLED: i32 = -33;
/// No connection slot is free.
pub const CLIENT_NODE_CAPACITY_REACHED: i32 = -34;
/// The wallet is loaded already.
pub const WALLET_ALREADY_LOADED: i32 = -35;
/// There is a wallet of that name already.
pub const WALLET_ALREADY_EXISTS: i32 = -36;
/// A bounded resource is at capacity.
pub const LIMIT_EXCEEDED: i32 = -37;
