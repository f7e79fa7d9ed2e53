//! One connection: its socket, what waits to be sent and to be handled, and counts of both.
//!
//! The socket thread reads, the message thread takes messages and writes; either may find that the connection is over.
//!
//! **Invariant:** a lock here is held for copying bytes and for a system call that does not wait, never for more.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::PeerId;
use crate::counters::Counters;
use crate::message_type;
use crate::permissions::Permissions;
use crate::socket::Waker;
use crate::time::{self, Time};
use crate::transport::{Frame, Received, v1};

/// Bytes read from a socket in one go.
const READ_SIZE: usize = 64 * 1024;

/// Why there is a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionKind {
    /// The peer made it.
    Inbound,
    /// The user asked for it.
    Manual,
    /// Made for blocks, transactions and addresses.
    FullRelay,
    /// Made for blocks alone.
    BlockRelay,
    /// Made to get addresses.
    AddrFetch,
    /// Made to see whether the address answers.
    Feeler,
}

impl ConnectionKind {
    /// Returns the name RPC has for it.
    pub fn name(self) -> &'static str {
        match self {
            ConnectionKind::Inbound => "inbound",
            ConnectionKind::Manual => "manual",
            ConnectionKind::FullRelay => "outbound-full-relay",
            ConnectionKind::BlockRelay => "block-relay-only",
            ConnectionKind::AddrFetch => "addr-fetch",
            ConnectionKind::Feeler => "feeler",
        }
    }

    /// Returns the kind with this name, if it is one that can be asked for.
    pub fn from_name(name: &str) -> Option<ConnectionKind> {
        [ConnectionKind::FullRelay, ConnectionKind::BlockRelay, ConnectionKind::AddrFetch, ConnectionKind::Feeler]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// Says whether the peer made it.
    pub fn is_inbound(self) -> bool {
        self == ConnectionKind::Inbound
    }

    /// Says whether the node made it of itself, to keep up with the network.
    pub(crate) fn is_automatic(self) -> bool {
        matches!(self, ConnectionKind::FullRelay | ConnectionKind::BlockRelay)
    }

    /// Says whether transactions never pass.
    pub(crate) fn is_blocks_only(self) -> bool {
        matches!(self, ConnectionKind::BlockRelay | ConnectionKind::Feeler)
    }
}

/// What is known of a connection when it is made.
#[derive(Debug)]
pub(crate) struct LinkInfo {
    pub id: PeerId,
    pub address: SocketAddr,
    pub bind: Option<SocketAddr>,
    /// As the user gave it, or the address.
    pub name: String,
    pub kind: ConnectionKind,
    pub permissions: Permissions,
    /// Tells a connection to ourselves.
    pub nonce: u64,
    pub connected: Time,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub info: LinkInfo,
    magic: [u8; 4],
    max_send: usize,
    max_receive: usize,
    stream: TcpStream,
    sending: Mutex<Sending>,
    receiving: Mutex<Receiving>,
    over: AtomicBool,
    established: AtomicBool,
    last_send: AtomicI64,
    last_receive: AtomicI64,
    merits: Mutex<Merits>,
    totals: Arc<Counters>,
    waker: Arc<Waker>,
}

/// What speaks for keeping a connection.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Merits {
    /// Shortest round trip.
    pub min_ping: Option<std::time::Duration>,
    /// When its last new block came, Unix seconds.
    pub last_block: i64,
    /// When its last transaction was accepted, Unix seconds.
    pub last_transaction: i64,
    /// It wants transactions.
    pub relays: bool,
}

#[derive(Debug, Default)]
struct Sending {
    queue: VecDeque<(&'static str, Vec<u8>)>,
    /// Bytes of the first that are gone.
    offset: usize,
    queued: usize,
    total: u64,
    by_type: BTreeMap<&'static str, u64>,
}

#[derive(Debug)]
struct Receiving {
    reader: v1::Reader,
    queue: VecDeque<Received>,
    /// Bytes of memory of what is in the queue.
    queued: usize,
    total: u64,
    by_type: BTreeMap<&'static str, u64>,
}

/// Counts of a connection.
#[derive(Debug, Clone)]
pub(crate) struct LinkCounts {
    pub sent: u64,
    pub received: u64,
    pub sent_by_type: BTreeMap<&'static str, u64>,
    pub received_by_type: BTreeMap<&'static str, u64>,
    pub last_send: i64,
    pub last_receive: i64,
}

/// How much may wait on a connection, and what its network is.
#[derive(Debug, Clone)]
pub(crate) struct LinkOptions {
    pub magic: [u8; 4],
    pub max_send: usize,
    pub max_receive: usize,
    pub totals: Arc<Counters>,
    pub waker: Arc<Waker>,
}

impl Link {
    /// Takes over a connected socket.
    pub(crate) fn new(info: LinkInfo, stream: TcpStream, options: &LinkOptions) -> io::Result<Link> {
        stream.set_nonblocking(true)?;
        // Without it a small message may wait for the answer to the one before.
        stream.set_nodelay(true)?;
        if common::logging::log_ips() {
            log::debug!(target: "net", "Added connection to {} peer={}", info.name, info.id);
        } else {
            log::debug!(target: "net", "Added connection peer={}", info.id);
        }
        Ok(Link {
            info,
            magic: options.magic,
            max_send: options.max_send,
            max_receive: options.max_receive,
            stream,
            sending: Mutex::default(),
            receiving: Mutex::new(Receiving {
                reader: v1::Reader::new(options.magic),
                queue: VecDeque::new(),
                queued: 0,
                total: 0,
                by_type: BTreeMap::new(),
            }),
            over: AtomicBool::new(false),
            established: AtomicBool::new(false),
            last_send: AtomicI64::new(0),
            last_receive: AtomicI64::new(0),
            merits: Mutex::default(),
            totals: options.totals.clone(),
            waker: options.waker.clone(),
        })
    }

    /// Returns the socket, to wait for.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Names the peer as log lines do.
    pub(crate) fn peer(&self) -> String {
        if common::logging::log_ips() {
            format!("peer={}, peeraddr={}", self.info.id, self.info.address)
        } else {
            format!("peer={}", self.info.id)
        }
    }

    /// Says that the connection is over; the socket thread closes it.
    pub(crate) fn end(&self) {
        if !self.over.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Says whether the connection is over.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Notes that both sides know each other's version.
    pub(crate) fn set_established(&self) {
        self.established.store(true, Ordering::Release);
    }

    /// Notes what speaks for keeping the connection.
    pub(crate) fn set_merits(&self, merits: Merits) {
        *self.merits.lock().unwrap_or_else(PoisonError::into_inner) = merits;
    }

    /// Returns what speaks for keeping the connection.
    pub(crate) fn merits(&self) -> Merits {
        *self.merits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether both sides know each other's version.
    pub(crate) fn is_established(&self) -> bool {
        self.established.load(Ordering::Acquire)
    }

    /// Sends a message: at once as much as the system takes, the rest when it takes more.
    pub(crate) fn send(&self, name: &'static str, payload: &[u8]) {
        self.send_counted(name, name, payload);
    }

    /// Sends a message that may have any name. Bytes of names nobody knows are counted together.
    pub(crate) fn send_any(&self, name: &str, payload: &[u8]) {
        self.send_counted(message_type::counted(name), name, payload);
    }

    fn send_counted(&self, counted: &'static str, name: &str, payload: &[u8]) {
        if self.is_over() {
            return;
        }
        log::debug!(target: "net", "sending {name} ({} bytes) peer={}", payload.len(), self.info.id);
        let frame = v1::encode(self.magic, name, payload);
        let mut sending = self.sending();
        sending.queued += frame.len();
        sending.queue.push_back((counted, frame));
        if sending.queue.len() == 1 {
            self.write(&mut sending);
            if !sending.queue.is_empty() {
                self.waker.wake();
            }
        }
    }

    /// Sends what is left, as far as the system takes it.
    pub(crate) fn flush(&self) {
        self.write(&mut self.sending());
    }

    /// Says whether something is left to be sent.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.sending().queue.is_empty()
    }

    /// Says whether so much waits to be sent that nothing more of the peer's is handled.
    pub(crate) fn is_congested(&self) -> bool {
        self.sending().queued > self.max_send
    }

    /// Says whether so much waits to be handled that nothing more is read.
    pub(crate) fn is_flooded(&self) -> bool {
        self.receiving().queued > self.max_receive
    }

    /// Reads what came. Returns whether there is a message to be handled.
    pub(crate) fn receive(&self, buffer: &mut Vec<u8>) -> bool {
        buffer.resize(READ_SIZE, 0);
        match (&self.stream).read(buffer) {
            Ok(0) => {
                log::debug!(target: "net", "socket closed, disconnecting {}", self.peer());
                self.end();
                false
            }
            Ok(count) => self.take_in(&buffer[..count]),
            Err(error) if is_temporary(&error) => false,
            Err(error) => {
                log::debug!(target: "net", "socket recv error, disconnecting {}: {}", self.peer(), common::system_error::describe(&error));
                self.end();
                false
            }
        }
    }

    /// Takes the next message to handle, and says whether there are more.
    pub(crate) fn next_message(&self) -> Option<(Received, bool)> {
        let mut receiving = self.receiving();
        let message = receiving.queue.pop_front()?;
        receiving.queued -= message.memory();
        Some((message, !receiving.queue.is_empty()))
    }

    /// Returns the counts.
    pub(crate) fn counts(&self) -> LinkCounts {
        let (sent, sent_by_type) = {
            let sending = self.sending();
            (sending.total, sending.by_type.clone())
        };
        let receiving = self.receiving();
        LinkCounts {
            sent,
            sent_by_type,
            received: receiving.total,
            received_by_type: receiving.by_type.clone(),
            last_send: self.last_send.load(Ordering::Relaxed),
            last_receive: self.last_receive.load(Ordering::Relaxed),
        }
    }

    /// Returns when the last bytes came and went, in Unix seconds; 0 for never.
    pub(crate) fn last_times(&self) -> [i64; 2] {
        [self.last_receive.load(Ordering::Relaxed), self.last_send.load(Ordering::Relaxed)]
    }

    /// Takes in what came. Returns whether there is a message to be handled.
    pub(crate) fn take_in(&self, mut bytes: &[u8]) -> bool {
        let time = time::now();
        self.last_receive.store(time::seconds(time), Ordering::Relaxed);
        self.totals.add_received(bytes.len() as u64);
        let mut receiving = self.receiving();
        receiving.total += bytes.len() as u64;
        while !bytes.is_empty() {
            match receiving.reader.read(&mut bytes) {
                Ok(Some(Frame::Message { name, payload, size })) => {
                    *receiving.by_type.entry(message_type::counted(&name)).or_default() += size as u64;
                    let message = Received { name, payload, time };
                    receiving.queued += message.memory();
                    receiving.queue.push_back(message);
                }
                Ok(Some(Frame::Refused { reason, size })) => {
                    log::debug!(target: "net", "Header error: {reason}, peer={}", self.info.id);
                    *receiving.by_type.entry(message_type::OTHER).or_default() += size as u64;
                }
                Ok(None) => {}
                Err(error) => {
                    log::debug!(target: "net", "Header error: {error}, peer={}", self.info.id);
                    log::debug!(target: "net", "receiving message bytes failed, disconnecting {}", self.peer());
                    self.end();
                    break;
                }
            }
        }
        !receiving.queue.is_empty()
    }

    fn write(&self, sending: &mut Sending) {
        while let Some((name, frame)) = sending.queue.front() {
            let count = match (&self.stream).write(&frame[sending.offset..]) {
                Ok(count) => count,
                Err(error) if is_temporary(&error) => return,
                Err(error) => {
                    log::debug!(target: "net", "socket send error, disconnecting {}: {}", self.peer(), common::system_error::describe(&error));
                    self.end();
                    sending.queue.clear();
                    sending.queued = 0;
                    return;
                }
            };
            let (name, whole) = (*name, frame.len());
            self.last_send.store(time::seconds(time::now()), Ordering::Relaxed);
            self.totals.add_sent(count as u64);
            sending.total += count as u64;
            *sending.by_type.entry(name).or_default() += count as u64;
            sending.offset += count;
            if sending.offset < whole {
                return;
            }
            sending.offset = 0;
            sending.queued -= whole;
            sending.queue.pop_front();
        }
    }

    fn sending(&self) -> MutexGuard<'_, Sending> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receiving(&self) -> MutexGuard<'_, Receiving> {
        self.receiving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn pair(max_send: usize, max_receive: usize) -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, address) = listener.accept().unwrap();
        let info = LinkInfo {
            id: 0,
            address,
            bind: None,
            name: address.to_string(),
            kind: ConnectionKind::Inbound,
            permissions: Permissions::NONE,
            nonce: 0,
            connected: time::now(),
        };
        let waker = Arc::new(Waker::new().unwrap().0);
        let options = LinkOptions { magic: [1, 2, 3, 4], max_send, max_receive, totals: Default::default(), waker };
        (Link::new(info, stream, &options).unwrap(), other)
    }

    /// Reads until `done`, or the connection is over.
    fn receive_until(link: &Link, done: impl Fn() -> bool) {
        let mut buffer = Vec::new();
        while !done() && !link.is_over() {
            link.receive(&mut buffer);
            std::thread::yield_now();
        }
    }

    #[test]
    fn bytes_are_counted_by_message() {
        let (link, mut other) = pair(1000, 1000);
        link.send("ping", &[0; 8]);
        let mut got = [0; 32];
        other.read_exact(&mut got).unwrap();
        other.write_all(&v1::encode([1, 2, 3, 4], "pong", &[0; 8])).unwrap();
        other.write_all(&v1::encode([1, 2, 3, 4], "gnop", &[])).unwrap();
        receive_until(&link, || link.counts().received == 56);
        let counts = link.counts();
        assert_eq!(counts.sent_by_type, BTreeMap::from([("ping", 32)]));
        assert_eq!(counts.received_by_type, BTreeMap::from([("*other*", 24), ("pong", 32)]));
        let (message, more) = link.next_message().unwrap();
        assert_eq!((&message.name[..], more), ("pong", true));
    }

    #[test]
    fn a_peer_that_does_not_read_congests_and_one_that_floods_waits() {
        let (link, mut other) = pair(100, 100);
        while !link.is_congested() {
            link.send("block", &[0; 100_000]);
        }
        assert!(link.has_unsent());
        other.write_all(&v1::encode([1, 2, 3, 4], "tx", &[0; 200])).unwrap();
        receive_until(&link, || link.is_flooded());
        assert!(link.is_flooded());
        link.next_message().unwrap();
        assert!(!link.is_flooded());
        // Messages without payload take memory too.
        other.write_all(&v1::encode([1, 2, 3, 4], "verack", &[])).unwrap();
        receive_until(&link, || link.receiving().queue.len() == 1);
        assert!(link.receiving().queued >= size_of::<Received>());
    }

    #[test]
    fn foreign_bytes_end_the_connection() {
        let (link, mut other) = pair(100, 100);
        other.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        receive_until(&link, || false);
        assert!(link.is_over());
    }
}
