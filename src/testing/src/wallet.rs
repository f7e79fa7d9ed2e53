//! A wallet in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bitcoin::{Amount, OutPoint, Transaction, TxOut, Txid};
use interfaces::{
    AddressType, Balances, Chain, CreateWallet, Result, Spend, Subscription, Wallet, WalletCoin, WalletError,
    WalletInfo, WalletNotifications, WalletTransaction,
};

use crate::blocks::{payment, script};
use crate::events::Events;

/// Address that the fake accepts; any other is invalid.
pub(crate) const ADDRESS: &str = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202";

/// A wallet in memory. It owns the outputs of the chain's first coinbases to `script(1)`.
pub struct FakeWallet {
    name: String,
    watch_only: bool,
    chain: Arc<dyn Chain>,
    state: Mutex<State>,
    events: Events<dyn WalletNotifications>,
}

struct State {
    passphrase: Option<String>,
    locked: bool,
    transactions: Vec<Transaction>,
    addresses: u32,
}

fn refuse<T>(code: i32, message: &str) -> Result<std::result::Result<T, WalletError>> {
    Ok(Err(WalletError { code, message: message.to_owned() }))
}

impl FakeWallet {
    /// Makes a wallet on a chain.
    pub fn new(request: CreateWallet, chain: Arc<dyn Chain>) -> Self {
        let encrypted = !request.passphrase.is_empty();
        FakeWallet {
            name: request.name,
            watch_only: request.disable_private_keys,
            chain,
            state: Mutex::new(State {
                passphrase: encrypted.then_some(request.passphrase),
                locked: encrypted,
                transactions: Vec::new(),
                addresses: 0,
            }),
            events: Events::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells subscribers that the wallet was unloaded.
    pub fn unload(&self) {
        self.events.send(|to| drop(to.unloaded()));
    }

    fn status_changed(&self) {
        self.events.send(|to| drop(to.status_changed()));
    }

    fn describe(&self, transaction: &Transaction, depth: i32) -> WalletTransaction {
        WalletTransaction { transaction: transaction.clone(), net: -1000, depth, time: 1_700_000_000, coinbase: false }
    }

    fn owned(&self) -> Result<Vec<(OutPoint, TxOut, u32)>> {
        let request =
            interfaces::ScanRequest { start_height: 0, stop_height: None, scripts: vec![script(1)], max_blocks: 1000 };
        let page = self.chain.scan(request)?;
        let tip = self.chain.status()?.tip.height;
        let mut found = Vec::new();
        for block in page.blocks {
            for transaction in block.transactions {
                let txid = transaction.compute_txid();
                for (index, output) in transaction.output.into_iter().enumerate() {
                    if output.script_pubkey == script(1) {
                        let outpoint = OutPoint::new(txid, u32::try_from(index).unwrap());
                        found.push((outpoint, output, tip + 1 - block.block.height));
                    }
                }
            }
        }
        let known = self.chain.find_coins(found.iter().map(|(outpoint, _, _)| *outpoint).collect())?;
        Ok(found.into_iter().zip(known).filter_map(|(coin, known)| known.map(|_| coin)).collect())
    }
}

impl Wallet for FakeWallet {
    fn info(&self) -> Result<WalletInfo> {
        let height = self.chain.status()?.tip.height;
        let state = self.state();
        Ok(WalletInfo {
            name: self.name.clone(),
            private_keys: !self.watch_only,
            encrypted: state.passphrase.is_some(),
            locked: state.locked,
            transactions: state.transactions.len() as u64,
            height,
        })
    }

    fn balances(&self) -> Result<Balances> {
        let trusted = self.owned()?.iter().map(|(_, output, _)| output.value).sum();
        Ok(Balances { trusted, untrusted_pending: Amount::from_sat(2), immature: Amount::from_sat(3) })
    }

    fn new_address(
        &self,
        label: String,
        address_type: Option<AddressType>,
    ) -> Result<std::result::Result<String, WalletError>> {
        if label == "*" {
            return refuse(-11, "Invalid label name");
        }
        let mut state = self.state();
        state.addresses += 1;
        let kind = match address_type {
            None => "default",
            Some(AddressType::Legacy) => "legacy",
            Some(AddressType::P2shSegwit) => "p2sh",
            Some(AddressType::Bech32) => "bech32",
            Some(AddressType::Bech32m) => "bech32m",
        };
        Ok(Ok(format!("{kind}{}", state.addresses)))
    }

    fn coins(&self) -> Result<Vec<WalletCoin>> {
        let owned = self.owned()?;
        Ok(owned
            .into_iter()
            .map(|(outpoint, output, depth)| WalletCoin {
                outpoint,
                output,
                depth,
                spendable: !self.watch_only,
                safe: true,
            })
            .collect())
    }

    fn transactions(&self, skip: u32, count: u32) -> Result<Vec<WalletTransaction>> {
        let state = self.state();
        let latest = state.transactions.iter().rev().skip(skip as usize).take(count as usize);
        Ok(latest.map(|transaction| self.describe(transaction, 0)).collect())
    }

    fn transaction(&self, txid: Txid) -> Result<Option<WalletTransaction>> {
        let state = self.state();
        let found = state.transactions.iter().find(|transaction| transaction.compute_txid() == txid);
        Ok(found.map(|transaction| self.describe(transaction, -1)))
    }

    fn spend(&self, spend: Spend) -> Result<std::result::Result<Txid, WalletError>> {
        if self.state().locked {
            return refuse(-13, "Error: Please enter the wallet passphrase with walletpassphrase first.");
        }
        if spend.recipients.iter().any(|recipient| recipient.address != ADDRESS) {
            return refuse(-5, "Invalid Bitcoin address");
        }
        let amount: Amount = spend.recipients.iter().map(|recipient| recipient.amount).sum();
        let owned = self.owned()?;
        let Some((outpoint, ..)) = owned.iter().find(|(_, output, _)| output.value >= amount) else {
            return refuse(-6, "Insufficient funds");
        };
        let transaction = payment(*outpoint, amount, script(200));
        let txid = transaction.compute_txid();
        if let Err(refusal) = self.chain.broadcast(transaction.clone(), Amount::ZERO, true)? {
            return refuse(-25, &format!("{refusal:?}"));
        }
        self.state().transactions.push(transaction);
        self.events.send(move |to| drop(to.transaction_changed(txid)));
        Ok(Ok(txid))
    }

    fn encrypt(&self, passphrase: String) -> Result<std::result::Result<(), WalletError>> {
        let mut state = self.state();
        if state.passphrase.is_some() {
            return refuse(-15, "Error: running with an encrypted wallet, but encryptwallet was called.");
        }
        if passphrase.is_empty() {
            return refuse(-8, "passphrase cannot be empty");
        }
        state.passphrase = Some(passphrase);
        state.locked = true;
        drop(state);
        self.status_changed();
        Ok(Ok(()))
    }

    fn unlock(&self, passphrase: String, _seconds: i64) -> Result<std::result::Result<(), WalletError>> {
        let mut state = self.state();
        match &state.passphrase {
            None => return refuse(-15, "Error: running with an unencrypted wallet, but walletpassphrase was called."),
            Some(right) if *right != passphrase => {
                return refuse(-14, "Error: The wallet passphrase entered was incorrect.");
            }
            Some(_) => state.locked = false,
        }
        drop(state);
        self.status_changed();
        Ok(Ok(()))
    }

    fn lock(&self) -> Result<std::result::Result<(), WalletError>> {
        let mut state = self.state();
        if state.passphrase.is_none() {
            return refuse(-15, "Error: running with an unencrypted wallet, but walletlock was called.");
        }
        state.locked = true;
        drop(state);
        self.status_changed();
        Ok(Ok(()))
    }

    fn subscribe(&self, notifications: Arc<dyn WalletNotifications>) -> Result<Arc<dyn Subscription>> {
        Ok(self.events.subscribe(notifications))
    }
}
