//! Opens the chain: reads the block index and the UTXO set, connects what is stored, and loads the mempool. What it is
//! busy with the engine says itself ([`kernel::Events::status`]).

use std::path::PathBuf;
use std::sync::Arc;

use common::args::Args;
use kernel::{Kernel, LoadError, Options};

use super::Failure;
use super::engine_log::EngineLog;
use crate::events::EngineListener;
use crate::shutdown::Shutdown;
use crate::{NodeContext, mempool_persist};

/// Opens the data directory. `None` when the start was interrupted.
pub(crate) fn open(
    args: &Args,
    options: Options,
    listener: Arc<EngineListener>,
    shutdown: &Shutdown,
) -> Result<Option<Kernel>, Failure> {
    let reindexing = options.reindex;
    let retry = args.get_all("test").iter().any(|option| option == "reindex_after_failure_noninteractive_yes");
    let result = match Kernel::load(options.clone(), listener.clone(), Arc::new(EngineLog)) {
        Err(error) if error.reindex_may_help() && !reindexing && retry => {
            Kernel::load(Options { reindex: true, ..options }, listener, Arc::new(EngineLog))
        }
        other => other,
    };
    match result {
        Ok(kernel) => Ok(Some(kernel)),
        Err(LoadError::Interrupted) => Ok(None),
        // What made the engine give up was told when it did.
        Err(error) if shutdown.is_requested() => {
            log::info!("{error}");
            Ok(None)
        }
        Err(error) if error.reindex_may_help() && !reindexing => {
            Err(Failure::Question(format!("{error}.\nPlease restart with -reindex or -reindex-chainstate to recover.")))
        }
        Err(error) => Err(Failure::Error(error.to_string())),
    }
}

/// Connects what is stored and reads the mempool, on a thread of its own: the node serves its users meanwhile.
pub(crate) fn start_import(context: Arc<NodeContext>) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("initload".to_owned()).spawn(move || {
        log::info!("initload thread start");
        let names = context.args.get_all("loadblock");
        let files: Vec<PathBuf> = names.iter().map(|name| common::lossless::to_path(name)).collect();
        match context.kernel.import_blocks(&files) {
            Ok(()) => {}
            Err(kernel::Error::Interrupted | kernel::Error::Closed) => return,
            Err(error) => {
                crate::events::abort(&context.warnings, &context.shutdown, &error.to_string());
                return;
            }
        }
        if context.args.get_bool("stopafterblockimport") {
            log::info!("Stopping after block import");
            context.shutdown.request();
            return;
        }
        if context.args.get_bool("persistmempool") {
            let path = mempool_persist::path(&context.net_datadir);
            let stop = || context.shutdown.is_requested();
            let options = mempool_persist::ImportOptions::default();
            // Every failure was logged where it happened; the mempool is simply empty then.
            let _ = mempool_persist::load(&context.kernel, &path, context.mempool_expiry, options, &stop);
        }
        if !context.shutdown.is_requested()
            && let Err(error) = context.kernel.set_mempool_loaded(true)
        {
            log::debug!("{error}");
        }
        log::info!("initload thread exit");
    })
}
