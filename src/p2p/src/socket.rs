//! The socket thread: accepts connections, reads what comes, writes what is left, and closes what is over.
//!
//! **Invariant:** it waits for sockets only, so that one busy or silent peer costs the others nothing.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::connect::Connector;
use crate::link::Link;
use crate::listen::Listener;
use crate::time::{self, Time};

/// Longest time between two looks at what is over.
const INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// Connections accepted in one go.
const MAX_ACCEPTED: usize = 64;
/// Silence after which a connection is over.
const SILENCE: Duration = Duration::from_secs(20 * 60);

/// Wakes the socket thread.
#[derive(Debug)]
pub(crate) struct Waker {
    write: UnixStream,
    stopping: AtomicBool,
}

impl Waker {
    /// Makes a waker and what it wakes.
    pub(crate) fn new() -> std::io::Result<(Waker, UnixStream)> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        Ok((Waker { write, stopping: AtomicBool::new(false) }, read))
    }

    /// Wakes the thread.
    pub(crate) fn wake(&self) {
        // If there is no room it is being woken.
        let _ = (&self.write).write(&[0]);
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake();
    }
}

/// Runs the thread until the waker stops it.
pub(crate) fn run(connector: &Arc<Connector>, listeners: &[Listener], wakened: &UnixStream) {
    let mut buffer = Vec::new();
    while !connector.waker.stopping.load(Ordering::Acquire) {
        sweep(connector);
        let links = connector.links.all();
        let (accept, ready) = wait(listeners, &links, wakened, &mut buffer);
        for listener in accept {
            accept_all(connector, listener);
        }
        let mut received = false;
        for (link, events) in ready {
            if events.contains(PollFlags::OUT) {
                let was_congested = link.is_congested();
                link.flush();
                received |= was_congested && !link.is_congested();
            }
            if events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                received |= link.receive(&mut buffer);
            }
        }
        if received {
            connector.links.inbox().wake();
        }
    }
}

/// Closes what is over and ends what is silent for too long.
fn sweep(connector: &Connector) {
    let now = time::now();
    let active = connector.links.is_active();
    for link in connector.links.all() {
        if !active && !link.is_over() {
            log::debug!(target: "net", "Network not active, disconnecting {}", link.peer());
            link.end();
        }
        if !link.is_over() && is_inactive(&link, now, connector.config.peer_timeout) {
            link.end();
        }
        if link.is_over() {
            log::debug!(target: "net", "Resetting socket for {}", link.peer());
            let _ = link.stream().shutdown(std::net::Shutdown::Both);
            connector.links.remove(link.info.id);
        }
    }
}

/// Says whether a connection has been silent for too long.
fn is_inactive(link: &Link, now: Time, timeout: Duration) -> bool {
    if link.info.connected + timeout >= now {
        return false;
    }
    let counts = link.last_times();
    let peer = link.peer();
    if counts.contains(&0) {
        let never = [", never received from peer", ", never sent to peer"];
        let never: String = counts.iter().zip(never).filter(|(last, _)| **last == 0).map(|(_, text)| text).collect();
        log::debug!(target: "net", "socket no message in first {} seconds{never}, disconnecting {peer}", timeout.as_secs());
        return true;
    }
    let since = counts.map(|last| time::seconds(now) - last);
    let limit = i64::try_from(SILENCE.as_secs()).unwrap_or(i64::MAX);
    if since[1] > limit {
        log::debug!(target: "net", "socket sending timeout: {}s, disconnecting {peer}", since[1]);
        return true;
    }
    if since[0] > limit {
        log::debug!(target: "net", "socket receive timeout: {}s, disconnecting {peer}", since[0]);
        return true;
    }
    if !link.is_established() {
        log::debug!(target: "net", "version handshake timeout, disconnecting {peer}");
        return true;
    }
    false
}

/// Waits until something can be done, and returns with what.
fn wait<'a>(
    listeners: &'a [Listener],
    links: &'a [Arc<Link>],
    wakened: &UnixStream,
    buffer: &mut Vec<u8>,
) -> (Vec<&'a Listener>, Vec<(&'a Arc<Link>, PollFlags)>) {
    let mut sockets = vec![PollFd::new(wakened, PollFlags::IN)];
    sockets.extend(listeners.iter().map(|listener| PollFd::new(&listener.socket, PollFlags::IN)));
    sockets.extend(links.iter().map(|link| {
        let mut events = PollFlags::empty();
        if !link.is_flooded() {
            events |= PollFlags::IN;
        }
        if link.has_unsent() {
            events |= PollFlags::OUT;
        }
        PollFd::new(link.stream(), events)
    }));
    match poll(&mut sockets, Some(&INTERVAL)) {
        Ok(0) | Err(_) => return (Vec::new(), Vec::new()),
        Ok(_) => {}
    }
    let events: Vec<PollFlags> = sockets.iter().map(PollFd::revents).collect();
    if !events[0].is_empty() {
        buffer.resize(64, 0);
        let _ = { wakened }.read(buffer);
    }
    let accept =
        listeners.iter().zip(&events[1..]).filter(|(_, events)| !events.is_empty()).map(|(listener, _)| listener);
    let ready = links.iter().zip(&events[1 + listeners.len()..]);
    let ready = ready.filter(|(_, events)| !events.is_empty()).map(|(link, events)| (link, *events));
    (accept.collect(), ready.collect())
}

/// Accepts connections that wait: so many that those which give way for them are closed soon.
fn accept_all(connector: &Connector, listener: &Listener) {
    for _ in 0..MAX_ACCEPTED {
        match listener.socket.accept() {
            Ok((stream, address)) => connector.accepted(stream, address, &listener.bind),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(error) => {
                log::info!("socket error accept failed: {}", common::system_error::describe(&error));
                return;
            }
        }
    }
}
