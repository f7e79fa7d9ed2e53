//! A connection's socket, and who waits for it.
//!
//! One thread at a time waits for the socket to have something to read. Usually that is a thread that needs what comes:
//! the one that waits for an answer, or the one that serves the other side's calls and has nothing to do. It *leads* the
//! connection, so that a message wakes the thread it is for and no other in between. While nobody leads, the event
//! loop's thread waits, and it always waits for room to write. Who waits is a matter of arming the socket in the event
//! loop's epoll; changing it wakes nobody.
//!
//! **Invariant:** a socket that nobody leads is armed. A leader that goes away, or that is about to run something, resigns.

use std::io::{self, IoSlice, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

/// Bytes that the system may keep for the other side, so that those who send and read a long message change turns less.
const ROOM: usize = 1 << 20;

/// A socket that threads take turns in waiting for.
pub(crate) struct Io {
    stream: UnixStream,
    id: u64,
    epoll: Arc<OwnedFd>,
    /// Wakes the leader.
    wake: OwnedFd,
    interest: Mutex<Interest>,
}

#[derive(Default)]
struct Interest {
    /// A thread waits for something to read.
    led: bool,
    /// There is something to write and no room.
    full: bool,
    /// What the event loop's thread waits for.
    armed: EventFlags,
    /// Nobody reads any more.
    deaf: bool,
    closed: bool,
}

impl Io {
    /// Takes over a socket; it is armed with [`Self::arm`].
    pub(crate) fn new(stream: UnixStream, id: u64, epoll: Arc<OwnedFd>) -> io::Result<Arc<Io>> {
        stream.set_nonblocking(true)?;
        // The system gives less if it does not allow as much; the default does as well, only slower.
        let _ = set_socket_send_buffer_size(&stream, ROOM);
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&*epoll, &stream, EventData::new_u64(id), EventFlags::ONESHOT)?;
        Ok(Arc::new(Io { stream, id, epoll, wake, interest: Mutex::default() }))
    }

    /// Returns the id of the connection.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Returns the socket, to read from.
    pub(crate) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Returns the socket, to write to.
    pub(crate) fn writer(&self) -> Writer<'_> {
        Writer(&self.stream)
    }

    fn interest(&self) -> MutexGuard<'_, Interest> {
        self.interest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, interest: &mut Interest) {
        let mut wanted = EventFlags::empty();
        wanted.set(EventFlags::IN, !interest.led && !interest.deaf);
        wanted.set(EventFlags::OUT, interest.full);
        if interest.closed || wanted == interest.armed {
            return;
        }
        interest.armed = wanted;
        let flags = wanted | EventFlags::ONESHOT;
        if let Err(error) = epoll::modify(&*self.epoll, &self.stream, EventData::new_u64(self.id), flags) {
            log::error!(target: "ipc", "cannot wait for a socket: {error}");
        }
    }

    /// Has the event loop's thread wait for whatever nobody else waits for.
    pub(crate) fn arm(&self) {
        self.apply(&mut self.interest());
    }

    /// Notes that the event loop's thread saw an event: it waits no more, and there may be room to write.
    pub(crate) fn fired(&self) {
        let mut interest = self.interest();
        interest.armed = EventFlags::empty();
        interest.full = false;
    }

    /// Has nobody wait for something to read: there is no more, or it is of no use.
    pub(crate) fn set_deaf(&self) {
        let mut interest = self.interest();
        interest.deaf = true;
        self.apply(&mut interest);
        drop(interest);
        self.wake();
    }

    /// Says whether there is nothing to read any more.
    pub(crate) fn is_deaf(&self) -> bool {
        let interest = self.interest();
        interest.deaf || interest.closed
    }

    /// Has the event loop's thread wait for room to write.
    pub(crate) fn set_full(&self) {
        let mut interest = self.interest();
        interest.full = true;
        self.apply(&mut interest);
    }

    /// Makes the calling thread the leader, if nobody is.
    fn lead(&self) -> bool {
        let mut interest = self.interest();
        if interest.led || interest.deaf || interest.closed {
            return false;
        }
        interest.led = true;
        self.apply(&mut interest);
        true
    }

    fn resign(&self) {
        let mut interest = self.interest();
        interest.led = false;
        self.apply(&mut interest);
    }

    /// Wakes the leader.
    pub(crate) fn wake(&self) {
        // It fails only if so many wakes are waiting that one more makes no difference.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Waits as the leader; says whether the socket has something to read, or ended. `false`: woken, or too late.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut fds = [PollFd::new(&self.stream, PollFlags::IN), PollFd::new(&self.wake, PollFlags::IN)];
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                log::error!(target: "ipc", "cannot wait for a socket: {error}");
                std::thread::park_timeout(Duration::from_millis(10));
            }
        }
        let [socket, wake] = fds.map(|fd| !fd.revents().is_empty());
        if wake {
            let mut count = [0; 8];
            // A wake that is gone already is one that was meant for now.
            let _ = rustix::io::read(&self.wake, &mut count);
        }
        socket
    }

    /// Ends the connection for both sides and wakes the leader.
    pub(crate) fn close(&self) {
        let mut interest = self.interest();
        if std::mem::replace(&mut interest.closed, true) {
            return;
        }
        // Both fail only on a socket that is of no use any more.
        let _ = epoll::delete(&*self.epoll, &self.stream);
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        drop(interest);
        self.wake();
    }
}

/// Writes to a socket. That the other side is gone is an error and never a signal: it would end a program that has not
/// turned that off, such as one in C that uses this as a library.
pub(crate) struct Writer<'a>(&'a UnixStream);

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let none = &mut SendAncillaryBuffer::default();
        Ok(sendmsg(self.0, slices, none, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A thread's turn at leading a connection. Dropping it resigns.
pub(crate) struct Lead<'a> {
    io: &'a Arc<Io>,
    held: bool,
}

impl<'a> Lead<'a> {
    /// A turn that has not begun.
    pub(crate) fn new(io: &'a Arc<Io>) -> Self {
        Lead { io, held: false }
    }

    /// Leads from now on, or still; `false` if another thread does, or there is nothing to lead any more.
    pub(crate) fn take(&mut self) -> bool {
        if self.held && self.io.is_deaf() {
            self.resign();
        }
        self.held = self.held || self.io.lead();
        self.held
    }

    /// Leaves it to others.
    pub(crate) fn resign(&mut self) {
        if std::mem::take(&mut self.held) {
            self.io.resign();
        }
    }

    /// Returns what is led.
    pub(crate) fn io(&self) -> &'a Arc<Io> {
        self.io
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.resign();
    }
}
