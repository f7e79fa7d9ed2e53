//! The JSON shapes RPC answers share: addresses, scripts, descriptors, transactions, blocks.
//!
//! Nothing here asks the node anything: each function turns data into JSON or text into data, so that all of it can be
//! checked against known transactions and addresses.

pub(crate) mod address;
pub(crate) mod bech32;
pub(crate) mod block;
pub(crate) mod descriptor;
pub(crate) mod raw_block;
pub(crate) mod script;
pub(crate) mod transaction;
