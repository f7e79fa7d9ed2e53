//! What the wallet process does: waits for its parent's configuration, serves the wallets, ends when the connection
//! does.
//!
//! Ctrl-C on a terminal reaches every process there, and a service manager may signal a whole group. This process must
//! not end before its parent has told it to, so it leaves both to the parent and follows the end of the connection.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use common::args::{Args, Program};
use interfaces::{Chain, Echo, Error, Identity, Init, ProcessConfig, Result, WalletLoader};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Runs the process from its command line, the program's name included.
pub fn main(argv: Vec<OsString>) -> ExitCode {
    let args = match Args::parse(Program::BitcoinWallet, argv) {
        Ok(args) => args,
        Err(error) => return refuse(&error.to_string()),
    };
    if args.get_bool("version") {
        common::console::stdout(common::version::version_text("bitcoin-wallet utility"));
        return ExitCode::SUCCESS;
    }
    if args.help_requested() {
        common::console::stdout(format_args!(
            "{}\nUsage: started by bitcoin-node as bitcoin-wallet -ipcfd=<n>\n\n{}",
            common::version::heading("bitcoin-wallet utility"),
            args.help_text()
        ));
        return ExitCode::SUCCESS;
    }
    let Some(value) = args.get("ipcfd") else {
        return refuse("bitcoin-wallet serves the bitcoin-node that starts it; it has no commands of its own yet");
    };
    match value.parse() {
        Ok(fd) => serve(fd),
        Err(_) => refuse(&format!("-ipcfd={value} is not the number of a file descriptor")),
    }
}

fn refuse(text: &str) -> ExitCode {
    common::console::stderr(format_args!("Error: {text}\n"));
    ExitCode::FAILURE
}

/// Serves the connection until it ends, then closes the wallets.
fn serve(fd: i32) -> ExitCode {
    let ignored = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        if let Err(error) = signal_hook::flag::register(signal, ignored.clone()) {
            return refuse(&format!("cannot leave signals to the parent process: {error}"));
        }
    }
    let init = Arc::new(WalletInit::default());
    let served = ipc::serve_fd(fd, init.clone());
    let loader = init.loader.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(loader) = loader
        && let Err(error) = loader.stop()
    {
        log::error!("the wallets could not be closed: {error}");
    }
    match served {
        Ok(()) => {
            log::info!("Shutdown done");
            ExitCode::SUCCESS
        }
        Err(error) => {
            log::error!("{error}");
            refuse(&format!("{error}; bitcoin-wallet is to be started by bitcoin-node"))
        }
    }
}

/// What this process offers to its parent.
#[derive(Default)]
struct WalletInit {
    /// The parent has said who it is, and is of the same version.
    introduced: AtomicBool,
    loader: Mutex<Option<Arc<dyn WalletLoader>>>,
}

struct LocalEcho;

impl Echo for LocalEcho {
    fn echo(&self, echo: String) -> Result<String> {
        Ok(echo)
    }
}

/// Who this process is. It knows no chain before it has its configuration.
fn identity() -> Identity {
    Identity {
        program: "bitcoin-wallet".to_owned(),
        version: common::version::VERSION.to_owned(),
        build: common::version::build_details().to_owned(),
        network: String::new(),
    }
}

/// What is said to a parent of another version: both share interfaces that may change with every one.
fn skew(text: impl std::fmt::Display) -> Error {
    Error::internal(format!("{text}: install both from one release"))
}

impl Init for WalletInit {
    fn introduce(&self, client: Identity) -> Result<Identity> {
        identity().check_version(&client).map_err(skew)?;
        self.introduced.store(true, Ordering::Release);
        Ok(identity())
    }

    fn make_echo(&self) -> Result<Arc<dyn Echo>> {
        Ok(Arc::new(LocalEcho))
    }

    fn make_wallet_loader(&self, config: ProcessConfig, chain: Arc<dyn Chain>) -> Result<Arc<dyn WalletLoader>> {
        if !self.introduced.load(Ordering::Acquire) {
            let version = common::version::VERSION;
            return Err(skew(format_args!(
                "bitcoin-node does not say its version, bitcoin-wallet is version {version}"
            )));
        }
        start_log(&config)?;
        let loader = wallet::loader(config, chain)?;
        *self.loader.lock().unwrap_or_else(PoisonError::into_inner) = Some(loader.clone());
        Ok(loader)
    }
}

/// Starts the log with the parent's options, in a file of its own beside the parent's; `-nodebuglogfile` switches both off.
fn start_log(config: &ProcessConfig) -> Result<()> {
    let chain = config.chain.parse().map_err(Error::internal)?;
    let settings = config.settings.iter().map(|setting| (setting.name.clone(), setting.values.clone()));
    let args =
        Args::from_settings(Program::BitcoinNode, chain, common::lossless::to_path(&config.net_datadir), settings);
    if args.is_set("mocktime") {
        common::clock::set_mock_time(Some(args.get_int("mocktime")));
    }
    common::logging::init(&args, "wallet").map_err(Error::internal)?;
    log::info!("{} wallet process version {}", common::version::CLIENT_NAME, common::version::full_version());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(version: &str) -> Identity {
        Identity { program: "bitcoin-node".to_owned(), version: version.to_owned(), ..identity() }
    }

    #[test]
    fn a_node_of_another_version_gets_no_wallets() {
        let init = WalletInit::default();
        let error = init.introduce(node("v30.2.0")).unwrap_err().to_string();
        let expected =
            "bitcoin-node is version v30.2.0, bitcoin-wallet is version v31.99.0: install both from one release";
        assert_eq!(error, expected);
        assert!(!init.introduced.load(Ordering::Acquire));
        assert_eq!(init.introduce(node(common::version::VERSION)), Ok(identity()));
        assert!(init.introduced.load(Ordering::Acquire));
    }
}
