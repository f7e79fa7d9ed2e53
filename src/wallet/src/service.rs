//! The wallets as the rest of the program sees them: [`interfaces::WalletLoader`] and [`interfaces::Wallet`] over the
//! operations that RPC commands use too.

use std::sync::{Arc, Weak};

use bitcoin::{Address, Amount, Txid};
use interfaces::{
    AddressType, Balances, CreateWallet, RpcCommand, RpcError, RpcRequest, Spend, Subscription, WalletCoin,
    WalletError, WalletInfo, WalletLoader, WalletNotifications, WalletTransaction,
};
use rpc::{CommandSet, Request, Table, code};
use zeroize::Zeroizing;

use crate::descriptor::OutputType;
use crate::error::{Error, Result, split};
use crate::fees::FeeWish;
use crate::loader::Loader;
use crate::records::WalletTx;
use crate::rpc::{ANY_LABEL, INVALID_LABEL};
use crate::state::{State, flags};
use crate::wallet::Wallet;
use crate::wallet::coins::CoinFilter;
use crate::wallet::load::Creation;
use crate::wallet::spend::{Payment, Recipient};

type Answer<T> = interfaces::Result<std::result::Result<T, WalletError>>;

/// The wallet side of the program.
pub(crate) struct Service {
    loader: Arc<Loader>,
    commands: Table<Loader>,
}

impl Service {
    /// Serves the wallets of `loader`.
    pub(crate) fn new(loader: Arc<Loader>) -> Self {
        let check = loader.options.check_results;
        let commands = Table::new(loader.clone(), &crate::rpc::commands()).check_results(check);
        crate::resend::start(&loader);
        Service { loader, commands }
    }

    fn handle(&self, wallet: &Arc<Wallet>) -> Arc<dyn interfaces::Wallet> {
        Arc::new(Handle { wallet: wallet.clone(), loader: Arc::downgrade(&self.loader) })
    }
}

impl WalletLoader for Service {
    fn load_wallets(&self) -> Answer<()> {
        split(self.loader.load_configured())
    }

    fn rpc_commands(&self) -> interfaces::Result<Vec<RpcCommand>> {
        Ok(self.commands.commands())
    }

    fn execute_rpc(&self, request: RpcRequest) -> interfaces::Result<std::result::Result<String, RpcError>> {
        let result = Request::try_from(request).and_then(|request| self.commands.execute(&request));
        // Passphrases and private keys went through the functions that returned.
        secret::wipe_stack();
        Ok(result.map(|value| value.to_string()).map_err(RpcError::from))
    }

    fn rpc_help(&self, command: String) -> interfaces::Result<Option<String>> {
        Ok(self.commands.help(&command))
    }

    fn create_wallet(&self, request: CreateWallet) -> Answer<Arc<dyn interfaces::Wallet>> {
        let CreateWallet { name, disable_private_keys, blank, passphrase, avoid_reuse, load_on_startup } = request;
        let flag = |set: bool, flag: u64| if set { flag } else { 0 };
        let flags = flag(disable_private_keys, flags::DISABLE_PRIVATE_KEYS)
            | flag(blank, flags::BLANK)
            | flag(avoid_reuse, flags::AVOID_REUSE);
        let creation = Creation { name, flags, passphrase: Zeroizing::new(passphrase) };
        split(self.loader.create(&creation, load_on_startup).map(|(wallet, _)| self.handle(&wallet)))
    }

    fn load_wallet(&self, name: String) -> Answer<Arc<dyn interfaces::Wallet>> {
        split(self.loader.load(&name, None).map(|(wallet, _)| self.handle(&wallet)))
    }

    fn wallets(&self) -> interfaces::Result<Vec<Arc<dyn interfaces::Wallet>>> {
        Ok(self.loader.wallets().iter().map(|wallet| self.handle(wallet)).collect())
    }

    fn list_wallet_dir(&self) -> interfaces::Result<Vec<String>> {
        Ok(self.loader.list().into_iter().map(|(name, _)| name).collect())
    }

    fn set_mock_time(&self, time: Option<i64>) -> interfaces::Result<()> {
        common::clock::set_mock_time(time);
        Ok(())
    }

    fn stop(&self) -> interfaces::Result<()> {
        self.loader.stop();
        Ok(())
    }

    fn reopen_log(&self) -> interfaces::Result<()> {
        common::logging::reopen();
        Ok(())
    }
}

/// One open wallet, for others.
struct Handle {
    wallet: Arc<Wallet>,
    /// Locks the wallet when its time is up; a handle keeps no loader alive.
    loader: Weak<Loader>,
}

/// Turns what can only be the node's or the file's fault into the outer error.
fn outer<T>(result: Result<T>) -> interfaces::Result<T> {
    result.map_err(|error| match error {
        Error::Chain(error) => error,
        other => interfaces::Error::internal(other),
    })
}

fn output_type(kind: AddressType) -> OutputType {
    match kind {
        AddressType::Legacy => OutputType::Legacy,
        AddressType::P2shSegwit => OutputType::P2shSegwit,
        AddressType::Bech32 => OutputType::Bech32,
        AddressType::Bech32m => OutputType::Bech32m,
    }
}

fn transaction(state: &State, entry: &WalletTx) -> WalletTransaction {
    let (credit, debit) = (state.credit(&entry.tx).to_sat(), state.debit(&entry.tx).to_sat());
    WalletTransaction {
        transaction: entry.tx.clone(),
        net: credit as i64 - debit as i64,
        depth: state.depth(entry),
        time: entry.time(),
        coinbase: entry.tx.is_coinbase(),
    }
}

impl interfaces::Wallet for Handle {
    fn info(&self) -> interfaces::Result<WalletInfo> {
        outer(self.wallet.ensure_open())?;
        let state = self.wallet.state();
        Ok(WalletInfo {
            name: self.wallet.name.clone(),
            private_keys: !state.has_flag(flags::DISABLE_PRIVATE_KEYS),
            encrypted: state.is_encrypted(),
            locked: state.is_locked(),
            transactions: state.txs.len() as u64,
            height: state.tip.map_or(0, |tip| tip.height),
        })
    }

    fn balances(&self) -> interfaces::Result<Balances> {
        outer(self.wallet.ensure_open())?;
        let balance = self.wallet.state().balance(0, true, false, self.wallet.options.spend_unconfirmed_change);
        let (trusted, untrusted_pending, immature) = (balance.trusted, balance.untrusted_pending, balance.immature);
        Ok(Balances { trusted, untrusted_pending, immature })
    }

    fn new_address(&self, label: String, address_type: Option<AddressType>) -> Answer<String> {
        outer(self.wallet.ensure_open())?;
        if label == ANY_LABEL {
            return split(Err(Error::refused(code::WALLET_INVALID_LABEL_NAME, INVALID_LABEL)));
        }
        let address = self.wallet.new_address(&label, address_type.map(output_type));
        split(address.map(|address| address.to_string()))
    }

    fn coins(&self) -> interfaces::Result<Vec<WalletCoin>> {
        outer(self.wallet.ensure_open())?;
        let filter = CoinFilter { unsafe_too: true, used_too: true, ..CoinFilter::default() };
        let state = self.wallet.state();
        let spendable = !state.has_flag(flags::DISABLE_PRIVATE_KEYS);
        let coins =
            state.coins(&filter, self.wallet.options.spend_unconfirmed_change).into_iter().map(|coin| WalletCoin {
                outpoint: coin.outpoint,
                output: coin.output,
                depth: u32::try_from(coin.depth).unwrap_or(0),
                spendable: spendable && coin.solvable,
                safe: coin.safe,
            });
        Ok(coins.collect())
    }

    fn transactions(&self, skip: u32, count: u32) -> interfaces::Result<Vec<WalletTransaction>> {
        outer(self.wallet.ensure_open())?;
        let state = self.wallet.state();
        let latest = state.order.iter().rev().skip(skip as usize).take(count as usize);
        Ok(latest.filter_map(|(_, txid)| state.txs.get(txid)).map(|entry| transaction(&state, entry)).collect())
    }

    fn transaction(&self, txid: Txid) -> interfaces::Result<Option<WalletTransaction>> {
        outer(self.wallet.ensure_open())?;
        let state = self.wallet.state();
        Ok(state.txs.get(&txid).map(|entry| transaction(&state, entry)))
    }

    fn spend(&self, spend: Spend) -> Answer<Txid> {
        outer(self.wallet.ensure_open())?;
        let Spend { recipients, fee_rate, comment } = spend;
        let network = self.wallet.options.network;
        let to = |recipient: interfaces::Recipient| {
            let interfaces::Recipient { address, amount, subtract_fee } = recipient;
            let script = address
                .parse::<Address<_>>()
                .ok()
                .and_then(|address| address.require_network(network).ok())
                .ok_or_else(|| {
                    Error::refused(code::INVALID_ADDRESS_OR_KEY, format!("Invalid Bitcoin address: {address}"))
                })?
                .script_pubkey();
            if amount == Amount::ZERO {
                return Err(Error::refused(code::TYPE_ERROR, "Invalid amount for send"));
            }
            Ok(Recipient { script, amount, subtract_fee })
        };
        let recipients = match recipients.into_iter().map(to).collect::<Result<Vec<_>>>() {
            Ok(recipients) => recipients,
            Err(error) => return split(Err(error)),
        };
        let texts = if comment.is_empty() { Vec::new() } else { vec![("comment", comment)] };
        let fee = FeeWish { rate: fee_rate.map(Into::into), ..FeeWish::default() };
        split(self.wallet.pay(&Payment { recipients, fee, avoid_reuse: true, texts }).map(|(txid, _)| txid))
    }

    fn encrypt(&self, passphrase: String) -> Answer<()> {
        outer(self.wallet.ensure_open())?;
        split(self.wallet.encrypt(&Zeroizing::new(passphrase)))
    }

    fn unlock(&self, passphrase: String, seconds: i64) -> Answer<()> {
        outer(self.wallet.ensure_open())?;
        split(self.wallet.unlock(&Zeroizing::new(passphrase), seconds).map(|(until, seconds)| {
            match self.loader.upgrade() {
                Some(loader) => loader.relocker.schedule(Arc::downgrade(&self.wallet), until, seconds),
                // Nobody left to lock it later.
                None => self.wallet.relock_if(None),
            }
        }))
    }

    fn lock(&self) -> Answer<()> {
        outer(self.wallet.ensure_open())?;
        split(self.wallet.lock())
    }

    fn subscribe(&self, notifications: Arc<dyn WalletNotifications>) -> interfaces::Result<Arc<dyn Subscription>> {
        outer(self.wallet.ensure_open())?;
        Ok(self.wallet.events.subscribe(notifications))
    }
}
