//! One encrypted connection: the exchange of keys, then bytes carried both ways between it and a local socket.
//!
//! **Invariant:** at most one buffer of each direction is in memory; who does not read holds up the other side, not this
//! process. Everything but the carrying of an open connection has a deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::pins::Fingerprint;
use super::{Error, Result};

/// Bytes carried at a time.
const CHUNK: usize = 1 << 16;

/// How long the other side may take to read the last of what it is sent.
const LINGER: Duration = Duration::from_secs(2);

/// What the other side may still send meanwhile, in bytes.
const LINGER_SIZE: usize = 1 << 20;

/// An encrypted connection.
pub(crate) struct Session {
    stream: TcpStream,
    tls: rustls::Connection,
    /// What is being read, as it came. TLS reads small parts only, each of which would be a system call.
    wire: Box<[u8]>,
    /// What came and is not handed on yet.
    inbound: Vec<u8>,
}

/// Returns `None` for what only means that there is nothing to do now.
fn unless_blocked<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Waits for descriptors; those without anything to wait for must not be among them, or their end would wake it at once.
fn wait(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> Result<()> {
    let left = deadline.map(|deadline| deadline.checked_duration_since(Instant::now()).ok_or(Error::TimedOut));
    let timeout = left.transpose()?.and_then(|left| Timespec::try_from(left).ok());
    match poll(fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

impl Session {
    /// Begins on a socket that does not block.
    pub(super) fn new(stream: TcpStream, mut tls: rustls::Connection) -> Session {
        // Bounded here: nothing is taken while there is something to send.
        tls.set_buffer_limit(None);
        Session { stream, tls, wire: vec![0; CHUNK].into(), inbound: Vec::with_capacity(CHUNK) }
    }

    /// Returns the other side's key.
    pub(super) fn peer(&self) -> Option<Fingerprint> {
        self.tls.peer_certificates()?.first().map(Fingerprint::of)
    }

    /// Exchanges keys; tells the other side why if that fails.
    pub(super) fn set_up(mut self, deadline: Instant) -> Result<Session> {
        match self.handshake(deadline) {
            Ok(()) => Ok(self),
            Err(error) => {
                self.finish();
                Err(error)
            }
        }
    }

    fn handshake(&mut self, deadline: Instant) -> Result<()> {
        loop {
            self.send()?;
            if !self.tls.is_handshaking() && !self.tls.wants_write() {
                return Ok(());
            }
            let mut wanted = PollFlags::IN;
            wanted.set(PollFlags::OUT, self.tls.wants_write());
            wait(&mut [PollFd::new(&self.stream, wanted)], Some(deadline))?;
            if !self.receive()? && self.tls.is_handshaking() {
                return Err(Error::Left);
            }
        }
    }

    /// Sends what there is room for.
    fn send(&mut self) -> Result<()> {
        while self.tls.wants_write() {
            if unless_blocked(self.tls.write_tls(&mut self.stream))?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Reads some of what has come; `false` at the end.
    fn receive(&mut self) -> Result<bool> {
        let Some(count) = unless_blocked(self.stream.read(&mut self.wire))? else { return Ok(true) };
        let mut came = &self.wire[..count];
        loop {
            self.tls.read_tls(&mut came)?;
            if let Err(error) = self.tls.process_new_packets() {
                // Tells the other side why, if it still listens.
                let _ = self.send();
                return Err(error.into());
            }
            match self.tls.reader().read_to_end(&mut self.inbound) {
                Ok(_) => return Ok(false),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(false),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if came.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Carries bytes both ways until either side has ended.
    ///
    /// # Errors
    /// If the connection broke, or the other side said why it does not go on.
    pub(crate) fn carry(&mut self, local: &UnixStream) -> Result<()> {
        local.set_nonblocking(true)?;
        let mut chunk = vec![0; CHUNK];
        let mut given_up = None;
        let mut open = true;
        loop {
            self.deliver(local);
            let ended = !self.collect(local, &mut chunk)?;
            self.send()?;
            if !open && self.inbound.is_empty() || ended && !self.tls.wants_write() {
                return Ok(());
            }
            let full = self.tls.wants_write();
            let (mut remote_wants, mut local_wants) = (PollFlags::empty(), PollFlags::empty());
            remote_wants.set(PollFlags::IN, open && self.inbound.is_empty());
            remote_wants.set(PollFlags::OUT, full);
            local_wants.set(PollFlags::IN, !full);
            local_wants.set(PollFlags::OUT, !self.inbound.is_empty());
            // The end of the local side shows even if nothing is wanted of it; it is looked at once.
            let mut fds = vec![PollFd::new(local, local_wants)];
            if given_up.is_some() && local_wants.is_empty() {
                fds.clear();
            }
            if !remote_wants.is_empty() {
                fds.push(PollFd::new(&self.stream, remote_wants));
            }
            wait(&mut fds, given_up)?;
            let local_hung_up = !fds.is_empty() && fds[0].revents().contains(PollFlags::HUP);
            let readable = fds.last().is_some_and(|fd| fd.revents().intersects(!PollFlags::OUT));
            drop(fds);
            if local_hung_up && given_up.is_none() {
                given_up = Some(Instant::now() + LINGER);
            }
            if readable && remote_wants.contains(PollFlags::IN) {
                open &= self.receive()?;
            }
        }
    }

    /// Hands on what came. An end of the local side shows when it is read from.
    fn deliver(&mut self, local: &UnixStream) {
        while !self.inbound.is_empty() {
            match unless_blocked((&*local).write(&self.inbound)) {
                Ok(Some(count)) => drop(self.inbound.drain(..count)),
                Ok(None) => return,
                Err(_) => self.inbound.clear(),
            }
        }
    }

    /// Takes what is to be sent, if what was taken before is on its way; `false` at the end.
    fn collect(&mut self, local: &UnixStream, chunk: &mut [u8]) -> Result<bool> {
        while !self.tls.wants_write() {
            match unless_blocked((&*local).read(chunk)) {
                Ok(Some(0)) | Err(_) => {
                    self.tls.send_close_notify();
                    return Ok(false);
                }
                Ok(Some(count)) => self.tls.writer().write_all(&chunk[..count])?,
                Ok(None) => return Ok(true),
            }
            self.send()?;
        }
        Ok(true)
    }

    /// Ends the connection so that what was sent last can still be read.
    pub(crate) fn finish(mut self) {
        let deadline = Instant::now() + LINGER;
        let _ = self.send();
        let mut left = LINGER_SIZE;
        let mut unread = [0; 4096];
        // Closing a socket that has something to read would take back what was sent.
        if self.stream.shutdown(Shutdown::Write).is_ok() {
            while left > 0 && wait(&mut [PollFd::new(&self.stream, PollFlags::IN)], Some(deadline)).is_ok() {
                match unless_blocked(self.stream.read(&mut unread)) {
                    Ok(Some(0)) | Err(_) => break,
                    Ok(count) => left = left.saturating_sub(count.unwrap_or(0)),
                }
            }
        }
    }
}
