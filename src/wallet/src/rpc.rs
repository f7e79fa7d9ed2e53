//! The wallet's RPC commands, one file each, and what they share: finding the wallet, labels, common results.
//!
//! **Invariant:** a command finds out what to do and shows what came of it; doing it is the wallet's
//! ([`crate::wallet`]), where other callers find it too.

use std::sync::Arc;

use bitcoin::{Address, Network};
use rpc::{Call, Command, Res, RpcError, code};
use serde_json::{Map, Value, json};

use crate::descriptor::OutputType;
use crate::loader::Loader;
use crate::state::State;
use crate::wallet::Wallet;

mod abandontransaction;
mod abortrescan;
mod backupwallet;
mod createwallet;
mod decoded;
mod encryption;
mod getaddressinfo;
mod getbalance;
mod getbalances;
mod getnewaddress;
mod gettransaction;
mod getwalletinfo;
mod importdescriptors;
mod keypoolrefill;
mod listdescriptors;
mod listtransactions;
mod listunspent;
mod listwalletdir;
mod listwallets;
mod loadwallet;
mod lockunspent;
mod rescanblockchain;
mod sendtoaddress;
mod setlabel;
mod txdoc;
mod unloadwallet;

/// All commands.
pub(crate) fn commands() -> Vec<&'static [Command<Loader>]> {
    vec![
        abandontransaction::COMMANDS,
        abortrescan::COMMANDS,
        backupwallet::COMMANDS,
        createwallet::COMMANDS,
        encryption::COMMANDS,
        getaddressinfo::COMMANDS,
        getbalance::COMMANDS,
        getbalances::COMMANDS,
        getnewaddress::COMMANDS,
        gettransaction::COMMANDS,
        getwalletinfo::COMMANDS,
        importdescriptors::COMMANDS,
        keypoolrefill::COMMANDS,
        listdescriptors::COMMANDS,
        listtransactions::COMMANDS,
        listunspent::COMMANDS,
        listwalletdir::COMMANDS,
        listwallets::COMMANDS,
        loadwallet::COMMANDS,
        lockunspent::COMMANDS,
        rescanblockchain::COMMANDS,
        sendtoaddress::COMMANDS,
        setlabel::COMMANDS,
        unloadwallet::COMMANDS,
    ]
}

/// Section of the help listing.
const CATEGORY: &str = "wallet";

/// The last block processed, as part of a result.
const LAST_PROCESSED: Res = Res::obj(
    "lastprocessedblock",
    "hash and height of the block this information was generated on",
    &[
        Res::hex("hash", "hash of the block this information was generated on"),
        Res::num("height", "height of the block this information was generated on"),
    ],
);

/// Warnings, as part of a result.
const WARNINGS: Res = Res::arr("warnings", "what to know beside", &[Res::str("", "")]).optional();

/// Finds the wallet a call is for.
fn wallet(loader: &Loader, call: &Call<'_>) -> Result<Arc<Wallet>, RpcError> {
    if let Some(name) = call.request.wallet() {
        return loader
            .find(&name)
            .ok_or_else(|| RpcError::wallet_not_found("Requested wallet does not exist or is not loaded"));
    }
    let mut wallets = loader.wallets();
    match (wallets.pop(), wallets.is_empty()) {
        (Some(wallet), true) => Ok(wallet),
        (None, _) => Err(RpcError::wallet_not_found(
            "No wallet is loaded. Load a wallet using loadwallet or create a new one with createwallet. (Note: A \
             default wallet is no longer automatically created)",
        )),
        (Some(_), false) => Err(RpcError::wallet_not_specified(
            "Multiple wallets are loaded. Please select which wallet to use by requesting the RPC through the \
             /wallet/<walletname> URI path.",
        )),
    }
}

/// Finds the wallet a call is for and waits until it has seen all that happened before the call.
fn synced_wallet(loader: &Loader, call: &Call<'_>) -> Result<Arc<Wallet>, RpcError> {
    let wallet = wallet(loader, call)?;
    wallet.sync_with_chain(call.request.tip)?;
    Ok(wallet)
}

/// Stands for all labels, and is none.
pub(crate) const ANY_LABEL: &str = "*";
/// What one who uses it as a label is told.
pub(crate) const INVALID_LABEL: &str = "Invalid label name";

/// Refuses the label that stands for all labels.
fn checked_label(label: &str) -> Result<&str, RpcError> {
    if label == ANY_LABEL {
        return Err(RpcError::new(code::WALLET_INVALID_LABEL_NAME, INVALID_LABEL));
    }
    Ok(label)
}

/// Reads a kind of address.
fn output_type(call: &Call<'_>, name: &str) -> Result<Option<OutputType>, RpcError> {
    call.opt_str(name)?
        .map(|text| {
            OutputType::from_name(text)
                .ok_or_else(|| RpcError::invalid_address_or_key(format!("Unknown address type '{text}'")))
        })
        .transpose()
}

/// Reads an address of the wallet's chain.
fn parse_address(text: &str, network: Network) -> Option<Address> {
    text.parse::<Address<_>>().ok()?.require_network(network).ok()
}

/// The last block processed.
fn last_processed(state: &State) -> Value {
    let (hash, height) = state.tip.map_or((String::new(), -1), |tip| (tip.hash.to_string(), i64::from(tip.height)));
    json!({"hash": hash, "height": height})
}

/// Adds warnings to a result if there are any.
fn push_warnings(result: &mut Map<String, Value>, warnings: Vec<String>) {
    if !warnings.is_empty() {
        result.insert("warnings".to_owned(), warnings.into());
    }
}

/// Reads whether to leave used addresses alone; the wallet must have been made for it.
fn avoid_reuse(state: &State, call: &Call<'_>) -> Result<bool, RpcError> {
    let able = state.has_flag(crate::state::flags::AVOID_REUSE);
    let wanted = match call.value("avoid_reuse") {
        Value::Null => able,
        given => rpc::json::as_bool(given)?,
    };
    if wanted && !able {
        return Err(RpcError::wallet("wallet does not have the \"avoid reuse\" feature enabled"));
    }
    Ok(wanted)
}

/// The normalised descriptors that make a script.
fn parent_descriptors(state: &State, script: &bitcoin::ScriptBuf) -> Vec<String> {
    let owners = state.scripts.get(script).into_iter().flatten();
    owners
        .filter_map(|owner| state.managers.get(&owner.id))
        .filter_map(|manager| manager.descriptor().text(crate::descriptor::key::Form::Normalized(&manager.cache)))
        .collect()
}
