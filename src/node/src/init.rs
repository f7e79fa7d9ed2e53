//! Starts, runs and stops the node, in the order users and other programs rely on: options are checked before anything
//! is written, the RPC server answers before the chain is loaded, and what was started is stopped in reverse.
//!
//! **Invariant:** whatever the start got to before it failed, [`run`] stops in order.

mod addresses;
mod checks;
mod daemon;
mod engine_log;
mod engine_options;
mod fd_limit;
mod interaction;
mod load;
mod log_file;
pub(crate) mod money;
mod network;
mod pid_file;
mod prepare;
mod signals;
mod stop;
mod wallet;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use common::args::{Args, Program};
use interfaces::{ProcessConfig, WalletLoader};

use crate::chain::LocalChain;
use crate::clients::{Clients, Listen};
use crate::context::NodeContext;
use crate::events::{EngineListener, EventHub};
use crate::peers::Peers;
use crate::shutdown::Shutdown;
use crate::warnings::Warnings;
use crate::{disk_space, notify, ui};
use prepare::{Checked, check};
use stop::Running;

/// Makes the wallet side, in this process or in another.
pub type WalletFactory =
    Box<dyn FnOnce(ProcessConfig, Arc<dyn interfaces::Chain>) -> interfaces::Result<Arc<dyn WalletLoader>> + Send>;

/// Why the start failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error; shown after `Error: `.
    Error(String),
    /// A question that only a user could have answered; shown as it is.
    Question(String),
}

impl Failure {
    /// Tells the user.
    fn report(&self) {
        match self {
            Failure::Error(text) => ui::error(text),
            Failure::Question(text) => ui::message(text),
        }
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Failure::Error(text)
    }
}

/// Directories in use, absolute.
pub(crate) struct Paths {
    /// Data directory of the chain.
    pub net_datadir: PathBuf,
    /// Directory of the block files.
    pub blocks_dir: PathBuf,
}

/// Makes other work for the HTTP server's thread, if there is any.
pub type CompanionFactory = Box<dyn FnOnce() -> std::io::Result<Option<Box<dyn rpc::server::Companion>>>>;

/// Who else takes part, in this process or in others.
#[derive(Default)]
pub struct Parties {
    /// Makes the wallet side.
    pub wallet: Option<WalletFactory>,
    /// Serves `-ipcbind`, for the programs that have that option.
    pub listen: Option<Listen>,
    /// Makes what the HTTP server's thread does besides, where the wallet's answers come over a socket.
    pub companion: Option<CompanionFactory>,
    /// Tells what was counted of calls between processes, in a program that makes any.
    pub counted: Option<rpc::ipcinfo::Counted>,
}

/// Runs a node from its command line, the program's name included, until it is asked to stop.
pub fn run(argv: Vec<OsString>, program: Program, parties: Parties) -> ExitCode {
    common::datadir::set_private_umask();
    common::logging::install();
    common::logging::name_thread("init");
    let start_time = common::clock::system_now();
    let (argv, parent) = match daemon::enter(argv) {
        Ok(entered) => entered,
        Err(error) => return refuse(&format!("cannot go on in the background: {error}").into()),
    };
    let args = match Args::parse(program, argv.clone()) {
        Ok(args) => Arc::new(args),
        Err(error) => return refuse(&Failure::Error(error.to_string())),
    };
    // Before a configuration file is read or a directory made.
    if let Some(text) = information(&args) {
        common::console::stdout(text);
        return ExitCode::SUCCESS;
    }
    if let Err(failure) = read_configuration(&args) {
        return refuse(&failure);
    }
    let background = parent.is_none() && daemon::wanted(&args);
    if background {
        return match check(&args).and_then(|_| Ok(daemon::spawn(&argv)?)) {
            Ok(code) => code,
            Err(failure) => refuse(&failure),
        };
    }
    let shutdown = Arc::new(Shutdown::new());
    let mut running = Running::default();
    let parent = match parent {
        Some(parent) if !args.get_bool("daemonwait") => {
            parent.started();
            None
        }
        other => other,
    };
    match start(&args, &shutdown, parties, start_time, &mut running) {
        Ok(()) => {
            if let Some(parent) = parent {
                parent.started();
            }
            shutdown.wait();
        }
        Err(failure) => {
            failure.report();
            shutdown.request_failure();
        }
    }
    running.stop(&args);
    ExitCode::from(shutdown.exit_code())
}

/// Ends the program before it began.
fn refuse(failure: &Failure) -> ExitCode {
    failure.report();
    ExitCode::FAILURE
}

/// Reads the configuration files, and what tests change of a chain's rules.
fn read_configuration(args: &Args) -> Result<(), Failure> {
    let warnings = args.init_config().map_err(|error| Failure::Error(error.to_string()))?;
    for warning in warnings {
        common::console::stderr(format_args!("{warning}\n"));
    }
    engine_options::check_chain_options(args, args.chain())?;
    Ok(())
}

/// Returns what `-help` or `-version` print, if one of them is given.
fn information(args: &Args) -> Option<String> {
    if args.get_bool("version") {
        return Some(common::version::about("daemon", args.program().name()));
    }
    args.help_requested().then(|| {
        let name = args.program().name();
        format!("{}\nUsage: {name} [options]\n\n{}", common::version::heading("daemon"), args.help_text())
    })
}

/// Starts everything; what was started is in `running` even if a later step fails.
fn start(
    args: &Arc<Args>,
    shutdown: &Arc<Shutdown>,
    Parties { wallet, listen, companion, counted }: Parties,
    start_time: i64,
    running: &mut Running,
) -> Result<(), Failure> {
    let chain = args.chain();
    running.signals = Some(
        signals::SignalThread::start(shutdown.clone()).map_err(|error| format!("Cannot receive signals: {error}"))?,
    );
    let Checked { connections, paths, options } = check(args)?;
    running.locks = lock_directories(&paths)?;
    if let Some(path) = args.net_path("pid", "bitcoind.pid") {
        running.pid_file = Some(pid_file::PidFile::create(&path)?);
    }
    log_file::open(args)?;
    for (option, reason) in args.ignored() {
        log::warn!("{option} is accepted but has no effect in this version: {reason}");
    }
    log::info!(
        "Using at most {} automatic connections ({} file descriptors available)",
        connections.automatic,
        connections.descriptors
    );
    checks::check_ports(args)?;
    addresses::check_networks(args)?;
    let wallet = match wallet {
        Some(factory) if !args.get_bool("disablewallet") => {
            Some((factory, wallet::config(args, chain, &paths.net_datadir)?))
        }
        _ => {
            log::info!("Wallet disabled!");
            None
        }
    };
    let server = args.get_bool("server").then(|| start_server(args)).transpose()?;
    let registry = server.as_ref().map_or_else(|| Arc::new(rpc::Registry::new()), rpc::server::Server::registry);
    running.server = server;
    addresses::check(args, chain, &paths.net_datadir)?;
    // After the checks of Core, so that a value that is wrong is called wrong.
    checks::check_available(args)?;
    registry.add(rpc::control::commands(&registry, {
        let shutdown = shutdown.clone();
        move || {
            shutdown.request();
        }
    }));
    registry.add(rpc::ipcinfo::commands(counted));
    ui::on_progress(Some(Box::new({
        let registry = registry.clone();
        move |status| registry.set_warmup(status)
    })));
    running.registry = Some(registry.clone());
    let json_rpc = running.server.as_ref().map(rpc::server::Server::json_rpc);
    let json_rpc = json_rpc.unwrap_or_else(|| rpc::server::JsonRpc::without_server(registry.clone()));
    let clients = Clients::new(identity(args), json_rpc, shutdown.clone(), Clients::memory(args)?);
    running.clients = Some(clients.clone());
    if let Some(listen) = listen {
        for address in args.get_all("ipcbind") {
            if std::str::from_utf8(&common::lossless::to_bytes(&address)).is_err() {
                return Err(format!("-ipcbind={address}: the address is not UTF-8; choose another path").into());
            }
            let listening = listen(&address, &paths.net_datadir, clients.clone())?;
            log::info!("Listening for IPC requests on address {}", listening.address());
            running.listening.push(listening);
        }
    }

    let warnings = Arc::new(Warnings::new());
    let events = Arc::new(EventHub::default());
    let peers = Arc::new(Peers::default());
    shutdown.on_request({
        let (interrupt, events) = (options.interrupt.clone(), events.clone());
        move || {
            interrupt.interrupt();
            events.tip.close();
        }
    });
    let listener =
        Arc::new(EngineListener::new(events.clone(), peers.clone(), warnings.clone(), shutdown.clone(), args));
    let mempool_expiry = options.mempool.expiry;
    let Some(kernel) = load::open(args, options, listener, shutdown)? else {
        log::info!("Shutdown requested. Exiting.");
        return Ok(());
    };
    let context = Arc::new(NodeContext {
        args: args.clone(),
        chain,
        net_datadir: paths.net_datadir,
        blocks_dir: paths.blocks_dir,
        kernel,
        shutdown: shutdown.clone(),
        warnings,
        peers,
        events,
        start_time,
        mempool_expiry,
        disk: Arc::default(),
        wallet: std::sync::RwLock::default(),
    });
    running.context = Some(context.clone());
    if let Some(signals) = &running.signals {
        signals.set_context(&context);
    }
    clients.set_context(Some(context.clone()));
    let no_thread = |error: std::io::Error| format!("Cannot start a thread: {error}");
    if args.get_int("prune") == 0 {
        log::info!("Setting NODE_NETWORK in non-prune mode");
    }
    running.import = Some(load::start_import(context.clone()).map_err(no_thread)?);
    running.disk = Some(context.disk.start(&context.blocks_dir, shutdown).map_err(no_thread)?);
    // Everything below looks at the tip, which a new data directory gets from the import.
    let tip = context.tip_watch().wait_until(None, |_| true);
    if shutdown.is_requested() {
        return Ok(());
    }
    disk_space::warn_if_small(args, &context, tip.map_or(0, |tip| tip.height));
    if let Some((factory, config)) = wallet {
        load_wallets(&context, factory, config)?;
        if let (Some(server), Some(make)) = (&running.server, companion)
            && let Some(companion) = make().map_err(|error| format!("Cannot serve the wallet process: {error}"))?
        {
            server.accompany(companion);
        }
    }
    if let Ok(info) = context.kernel.chain_info() {
        log::info!("block tree size = {}", info.block_index_size);
        log::info!("nBestHeight = {}", info.tip.height);
    }
    network::start(&context, connections.automatic)?;
    finish(args, &context, &registry);
    Ok(())
}

/// Who this node is, for its clients.
fn identity(args: &Args) -> interfaces::Identity {
    interfaces::Identity {
        program: args.program().name().to_owned(),
        version: common::version::VERSION.to_owned(),
        build: common::version::build_details().to_owned(),
        network: args.chain().name().to_owned(),
    }
}

fn lock_directories(paths: &Paths) -> Result<Vec<common::datadir::DirLock>, Failure> {
    let lock = |path: &PathBuf| common::datadir::lock(path).map_err(|error| Failure::Error(error.to_string()));
    Ok(vec![lock(&paths.net_datadir)?, lock(&paths.blocks_dir)?])
}

/// Loads the wallets, on this side or the other.
fn load_wallets(context: &Arc<NodeContext>, factory: WalletFactory, config: ProcessConfig) -> Result<(), Failure> {
    let unreachable = |error: interfaces::Error| Failure::Error(format!("Cannot start the wallet: {error}"));
    let unnamed = wallet::loads_unnamed(&context.args, &config);
    let chain = Arc::new(LocalChain::new(context.clone(), unnamed));
    let loader = factory(config, chain).map_err(unreachable)?;
    context.set_wallet(Some(loader.clone()));
    ui::init_message("Verifying wallet(s)…");
    loader.load_wallets().map_err(unreachable)?.map_err(|error| Failure::Error(error.message))
}

/// Starts to answer requests, each with the warm-up error until [`finish`].
fn start_server(args: &Args) -> Result<rpc::server::Server, Failure> {
    let start = |config| rpc::server::Server::bind(config);
    rpc::server::ServerConfig::from_args(args).and_then(start).map_err(|error| {
        let general = rpc::server::ServerError::Start.to_string();
        let text = error.to_string();
        if text != general {
            ui::error(&text);
        }
        Failure::Error(general)
    })
}

/// Opens the server to commands and tells everyone that the node is there.
fn finish(args: &Args, context: &Arc<NodeContext>, registry: &rpc::Registry) {
    registry.add(crate::rpc::commands(context.clone()));
    if let Some(wallet) = context.wallet() {
        let node = context.clone();
        // Without waiting for a block that is being validated: requests are read on the thread that asks.
        let tip = move || node.kernel.latest_tip();
        registry.add(Arc::new(rpc::remote::WalletCommands::new(wallet, tip)));
    }
    ui::on_progress(None);
    registry.finish_warmup();
    ui::init_message("Done loading");
    notify::spawn(args.get("startupnotify").unwrap_or_default());
}
