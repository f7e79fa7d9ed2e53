//! Connections that have not shown a key yet: few at a time, and the newest rather than the oldest.

use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections without a key at a time. One that comes on top costs the oldest its place: who does as agreed is done
/// within moments, who only sits there is in the way.
const LIMIT: usize = 32;

/// Where connections wait that have not shown a key.
#[derive(Default)]
pub(crate) struct Lobby {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    streams: VecDeque<(u64, TcpStream)>,
}

/// A place in the lobby, until dropped.
pub(crate) struct Place {
    lobby: Arc<Lobby>,
    number: u64,
}

impl Lobby {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a connection a place.
    pub(crate) fn enter(self: &Arc<Self>, stream: &TcpStream) -> io::Result<Place> {
        let stream = stream.try_clone()?;
        let mut waiting = self.waiting();
        let number = waiting.next;
        waiting.next += 1;
        if waiting.streams.len() >= LIMIT
            && let Some((_, oldest)) = waiting.streams.pop_front()
        {
            // Fails if it is gone already.
            let _ = oldest.shutdown(Shutdown::Both);
        }
        waiting.streams.push_back((number, stream));
        Ok(Place { lobby: self.clone(), number })
    }

    /// Ends everything that waits.
    pub(crate) fn clear(&self) {
        for (_, stream) in self.waiting().streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lobby.waiting().streams.retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let lobby = Arc::new(Lobby::default());
        let mut all: Vec<_> = (0..=LIMIT)
            .map(|_| {
                let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                let stream = listener.accept().unwrap().0;
                let place = lobby.enter(&stream).unwrap();
                (client, stream, place)
            })
            .collect();
        assert_eq!(all[0].0.read(&mut [0]).unwrap(), 0);
        all[1].0.set_nonblocking(true).unwrap();
        assert_eq!(all[1].0.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(all.pop());
        assert_eq!(lobby.waiting().streams.len(), LIMIT - 1);
        lobby.clear();
        all[1].0.set_nonblocking(false).unwrap();
        assert_eq!(all[1].0.read(&mut [0]).unwrap(), 0);
    }
}
