//! What the other end of a connection can say: the body of a target for fuzzing (`fuzz/fuzz_targets/ipc.rs`). The input is bytes on the socket, or a script of
//! calls, returns and releases whose methods are those of the schemas, so that a new one takes part by itself.
//!
//! **Invariant:** whatever is said, the connection ends once its socket does, and so does every call.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use capnp::message::{Builder, HeapAllocator, ReaderOptions, SegmentArray};
use capnp_rpc::rpc_capnp::{cap_descriptor, message, message_target, payload};
use interfaces::{
    BlockCreateOptions, BlockWaitOptions, Chain, Echo, Init, Mining, ProcessConfig, Result, Rpc, WalletLoader,
};
use multiprocess::{Method, Options, proxy_capnp};
use testing::{FakeChain, FakeEcho, FakeInit, FakeMining, FakeRpc};

#[path = "shapes.rs"]
mod shapes;

static SHAPES: LazyLock<shapes::Shapes> =
    LazyLock::new(|| shapes::Shapes::read(ipc::description()).expect("the build has read it before"));

/// How long the end of everything may take before it counts as a hang.
const LIMIT: Duration = Duration::from_secs(30);

/// How long nothing is answered before nothing more is expected.
const QUIET: Duration = Duration::from_millis(1);

/// How long the next question may take.
const PATIENCE: Duration = Duration::from_millis(20);

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

    fn make_mining(&self) -> Result<Arc<dyn Mining>> {
        Ok(Arc::new(FakeMining::new()))
    }

    fn make_wallet_loader(&self, config: ProcessConfig, chain: Arc<dyn Chain>) -> Result<Arc<dyn WalletLoader>> {
        self.0.make_wallet_loader(config, chain)
    }
}

/// Calls whatever there is; what comes of it does not matter.
fn ask(init: &Arc<dyn Init>) {
    let _ = init.make_echo().map(|echo| echo.echo("fuzz".to_owned()));
    if let Ok(mining) = init.make_mining() {
        let _ = (mining.tip(), mining.transactions_by_txid(Vec::new()));
        if let Ok(Some(template)) = mining.create_new_block(BlockCreateOptions::default(), false) {
            let _ = (template.block(), template.tx_fees(), template.coinbase_tx(), template.coinbase_merkle_path());
            let _ = template.wait_next(BlockWaitOptions::default());
        }
    }
    if let Ok(loader) = init.make_wallet_loader(testing::config(), FakeChain::new(2)) {
        let _ = (loader.rpc_commands(), loader.list_wallet_dir());
        for wallet in loader.wallets().unwrap_or_default() {
            let _ = (wallet.info(), wallet.balances(), wallet.coins(), wallet.transactions(0, 10));
        }
    }
    let _ = init.introduce(testing::identity("fuzz"));
    let _ = init.make_rpc().map(|rpc| rpc.execute_rpc(String::new(), String::new(), String::new()));
}

/// Runs one input. `init` is served, or what is served is called, as the first byte says.
///
/// # Panics
/// If something does not end.
pub fn run(init: &Arc<dyn Init>, input: &[u8]) {
    let Some((kind, input)) = input.split_first() else { return };
    let (bytes, served) = (kind & 1 == 0, kind & 2 == 0);
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
    let connection = if served {
        let Ok(started) = ipc::Server::start_with(ours, options, init.clone()) else { return };
        let connection = started.connection().clone();
        server = Some(started);
        drop(done);
        connection
    } else {
        let Ok((connection, init)) = ipc::connect_socket_with(ours, options) else { return };
        std::thread::spawn(move || {
            ask(&init);
            drop((init, done));
        });
        connection
    };
    match (bytes, served) {
        (true, _) => talk(theirs, input),
        (_, true) => talk(theirs, &Script::new(input).run()),
        (_, false) => Script::new(input).answer(&theirs),
    }
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

/// What a payload is of.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Of {
    /// A call that takes a context.
    Context,
    /// Another call.
    Plain,
    Results,
}

/// Messages made of bytes.
struct Script<'a> {
    input: std::slice::Iter<'a, u8>,
    methods: Vec<&'static Method>,
    calls: u32,
    /// Objects that calls were to return: the call, the pointer, the interface.
    made: Vec<(u32, u32, u64)>,
}

impl<'a> Script<'a> {
    fn new(input: &'a [u8]) -> Self {
        let methods = ipc::tables().iter().flat_map(|interface| interface.methods).collect();
        Script { input: input.iter(), methods, calls: 0, made: Vec::new() }
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
                // Calls above all: what is out of place may be the end.
                let kind = self.next();
                self.message(if kind < 208 { 15 } else { kind }, &mut message);
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
                    let index = self.next() as usize;
                    let method = self.methods[index % self.methods.len()];
                    self.payload((method.interface_id, method.ordinal), Of::Results, answer.init_results());
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
        let question = self.calls;
        call.set_question_id(question);
        self.calls += 1;
        let (choice, index) = (self.next(), self.next() as usize);
        let of = |interface: u64| -> Vec<_> {
            self.methods.iter().copied().filter(|method| method.interface_id == interface).collect()
        };
        let init =
            self.methods.iter().find(|method| method.name == "Init.construct").map_or(0, |init| init.interface_id);
        // Half of the calls are of the object that everything else comes from, most others of what came from it.
        let made = self.made.get(choice as usize % (2 * self.made.len() + 1)).copied().filter(|_| choice < 240);
        let methods = match made {
            Some((_, _, interface)) => of(interface),
            None if choice < 240 => of(init),
            None => self.methods.clone(),
        };
        let method =
            if methods.is_empty() { self.methods[index % self.methods.len()] } else { methods[index % methods.len()] };
        match made {
            Some((question, pointer, _)) => {
                let mut answer = call.reborrow().init_target().init_promised_answer();
                answer.set_question_id(question);
                answer.init_transform(1).get(0).set_get_pointer_field(pointer as u16);
            }
            None if choice < 240 => call.reborrow().init_target().init_promised_answer().set_question_id(0),
            None => self.target(call.reborrow().init_target()),
        }
        let id = (method.interface_id, method.ordinal);
        call.set_interface_id(id.0);
        call.set_method_id(id.1);
        self.made.extend(SHAPES.returned(id).map(|(pointer, interface)| (question, pointer, interface)));
        self.payload(id, if method.context { Of::Context } else { Of::Plain }, call.init_params());
    }

    /// Answers what the other side asks, mostly with results.
    fn answer(mut self, stream: &UnixStream) {
        if stream.set_read_timeout(Some(PATIENCE)).is_err() {
            return;
        }
        for _ in 0..MESSAGES {
            let Ok(asked) = capnp::serialize::read_message(stream, ReaderOptions::new()) else { break };
            let (question, method) = match asked.get_root::<message::Reader<'_>>().map(message::Reader::which) {
                Ok(Ok(message::Bootstrap(Ok(asked)))) => (asked.get_question_id(), None),
                Ok(Ok(message::Call(Ok(asked)))) => {
                    (asked.get_question_id(), Some((asked.get_interface_id(), asked.get_method_id())))
                }
                _ => continue,
            };
            if self.input.len() == 0 {
                break;
            }
            let kind = self.next();
            let mut said = Builder::new_default();
            let mut answer = said.init_root::<message::Builder<'_>>().init_return();
            answer.set_answer_id(question);
            match method {
                _ if kind < 8 => answer.init_exception().set_reason("no"),
                _ if kind < 12 => self.message(3, &mut said),
                Some(id) => self.payload(id, Of::Results, answer.init_results()),
                None => {
                    let mut results = answer.init_results();
                    results.reborrow().init_cap_table(1).get(0).set_sender_hosted(0);
                    self.content(&[3], results);
                }
            }
            if (&mut &*stream).write_all(&capnp::serialize::write_message_to_words(&said)).is_err() {
                break;
            }
        }
        // It fails if the other side was faster.
        let _ = stream.shutdown(Shutdown::Both);
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

    /// Parameters or results of a method, and what stands behind the objects among them.
    fn payload(&mut self, method: (u64, u16), of: Of, mut payload: payload::Builder<'_>) {
        let objects = 1 + self.next() % 6;
        let mut table = payload.reborrow().init_cap_table(objects);
        for index in 0..objects {
            // The context's thread comes first; it is the one made at the beginning, as a rule.
            if index == 0 && of == Of::Context && !self.next().is_multiple_of(8) {
                let mut made = table.reborrow().get(index).init_receiver_answer();
                made.set_question_id(2);
                made.init_transform(1).get(0).set_get_pointer_field(0);
            } else {
                self.descriptor(table.reborrow().get(index));
            }
        }
        if let Some(words) = SHAPES.fill(method, of == Of::Results, &mut || self.next()) {
            self.content(&words, payload);
        }
    }

    /// Puts what is encoded into a message.
    fn content(&self, words: &[u64], mut payload: payload::Builder<'_>) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let segments: &[&[u8]] = &[&bytes];
        let filled = capnp::message::Reader::new(SegmentArray::new(segments), ReaderOptions::new());
        // What objects are is in the table; here are numbers.
        let broken = || capnp_rpc::new_broken_cap(capnp::Error::failed("a number".to_owned())).hook;
        let hooks: Vec<_> = (0..=words.len()).map(|_| Some(broken())).collect();
        let mut copied = Vec::new();
        let mut content = payload.reborrow().get_content();
        capnp::traits::ImbueMut::imbue_mut(&mut content, &mut copied);
        let root = filled.get_root::<capnp::any_pointer::Reader<'_>>().and_then(|mut root| {
            capnp::traits::Imbue::imbue(&mut root, &hooks);
            content.set_as(root)
        });
        root.expect("what is encoded here is read there");
    }

    fn descriptor(&mut self, mut descriptor: cap_descriptor::Builder<'_>) {
        match self.next() {
            0..16 => descriptor.set_none(()),
            16..236 => descriptor.set_sender_hosted(self.next() % 8),
            236..248 => descriptor.set_sender_promise(self.next() % 8),
            248..252 => descriptor.set_receiver_hosted(self.next() % 3),
            _ => {
                let mut answer = descriptor.init_receiver_answer();
                answer.set_question_id(self.next() % (self.calls + 1));
                answer.init_transform(1).get(0).set_get_pointer_field((self.next() % 3) as u16);
            }
        }
    }
}
