//! What the functions do, without C.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use interfaces::{Echo, Init, Mining, Rpc, TipRef};

use crate::api::{MP_DISCONNECTED, MP_FAILED, MP_FOREVER, MP_TIMED_OUT};
use crate::report::Failure;
use crate::signals;

/// Longer than anybody waits.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A connection and the objects reached over it, each made when it is first needed.
pub(crate) struct Client {
    // Before the objects: they must not ask a peer to release what the end of the connection releases.
    link: multiprocess::Connection,
    init: Arc<dyn Init>,
    echo: Made<dyn Echo>,
    mining: Made<dyn Mining>,
    rpc: Made<dyn Rpc>,
}

/// An object that is made once.
struct Made<T: ?Sized>(Mutex<Option<Arc<T>>>);

impl<T: ?Sized> Made<T> {
    const fn not_yet() -> Self {
        Made(Mutex::new(None))
    }

    /// Returns the object. Threads that come at the same time may each make one; the first stays.
    fn get(&self, make: impl FnOnce() -> interfaces::Result<Arc<T>>) -> interfaces::Result<Arc<T>> {
        let slot = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*slot() {
            return Ok(made.clone());
        }
        let made = make()?;
        Ok(slot().get_or_insert(made).clone())
    }
}

/// The time that a call has.
#[derive(Clone, Copy)]
struct Limit(Option<Instant>);

impl Limit {
    fn new(milliseconds: u32) -> Self {
        let limit = Duration::from_millis(milliseconds.into());
        Limit((milliseconds != MP_FOREVER).then(|| Instant::now() + limit))
    }

    fn left(self) -> Option<Duration> {
        self.0.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Does what calls the node.
    fn within<T>(self, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        match self.left() {
            Some(left) => multiprocess::within(left, work),
            None => work(),
        }
    }
}

impl Client {
    pub(crate) fn connect(address: String, timeout: u32) -> Result<Client, Failure> {
        if matches!(address.as_str(), "unix" | "unix:") {
            return Err(Failure::invalid(format!("'{address}' names no socket: unix: and its path are needed")));
        }
        // Which would be made, and looked for, wherever the program happens to run.
        if address.starts_with("tls") {
            return Err(Failure::invalid(format!("'{address}' needs keys, which this library has no place for")));
        }
        // What a relative path starts at is the current directory.
        let connect = || signals::blocked(|| ipc::connect(&address, Path::new(""), "node"));
        // Without any, connecting has a limit of its own.
        let (link, init) = multiprocess::within(Limit::new(timeout).left().unwrap_or(FOREVER), connect)?;
        let (echo, mining, rpc) = (Made::not_yet(), Made::not_yet(), Made::not_yet());
        Ok(Client { link, init, echo, mining, rpc })
    }

    pub(crate) fn disconnect(&self) {
        self.link.close();
    }

    pub(crate) fn echo(&self, text: String, timeout: u32) -> Result<String, Failure> {
        Limit::new(timeout).within(|| Ok(self.echo.get(|| self.init.make_echo())?.echo(text)?))
    }

    pub(crate) fn rpc(&self, request: String, uri: String, timeout: u32) -> Result<String, Failure> {
        Limit::new(timeout).within(|| {
            let rpc = self.rpc.get(|| self.init.make_rpc())?;
            Ok(rpc.execute_rpc(request, uri, String::new())?)
        })
    }

    pub(crate) fn tip(&self, timeout: u32) -> Result<TipRef, Failure> {
        Limit::new(timeout).within(|| {
            let tip = self.mining()?.tip()?;
            tip.ok_or_else(|| Failure::new(MP_FAILED, "the chain has no block yet"))
        })
    }

    /// Waits until the tip is not `known`.
    pub(crate) fn wait_tip(&self, known: Option<BlockHash>, timeout: u32) -> Result<TipRef, Failure> {
        let limit = Limit::new(timeout);
        limit.within(|| {
            let mining = self.mining()?;
            // Both sides stop waiting at the same time, so that no wait is left behind there.
            let left = limit.left().map_or(f64::MAX, |left| left.as_secs_f64() * 1000.0);
            match mining.wait_tip_changed(known.unwrap_or(BlockHash::all_zeros()), left)? {
                Some(tip) if Some(tip.hash) != known => Ok(tip),
                Some(_) => Err(Failure::new(MP_TIMED_OUT, "the tip has not changed")),
                None => Err(Failure::new(MP_DISCONNECTED, "the node is shutting down")),
            }
        })
    }

    fn mining(&self) -> Result<Arc<dyn Mining>, Failure> {
        Ok(self.mining.get(|| self.init.make_mining())?)
    }
}
