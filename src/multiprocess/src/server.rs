//! Local objects as the other side calls them: finds the thread a call names, runs it there, returns what it gave.

use std::any::Any;
use std::cell::RefCell;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use capnp::any_pointer;
use capnp::capability::{DispatchCallResult, FromClientHook, FromServer, Params, Promise, Results, Server};
use capnp::private::capability::ClientHook;
use capnp_rpc::new_client_from_rc;

use crate::cancel;
use crate::connection::Serving;
use crate::event_loop::{Command, Reactor};
use crate::gate::{Gate, Opener};
use crate::given_up::GivenUp;
use crate::io::Lead;
use crate::message::{Draft, Imports, Incoming, Message};
use crate::metrics::{self, Counted, Side};
use crate::network::OWN;
use crate::peer::Peer;
use crate::proxy_capnp::context;
use crate::service::CallTrace;
use crate::stream::{Served, Turn};
use crate::thread::{ThreadContext, with_caller};
use crate::thread_map::{new_thread_map, plain};
use crate::{Error, Interface, Kind, Method, Object, ServerCall, Service, shape_capnp, trace};

/// Serves a local object to the other side.
pub(crate) fn new_object(peer: &Rc<Peer>, service: Arc<dyn Service>) -> ObjectClient {
    let interface = service.interface();
    peer.objects.set(peer.objects.get() + 1);
    let counted = Counted::new(Side::Server, interface);
    new_client_from_rc(Rc::new(ObjectServer {
        peer: peer.clone(),
        counted,
        interface,
        service: RefCell::new(Some(service)),
        stream: RefCell::default(),
    }))
}

/// A local object as the RPC system calls it, whatever its interface.
pub(crate) struct ObjectServer {
    peer: Rc<Peer>,
    #[expect(dead_code, reason = "its life is what counts")]
    counted: Counted,
    interface: &'static Interface,
    service: RefCell<Option<Arc<dyn Service>>>,
    stream: RefCell<Served>,
}

impl Drop for ObjectServer {
    fn drop(&mut self) {
        self.peer.objects.set(self.peer.objects.get() - 1);
        if let Some(service) = self.service.get_mut().take() {
            // An object's destructor may wait, and may call back.
            self.peer.chore(Box::new(move || drop(service)));
        }
    }
}

/// Connects [`ObjectServer`] to the RPC system.
pub(crate) struct ObjectClient(Box<dyn ClientHook>);

impl FromClientHook for ObjectClient {
    fn new(hook: Box<dyn ClientHook>) -> Self {
        ObjectClient(hook)
    }

    fn into_client_hook(self) -> Box<dyn ClientHook> {
        self.0
    }

    fn as_client_hook(&self) -> &dyn ClientHook {
        self.0.as_ref()
    }
}

impl FromServer<ObjectServer> for ObjectClient {
    type Dispatch = ObjectDispatch;

    fn from_server(server: Rc<ObjectServer>) -> ObjectDispatch {
        ObjectDispatch(server)
    }
}

/// Dispatches calls to an [`ObjectServer`].
#[derive(Clone)]
pub(crate) struct ObjectDispatch(Rc<ObjectServer>);

impl Deref for ObjectDispatch {
    type Target = ObjectServer;

    fn deref(&self) -> &ObjectServer {
        &self.0
    }
}

impl Server for ObjectDispatch {
    fn dispatch_call(
        self,
        interface_id: u64,
        method_id: u16,
        params: Params<any_pointer::Owned>,
        results: Results<any_pointer::Owned>,
    ) -> DispatchCallResult {
        let promise = match self.0.interface.find(interface_id, method_id) {
            None => Promise::err(Error::Unsupported(format!("{} method {method_id}", self.0.interface.name)).into()),
            Some((_, method)) if method.kind == Kind::Construct => self.0.construct(&params, results).into(),
            Some((index, method)) => Promise::from_future(self.0.serve(index, method, params, results)),
        };
        DispatchCallResult::new(promise, false)
    }

    fn as_ptr(&self) -> usize {
        Rc::as_ptr(&self.0) as usize
    }
}

impl ObjectServer {
    /// Exchanges thread maps.
    fn construct(
        &self,
        params: &Params<any_pointer::Owned>,
        mut results: Results<any_pointer::Owned>,
    ) -> Result<(), capnp::Error> {
        let theirs: shape_capnp::with_thread_map::Reader<'_> = params.hook.get()?.get_as()?;
        self.peer.set_thread_map(theirs.has_thread_map().then(|| theirs.get_thread_map()).transpose()?);
        let mut ours = results.hook.get()?.init_as::<shape_capnp::with_thread_map::Builder<'_>>();
        ours.set_thread_map(new_thread_map(&self.peer));
        Ok(())
    }

    /// Has a call served on the thread it names.
    async fn serve(
        self: Rc<Self>,
        index: usize,
        method: &'static Method,
        params: Params<any_pointer::Owned>,
        mut results: Results<any_pointer::Owned>,
    ) -> Result<(), capnp::Error> {
        let thread = self.find_thread(method, &params).await?;
        let message = self.peer.take(|| params.hook.get())?;
        let number = self.peer.channel.call_read();
        let call = match number {
            0 => OWN | self.peer.own_calls.replace(self.peer.own_calls.get() + 1),
            number => number,
        };
        let serving = self.peer.shared.serving(message.size())?;
        drop(params);
        let service = match method.kind {
            Kind::Destroy => self.service.borrow_mut().take(),
            Kind::Call | Kind::Stream | Kind::Construct => self.service.borrow().clone(),
        };
        let Some(service) = service else {
            return Err(Error::failed(format!("{} called on a destroyed object", method.name)).into());
        };

        let receiver = self.peer.channel.begin_serving(call);
        let mut cancelled = Cancelled { peer: &self.peer, call, number, flag: Arc::default(), done: false };
        let work = Work {
            service,
            index,
            method,
            number,
            message,
            cancelled: cancelled.flag.clone(),
            reply: Reply { reactor: self.peer.reactor.clone(), connection: self.peer.shared.id, call, sent: false },
            connection: self.peer.connection(),
            serving,
            order: self.order(method),
        };
        if trace::enabled() {
            let peer = &self.peer.shared.options.peer;
            let to = thread.as_ref().map_or("the pool", |thread| thread.name());
            log::debug!(target: "ipc", "{peer} IPC server post request #{number} {} to {to}", method.name);
        }
        let job = Box::new(move |lead: &mut Lead<'_>| work.run(lead));
        let refused = match &thread {
            Some(thread) => thread.post(job),
            None => self.peer.pool.borrow().post(job),
        };
        if let Some(refused) = refused {
            // What it holds may be the last of an object, whose destructor may wait.
            self.peer.chore(Box::new(move || drop(refused)));
        }
        let answer = receiver.await;
        cancelled.done = !matches!(answer, Ok(Err(Error::Cancelled)));
        drop(cancelled);
        let message = answer.map_err(|_| Error::Disconnected)??;

        let (mut message, along) = message.split();
        let table = self.peer.export(&message.caps)?;
        let mut fill = |message: &Message| -> Result<(), capnp::Error> {
            results.hook.get()?.set_as::<any_pointer::Owned>(message.reader(&table)?)
        };
        if let Some(along) = along {
            match self.peer.channel.with_along(along, || fill(&message)) {
                (filled, None) => return filled,
                (_, Some(along)) => message = message.join(along)?,
            }
        }
        fill(&message)
    }

    /// Puts a call in its place between those with and those without a thread of their own.
    fn order(&self, method: &Method) -> Order {
        let mut latest = self.peer.gate.borrow_mut();
        if method.context {
            let gate = latest.clone().filter(|gate| !gate.is_open());
            return Order::After(gate, self.stream.borrow_mut().enter(method.kind));
        }
        let (gate, opener) = Gate::new();
        *latest = Some(gate);
        Order::Before(opener)
    }

    /// Finds the thread that a call names; none is the pool.
    async fn find_thread(
        &self,
        method: &Method,
        params: &Params<any_pointer::Owned>,
    ) -> Result<Option<Arc<ThreadContext>>, capnp::Error> {
        let peer = &self.peer;
        if !method.context {
            return Ok(Some(plain(peer)?));
        }
        let (params, _) = peer.channel.reading(|| params.hook.get());
        let context = params?.get_as::<shape_capnp::with_context::Reader<'_>>()?.get_context()?;
        if peer.channel.call_read() == 0 {
            return self.own_thread(context).map(Some);
        }
        if !context.has_thread() {
            return match peer.pool.borrow().is_empty() {
                true => Err(capnp::Error::failed("no thread specified and no pool configured".to_owned())),
                false => Ok(None),
            };
        }
        let client = context.get_thread()?;
        let known = peer.local_threads.borrow().get_local_server_of_resolved(&client);
        if let Some(server) = known {
            return Ok(Some(server.context.clone()));
        }
        let client = capnp::capability::get_resolved_cap(client).await;
        let known = peer.local_threads.borrow().get_local_server_of_resolved(&client);
        match known {
            Some(server) => Ok(Some(server.context.clone())),
            None => {
                // One that could not be made says why.
                client.get_name_request().send().promise.await?;
                Err(capnp::Error::failed("invalid thread handle".to_owned()))
            }
        }
    }

    /// Finds the thread for a call of ours over an object that the other side has given back to us: the one that waits for
    /// it, as the thread that the call names is one of theirs.
    fn own_thread(&self, context: context::Reader<'_>) -> Result<Arc<ThreadContext>, capnp::Error> {
        if context.has_callback_thread() {
            let waiting = context.get_callback_thread()?;
            if let Some(server) = self.peer.local_threads.borrow().get_local_server_of_resolved(&waiting) {
                return Ok(server.context.clone());
            }
        }
        Ok(plain(&self.peer)?)
    }
}

/// Stops a call from starting once nobody waits for its result.
struct Cancelled<'a> {
    peer: &'a Peer,
    call: u64,
    number: u64,
    flag: Arc<GivenUp>,
    done: bool,
}

impl Drop for Cancelled<'_> {
    fn drop(&mut self) {
        let Cancelled { peer, number, done, .. } = *self;
        if !done {
            let name = &peer.shared.options.peer;
            log::debug!(target: "ipc", "{name} IPC server request #{number} canceled while executing");
        }
        // Whom that concerns may take a lock, which has no place here.
        if let Some(waker) = self.flag.set() {
            self.peer.chore(Box::new(move || {
                if !done {
                    waker.wake()
                }
            }));
        }
        drop(self.peer.channel.end_serving(self.call));
    }
}

/// A call on its way to a thread.
struct Work {
    service: Arc<dyn Service>,
    index: usize,
    method: &'static Method,
    /// On the connection, for the trace.
    number: u64,
    message: Message,
    cancelled: Arc<GivenUp>,
    reply: Reply,
    connection: crate::Connection,
    serving: Serving,
    order: Order,
}

/// What a call waits for, or has others wait for.
enum Order {
    After(Option<Arc<Gate>>, Turn),
    Before(#[expect(dead_code, reason = "its drop is what counts")] Opener),
}

/// The right to deliver a call's result. Dropped without, it says that the thread is gone.
struct Reply {
    reactor: Arc<Reactor>,
    connection: u64,
    call: u64,
    sent: bool,
}

impl Reply {
    fn send(mut self, result: Result<Message, Error>, leftovers: Leftovers) {
        self.push(result, leftovers);
    }

    fn push(&mut self, result: Result<Message, Error>, leftovers: Leftovers) {
        self.sent = true;
        self.reactor.push(Command::Served { connection: self.connection, call: self.call, result, leftovers });
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.sent {
            let error = Error::failed("the thread to run the call on is not waiting for one");
            self.push(Err(error), Leftovers::default());
        }
    }
}

impl Work {
    fn run(self, lead: &mut Lead<'_>) {
        let Work { service, index, method, number, message, cancelled, reply, connection, serving, order } = self;
        let turn = match &order {
            Order::After(gate, turn) => {
                if let Some(gate) = gate {
                    gate.wait();
                }
                Some(turn)
            }
            Order::Before(_) => None,
        };
        // A call that is given up waits, too: it must not open the way before its turn.
        let before = turn.map_or(Ok(()), Turn::wait);
        if cancelled.is_set() {
            let peer = connection.peer();
            log::debug!(target: "ipc", "{peer} IPC server request #{number} canceled before it could be executed");
            return;
        }
        let counted = metrics::Call::begin(Side::Server, method, &message);
        let start = trace::enabled().then(Instant::now);
        let trace = start.map(|_| CallTrace {
            id: number,
            name: method.name,
            connection: connection.peer().to_owned(),
            result: None,
        });
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if let Err(error) = before
                && method.kind != Kind::Destroy
            {
                return Outcome::refuse(error);
            }
            let work = || serve_here(service, (index, method), number, message, &connection, trace, &cancelled);
            cancel::with(None, work)
        }));
        let Outcome { result, text, leftovers } = outcome.unwrap_or_else(|panic| {
            Outcome::refuse(Error::failed(format!("{} panicked: {}", method.name, panic_text(&*panic))))
        });
        counted.end(&result);
        if let Some(turn) = turn {
            turn.ended(result.as_ref().err());
        }
        if let Some(start) = start {
            let time = trace::micros(start.elapsed());
            let status = match &result {
                Ok(_) => text.unwrap_or_else(|| "ok".to_owned()),
                Err(error) => trace::shorten(|out| std::fmt::Write::write_fmt(out, format_args!("error: {error}"))),
            };
            log::debug!(target: "ipc", "{} IPC server send response #{number} {} {time} {status}", connection.peer(), method.name);
        }
        if cancelled.is_set() {
            log::debug!(target: "ipc", "{} IPC server request #{number} interrupted (canceled)", connection.peer());
        }
        // Who answers a call of a stream has the next to serve rather than to wait for.
        if method.kind != Kind::Stream {
            lead.take();
        }
        // Handed over with the answer, these do not wake the event loop a second time.
        reply.send(result, leftovers);
        drop((serving, order));
    }
}

/// What serving a call gave.
struct Outcome {
    result: Result<Message, Error>,
    /// The result for the trace.
    text: Option<String>,
    leftovers: Leftovers,
}

/// What a served call leaves to be released: its parameters and the caller's thread.
#[derive(Default)]
pub(crate) struct Leftovers {
    _params: Option<Imports>,
    _caller: Option<Object>,
}

impl Outcome {
    fn refuse(error: Error) -> Self {
        Outcome { result: Err(error), text: None, leftovers: Leftovers::default() }
    }
}

/// Serves a call on the current thread.
fn serve_here(
    service: Arc<dyn Service>,
    (index, method): (usize, &'static Method),
    number: u64,
    message: Message,
    connection: &crate::Connection,
    trace: Option<CallTrace>,
    given_up: &Arc<GivenUp>,
) -> Outcome {
    let params = Incoming::new(message);
    // A call of our own (number 0) is no one else's, so that what is called in it has the threads of whoever runs it.
    let caller = match (method.context && number > 0).then(|| params.callback_thread()).transpose() {
        Ok(caller) => caller.flatten(),
        Err(error) => return Outcome::refuse(error),
    };
    let ((result, text), caller) = with_caller(connection.shared.id, caller, || {
        let mut results = Draft::new();
        if method.kind == Kind::Destroy {
            drop(service);
            return (Ok(results.finish()), None);
        }
        let mut call = ServerCall { params: &params, results: &mut results, trace, connection, given_up };
        let served = service.serve(index, &mut call);
        let text = call.trace.and_then(|trace| trace.result);
        (served.map(|()| results.finish()), text)
    });
    Outcome { result, text, leftovers: Leftovers { _params: Some(params.into_imports()), _caller: caller } }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown reason")
}
