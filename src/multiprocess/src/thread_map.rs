//! Threads as the two sides refer to them: ours that wait for a call, and those made here for the other side's calls.
//!
//! **Invariant:** a thread made for the other side ends with the object that stands for it, or with the connection.

use std::rc::Rc;
use std::sync::Arc;

use capnp_rpc::new_client;

use crate::Error;
use crate::connection::ThreadSlot;
use crate::peer::Peer;
use crate::pool::Queue;
use crate::proxy_capnp::{thread, thread_map};
use crate::thread::ThreadContext;

/// Serves threads to the other side.
pub(crate) fn new_thread_map(peer: &Rc<Peer>) -> thread_map::Client {
    new_client(ThreadMapServer { peer: peer.clone() })
}

/// One of our threads as the other side refers to it.
pub(crate) struct ThreadServer {
    pub(crate) context: Arc<ThreadContext>,
    /// Whom it was made for, if for the other side: it ends with this object.
    owner: Option<Rc<Peer>>,
}

impl ThreadServer {
    /// A thread of ours that calls the other side.
    pub(crate) fn waiting(context: Arc<ThreadContext>) -> Self {
        ThreadServer { context, owner: None }
    }
}

impl Drop for ThreadServer {
    fn drop(&mut self) {
        if let Some(peer) = &self.owner {
            close(peer, &self.context);
        }
    }
}

impl thread::Server for ThreadServer {
    async fn get_name(
        self: Rc<Self>,
        _: thread::GetNameParams,
        mut results: thread::GetNameResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_result(self.context.name());
        Ok(())
    }
}

/// Ends a thread made for the other side. The calls it has not come to are answered.
pub(crate) fn close(peer: &Peer, thread: &ThreadContext) {
    let stale = thread.close();
    if !stale.is_empty() {
        peer.chore(Box::new(move || drop(stale)));
    }
}

/// Makes threads for the other side.
struct ThreadMapServer {
    peer: Rc<Peer>,
}

impl thread_map::Server for ThreadMapServer {
    async fn make_thread(
        self: Rc<Self>,
        params: thread_map::MakeThreadParams,
        mut results: thread_map::MakeThreadResults,
    ) -> Result<(), capnp::Error> {
        let limit = self.peer.shared.options.threads;
        self.peer.local_threads.borrow_mut().gc();
        let from = params.get()?.get_name()?.to_str()?;
        let context = spawn(&self.peer, &format!("from {from}"), limit)?;
        let server = ThreadServer { context, owner: Some(self.peer.clone()) };
        results.get().set_result(self.peer.local_threads.borrow_mut().new_client(server));
        Ok(())
    }

    async fn make_pool(
        self: Rc<Self>,
        params: thread_map::MakePoolParams,
        _: thread_map::MakePoolResults,
    ) -> Result<(), capnp::Error> {
        if !self.peer.pool.borrow().is_empty() {
            return Err(capnp::Error::failed("makePool called on connection with existing pool".to_owned()));
        }
        let limit = self.peer.shared.options.threads;
        // All of them or none.
        let count = params.get()?.get_count();
        let slots = (0..count).map(|_| slot(&self.peer, limit)).collect::<Result<Vec<_>, _>>()?;
        for (index, slot) in slots.into_iter().enumerate() {
            let mut pool = self.peer.pool.borrow_mut();
            let context = start(&self.peer, &format!("pool/{index}"), Some(slot), Some(pool.queue.clone()))?;
            pool.threads.push(context);
        }
        Ok(())
    }
}

/// Asks the other side for a pool, if one is wanted. Calls go to it from when it is there.
pub(crate) fn ask_for_pool(peer: &Rc<Peer>, map: &thread_map::Client) {
    let count = peer.shared.options.pool;
    if count == 0 || peer.shared.has_pool() {
        return;
    }
    let mut request = map.make_pool_request();
    request.get().set_count(u32::try_from(count).unwrap_or(u32::MAX));
    let answer = request.send().promise;
    let shared = peer.shared.clone();
    peer.local.spawner.spawn(async move {
        match answer.await {
            Ok(_) => shared.mark_pooled(),
            Err(error) => {
                let error = Error::from(error);
                log::debug!(target: "ipc", "{} makes no pool of threads: {error}", shared.options.peer);
            }
        }
    });
}

/// Returns the thread for methods that take no context, made at their first call. Such methods do not take time and
/// may be what ends a call on another thread, so they queue behind nothing but themselves, and the thread does not count
/// against the limit.
pub(crate) fn plain(peer: &Peer) -> Result<Arc<ThreadContext>, Error> {
    if let Some(thread) = &*peer.plain.borrow() {
        return Ok(thread.clone());
    }
    let thread = start(peer, "calls without a thread", None, None)?;
    *peer.plain.borrow_mut() = Some(thread.clone());
    Ok(thread)
}

/// Counts one more thread for the other side.
fn slot(peer: &Peer, limit: usize) -> Result<ThreadSlot, Error> {
    peer.shared.take_thread(limit).ok_or_else(|| Error::Overloaded(format!("more than {limit} threads")))
}

fn spawn(peer: &Peer, purpose: &str, limit: usize) -> Result<Arc<ThreadContext>, Error> {
    start(peer, purpose, Some(slot(peer, limit)?), None)
}

/// Starts a thread that runs calls of the other side until its context is closed.
fn start(
    peer: &Peer,
    purpose: &str,
    slot: Option<ThreadSlot>,
    pool: Option<Arc<Queue>>,
) -> Result<Arc<ThreadContext>, Error> {
    // The name comes from outside: a system thread's name can hold neither control characters nor much text.
    let purpose: String = purpose.chars().filter(|c| !c.is_control()).take(80).collect();
    let name = format!("{} ({purpose})", crate::program_name());
    let context = ThreadContext::pooled(name.clone(), pool);
    let (running, reactor, io) = (context.clone(), peer.reactor.clone(), peer.shared.io.clone());
    let started = std::thread::Builder::new().name(name).spawn(move || {
        running.serve(&reactor, &io);
        drop(slot);
    });
    started.map_err(|error| Error::failed(format!("cannot start a thread: {error}")))?;
    Ok(context)
}
