//! Opens wallets again in a new wallet process, and goes on trying with those that cannot be opened yet, such as those on a
//! full disk.
//!
//! Separate from starting the process because it goes on beside the calls of users, who are told what it waits for.
//!
//! **Invariant:** a wallet that was open is never said to be absent while it is tried again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use interfaces::{Result, RpcError, RpcRequest, WalletLoader};
use ipc::Pauses;
use rpc::code;

/// Pauses between attempts.
const PAUSES: Pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(30) };

/// The wallets that could not be opened again yet, with the reason.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<BTreeMap<String, String>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Takes a wallet off the list, because it is not to be opened any more. Returns whether it was there.
    pub fn remove(&self, name: &str) -> bool {
        self.lock().remove(name).is_some()
    }

    /// Returns what to answer instead of "there is no such wallet"; `None` if the request is about another one.
    pub fn explain(&self, request: &RpcRequest) -> Option<RpcError> {
        let named = rpc::Request::try_from(request.clone()).ok()?.wallet();
        let waiting = self.lock();
        let (name, reason) = match &named {
            Some(name) => waiting.get_key_value(name),
            None => waiting.first_key_value(),
        }?;
        let message = format!("The wallet \"{name}\" could not be opened again, and is tried again: {reason}");
        Some(RpcError { code: code::WALLET_ERROR, message })
    }

    /// Opens wallets in a new process. An error means that the process is gone.
    pub fn reopen(self: &Arc<Self>, loader: &Arc<dyn WalletLoader>, names: &[String]) -> Result<()> {
        self.lock().clear();
        for name in names {
            self.open(&**loader, name)?;
        }
        if !self.is_empty() {
            let (waiting, loader) = (self.clone(), Arc::downgrade(loader));
            let thread = thread::Builder::new().name("wallet-reopen".to_owned());
            if let Err(error) = thread.spawn(move || waiting.retry(&loader)) {
                log::error!("cannot start the thread that opens wallets again: {error}");
            }
        }
        Ok(())
    }

    /// Tries one wallet, and notes what came of it.
    fn open(&self, loader: &dyn WalletLoader, name: &str) -> Result<()> {
        let reason = match loader.load_wallet(name.to_owned())? {
            Err(error) if error.code != code::WALLET_ALREADY_LOADED => Some(error),
            _ => None,
        };
        let mut waiting = self.lock();
        match reason {
            Some(error) => {
                if waiting.get(name) != Some(&error.message) {
                    log::error!("the wallet \"{name}\" could not be opened again: {}", error.message);
                }
                // One that is not there, or is no wallet, is left to the user and to the next process.
                if error.code == code::WALLET_NOT_FOUND {
                    waiting.remove(name);
                } else {
                    waiting.insert(name.to_owned(), error.message);
                }
            }
            None => {
                if waiting.remove(name).is_some() {
                    log::info!("the wallet \"{name}\" is open again");
                }
            }
        }
        Ok(())
    }

    /// Tries again until all are open, or the process or the node ends.
    fn retry(&self, loader: &Weak<dyn WalletLoader>) {
        let mut pause = PAUSES.first;
        loop {
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSES.longest);
            let names: Vec<String> = self.lock().keys().cloned().collect();
            for name in &names {
                let Some(loader) = loader.upgrade() else { return };
                // The next process starts anew.
                if self.open(&*loader, name).is_err() {
                    return;
                }
            }
            if self.is_empty() {
                return;
            }
        }
    }
}
