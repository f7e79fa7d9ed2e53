//! The event loop's side of a connection: the capabilities behind handles, the threads of both sides, the calls in
//! progress.
//!
//! **Invariant:** everything here lives on the event loop's thread, and a borrow of a cell is never held while
//! Cap'n Proto or a destructor may run.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use capnp::MessageSize;
use capnp::capability::{Client, FromClientHook, Promise, Response};
use capnp::private::capability::ClientHook;
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{CapabilityServerSet, Disconnector, RpcSystem, new_broken_cap};
use futures::future::AbortHandle;

use crate::connection::{Role, Shared};
use crate::core::{Chore, Due, Local};
use crate::event_loop::{CallCommand, Reactor, Request};
use crate::gate::Gate;
use crate::io::Io;
use crate::message::{Cap, CapTable, Message};
use crate::network::{Channel, Network};
use crate::pool::Pool;
use crate::proxy_capnp::thread;
use crate::proxy_capnp::thread_map::Client as ThreadMap;
use crate::server;
use crate::thread::{AnswerTo, ThreadContext};
use crate::thread_map::{self, ThreadServer, new_thread_map};
use crate::workers::{End, Worker, Workers};
use crate::{Connection, Error, Interface, Kind, Object, shape_capnp};

/// How long an orderly close may take before the socket is dropped.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// The event loop's side of a connection.
pub(crate) struct Peer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) reactor: Arc<Reactor>,
    pub(crate) local: Local,
    pub(crate) channel: Channel,
    caps: RefCell<Slab>,
    /// Objects of ours that the other side holds.
    pub(crate) objects: Cell<usize>,
    /// Makes threads over there; known once `construct` was exchanged.
    pub(crate) thread_map: RefCell<Option<ThreadMap>>,
    /// Their threads that serve ours.
    pub(crate) workers: RefCell<Workers>,
    /// Our threads as they call back on them, by id.
    callback_threads: RefCell<HashMap<u64, thread::Client>>,
    /// Recognises our threads when they come back.
    pub(crate) local_threads: RefCell<CapabilityServerSet<ThreadServer, thread::Client>>,
    /// Threads for calls that name none.
    pub(crate) pool: RefCell<Pool>,
    /// Runs calls of methods that take no context, so that they wait for no other.
    pub(crate) plain: RefCell<Option<Arc<ThreadContext>>>,
    /// Opens when the latest of them has ended.
    pub(crate) gate: RefCell<Option<Arc<Gate>>>,
    /// Our calls in progress, by ticket.
    calls: RefCell<HashMap<u64, Pending>>,
    /// Calls of our own objects by ourselves, which cross no connection.
    pub(crate) own_calls: Cell<u64>,
    /// Offers the bootstrap object.
    serves: Cell<bool>,
    disconnector: RefCell<Option<Disconnector<Side>>>,
    rpc_task: RefCell<Option<AbortHandle>>,
}

/// A call of ours in progress.
struct Pending {
    answer: AnswerTo,
    task: Option<AbortHandle>,
    deadline: Option<Instant>,
    /// Who serves it, and the thread of ours that it serves.
    worker: Option<(u64, Rc<Worker>)>,
}

/// Whose threads the context of a call means.
struct Threads<'a> {
    ours: &'a Arc<ThreadContext>,
    theirs: Option<Box<dyn ClientHook>>,
}

type Results = Response<capnp::any_pointer::Owned>;

/// Ends a connection with its RPC system.
struct Ended(Rc<Peer>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended();
    }
}

/// Capabilities by number.
#[derive(Default)]
struct Slab {
    entries: Vec<Option<Box<dyn ClientHook>>>,
    free: Vec<usize>,
}

impl Slab {
    fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    fn insert(&mut self, hook: Box<dyn ClientHook>) -> usize {
        if let Some(index) = self.free.pop() {
            self.entries[index] = Some(hook);
            return index;
        }
        self.entries.push(Some(hook));
        self.entries.len() - 1
    }

    fn get(&self, index: usize) -> Option<Box<dyn ClientHook>> {
        self.entries.get(index)?.as_ref().map(|hook| hook.add_ref())
    }

    fn remove(&mut self, index: usize) -> Option<Box<dyn ClientHook>> {
        let hook = self.entries.get_mut(index)?.take()?;
        self.free.push(index);
        Some(hook)
    }
}

impl Peer {
    /// Takes over a connection's socket.
    pub(crate) fn attach(shared: Arc<Shared>, role: Role, reactor: &Arc<Reactor>, local: &Local) {
        let alarm = {
            let (local, reactor, id) = (local.clone(), reactor.clone(), shared.id);
            move |at| {
                if local.end_at(at, Due::Message(id)) {
                    reactor.wake();
                }
            }
        };
        let channel = Channel::new(shared.io.clone(), &shared.options, local.dirty.clone(), Box::new(alarm));
        let peer = Rc::new(Peer {
            shared: shared.clone(),
            reactor: reactor.clone(),
            local: local.clone(),
            channel,
            caps: RefCell::default(),
            objects: Cell::default(),
            thread_map: RefCell::default(),
            workers: RefCell::default(),
            callback_threads: RefCell::default(),
            local_threads: RefCell::default(),
            pool: RefCell::default(),
            plain: RefCell::default(),
            gate: RefCell::default(),
            calls: RefCell::default(),
            own_calls: Cell::default(),
            serves: Cell::default(),
            disconnector: RefCell::default(),
            rpc_task: RefCell::default(),
        });
        local.peers.borrow_mut().insert(shared.id, peer.clone());
        peer.start(role);
        shared.io.arm();
    }

    fn start(self: &Rc<Self>, role: Role) {
        let side = if matches!(role, Role::Client { .. }) { Side::Client } else { Side::Server };
        self.serves.set(side == Side::Server);
        if self.serves.get() {
            log::debug!(target: "ipc", "{} IPC server: socket connected", self.shared.options.peer);
        }
        let network = Box::new(Network::new(side, self.channel.clone()));
        let rpc = match role {
            Role::Server { service } => {
                RpcSystem::new(network, Some(Client::new(server::new_object(self, service).into_client_hook())))
            }
            Role::Client { interface } => {
                let mut rpc = RpcSystem::new(network, None);
                let bootstrap: Client = rpc.bootstrap(Side::Server);
                self.caps.borrow_mut().insert(bootstrap.hook.add_ref());
                self.construct(&bootstrap, interface);
                rpc
            }
        };
        *self.disconnector.borrow_mut() = Some(rpc.get_disconnector());
        let peer = self.clone();
        let task = self.local.spawner.spawn(async move {
            // Also when the RPC system panics.
            let peer = Ended(peer);
            if let Err(error) = rpc.await {
                let error = Error::from(error);
                log::debug!(target: "ipc", "{}: {error}", peer.0.shared.options.peer);
                peer.0.shared.note_end(error);
            }
        });
        *self.rpc_task.borrow_mut() = Some(task);
    }

    /// Lets tasks read and write; returns the socket, to be waited for again afterwards.
    pub(crate) fn ready(&self) -> Arc<Io> {
        self.shared.io.fired();
        self.channel.ready();
        self.shared.io.clone()
    }

    /// Exchanges thread maps with the other side. Calls need not wait for the answer.
    fn construct(self: &Rc<Self>, bootstrap: &Client, interface: &'static Interface) {
        let Some(method) = interface.method_of_kind(Kind::Construct) else { return };
        let mut request = bootstrap
            .new_call::<shape_capnp::with_thread_map::Owned, shape_capnp::with_thread_map::Owned>(
                method.interface_id,
                method.ordinal,
                None,
            );
        request.get().set_thread_map(new_thread_map(self));
        let sent = request.send();
        let promised = sent.pipeline.get_thread_map();
        *self.thread_map.borrow_mut() = Some(promised.clone());
        thread_map::ask_for_pool(self, &promised);
        let peer = self.clone();
        self.local.spawner.spawn(async move {
            // The direct capability takes the place of the promised one.
            if let Ok(response) = sent.promise.await
                && let Ok(map) = response.get().and_then(|results| results.get_thread_map())
            {
                let promised = peer.thread_map.replace(Some(map));
                drop(promised);
            }
        });
    }

    pub(crate) fn set_thread_map(self: &Rc<Self>, map: Option<ThreadMap>) {
        if let Some(map) = &map {
            thread_map::ask_for_pool(self, map);
        }
        let old = self.thread_map.replace(map);
        drop(old);
    }

    /// A handle for code that serves calls of this connection.
    pub(crate) fn connection(&self) -> Connection {
        Connection::weak(self.shared.clone())
    }

    /// Has something dropped or run away from the event loop.
    pub(crate) fn chore(&self, chore: Chore) {
        // The receiver outlives the event loop's sender.
        let _ = self.local.chores.send(chore);
    }

    /// Makes a handle for a capability.
    pub(crate) fn import(&self, hook: Box<dyn ClientHook>) -> Object {
        let cap = self.caps.borrow_mut().insert(hook);
        Object::new(self.shared.clone(), cap)
    }

    pub(crate) fn release(&self, cap: usize) {
        let hook = self.caps.borrow_mut().remove(cap);
        drop(hook);
    }

    fn capability(&self, object: &Object) -> Box<dyn ClientHook> {
        let found = if object.connection_id() == self.shared.id {
            self.caps.borrow().get(object.cap())
        } else {
            let other = self.local.peers.borrow().get(&object.connection_id()).cloned();
            other.and_then(|other| other.caps.borrow().get(object.cap()))
        };
        found.unwrap_or_else(|| new_broken_cap(capnp::Error::disconnected("disconnected".to_owned())).hook)
    }

    /// Takes a message out of the RPC system, which `read` has it read.
    pub(crate) fn take<'a>(
        &self,
        read: impl FnOnce() -> Result<capnp::any_pointer::Reader<'a>, capnp::Error>,
    ) -> Result<Message, Error> {
        let limit = self.shared.options.objects;
        let left = limit.saturating_sub(self.caps.borrow().len());
        Message::take(&self.channel, (left, limit), read, |hook| self.import(hook))
    }

    /// Turns what results refer to into capabilities.
    pub(crate) fn export(self: &Rc<Self>, caps: &[Option<Cap>]) -> Result<CapTable, Error> {
        self.export_with(caps, None)
    }

    fn export_with(self: &Rc<Self>, caps: &[Option<Cap>], threads: Option<&Threads<'_>>) -> Result<CapTable, Error> {
        let new = caps.iter().flatten().filter(|cap| matches!(cap, Cap::Service(_))).count();
        let limit = self.shared.options.objects;
        if new > 0 && self.objects.get() + new > limit {
            return Err(Error::Overloaded(format!("more than {limit} objects")));
        }
        let export = |cap: &Cap| match (cap, threads) {
            (Cap::Object(object), _) => Some(self.capability(object)),
            (Cap::Service(service), _) => Some(server::new_object(self, service.clone()).into_client_hook()),
            (Cap::RequestThread, Some(threads)) => threads.theirs.clone(),
            (Cap::CallbackThread, Some(threads)) => Some(self.callback_thread(threads.ours)),
            (Cap::RequestThread | Cap::CallbackThread, None) => None,
        };
        Ok(caps.iter().map(|cap| cap.as_ref().and_then(export)).collect())
    }

    fn callback_thread(&self, thread: &Arc<ThreadContext>) -> Box<dyn ClientHook> {
        if let Some(known) = self.callback_threads.borrow().get(&thread.id()) {
            return known.clone().into_client_hook();
        }
        let client = self.local_threads.borrow_mut().new_client(ThreadServer::waiting(thread.clone()));
        self.callback_threads.borrow_mut().insert(thread.id(), client.clone());
        client.into_client_hook()
    }

    pub(crate) fn thread_gone(&self, thread: u64, heir: Option<u64>) {
        let worker = self.workers.borrow_mut().thread_gone(thread, heir);
        let callback = self.callback_threads.borrow_mut().remove(&thread);
        drop((worker, callback));
        self.local_threads.borrow_mut().gc();
    }

    /// Sends a call of ours.
    pub(crate) fn call(self: &Rc<Self>, call: CallCommand) {
        let CallCommand { request, answer, deadline } = call;
        let ticket = request.ticket;
        self.calls.borrow_mut().insert(ticket, Pending { answer, task: None, deadline, worker: None });
        if let Some(deadline) = deadline
            && self.local.end_at(deadline, Due::Call(self.shared.id, ticket))
        {
            self.reactor.wake();
        }
        let worker = match (&request.thread, &request.caller) {
            (Some(thread), None) if request.message.names_thread() => self.worker(thread),
            _ => None,
        };
        self.send(request, worker);
    }

    /// Sends a call that was sent before, to a worker that was not made.
    pub(crate) fn send_again(self: &Rc<Self>, request: Request, worker: Rc<Worker>) {
        let Some(task) = self.calls.borrow_mut().get_mut(&request.ticket).map(|pending| pending.task.take()) else {
            return;
        };
        task.iter().for_each(AbortHandle::abort);
        self.send(request, Some(worker));
    }

    fn send(self: &Rc<Self>, request: Request, worker: Option<Rc<Worker>>) {
        let Request { ticket, ref trace, .. } = request;
        let (trace, thread) = (trace.clone(), request.thread.as_ref().map(|thread| thread.id()));
        // Until it is known whether the worker is made, the request is kept.
        let asked = worker.as_ref().and_then(|worker| worker.asked());
        let before = self.channel.calls_sent();
        let (promise, request) = match self.write(request, worker.as_ref(), asked.is_some()) {
            Ok(sent) => sent,
            Err(error) => {
                if let Some(Pending { answer, .. }) = self.take_call(ticket, End::Failed) {
                    answer.send(Err(error));
                }
                return;
            }
        };
        let number = self.channel.calls_sent();
        // A call of what has turned out to be an object of ours, or broken, does not leave.
        if let Some(trace) = trace
            && number > before
        {
            trace.left(number);
        }
        if let (Some(worker), Some(request)) = (&worker, request) {
            worker.keep(request);
        }
        let worker = thread.zip(worker);
        if let Some((thread, worker)) = &worker {
            self.workers.borrow_mut().begin(*thread, worker);
        }
        let peer = self.clone();
        let task = self.local.spawner.spawn(async move {
            let result = promise.await;
            // An error may be that of the worker.
            if let Some(asked) = asked.filter(|_| result.is_err()) {
                let _ = asked.await;
            }
            peer.answered(ticket, result);
        });
        if let Some(pending) = self.calls.borrow_mut().get_mut(&ticket) {
            (pending.task, pending.worker) = (Some(task), worker);
        }
    }

    /// Has the RPC system send a call. Returns it if it is to be kept.
    fn write(
        self: &Rc<Self>,
        mut request: Request,
        worker: Option<&Rc<Worker>>,
        keep: bool,
    ) -> Result<(Promise<Results, capnp::Error>, Option<Request>), Error> {
        if !self.channel.has_room(request.message.size()) {
            let limit = self.shared.options.bytes;
            return Err(Error::Overloaded(format!("the other side has not read {limit} bytes")));
        }
        if keep {
            request.message = request.message.gather()?;
        }
        let Request { ref target, method, ref thread, ref caller, ref message, .. } = request;
        let threads = thread.as_ref().map(|ours| Threads {
            ours,
            theirs: match caller {
                Some(caller) => Some(self.capability(caller)),
                None => worker.map(|worker| worker.thread().into_client_hook()),
            },
        });
        let mut hook = self.capability(target);
        let table = self.export_with(&message.caps, threads.as_ref())?;
        let send = |hook: &dyn ClientHook, message: &Message| -> Result<_, Error> {
            let params = message.reader(&table)?;
            let size = MessageSize { word_count: params.target_size()?.word_count, cap_count: table.len() as u32 };
            let mut request = hook.new_call(method.interface_id, method.ordinal, Some(size));
            request.hook.get().set_as::<capnp::any_pointer::Owned>(params)?;
            // The message's segments are copied; the handles it holds are released here, on the loop.
            Ok(request.send().promise)
        };
        if !message.has_attachments() {
            return Ok((send(&*hook, message)?, keep.then_some(request)));
        }
        // What has turned out to be elsewhere is called there, and not after the message has been written.
        while let Some(resolved) = hook.get_resolved() {
            hook = resolved;
        }
        let promise = match request.message.split() {
            (message, None) => send(&*hook, &message)?,
            (message, Some(along)) => match self.channel.with_along(along, || send(&*hook, &message)) {
                (sent, None) => sent?,
                (_, Some(along)) => send(&*hook, &message.join(along)?)?,
            },
        };
        Ok((promise, None))
    }

    fn answered(&self, ticket: u64, result: Result<Results, capnp::Error>) {
        let end = if result.is_ok() { End::Answered } else { End::Failed };
        let Some(Pending { answer, .. }) = self.take_call(ticket, end) else { return };
        self.shared.mark_hung(false);
        if end == End::Answered {
            self.shared.mark_answered();
        }
        let message = result.map_err(Error::from).and_then(|response| self.take(|| response.get()));
        answer.send(message);
    }

    /// Gives up on a call of ours.
    pub(crate) fn cancel(&self, ticket: u64) {
        if let Some(Pending { task: Some(task), .. }) = self.take_call(ticket, End::GivenUp) {
            task.abort();
        }
    }

    /// Gives up on a call of ours whose time is over.
    pub(crate) fn timed_out(&self, ticket: u64) {
        if let Some(Pending { answer, task, .. }) = self.take_call(ticket, End::GivenUp) {
            task.iter().for_each(AbortHandle::abort);
            answer.send(Err(Error::TimedOut));
        }
    }

    fn take_call(&self, ticket: u64, end: End) -> Option<Pending> {
        let call = self.calls.borrow_mut().remove(&ticket)?;
        if let Some(deadline) = call.deadline {
            self.local.in_time(deadline, Due::Call(self.shared.id, ticket));
        }
        if let Some((thread, worker)) = &call.worker {
            self.workers.borrow_mut().end(*thread, worker, ticket, end);
        }
        Some(call)
    }

    /// Takes the result of a call of theirs.
    pub(crate) fn served(&self, call: u64, result: Result<Message, Error>) {
        let unwanted = match self.channel.end_serving(call) {
            Some(sender) => sender.send(result).err(),
            None => Some(result),
        };
        // The call was cancelled. What it made may be the last to hold an object.
        if let Some(result) = unwanted {
            self.chore(Box::new(move || drop(result)));
        }
    }

    /// Ends the connection if a message has taken too long to arrive.
    pub(crate) fn check_message(&self) {
        if self.channel.check_message() {
            self.end_soon();
        }
    }

    /// Gives the connection up after a while, however much there is to send.
    pub(crate) fn end_soon(&self) {
        self.local.end_at(Instant::now() + CLOSE_LIMIT, Due::Connection(self.shared.id));
        self.reactor.wake();
    }

    /// Ends the connection in an orderly way, or after a while in any.
    pub(crate) fn close(self: &Rc<Self>) {
        self.shared.mark_closed();
        let disconnector = self.disconnector.borrow_mut().take();
        let Some(disconnector) = disconnector else { return };
        let peer = self.clone();
        self.local.spawner.spawn(async move {
            // An error here only says that the other side was faster.
            let _ = disconnector.await;
            peer.ended();
        });
        self.end_soon();
    }

    /// Lets go of everything. Calls in progress fail, waiters wake.
    pub(crate) fn ended(&self) {
        if self.local.peers.borrow_mut().remove(&self.shared.id).is_some() {
            self.let_go();
        }
    }

    /// What [`Self::ended`] does with a connection that is off the list.
    pub(crate) fn let_go(&self) {
        self.shared.mark_closed();
        // A last word, if there is room for it; the second time fails and lets go of what is left.
        self.channel.flush();
        self.shared.io.close();
        self.channel.flush();
        if let Some(task) = self.rpc_task.take() {
            task.abort();
        }
        if self.serves.get() {
            log::debug!(target: "ipc", "{} IPC server: socket disconnected", self.shared.options.peer);
        }
        let calls = self.calls.take();
        for (ticket, pending) in &calls {
            pending.task.iter().for_each(AbortHandle::abort);
            if let Some(deadline) = pending.deadline {
                self.local.in_time(deadline, Due::Call(self.shared.id, *ticket));
            }
        }
        drop(calls);
        self.channel.end_all_serving();
        drop(self.thread_map.take());
        drop(self.workers.take());
        drop(self.callback_threads.take());
        drop(self.caps.take());
        let Pool { queue, threads } = self.pool.take();
        for thread in threads.into_iter().chain(self.plain.take()) {
            thread_map::close(self, &thread);
        }
        self.chore(Box::new(move || while queue.pop().is_some() {}));
        drop(self.disconnector.take());
        let shared = self.shared.clone();
        self.chore(Box::new(move || shared.mark_ended()));
    }
}
