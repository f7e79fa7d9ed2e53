//! A connection that is made again when it is lost.
//!
//! While it is down, whoever wants something of the other side is told so at once; a thread makes it again meanwhile, at
//! first soon and then ever more rarely. What was reached over the old one stays lost: [`Remade`] asks for it again, and
//! [`TipFollower`] goes on where it was.
//!
//! **Invariant:** no call is made twice. What was under way when the connection ended may have been carried out or not; its
//! caller is told, and decides.

mod tips;

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use interfaces::{Error, Result};
use multiprocess::CancelToken;

pub use tips::{TipEvent, TipFollower};

/// A connection, or what keeps one: clones are the same connection.
pub trait Linked: Clone + Send + Sync + 'static {
    /// Has `callback` run once the connection ended, at once if it has.
    fn on_disconnect(&self, callback: Box<dyn FnOnce() + Send>);
}

/// Pauses before attempts. The first attempt after a connection that lasted is made at once.
#[derive(Debug, Clone, Copy)]
pub struct Pauses {
    /// Before the second attempt; doubled for each one after it.
    pub first: Duration,
    /// The longest; also how long a connection has to last for the next attempt to be made at once.
    pub longest: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Pauses { first: Duration::from_millis(100), longest: Duration::from_secs(60) }
    }
}

impl Pauses {
    /// Returns the pause after one of `last`.
    fn after(&self, last: Duration) -> Duration {
        (last * 2).clamp(self.first, self.longest)
    }
}

/// How long [`Reconnecting::stop`] waits for an attempt that does not end when its calls are cancelled.
const STOP_LIMIT: Duration = Duration::from_secs(1);

/// A connection that is made again when it is lost. Dropping it ends it, as [`Reconnecting::stop`] does.
pub struct Reconnecting<T: Linked> {
    shared: Arc<Shared<T>>,
    /// What attempts are made under.
    attempts: CancelToken,
    /// The thread that makes them, and what is at its end when the thread is.
    keeper: Mutex<Option<(JoinHandle<()>, Receiver<()>)>>,
}

struct Shared<T> {
    name: String,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// Counts the connections made so far.
    generation: u64,
    present: Option<T>,
    /// The last one, until the keeper has dropped it.
    lost: Option<T>,
    stopping: bool,
}

/// What is said while there is no connection.
fn down() -> Error {
    Error::Disconnected { call: String::new() }
}

impl<T: Linked> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change until a deadline; `None` if it has passed.
    fn wait_until<'a>(&self, state: MutexGuard<'a, State<T>>, deadline: Instant) -> Option<MutexGuard<'a, State<T>>> {
        let left = deadline.checked_duration_since(Instant::now())?;
        Some(self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0)
    }

    fn present(&self) -> Result<(u64, T)> {
        let state = self.state();
        state.present.clone().map(|present| (state.generation, present)).ok_or_else(down)
    }

    /// Lets everybody have a new connection; `false` if nobody wants it any more.
    fn publish(self: &Arc<Self>, connection: T) -> bool {
        let mut state = self.state();
        if state.stopping {
            return false;
        }
        state.generation += 1;
        let generation = state.generation;
        state.present = Some(connection.clone());
        drop(state);
        self.changed.notify_all();
        let weak = Arc::downgrade(self);
        connection.on_disconnect(Box::new(move || {
            if let Some(shared) = weak.upgrade() {
                shared.lose(generation);
            }
        }));
        true
    }

    fn lose(&self, generation: u64) {
        let mut state = self.state();
        if state.generation == generation && state.present.is_some() {
            state.lost = state.present.take();
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Waits until there is something to do: `false` if that is to stop.
    fn wait_lost(&self) -> bool {
        let mut state = self.state();
        while state.present.is_some() && !state.stopping {
            state = self.wait(state);
        }
        let lost = state.lost.take();
        let stopping = state.stopping;
        drop(state);
        // It may be the last to hold what takes time to end.
        drop(lost);
        !stopping
    }

    /// Waits before an attempt; `false` if it is to stop.
    fn pause(&self, pause: Duration) -> bool {
        let deadline = Instant::now() + pause;
        let mut state = self.state();
        while !state.stopping {
            match self.wait_until(state, deadline) {
                Some(next) => state = next,
                None => return true,
            }
        }
        false
    }

    /// Makes the connection whenever there is none.
    fn keep(self: &Arc<Self>, pauses: Pauses, attempts: &CancelToken, connect: impl Fn() -> Result<T>) {
        let (mut pause, mut since) = (Duration::ZERO, Some(Instant::now()));
        while self.wait_lost() {
            if since.take().is_some_and(|since| since.elapsed() >= pauses.longest) {
                pause = Duration::ZERO;
            }
            if !self.pause(pause) {
                return;
            }
            pause = pauses.after(pause);
            match attempts.run(&connect) {
                Ok(connection) => {
                    since = Some(Instant::now());
                    if !self.publish(connection) {
                        return;
                    }
                }
                Err(error) if self.state().stopping => {
                    log::debug!(target: "ipc", "{} is not connected to any more: {error}", self.name);
                }
                Err(error) => {
                    log::warn!(
                        "{} cannot be connected to: {error}; next attempt in {:.1} s",
                        self.name,
                        pause.as_secs_f64()
                    );
                }
            }
        }
    }
}

impl<T: Linked> Reconnecting<T> {
    /// Connects, and again whenever the connection is lost. `name` is the other side's, for the log; `connect` runs on a
    /// thread of its own, but for the first time, and there with its calls cancelled by [`Self::halt`].
    ///
    /// # Errors
    /// What `connect` answers the first time.
    pub fn start(
        name: &str,
        pauses: Pauses,
        connect: impl Fn() -> Result<T> + Send + 'static,
    ) -> Result<Reconnecting<T>> {
        let state = State { generation: 0, present: None, lost: None, stopping: false };
        let shared = Arc::new(Shared { name: name.to_owned(), state: Mutex::new(state), changed: Condvar::new() });
        shared.publish(connect()?);
        let (keeping, attempts) = (shared.clone(), CancelToken::new());
        let (running, ended) = channel();
        let under = attempts.clone();
        let keep = move || {
            let _running = running;
            keeping.keep(pauses, &under, connect);
        };
        let keeper = std::thread::Builder::new().name("ipc-keep".into()).spawn(keep).map_err(Error::internal)?;
        Ok(Reconnecting { shared, attempts, keeper: Mutex::new(Some((keeper, ended))) })
    }

    /// Returns the connection there is now.
    ///
    /// # Errors
    /// [`Error::Disconnected`] if there is none.
    pub fn get(&self) -> Result<T> {
        self.shared.present().map(|(_, present)| present)
    }

    /// Like [`Self::get`], waiting for one up to a limit.
    ///
    /// # Errors
    /// [`Error::Disconnected`] if there is none in time.
    pub fn wait(&self, limit: Duration) -> Result<T> {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.state();
        loop {
            if let Some(present) = &state.present {
                return Ok(present.clone());
            }
            if state.stopping {
                return Err(down());
            }
            state = self.shared.wait_until(state, deadline).ok_or_else(down)?;
        }
    }

    /// Returns a handle of something reached over the connection, which `make` asks for anew after each loss.
    pub fn remade<U: Clone>(&self, make: impl Fn(&T) -> Result<U> + Send + Sync + 'static) -> Remade<T, U> {
        Remade { source: self.shared.clone(), make: Box::new(make), made: Mutex::default() }
    }

    /// Connects no more, and does not wait for an attempt that is being made, whose calls are cancelled; returns the
    /// connection there was.
    pub fn halt(&self) -> Option<T> {
        let mut state = self.shared.state();
        state.stopping = true;
        let present = state.present.take();
        drop(state);
        self.shared.changed.notify_all();
        self.attempts.cancel();
        present
    }

    /// Connects no more; returns the connection there was. An attempt that does not end within a second though its calls
    /// are cancelled is left to itself: what comes of it is dropped.
    pub fn stop(&self) -> Option<T> {
        self.stop_within(STOP_LIMIT)
    }

    /// Like [`Self::stop`], with another limit on how long an attempt is waited for.
    pub fn stop_within(&self, limit: Duration) -> Option<T> {
        let present = self.halt();
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        let name = &self.shared.name;
        if let Some((keeper, ended)) = keeper {
            if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                log::debug!(target: "ipc", "an attempt to connect to {name} is not waited for any longer");
            } else if keeper.join().is_err() {
                log::error!(target: "ipc", "the thread that connects to {name} panicked");
            }
        }
        present
    }
}

impl<T: Linked> Drop for Reconnecting<T> {
    fn drop(&mut self) {
        drop(self.stop());
    }
}

/// Asks for an object on a new connection.
type Make<T, U> = Box<dyn Fn(&T) -> Result<U> + Send + Sync>;

/// An object of the other side that is asked for again after the connection was lost.
pub struct Remade<T: Linked, U> {
    source: Arc<Shared<T>>,
    make: Make<T, U>,
    made: Mutex<Option<(u64, U)>>,
}

impl<T: Linked, U: Clone> Remade<T, U> {
    /// Returns the object as the present connection has it.
    ///
    /// # Errors
    /// [`Error::Disconnected`] if there is no connection, or what the other side answers to being asked for it.
    pub fn get(&self) -> Result<U> {
        self.current().map(|(_, object)| object)
    }

    /// The same with the number of the connection.
    fn current(&self) -> Result<(u64, U)> {
        let made = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let (generation, connection) = self.source.present()?;
        if let Some((of, object)) = &*made()
            && *of == generation
        {
            return Ok((generation, object.clone()));
        }
        let object = (self.make)(&connection)?;
        let old = made().replace((generation, object.clone()));
        drop(old);
        Ok((generation, object))
    }

    /// Waits until there is another connection than that of `generation`; `false` if there will be none, or `ended`.
    fn wait_other(&self, generation: u64, ended: &CancelToken) -> bool {
        let mut state = self.source.state();
        loop {
            if state.stopping || ended.is_cancelled() {
                return false;
            }
            if state.present.is_some() && state.generation != generation {
                return true;
            }
            state = self.source.wait(state);
        }
    }

    /// Has those who wait look again.
    fn wake(&self) {
        drop(self.source.state());
        self.source.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest() {
        let pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(5) };
        let mut last = Duration::ZERO;
        let grown: Vec<_> = (0..5)
            .map(|_| {
                last = pauses.after(last);
                last.as_secs()
            })
            .collect();
        assert_eq!(grown, [1, 2, 4, 5, 5]);
    }
}
