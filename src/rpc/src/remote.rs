//! Commands served by the wallet side, here or in another process, as one more set of commands.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bitcoin::BlockHash;
use serde_json::value::RawValue;

use crate::{CommandSet, Request, RpcError, RpcResult, Started};

/// The wallet's commands over its interface.
///
/// While the process that serves them is gone, a command is answered with "not connected" (-9) and a text that says so;
/// the node itself goes on.
pub struct WalletCommands {
    loader: Arc<dyn interfaces::WalletLoader>,
    /// Returns the tip of the active chain.
    tip: Box<dyn Fn() -> Option<BlockHash> + Send + Sync>,
    /// Help texts seen so far: they never change, and listing all of them would be a call each.
    help: Mutex<HashMap<String, Option<String>>>,
}

impl WalletCommands {
    /// Serves the commands of this loader. `tip` returns the tip of the active chain, which goes with each request: a
    /// wallet that has got there need not ask back.
    pub fn new(
        loader: Arc<dyn interfaces::WalletLoader>,
        tip: impl Fn() -> Option<BlockHash> + Send + Sync + 'static,
    ) -> Self {
        WalletCommands { loader, tip: Box::new(tip), help: Mutex::default() }
    }

    fn request(&self, request: &Request) -> interfaces::RpcRequest {
        interfaces::RpcRequest { tip: (self.tip)(), ..request.into() }
    }
}

fn unreadable(error: serde_json::Error) -> RpcError {
    RpcError::misc(format!("unreadable result: {error}"))
}

/// What is said while there is no wallet process.
const AWAY: &str = "The wallet process is gone and is being started again; try again in a moment";

/// What is said if it ended during a call. Only the user can find out what became of it.
const ENDED: &str = "The wallet process ended during the command, which it may or may not have carried out; it is being \
                     started again";

/// Says what is gone; the interface's own text names the call, which tells a user little.
fn unreachable(error: interfaces::Error) -> RpcError {
    match error {
        interfaces::Error::Disconnected { call } => RpcError::not_connected(if call.is_empty() { AWAY } else { ENDED }),
        other => RpcError::from(other),
    }
}

impl CommandSet for WalletCommands {
    fn commands(&self) -> Vec<interfaces::RpcCommand> {
        let commands = self.loader.rpc_commands().unwrap_or_else(|error| {
            log::error!("wallet commands are not available: {error}");
            Vec::new()
        });
        if self.runs_elsewhere() {
            // Now, so that `help` waits for no other process later.
            commands.iter().for_each(|command| drop(self.help(&command.name)));
        }
        commands
    }

    fn runs_elsewhere(&self) -> bool {
        self.loader.runs_elsewhere()
    }

    fn help(&self, name: &str) -> Option<String> {
        if let Some(known) = self.help.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return known.clone();
        }
        let help = match self.loader.rpc_help(name.to_owned()) {
            Ok(help) => help,
            Err(error) => return Some(unreachable(error).message),
        };
        self.help.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), help.clone());
        help
    }

    fn execute(&self, request: &Request) -> RpcResult {
        let result = self.loader.execute_rpc(self.request(request)).map_err(unreachable)??;
        common::json::parse(result.as_bytes()).map_err(unreadable)
    }

    fn answer(&self, request: &Request, out: &mut Vec<u8>) -> Result<(), RpcError> {
        let result = self.loader.execute_rpc(self.request(request)).map_err(unreachable)??;
        let result = RawValue::from_string(result).map_err(unreadable)?;
        out.extend_from_slice(result.get().as_bytes());
        Ok(())
    }

    fn start(&self, request: &Request) -> Option<Started> {
        if !self.loader.runs_elsewhere() {
            return None;
        }
        let started = self.loader.execute_rpc_async(&self.request(request))?;
        Some(Box::pin(async move { RawValue::from_string(started.await.map_err(unreachable)??).map_err(unreadable) }))
    }
}

#[cfg(test)]
mod tests {
    use interfaces::{CreateWallet, Error, Result, RpcCommand, RpcRequest, Wallet, WalletError, WalletLoader};
    use serde_json::json;

    use super::*;

    /// A wallet side that answers with `reply`.
    struct Loader {
        reply: fn(RpcRequest) -> Result<std::result::Result<String, interfaces::RpcError>>,
    }

    impl WalletLoader for Loader {
        fn load_wallets(&self) -> Result<std::result::Result<(), WalletError>> {
            Ok(Ok(()))
        }
        fn rpc_commands(&self) -> Result<Vec<RpcCommand>> {
            Err(Error::unsupported("WalletLoader.rpcCommands"))
        }
        fn execute_rpc(&self, request: RpcRequest) -> Result<std::result::Result<String, interfaces::RpcError>> {
            (self.reply)(request)
        }
        fn rpc_help(&self, command: String) -> Result<Option<String>> {
            Ok((command == "known").then(|| "known\n".to_owned()))
        }
        fn create_wallet(&self, _: CreateWallet) -> Result<std::result::Result<Arc<dyn Wallet>, WalletError>> {
            Err(Error::unsupported("WalletLoader.createWallet"))
        }
        fn load_wallet(&self, _: String) -> Result<std::result::Result<Arc<dyn Wallet>, WalletError>> {
            Err(Error::unsupported("WalletLoader.loadWallet"))
        }
        fn wallets(&self) -> Result<Vec<Arc<dyn Wallet>>> {
            Ok(Vec::new())
        }
        fn list_wallet_dir(&self) -> Result<Vec<String>> {
            Ok(Vec::new())
        }
        fn set_mock_time(&self, _: Option<i64>) -> Result<()> {
            Ok(())
        }
        fn stop(&self) -> Result<()> {
            Ok(())
        }
        fn reopen_log(&self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn answers_refusals_and_a_lost_process() {
        let check = |reply, expected: std::result::Result<serde_json::Value, (i32, &str)>| {
            let commands = WalletCommands::new(Arc::new(Loader { reply }), || None);
            let got = commands.execute(&Request::new("getbalance", vec![json!("*")]));
            assert_eq!(
                got.map_err(|error| (error.code, error.message)),
                expected.map_err(|(code, text)| (code, text.to_owned()))
            );
        };
        check(|request| Ok(Ok(request.params)), Ok(json!(["*"])));
        check(|_| Ok(Ok("1.50000000".to_owned())), Ok(serde_json::from_str("1.50000000").unwrap()));
        check(
            |_| Ok(Err(interfaces::RpcError { code: -18, message: "No wallet is loaded.".to_owned() })),
            Err((-18, "No wallet is loaded.")),
        );
        check(|_| Err(Error::Disconnected { call: "WalletLoader.executeRpc".to_owned() }), Err((-9, ENDED)));
        check(|_| Err(Error::Disconnected { call: String::new() }), Err((-9, AWAY)));
        check(|_| Err(Error::internal("broken")), Err((-1, "broken")));
    }

    #[test]
    fn help_is_asked_for_once() {
        let commands = WalletCommands::new(Arc::new(Loader { reply: |_| Err(Error::internal("")) }), || None);
        assert_eq!(commands.help("known").as_deref(), Some("known\n"));
        assert_eq!(commands.help("known").as_deref(), Some("known\n"));
        assert_eq!(commands.help("other"), None);
        assert!(commands.commands().is_empty());
    }
}
