//! The open wallets of a process: making, opening, unloading, and the start-up list.
//!
//! RPC commands and the [`interfaces::WalletLoader`] work on this alike.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use interfaces::{Chain, WalletSettingUpdate};
use log::{info, warn};
use rpc::code;

use crate::db::{WalletFormat, list_wallets};
use crate::error::{Error, Result};
use crate::options::Options;
use crate::relock::Relocker;
use crate::wallet::Wallet;
use crate::wallet::load::{Creation, wallet_path};

/// The open wallets of a process.
pub(crate) struct Loader {
    pub(crate) options: Arc<Options>,
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) relocker: Relocker,
    wallets: Mutex<Vec<Arc<Wallet>>>,
    /// Names that are being opened.
    loading: Mutex<BTreeSet<String>>,
}

/// Takes a name off the list of those being opened when dropped.
struct Loading<'a>(&'a Loader, String);

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.0.loading.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

impl Loader {
    /// Makes a loader with no wallet open.
    pub(crate) fn new(options: Options, chain: Arc<dyn Chain>) -> Self {
        Loader {
            options: Arc::new(options),
            chain,
            relocker: Relocker::default(),
            wallets: Mutex::default(),
            loading: Mutex::default(),
        }
    }

    /// The open wallets, in the order they were opened.
    pub(crate) fn wallets(&self) -> Vec<Arc<Wallet>> {
        self.wallets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Finds an open wallet.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Wallet>> {
        self.wallets().into_iter().find(|wallet| wallet.name == name)
    }

    fn add(&self, wallet: &Arc<Wallet>) {
        self.wallets.lock().unwrap_or_else(PoisonError::into_inner).push(wallet.clone());
    }

    fn start_loading(&self, name: &str) -> Result<Loading<'_>> {
        if !self.loading.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned()) {
            return Err(Error::wallet("Wallet already loading."));
        }
        Ok(Loading(self, name.to_owned()))
    }

    /// Makes a wallet and opens it; gives warnings to show beside it.
    pub(crate) fn create(&self, creation: &Creation, on_startup: Option<bool>) -> Result<(Arc<Wallet>, Vec<String>)> {
        let _loading = self.start_loading(&creation.name)?;
        let (wallet, mut warnings) = Wallet::create(self.options.clone(), self.chain.clone(), creation)?;
        self.add(&wallet);
        warnings.extend(self.update_startup(&creation.name, on_startup));
        Ok((wallet, warnings))
    }

    /// Opens a wallet; gives warnings to show beside it.
    pub(crate) fn load(&self, name: &str, on_startup: Option<bool>) -> Result<(Arc<Wallet>, Vec<String>)> {
        let _loading = self.start_loading(name)?;
        let path = wallet_path(&self.options, name).ok();
        if self.wallets().iter().any(|wallet| wallet.name == name || Some(&wallet.directory) == path.as_ref()) {
            return Err(Error::refused(code::WALLET_ALREADY_LOADED, format!("Wallet \"{name}\" is already loaded.")));
        }
        let (wallet, mut warnings) = Wallet::load(self.options.clone(), self.chain.clone(), name)?;
        self.add(&wallet);
        warnings.extend(self.update_startup(name, on_startup));
        Ok((wallet, warnings))
    }

    /// Unloads a wallet; gives warnings.
    pub(crate) fn unload(&self, name: &str, on_startup: Option<bool>) -> Result<Vec<String>> {
        let wallet = self.find(name).ok_or_else(|| {
            Error::refused(code::WALLET_NOT_FOUND, "Requested wallet does not exist or is not loaded")
        })?;
        let reservation = wallet.reserve_scan()?;
        self.wallets.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| !Arc::ptr_eq(other, &wallet));
        drop(reservation);
        wallet.close();
        info!("[{name}] Releasing wallet");
        Ok(self.update_startup(name, on_startup))
    }

    /// Updates the start-up list; gives warnings. The wallet is made, opened or unloaded already, so that not even a node
    /// that cannot be asked makes this an error.
    fn update_startup(&self, name: &str, on_startup: Option<bool>) -> Vec<String> {
        let Some(load_on_startup) = on_startup else { return Vec::new() };
        let update = WalletSettingUpdate { name: name.to_owned(), load_on_startup };
        match self.chain.update_wallet_setting(update) {
            Ok(true) => return Vec::new(),
            Ok(false) => {}
            Err(error) => warn!("[{name}] the start-up setting cannot be updated: {error}"),
        }
        let then = if load_on_startup { "may not be loaded" } else { "may still be loaded" };
        vec![format!("Wallet load on startup setting could not be updated, so wallet {then} next node startup.")]
    }

    /// Opens the wallets configured for start-up.
    pub(crate) fn load_configured(&self) -> Result<()> {
        self.check_wallet_dir()?;
        info!("Using wallet directory {}", self.options.wallet_dir.display());
        info!("Using SQLite Version {}", rusqlite::version());
        let configured = self.options.wallets.clone().unwrap_or_else(|| {
            // A wallet right in the wallet directory is there from long ago and opens by itself.
            let top =
                self.list().into_iter().filter(|(name, format)| name.is_empty() && *format == WalletFormat::Sqlite);
            top.map(|(name, _)| name).collect()
        });
        let mut seen = BTreeSet::new();
        for name in configured {
            if !seen.insert(self.options.wallet_dir.join(common::lossless::to_path(&name))) {
                self.chain.init_warning(format!("Ignoring duplicate -wallet {name}."))?;
                continue;
            }
            match self.load(&name, None) {
                Ok((_, warnings)) if !warnings.is_empty() => self.chain.init_warning(warnings.join("\n"))?,
                Ok(_) => {}
                Err(error) => self.startup_failure(error)?,
            }
        }
        Ok(())
    }

    /// A missing or legacy wallet is passed over at start-up; anything else stops it.
    fn startup_failure(&self, error: Error) -> Result<()> {
        let Error::Refused { code, message } = error else { return Err(error) };
        let plain = ["Wallet file verification failed. ", "Wallet loading failed. "]
            .iter()
            .find_map(|prefix| message.strip_prefix(prefix))
            .unwrap_or(&message);
        if plain.ends_with("Path does not exist.") {
            return Ok(self.chain.init_warning(format!("Skipping -wallet path that doesn't exist. {plain}"))?);
        }
        if plain.contains("appears to be a Legacy wallet") {
            return Ok(self.chain.init_warning(plain.to_owned())?);
        }
        Err(Error::refused(code, plain))
    }

    fn check_wallet_dir(&self) -> Result<()> {
        let Some(given) = self.options.wallet_dir_given.as_deref() else { return Ok(()) };
        let refuse = |what: &str| Err(Error::wallet(format!("Specified -walletdir \"{given}\" {what}")));
        let path = common::lossless::to_path(given);
        if !path.exists() {
            refuse("does not exist")
        } else if !path.is_dir() {
            refuse("is not a directory")
        } else if !path.is_absolute() {
            refuse("is a relative path")
        } else {
            Ok(())
        }
    }

    /// Wallets in the wallet directory, open or not.
    pub(crate) fn list(&self) -> Vec<(String, WalletFormat)> {
        list_wallets(&self.options.wallet_dir, self.options.network)
    }

    /// Closes all wallets.
    pub(crate) fn stop(&self) {
        let wallets = std::mem::take(&mut *self.wallets.lock().unwrap_or_else(PoisonError::into_inner));
        wallets.iter().for_each(|wallet| wallet.close());
    }
}
