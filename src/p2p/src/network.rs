//! The network as the node holds it: starts and stops the threads, and answers for them.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bitcoin::{Block, BlockHash, Txid, Wtxid};
use kernel::Kernel;

use crate::connect::{self, Connector};
use crate::inbox::Work;
use crate::link::ConnectionKind;
use crate::listen;
use crate::manager::Manager;
use crate::message_type::sanitize;
use crate::socket::{self, Waker};
use crate::stats::{OrphanInfo, PeerInfo, Totals, UploadTarget};
use crate::{Config, PeerId};

/// Why the network cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on; the text says why not.
    #[error("Failed to listen on any port. Use -listen=0 if you want this.")]
    Listen(String),
    /// The system has no thread or socket left.
    #[error("cannot start the network: {0}")]
    System(#[from] std::io::Error),
    /// The engine is gone.
    #[error("cannot start the network: {0}")]
    Engine(#[from] kernel::Error),
}

/// Why a block was not asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Block files are being read in.
    #[error("Loading blocks ...")]
    Loading,
    /// There is no such peer.
    #[error("Peer does not exist")]
    NoPeer,
    /// The peer serves no witnesses.
    #[error("Pre-SegWit peer")]
    NoWitness,
    /// It was asked for the block already.
    #[error("Already requested from this peer")]
    Requested,
    /// It has not said its version yet.
    #[error("Peer not fully connected")]
    NotEstablished,
    /// The network ends.
    #[error("Shutting down")]
    Stopped,
}

/// A node of the list of added nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedNode {
    /// As it was added.
    pub name: String,
    /// The connection to it: the address, and whether the peer made it.
    pub connection: Option<(SocketAddr, bool)>,
}

/// The running network.
pub struct Network {
    connector: Arc<Connector>,
    kernel: Kernel,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Network {
    /// Opens the sockets and starts the threads.
    pub fn start(config: Config, kernel: Kernel) -> Result<Network, StartError> {
        let mut listeners = Vec::new();
        for bind in &config.binds {
            match listen::open(*bind) {
                Ok(listener) => listeners.push(listener),
                Err(error) if bind.optional => log::debug!(target: "net", "{error}"),
                Err(error) => return Err(StartError::Listen(error.to_string())),
            }
        }
        log::info!("SetNetworkActive: {}", config.active);
        let (waker, wakened) = Waker::new()?;
        let connector = Arc::new(Connector::new(config, waker, kernel.message_start()?));
        let manager = Manager::new(connector.clone(), kernel.clone())?;
        let network = Network { connector: connector.clone(), kernel, threads: Mutex::default() };
        network.spawn("net", move |connector| socket::run(connector, &listeners, &wakened))?;
        network.spawn("addcon", |connector| connect::keep_added(connector))?;
        if !connector.config.connect.is_empty() {
            network.spawn("opencon", |connector| connect::keep_connections(connector))?;
        }
        network.spawn("msghand", move |_| manager.run())?;
        Ok(network)
    }

    fn spawn(&self, name: &str, run: impl FnOnce(&Arc<Connector>) + Send + 'static) -> std::io::Result<()> {
        let connector = self.connector.clone();
        let thread_name = name.to_owned();
        let handle = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            log::info!("{thread_name} thread start");
            run(&connector);
            log::info!("{thread_name} thread exit");
        })?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
        Ok(())
    }

    /// Ends connections and threads, and waits for them. Later calls find no connections.
    pub fn stop(&self) {
        self.connector.stop();
        self.connector.links.inbox().close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        // The socket thread last: what the message thread still says is to be sent.
        let (socket, others): (Vec<_>, Vec<_>) =
            threads.into_iter().partition(|thread| thread.thread().name() == Some("net"));
        for thread in others {
            let _ = thread.join();
        }
        self.connector.waker.stop();
        for thread in socket {
            let _ = thread.join();
        }
        for link in self.connector.links.all() {
            log::debug!(target: "net", "Stopping node, disconnecting {}", link.peer());
            let _ = link.stream().shutdown(std::net::Shutdown::Both);
            self.connector.links.remove(link.info.id);
        }
    }

    /// The chain has a new tip. Never waits.
    pub fn tip_updated(&self, hash: BlockHash, fork: Option<BlockHash>, initial_download: bool) {
        self.connector.links.inbox().push(Work::Tip { hash, fork, initial_download });
    }

    /// Says whether the transactions of blocks that join the chain matter. Never waits.
    pub fn wants_blocks(&self) -> bool {
        // Peers' transactions do not come before the node has caught up, so there is nothing to compare with.
        !self.kernel.is_initial_block_download().unwrap_or(true)
    }

    /// A block joined the chain, which is there if it was wanted. Never waits.
    pub fn block_connected(&self, block: Option<&Block>) {
        let block = block.filter(|_| self.wants_blocks()).map(|block| Arc::new(block.clone()));
        self.connector.links.inbox().push(Work::Connected(block));
    }

    /// A block left the chain. Never waits.
    pub fn block_disconnected(&self) {
        self.connector.links.inbox().push(Work::Disconnected);
    }

    /// Announces a transaction of the mempool to all peers that may not know it. Never waits.
    pub fn announce(&self, txid: Txid, wtxid: Wtxid) {
        self.connector.links.inbox().push(Work::Announce(txid, wtxid));
    }

    /// Sends every peer a ping.
    pub fn ping_all(&self) {
        self.ask(Manager::queue_pings);
    }

    /// Lets so much time pass for what is done from time to time, for tests.
    pub fn advance(&self, time: Duration) {
        self.ask(move |manager| manager.advance(time));
    }

    /// Describes the connections.
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.ask(|manager| manager.peer_infos()).unwrap_or_default()
    }

    /// Returns the transactions that wait for a parent.
    pub fn orphans(&self) -> Vec<OrphanInfo> {
        self.ask(|manager| manager.orphans()).unwrap_or_default()
    }

    /// Returns the median difference of outbound peers' clocks, in seconds.
    pub fn time_offset(&self) -> i64 {
        self.ask(|manager| manager.time_offset()).unwrap_or_default()
    }

    /// Asks a peer for a block whose header is known.
    pub fn fetch_block(&self, peer: PeerId, hash: BlockHash, height: u32) -> Result<(), FetchError> {
        let spot = kernel::BlockSpot { hash, height };
        self.ask(move |manager| manager.fetch_block(peer, spot)).unwrap_or(Err(FetchError::Stopped))
    }

    /// Connects to a host once; waits until that is done or has failed.
    pub fn connect_once(&self, name: &str) {
        self.connector.connect(name, ConnectionKind::Manual);
    }

    /// Makes a connection of a certain kind, for tests. False if there are as many of the kind as there may be.
    pub fn add_connection(&self, name: &str, kind: ConnectionKind) -> bool {
        let limits = &self.connector.config.limits;
        let limit = match kind {
            ConnectionKind::FullRelay => limits.full_relay,
            ConnectionKind::BlockRelay => limits.block_relay,
            ConnectionKind::AddrFetch | ConnectionKind::Feeler => usize::MAX,
            ConnectionKind::Inbound | ConnectionKind::Manual => return false,
        };
        if self.connector.links.count(|other| other == kind) >= limit {
            return false;
        }
        self.connector.connect(name, kind);
        true
    }

    /// Puts a node on the list of added nodes; false if it is there.
    pub fn add_node(&self, name: &str) -> bool {
        self.connector.add_node(name)
    }

    /// Takes a node off the list of added nodes; false if it is not there.
    pub fn remove_node(&self, name: &str) -> bool {
        self.connector.remove_node(name)
    }

    /// Returns the list of added nodes.
    pub fn added_nodes(&self) -> Vec<AddedNode> {
        let nodes = self.connector.added_nodes().into_iter();
        nodes
            .map(|(name, link)| AddedNode {
                name,
                connection: link.map(|link| (link.info.address, link.info.kind.is_inbound())),
            })
            .collect()
    }

    /// Ends the connection with this name or address; false if there is none.
    pub fn disconnect_name(&self, name: &str) -> bool {
        let found = self.connector.links.all().into_iter().find(|link| link.info.name == name);
        if let Some(link) = &found {
            let by = if common::logging::log_ips() { format!("={name}") } else { String::new() };
            log::debug!(target: "net", "disconnect by address{by} match, disconnecting {}", link.peer());
            link.end();
        }
        found.is_some()
    }

    /// Ends the connection with this number; false if there is none.
    pub fn disconnect_id(&self, id: PeerId) -> bool {
        let found = self.connector.links.all().into_iter().find(|link| link.info.id == id);
        if let Some(link) = &found {
            log::debug!(target: "net", "disconnect by id, disconnecting {}", link.peer());
            link.end();
        }
        found.is_some()
    }

    /// Sends a message of any name and content to a peer, for tests; false if there is no such peer.
    pub fn send_message(&self, peer: PeerId, name: &str, payload: &[u8]) -> bool {
        let found = self.connector.links.all().into_iter().find(|link| link.info.id == peer);
        if let Some(link) = &found {
            link.send_any(&sanitize(name.as_bytes()), payload);
        }
        found.is_some()
    }

    /// Counts connections: inbound, outbound.
    pub fn counts(&self) -> (usize, usize) {
        let inbound = self.connector.links.count(ConnectionKind::is_inbound);
        (inbound, self.connector.links.count(|kind| !kind.is_inbound()))
    }

    /// Returns the bytes of all connections.
    pub fn totals(&self) -> Totals {
        let (received, sent) = self.connector.options.totals.totals();
        Totals { received, sent }
    }

    /// Returns how far the limit on what is sent is.
    pub fn upload_target(&self) -> UploadTarget {
        self.connector.options.totals.upload_target()
    }

    /// Says whether connections may be made.
    pub fn is_active(&self) -> bool {
        self.connector.links.is_active()
    }

    /// Allows connections, or forbids them and ends those there are.
    pub fn set_active(&self, active: bool) {
        log::info!("SetNetworkActive: {active}");
        if self.connector.links.set_active(active) {
            self.connector.waker.wake();
        }
    }

    /// Returns the services offered to peers.
    pub fn services(&self) -> u64 {
        self.connector.config.services
    }

    /// Says whether transactions are wanted from peers.
    pub fn relays_transactions(&self) -> bool {
        !self.connector.config.blocks_only
    }

    /// Asks the message thread; `None` if it has ended.
    fn ask<T: Send + 'static>(&self, question: impl FnOnce(&mut Manager) -> T + Send + 'static) -> Option<T> {
        let (answer, wait) = mpsc::sync_channel(1);
        self.connector.links.inbox().push(Work::Ask(Box::new(move |manager| {
            let _ = answer.send(question(manager));
        })));
        wait.recv().ok()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stop();
    }
}
