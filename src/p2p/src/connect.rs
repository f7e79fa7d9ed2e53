//! Makes connections: takes those of peers, and the ones the user asked for (`-connect`, `-addnode`, `addnode`).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use common::system_error;
use rand::seq::SliceRandom;

use crate::address;
use crate::config::{Bind, Config};
use crate::counters::Counters;
use crate::eviction::{self, Candidate};
use crate::link::{ConnectionKind, Link, LinkInfo, LinkOptions, Merits};
use crate::links::Links;
use crate::permissions::Permissions;
use crate::socket::Waker;
use crate::time;

/// Connections to nodes of the list of added nodes.
pub(crate) const MAX_ADDED: usize = 8;
/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(500);
/// Time after which added nodes are tried again, when all were tried.
const RETRY: Duration = Duration::from_secs(60);
/// Time after which the list of added nodes is looked at again.
const LOOK: Duration = Duration::from_secs(2);

/// What making connections needs.
pub(crate) struct Connector {
    pub config: Config,
    pub links: Links,
    pub waker: Arc<Waker>,
    pub options: LinkOptions,
    group_key: RandomState,
    added: Mutex<Vec<String>>,
    stopped: Mutex<bool>,
    stopping: Condvar,
}

impl Connector {
    /// Puts one together.
    pub(crate) fn new(config: Config, waker: Waker, magic: [u8; 4]) -> Self {
        let waker = Arc::new(waker);
        let options = LinkOptions {
            magic,
            max_send: config.max_send,
            max_receive: config.max_receive,
            totals: Arc::new(Counters::new(config.upload_target)),
            waker: waker.clone(),
        };
        Connector {
            links: Links::new(config.active),
            added: Mutex::new(config.add_nodes.clone()),
            group_key: RandomState::new(),
            waker,
            options,
            config,
            stopped: Mutex::new(false),
            stopping: Condvar::new(),
        }
    }

    /// Takes a connection a peer made.
    pub(crate) fn accepted(&self, stream: TcpStream, address: SocketAddr, bind: &Bind) {
        let permissions = if bind.onion {
            bind.permissions.resolve(self.config.incoming.relay, self.config.incoming.force_relay)
        } else {
            self.config.incoming.permissions(address.ip(), bind.permissions)
        };
        if !self.links.is_active() {
            log::debug!(target: "net", "connection from {address} dropped: not accepting new connections");
            return;
        }
        if !self.make_room() {
            log::debug!(target: "net", "failed to find an eviction candidate - connection dropped (full)");
            return;
        }
        let name = address.to_string();
        if self.add(stream, address, name, ConnectionKind::Inbound, permissions) {
            log::debug!(target: "net", "connection from {address} accepted");
        }
    }

    /// Makes room for one more inbound connection: ends one that is not worth keeping if all places are taken. Returns
    /// whether there is room.
    fn make_room(&self) -> bool {
        let mut links = self.links.all();
        links.retain(|link| link.info.kind.is_inbound() && !link.is_over());
        if links.len() < self.config.limits.inbound {
            return true;
        }
        let candidates = links.iter().filter(|link| !link.info.permissions.has(Permissions::NO_BAN)).map(|link| {
            let Merits { min_ping, last_block, last_transaction, relays } = link.merits();
            Candidate {
                id: link.info.id,
                connected: link.info.connected,
                min_ping,
                last_block,
                last_transaction,
                relays,
                group: self.group_key.hash_one(address::group(link.info.address.ip())),
                is_local: address::is_local(link.info.address.ip()),
            }
        });
        let Some(id) = eviction::select(candidates.collect()) else { return false };
        if let Some(link) = links.iter().find(|link| link.info.id == id) {
            log::debug!(
                target: "net",
                "selected {} connection for eviction, disconnecting {}",
                link.info.kind.name(),
                link.peer()
            );
            link.end();
        }
        true
    }

    /// Connects to a host, unless there is a connection to it. Waits until that is done or has failed.
    pub(crate) fn connect(&self, name: &str, kind: ConnectionKind) -> bool {
        if *self.lock_stopped() || !self.links.is_active() || self.links.is_connected_to_name(name) {
            return false;
        }
        log::debug!(target: "net", "trying v1 connection ({}) to {name}, lastseen=0.0hrs", kind.name());
        let mut addresses = address::resolve(name, self.config.default_port, self.config.name_lookup);
        addresses.shuffle(&mut rand::thread_rng());
        if let Some(known) = addresses.iter().find(|address| self.links.is_connected_to(**address)) {
            log::info!("Not opening a connection to {name}, already connected to {known}");
            return false;
        }
        for address in addresses {
            match TcpStream::connect_timeout(&address, self.config.connect_timeout) {
                Ok(stream) => {
                    let permissions = match kind {
                        ConnectionKind::Manual => self.config.outgoing.permissions(address.ip(), Permissions::NONE),
                        _ => Permissions::NONE,
                    };
                    return self.add(stream, address, name.to_owned(), kind, permissions);
                }
                Err(error) => {
                    let text = failure(address, &error);
                    // An attempt given up is no error of the system's, and its user is not told.
                    if kind == ConnectionKind::Manual && error.raw_os_error().is_some() {
                        log::info!("{text}");
                    } else {
                        log::debug!(target: "net", "{text}");
                    }
                }
            }
        }
        false
    }

    fn add(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        name: String,
        kind: ConnectionKind,
        permissions: Permissions,
    ) -> bool {
        let info = LinkInfo {
            id: self.links.next_id(),
            address,
            bind: stream.local_addr().ok(),
            name,
            kind,
            permissions,
            nonce: rand::random(),
            connected: time::now(),
        };
        match Link::new(info, stream, &self.options) {
            Ok(link) => {
                self.links.add(Arc::new(link));
                self.waker.wake();
                true
            }
            Err(error) => {
                log::info!("connection from {address} dropped: {error}");
                false
            }
        }
    }

    /// Puts a node on the list of added nodes; false if it is there.
    pub(crate) fn add_node(&self, name: &str) -> bool {
        let resolve = |name: &str| address::parse(name, self.config.default_port);
        let address = resolve(name);
        let mut added = self.lock_added();
        if added.iter().any(|other| other == name || (address.is_some() && resolve(other) == address)) {
            return false;
        }
        added.push(name.to_owned());
        true
    }

    /// Takes a node off the list; false if it is not there.
    pub(crate) fn remove_node(&self, name: &str) -> bool {
        let mut added = self.lock_added();
        let before = added.len();
        added.retain(|other| other != name);
        added.len() < before
    }

    /// Returns the list of added nodes, each with the connection to it.
    pub(crate) fn added_nodes(&self) -> Vec<(String, Option<Arc<Link>>)> {
        let links = self.links.all();
        let find = |name: &String| match address::parse(name, self.config.default_port) {
            Some(address) => links.iter().find(|link| link.info.address == address),
            None => links.iter().find(|link| link.info.name == *name),
        };
        self.lock_added().iter().map(|name| (name.clone(), find(name).cloned())).collect()
    }

    /// Ends the threads below.
    pub(crate) fn stop(&self) {
        *self.lock_stopped() = true;
        self.stopping.notify_all();
    }

    /// Waits; false if the end came.
    fn pause(&self, time: Duration) -> bool {
        let stopped = self.lock_stopped();
        let (stopped, _) = self
            .stopping
            .wait_timeout_while(stopped, time, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        !*stopped
    }

    fn lock_added(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_stopped(&self) -> std::sync::MutexGuard<'_, bool> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says why a connection was not made: the other side was waited for, or the system did not even begin.
fn failure(address: SocketAddr, error: &std::io::Error) -> String {
    use std::io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, TimedOut};
    let reason = system_error::describe(error);
    match error.kind() {
        TimedOut if error.raw_os_error().is_none() => format!("connection attempt to {address} timed out"),
        ConnectionRefused | ConnectionReset | HostUnreachable | TimedOut => {
            format!("connect() to {address} failed after wait: {reason}")
        }
        _ => format!("connect() to {address} failed: {reason}"),
    }
}

/// Keeps up the connections of `-connect`.
pub(crate) fn keep_connections(connector: &Connector) {
    for turn in 0u32.. {
        for name in &connector.config.connect {
            connector.connect(name, ConnectionKind::Manual);
            // Ever longer between attempts, up to ten pauses.
            for _ in 0..turn.min(10) {
                if !connector.pause(PAUSE) {
                    return;
                }
            }
        }
        if !connector.pause(PAUSE) {
            return;
        }
    }
}

/// Keeps up connections to the added nodes.
pub(crate) fn keep_added(connector: &Connector) {
    loop {
        let mut tried = false;
        let open = connector.added_nodes();
        let mut connected = open.iter().filter(|(_, link)| link.is_some()).count();
        for (name, link) in open {
            if link.is_some() || connected >= MAX_ADDED {
                continue;
            }
            tried = true;
            if connector.connect(&name, ConnectionKind::Manual) {
                connected += 1;
            }
            if !connector.pause(PAUSE) {
                return;
            }
        }
        if !connector.pause(if tried { RETRY } else { LOOK }) {
            return;
        }
    }
}
