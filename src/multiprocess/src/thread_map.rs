//! Threads as the two sides refer to them: ours that wait for a call, and those made here for the other side's calls.
//!
//! **Invariant:** a thread made for the other side ends with the object that stands for it, or with the connection.

use std::rc::Rc;
use std::sync::Arc;

use capnp_rpc::new_client;

use crate::Error;
use crate::peer::Peer;
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
        for index in 0..params.get()?.get_count() {
            let context = spawn(&self.peer, &format!("pool/{index}"), limit)?;
            self.peer.pool.borrow_mut().push(context);
        }
        Ok(())
    }
}

/// Returns the thread of the pool with the least to do.
pub(crate) fn pooled(peer: &Peer) -> Result<Arc<ThreadContext>, Error> {
    let least = peer.pool.borrow().iter().min_by_key(|thread| thread.load()).cloned();
    least.ok_or_else(|| Error::failed("no thread specified and no pool configured"))
}

/// Returns the thread for methods that take no context, made at their first call. Such methods do not take time and
/// may be what ends a call on another thread, so they queue behind nothing but themselves.
pub(crate) fn plain(peer: &Peer) -> Result<Arc<ThreadContext>, Error> {
    if let Some(thread) = &*peer.plain.borrow() {
        return Ok(thread.clone());
    }
    let thread = spawn(peer, "calls without a thread", peer.shared.options.threads)?;
    *peer.plain.borrow_mut() = Some(thread.clone());
    Ok(thread)
}

/// Starts a thread that runs calls of the other side until its context is closed.
fn spawn(peer: &Peer, purpose: &str, limit: usize) -> Result<Arc<ThreadContext>, Error> {
    let slot = peer.shared.take_thread(limit).ok_or_else(|| Error::Overloaded(format!("more than {limit} threads")))?;
    // The name comes from outside: a system thread's name can hold neither control characters nor much text.
    let purpose: String = purpose.chars().filter(|c| !c.is_control()).take(80).collect();
    let name = format!("{} ({purpose})", crate::program_name());
    let context = ThreadContext::new(name.clone(), true);
    let (running, reactor, io) = (context.clone(), peer.reactor.clone(), peer.shared.io.clone());
    let started = std::thread::Builder::new().name(name).spawn(move || {
        running.serve(&reactor, &io);
        drop(slot);
    });
    started.map_err(|error| Error::failed(format!("cannot start a thread: {error}")))?;
    Ok(context)
}
