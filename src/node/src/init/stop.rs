//! Ends a node in order: first what brings new work, then what does it, then what is written to disk. Each part may be
//! missing, because a start can fail anywhere.

use std::sync::Arc;
use std::thread::JoinHandle;

use common::args::Args;
use common::datadir::DirLock;

use super::pid_file::PidFile;
use super::signals::SignalThread;
use crate::clients::{Clients, Listening};
use crate::{NodeContext, mempool_persist, notify, ui};

/// What was started so far.
#[derive(Default)]
pub(super) struct Running {
    pub signals: Option<SignalThread>,
    pub locks: Vec<DirLock>,
    pub pid_file: Option<PidFile>,
    pub registry: Option<Arc<rpc::Registry>>,
    pub server: Option<rpc::server::Server>,
    pub clients: Option<Arc<Clients>>,
    pub listening: Vec<Box<dyn Listening>>,
    pub context: Option<Arc<NodeContext>>,
    pub import: Option<JoinHandle<()>>,
    pub disk: Option<JoinHandle<()>>,
}

impl Running {
    /// Stops everything.
    pub fn stop(self, args: &Args) {
        let Running { signals, locks, pid_file, registry, server, clients, listening, context, import, disk } = self;
        let commands = args.get_all("shutdownnotify").into_iter().filter_map(notify::spawn).collect::<Vec<_>>();
        for command in commands {
            let _ = command.join();
        }
        if let Some(registry) = &registry {
            registry.interrupt();
        }
        if let Some(server) = &server {
            server.interrupt();
        }
        log::info!("Shutdown in progress...");
        common::logging::name_thread("shutoff");
        ui::on_progress(None);
        if let Some(server) = server {
            server.stop();
        }
        for socket in listening {
            socket.close();
        }
        if let Some(clients) = clients {
            clients.set_context(None);
        }
        if let Some(context) = &context {
            context.peers.stop();
            stop_wallet(context);
        }
        for thread in [import, disk].into_iter().flatten() {
            let _ = thread.join();
        }
        if let Some(context) = context {
            stop_engine(args, &context);
        }
        drop(pid_file);
        drop(locks);
        log::info!("Shutdown done");
        drop(signals);
    }
}

/// Closes the wallets; one whose process is gone has nothing left to close.
fn stop_wallet(context: &NodeContext) {
    let Some(wallet) = context.wallet() else { return };
    if let Err(error) = wallet.stop() {
        log::debug!(target: "ipc", "Chain client did not disconnect cleanly: {error}");
    }
    context.set_wallet(None);
}

/// Writes mempool and chain state to disk and closes them.
fn stop_engine(args: &Args, context: &NodeContext) {
    let loaded = context.kernel.mempool_info().is_ok_and(|info| info.loaded);
    if loaded && args.get_bool("persistmempool") {
        let path = mempool_persist::path(&context.net_datadir);
        // A failure was logged where it happened and must not keep the chain state from being written.
        let _ = mempool_persist::dump(&context.kernel, &path, args.get_bool("persistmempoolv1"));
    }
    context.events.close();
    if let Err(error) = context.kernel.shutdown() {
        log::error!("the chain state could not be closed: {error}");
    }
}
