//! The wallet process: found, started, started again when it died, and waited for. It is the only place that knows the
//! wallet to be elsewhere; node and RPC server see an `interfaces::WalletLoader` like any other.
//!
//! What a new process has to be told that its predecessor knew is kept here: which wallets were open, and the clock.
//!
//! **Invariant:** there is at most one wallet process, because two would want the same files: one that is gone has exited
//! before the next is started.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use interfaces::{
    BoxFuture, Chain, CreateWallet, Error, Identity, Init, ProcessConfig, Result, RpcCommand, RpcError, RpcRequest,
    Setting, Wallet, WalletError, WalletLoader,
};
use ipc::{Pauses, Reconnecting};

use crate::open_wallets::{Effect, OpenWallets};
use crate::reopen::Waiting;
use crate::watch::{Pace, Watch, end_if_silent};

/// Name of the program.
const PROGRAM: &str = "bitcoin-wallet";

/// Pauses before it is started again: short, because users wait, and there is nobody else whom attempts would burden.
const PAUSES: Pauses = Pauses { first: Duration::from_millis(100), longest: Duration::from_secs(5) };

/// What to do if the program is not as it should be.
const ADVICE: &str = "reinstall it, or start with -disablewallet";

/// How long the wallets may take to close.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Starts the wallet process and connects to it.
pub fn start(config: ProcessConfig, chain: Arc<dyn Chain>) -> Result<Arc<dyn WalletLoader>> {
    let memory = Arc::new(Memory::default());
    let watched = memory.clone();
    let own = identity(&config);
    let watch = Watch::start(own.clone(), Pace::USUAL, move || lock(&watched.child).clone())?;
    let kept = memory.clone();
    let wallets = Reconnecting::start("the wallet process", PAUSES, move || connect(&kept, &config, &chain))?;
    Ok(Arc::new(WalletProcess { own, wallets, memory, _watch: watch }))
}

/// Who this process is.
fn identity(config: &ProcessConfig) -> Identity {
    Identity {
        program: "bitcoin-node".to_owned(),
        version: common::version::VERSION.to_owned(),
        build: common::version::build_details().to_owned(),
        network: config.chain.clone(),
    }
}

/// A running process and its wallets.
#[derive(Clone)]
struct Wallets {
    loader: Arc<dyn WalletLoader>,
    child: Arc<ipc::Connection>,
}

impl ipc::Linked for Wallets {
    fn on_disconnect(&self, callback: Box<dyn FnOnce() + Send>) {
        self.child.on_disconnect(callback);
    }
}

/// What the next process has to be told, and what the last one was.
#[derive(Default)]
struct Memory {
    stopping: AtomicBool,
    /// The open wallets; `None` until those configured for start-up were opened.
    open: Mutex<Option<OpenWallets>>,
    waiting: Arc<Waiting>,
    mock_time: Mutex<Option<i64>>,
    child: Mutex<Option<Arc<ipc::Connection>>>,
    /// What the next attempt is going to fail with, too: a program that is missing, or of another version.
    obstacle: Mutex<Option<Error>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Puts a process in the place of the last one, unless the node is stopping.
    fn spawn(&self) -> Result<Arc<ipc::Connection>> {
        let last = lock(&self.child).take();
        if let Some(last) = last {
            last.close();
        }
        let mut child = lock(&self.child);
        if self.is_stopping() {
            return Err(Error::internal("the node is stopping"));
        }
        let advice = |error: ipc::Error| Error::internal(format!("{error}; {ADVICE}"));
        let program = ipc::find_program(PROGRAM).map_err(advice)?;
        let started = Arc::new(ipc::spawn(&program).map_err(advice)?);
        log::info!("wallet process {} started: {}", started.pid(), program.display());
        Ok(child.insert(started).clone())
    }

    /// Notes which wallets are open now that those configured for start-up are.
    fn note_configured(&self, loader: &Arc<dyn WalletLoader>) {
        let listed = OpenWallets::list(loader);
        let mut open = lock(&self.open);
        let open = open.get_or_insert_default();
        match listed {
            Ok(names) => {
                open.configured = false;
                names.iter().for_each(|name| open.opened(name));
            }
            // The next process opens them as this one did.
            Err(error) => {
                open.configured = true;
                log::debug!(target: "ipc", "the open wallets are not known: {error}");
            }
        }
    }

    /// Notes that a wallet was opened.
    fn note_opened(&self, name: &str) {
        lock(&self.open).get_or_insert_default().opened(name);
    }
}

/// Starts a process, and brings it to where its predecessor was.
fn connect(memory: &Arc<Memory>, config: &ProcessConfig, chain: &Arc<dyn Chain>) -> Result<Wallets> {
    let wallets = try_connect(memory, config, chain);
    *lock(&memory.obstacle) = match &wallets {
        Err(Error::Internal { message }) => {
            Some(Error::internal(format!("The wallet process cannot be started: {message}")))
        }
        _ => None,
    };
    wallets
}

fn try_connect(memory: &Arc<Memory>, config: &ProcessConfig, chain: &Arc<dyn Chain>) -> Result<Wallets> {
    let child = memory.spawn()?;
    let pid = child.pid();
    let peer = introduce(&child.init(), config)?;
    log::info!("wallet process {pid} is {peer}");
    // One that is not wanted has done nothing that would be in its log.
    child.on_disconnect({
        let memory = memory.clone();
        move || {
            if !memory.is_stopping() {
                log::error!(
                    "the wallet process {pid} is gone; it is started again, and what is under way there fails. See \
                     wallet.log for the cause"
                );
            }
        }
    });
    let open = lock(&memory.open).clone();
    let mut config = config.clone();
    if open.as_ref().is_some_and(|open| !open.configured) {
        // Opened below: one that cannot be must not keep the others closed.
        config.settings.retain(|setting| setting.name != "wallet");
        config.settings.push(Setting { name: "wallet".to_owned(), values: Vec::new() });
    }
    let loader = child.init().make_wallet_loader(config, chain.clone())?;
    if let Some(open) = open {
        reopen(memory, &loader, &open)?;
        log::info!("wallet process {pid} is at work again; wallets that were unlocked are locked now");
    }
    Ok(Wallets { loader, child })
}

/// Tells each other who both are. Node and wallet share interfaces that may change with every version.
fn introduce(init: &Arc<dyn Init>, config: &ProcessConfig) -> Result<Identity> {
    let own = identity(config);
    let peer = match init.introduce(own.clone()) {
        Err(Error::Unsupported { .. }) => {
            let version = own.version;
            return Err(Error::internal(format!(
                "{PROGRAM} does not say its version, bitcoin-node is version {version}: install both from one release"
            )));
        }
        peer => peer?,
    };
    let same = own.check_version(&peer);
    same.map(|()| peer).map_err(|skew| Error::internal(format!("{skew}: install both from one release")))
}

/// Opens the wallets that were open, and sets the clock.
fn reopen(memory: &Memory, loader: &Arc<dyn WalletLoader>, open: &OpenWallets) -> Result<()> {
    let mock_time = *lock(&memory.mock_time);
    if mock_time.is_some() {
        loader.set_mock_time(mock_time)?;
    }
    if let Err(error) = loader.load_wallets()? {
        log::error!("{}", error.message);
    }
    if open.configured {
        memory.note_configured(loader);
    }
    // One that cannot be opened stays on the list: what keeps it closed may have passed when it is tried again.
    memory.waiting.reopen(loader, &open.names)
}

/// The wallets of whatever process there is.
struct WalletProcess {
    own: Identity,
    wallets: Reconnecting<Wallets>,
    memory: Arc<Memory>,
    _watch: Watch,
}

impl WalletProcess {
    fn loader(&self) -> Result<Arc<dyn WalletLoader>> {
        let wallets = self.wallets.get().map_err(|gone| lock(&self.memory.obstacle).clone().unwrap_or(gone))?;
        Ok(wallets.loader)
    }

    /// Answers a request about a wallet that is not there, although it may be tried again.
    fn not_open(
        &self,
        request: &RpcRequest,
        effect: Option<&Effect>,
        error: RpcError,
    ) -> std::result::Result<String, RpcError> {
        match effect {
            Some(Effect::Closes(name)) if self.memory.waiting.remove(name) => Ok("{}".to_owned()),
            Some(_) => Err(error),
            None => Err(self.memory.waiting.explain(request).unwrap_or(error)),
        }
    }

    /// Has the wallets closed, unless the process hangs: then it is killed.
    fn stop_wallets(&self) -> Result<()> {
        let child = lock(&self.memory.child).clone();
        let own = self.own.clone();
        match self.loader() {
            Ok(loader) => {
                let _watch = Watch::start(own, Pace::STOPPING, move || child.clone());
                // One that is stuck there answers the watch all the same.
                ipc::within(STOP_LIMIT, || loader.stop())
            }
            // It may be one that is still being started.
            Err(gone) => {
                if let Some(child) = child {
                    end_if_silent(&child, &own, Pace::STOPPING);
                }
                Err(gone)
            }
        }
    }
}

impl WalletLoader for WalletProcess {
    fn load_wallets(&self) -> Result<std::result::Result<(), WalletError>> {
        let loader = self.loader()?;
        let loaded = loader.load_wallets()?;
        if loaded.is_ok() {
            self.memory.note_configured(&loader);
        }
        Ok(loaded)
    }

    fn rpc_commands(&self) -> Result<Vec<RpcCommand>> {
        self.loader()?.rpc_commands()
    }

    fn execute_rpc(&self, request: RpcRequest) -> Result<std::result::Result<String, RpcError>> {
        let effect = Effect::of(&request);
        let asked = (!self.memory.waiting.is_empty()).then(|| request.clone());
        let mut answer = self.loader()?.execute_rpc(request)?;
        if let (Some(asked), Err(error)) = (&asked, &answer)
            && error.code == rpc::code::WALLET_NOT_FOUND
        {
            answer = self.not_open(asked, effect.as_ref(), error.clone());
        }
        if let (Some(effect), Ok(result)) = (effect, &answer) {
            lock(&self.memory.open).get_or_insert_default().apply(&effect, result);
        }
        Ok(answer)
    }

    fn runs_elsewhere(&self) -> bool {
        true
    }

    fn execute_rpc_async(&self, request: &RpcRequest) -> Option<BoxFuture<std::result::Result<String, RpcError>>> {
        // Without it, the call is made on a thread, which has something to do afterwards or an error to give.
        if Effect::of(request).is_some() || !self.memory.waiting.is_empty() {
            return None;
        }
        self.loader().ok()?.execute_rpc_async(request)
    }

    fn rpc_help(&self, command: String) -> Result<Option<String>> {
        self.loader()?.rpc_help(command)
    }

    fn create_wallet(&self, request: CreateWallet) -> Result<std::result::Result<Arc<dyn Wallet>, WalletError>> {
        let name = request.name.clone();
        let created = self.loader()?.create_wallet(request)?;
        if created.is_ok() {
            self.memory.note_opened(&name);
        }
        Ok(created)
    }

    fn load_wallet(&self, name: String) -> Result<std::result::Result<Arc<dyn Wallet>, WalletError>> {
        let loaded = self.loader()?.load_wallet(name.clone())?;
        if loaded.is_ok() {
            self.memory.note_opened(&name);
        }
        Ok(loaded)
    }

    fn wallets(&self) -> Result<Vec<Arc<dyn Wallet>>> {
        self.loader()?.wallets()
    }

    fn list_wallet_dir(&self) -> Result<Vec<String>> {
        self.loader()?.list_wallet_dir()
    }

    fn set_mock_time(&self, time: Option<i64>) -> Result<()> {
        *lock(&self.memory.mock_time) = time;
        // A process that is being started is told when it is there.
        self.loader().map_or(Ok(()), |loader| loader.set_mock_time(time))
    }

    /// Returns when the process is gone, so that nothing of the data directory is in use when the node has stopped.
    fn stop(&self) -> Result<()> {
        self.memory.stopping.store(true, Ordering::Release);
        let stopped = self.stop_wallets();
        // Also one that is just being started: what it is asked for fails, and no other follows.
        let last = self.wallets.halt();
        let child = lock(&self.memory.child).take();
        if let Some(child) = &child {
            child.disconnect();
        }
        drop((last, self.wallets.stop_within(STOP_LIMIT)));
        if let Some(child) = child {
            child.close();
        }
        stopped
    }

    fn reopen_log(&self) -> Result<()> {
        self.loader()?.reopen_log()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Peer(Result<&'static str>);

    impl Init for Peer {
        fn introduce(&self, _: Identity) -> Result<Identity> {
            let text = |text: &str| text.to_owned();
            let version = text(self.0.clone()?);
            Ok(Identity { program: text(PROGRAM), version, build: String::new(), network: String::new() })
        }
    }

    #[test]
    fn another_version_is_an_error_that_names_both() {
        let config = testing::config();
        let check = |said: Result<&'static str>, expected: std::result::Result<(), &str>| {
            let init: Arc<dyn Init> = Arc::new(Peer(said));
            let answer = introduce(&init, &config).map(|peer| assert_eq!(peer.program, PROGRAM));
            assert_eq!(answer.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
        };
        check(Ok(common::version::VERSION), Ok(()));
        check(
            Ok("v30.2.0"),
            Err("bitcoin-wallet is version v30.2.0, bitcoin-node is version v31.99.0: install both from one release"),
        );
        check(
            Err(Error::unsupported("Init.introduce")),
            Err(
                "bitcoin-wallet does not say its version, bitcoin-node is version v31.99.0: install both from one release",
            ),
        );
        check(Err(Error::internal("no")), Err("no"));
    }
}
