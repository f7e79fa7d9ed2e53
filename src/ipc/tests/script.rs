//! What the other end of a connection can say: the body of a target for fuzzing (`fuzz/fuzz_targets/ipc.rs`). The input is bytes on the socket, or a script of
//! calls, returns and releases whose methods are those of the schemas, so that a new one takes part by itself.
//!
//! **Invariant:** whatever is said, the connection ends once its socket does, and so does every call.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use capnp::message::{Builder, HeapAllocator};
use capnp_rpc::rpc_capnp::{cap_descriptor, message, message_target, payload};
use interfaces::{Chain, Echo, Init, ProcessConfig, Result, Rpc, WalletLoader};
use multiprocess::{Method, Options, proxy_capnp};
use testing::{FakeEcho, FakeInit, FakeRpc};

/// How long the end of everything may take before it counts as a hang.
const LIMIT: Duration = Duration::from_secs(30);

/// How long nothing is answered before nothing more is expected.
const QUIET: Duration = Duration::from_millis(1);

/// Most messages of a script.
const MESSAGES: usize = 200;

/// Returns a bootstrap object that offers what does not wait: a wait without end would be one that a script asked for.
pub fn offer() -> Arc<dyn Init> {
    Arc::new(Offer(FakeInit::default()))
}

struct Offer(FakeInit);

impl Init for Offer {
    fn make_echo(&self) -> Result<Arc<dyn Echo>> {
        Ok(Arc::new(FakeEcho))
    }

    fn make_rpc(&self) -> Result<Arc<dyn Rpc>> {
        Ok(Arc::new(FakeRpc))
    }

    fn make_wallet_loader(&self, config: ProcessConfig, chain: Arc<dyn Chain>) -> Result<Arc<dyn WalletLoader>> {
        self.0.make_wallet_loader(config, chain)
    }
}

/// Runs one input. `init` is served, or what is served is called, as the first byte says.
///
/// # Panics
/// If something does not end.
pub fn run(init: &Arc<dyn Init>, input: &[u8]) {
    let Some((kind, input)) = input.split_first() else { return };
    let said = if kind & 1 == 0 { input.to_vec() } else { Script::new(input).run() };
    let Ok((ours, theirs)) = UnixStream::pair() else { return };
    let options = Options {
        peer: "fuzz".to_owned(),
        message_bytes: 1 << 20,
        threads: 8,
        calls: 64,
        objects: 64,
        bytes: 1 << 20,
        destroy_timeout: Duration::from_millis(50),
        deadline: Some(LIMIT),
        ..Options::default()
    };
    let (done, wait) = channel::<()>();
    // A socket that cannot be set up is no finding.
    let mut server = None;
    let connection = if kind & 2 == 0 {
        let Ok(started) = ipc::Server::start_with(ours, options, init.clone()) else { return };
        let connection = started.connection().clone();
        server = Some(started);
        drop(done);
        connection
    } else {
        let Ok((connection, init)) = ipc::connect_socket_with(ours, options) else { return };
        std::thread::spawn(move || {
            // Whatever comes of it.
            let _ = init.make_echo().and_then(|echo| echo.echo("fuzz".to_owned()));
            let _ = init.make_mining().and_then(|mining| mining.tip());
            drop((init, done));
        });
        connection
    };
    talk(theirs, &said);
    assert!(connection.wait_idle(LIMIT), "the connection and the calls it serves end");
    drop(server);
    // Nothing is sent; the sender goes with the calls.
    assert!(wait.recv_timeout(LIMIT) == Err(std::sync::mpsc::RecvTimeoutError::Disconnected), "calls end");
}

/// Says it all, and reads whatever is answered meanwhile.
fn talk(mut stream: UnixStream, said: &[u8]) {
    if stream.set_nonblocking(true).is_err() {
        return;
    }
    let (mut left, mut space) = (said, [0; 4096]);
    while !left.is_empty() {
        while matches!(stream.read(&mut space), Ok(1..)) {}
        match stream.write(left) {
            Ok(count) => left = &left[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(_) => break,
        }
    }
    // What can be served is, before the end.
    if stream.set_nonblocking(false).is_ok() && stream.set_read_timeout(Some(QUIET)).is_ok() {
        while matches!(stream.read(&mut space), Ok(1..)) {}
    }
    // It fails if the other side was faster.
    let _ = stream.shutdown(Shutdown::Both);
}

/// Messages made of bytes.
struct Script<'a> {
    input: std::slice::Iter<'a, u8>,
    methods: Vec<&'static Method>,
    calls: u32,
}

impl<'a> Script<'a> {
    fn new(input: &'a [u8]) -> Self {
        let methods = ipc::tables().iter().flat_map(|interface| interface.methods).collect();
        Script { input: input.iter(), methods, calls: 0 }
    }

    fn next(&mut self) -> u32 {
        self.input.next().copied().unwrap_or_default().into()
    }

    fn run(mut self) -> Vec<u8> {
        let mut said = Vec::new();
        for step in 0..MESSAGES {
            if self.input.len() == 0 {
                break;
            }
            let mut message = Builder::new_default();
            if step < 4 {
                self.begin(message.init_root());
            } else {
                let kind = self.next();
                self.message(kind, &mut message);
            }
            said.extend(capnp::serialize::write_message_to_words(&message));
        }
        said
    }

    /// What anybody says first: bootstraps, exchanges thread maps, makes a thread and a pool.
    fn begin(&mut self, message: message::Builder<'_>) {
        let call = self.calls;
        self.calls += 1;
        if call == 0 {
            return message.init_bootstrap().set_question_id(call);
        }
        let mut begin = message.init_call();
        begin.set_question_id(call);
        let mut target = begin.reborrow().init_target().init_promised_answer();
        if call == 1 {
            let construct = self.methods.iter().find(|method| method.name == "Init.construct");
            begin.set_interface_id(construct.map_or(0, |method| method.interface_id));
        } else {
            target.set_question_id(1);
            target.init_transform(1).get(0).set_get_pointer_field(0);
            begin.set_interface_id(<proxy_capnp::thread_map::Client as capnp::traits::HasTypeId>::TYPE_ID);
            begin.set_method_id((call - 2) as u16);
            let params = begin.init_params().get_content();
            if call == 2 {
                params.init_as::<proxy_capnp::thread_map::make_thread_params::Builder<'_>>().set_name("fuzz");
            } else {
                params.init_as::<proxy_capnp::thread_map::make_pool_params::Builder<'_>>().set_count(1);
            }
        }
    }

    fn message(&mut self, kind: u32, message: &mut Builder<HeapAllocator>) {
        let message = message.init_root::<message::Builder<'_>>();
        match kind % 16 {
            0 => {
                message.init_bootstrap().set_question_id(self.calls);
                self.calls += 1;
            }
            1 => {
                let mut finish = message.init_finish();
                // Not the bootstrap object, as a rule.
                finish.set_question_id((self.next() % (self.calls + 1)).max(u32::from(self.next() > 16)));
                finish.set_release_result_caps(self.next().is_multiple_of(2));
            }
            2 if self.next() < 64 => {
                let mut release = message.init_release();
                release.set_id(self.next() % 8);
                release.set_reference_count(self.next() % 4);
            }
            3 => {
                let mut answer = message.init_return();
                answer.set_answer_id(self.next() % 8);
                if self.next().is_multiple_of(4) {
                    answer.init_exception().set_reason("no");
                } else {
                    self.payload(true, answer.init_results());
                }
            }
            4 if self.next() < 32 => {
                let mut disembargo = message.init_disembargo();
                self.target(disembargo.reborrow().init_target());
                disembargo.init_context().set_sender_loopback(self.next());
            }
            5 if self.next() < 32 => {
                let mut resolve = message.init_resolve();
                resolve.set_promise_id(self.next() % 8);
                self.descriptor(resolve.init_cap());
            }
            _ => self.call(message.init_call()),
        }
    }

    fn call(&mut self, mut call: capnp_rpc::rpc_capnp::call::Builder<'_>) {
        call.set_question_id(self.calls);
        self.calls += 1;
        self.target(call.reborrow().init_target());
        let index = (self.next() << 8 | self.next()) as usize;
        // Half of the calls are of the object that everything else comes from.
        let init = self.methods.iter().filter(|method| method.name.starts_with("Init."));
        let init: Vec<_> = init.copied().collect();
        let method = if index.is_multiple_of(2) {
            init[index / 2 % init.len()]
        } else {
            self.methods[index / 2 % self.methods.len()]
        };
        call.set_interface_id(method.interface_id);
        call.set_method_id(method.ordinal);
        self.payload(method.context, call.init_params());
    }

    fn target(&mut self, mut target: message_target::Builder<'_>) {
        let choice = self.next();
        if choice < 16 {
            // What there is after the beginning; as a rule, because anything else is the end.
            return target.set_imported_cap(if choice == 0 { self.next() } else { choice % 3 });
        }
        let mut answer = target.init_promised_answer();
        // The bootstrap object above all.
        let call = if choice < 160 { 0 } else { self.next() % self.calls.max(1) };
        answer.set_question_id(call);
        let field = if call == 0 { 3 } else { self.next() % 4 };
        if field < 3 {
            answer.init_transform(1).get(0).set_get_pointer_field(field as u16);
        }
    }

    /// Parameters or results: a context, if there is to be one, and some objects.
    fn payload(&mut self, context: bool, mut payload: payload::Builder<'_>) {
        let objects = self.next() % 4;
        let mut table = payload.reborrow().init_cap_table(objects);
        let thread = context && objects > 0 && self.next().is_multiple_of(2);
        for index in 0..objects {
            if index == 0 && thread {
                let mut made = table.reborrow().get(index).init_receiver_answer();
                made.set_question_id(2);
                made.init_transform(1).get(0).set_get_pointer_field(0);
            } else {
                self.descriptor(table.reborrow().get(index));
            }
        }
        let mut hooks: Vec<Option<Box<dyn capnp::private::capability::ClientHook>>> = Vec::new();
        let mut content = payload.reborrow().get_content();
        capnp::traits::ImbueMut::imbue_mut(&mut content, &mut hooks);
        let holder: payload::Builder<'_> = content.init_as();
        if context && !thread && self.next() > 16 {
            // The pool is to do it.
            let _: proxy_capnp::context::Builder<'_> = holder.get_content().init_as();
        } else if context && objects > 0 {
            // What they are is in the table; here are numbers.
            let broken = || capnp_rpc::new_broken_cap(capnp::Error::failed("a number".to_owned())).hook;
            let mut context: proxy_capnp::context::Builder<'_> = holder.get_content().init_as();
            context.set_thread(capnp::capability::FromClientHook::new(broken()));
            if objects > 1 {
                context.set_callback_thread(capnp::capability::FromClientHook::new(broken()));
            }
        } else if !self.next().is_multiple_of(2) {
            let text = "x".repeat(self.next() as usize);
            // Some text is a hash, and most is not.
            if holder.get_content().set_as(text.as_str()).is_err() {
                log::debug!(target: "ipc", "a text that does not fit");
            }
        }
    }

    fn descriptor(&mut self, mut descriptor: cap_descriptor::Builder<'_>) {
        match self.next() % 16 {
            0 => descriptor.set_none(()),
            1..12 => descriptor.set_sender_hosted(self.next() % 8),
            12 => descriptor.set_sender_promise(self.next() % 8),
            13 => descriptor.set_receiver_hosted(self.next() % 3),
            _ => {
                let mut answer = descriptor.init_receiver_answer();
                answer.set_question_id(self.next() % (self.calls + 1));
                answer.init_transform(1).get(0).set_get_pointer_field((self.next() % 3) as u16);
            }
        }
    }
}
