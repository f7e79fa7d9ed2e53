//! Limits of a connection: each can be reached, says so, and disturbs nobody else.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use capnp::capability::{FromClientHook, Request};
use capnp::message::{Builder, HeapAllocator, ReaderOptions};
use capnp_rpc::RpcSystem;
use capnp_rpc::rpc_capnp::{call, message, return_};
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::twoparty::VatNetwork;
use interfaces::{Chain, Echo, Error, Init, ProcessConfig, Result, Rpc, WalletLoader};
use ipc::{BindAddress, Guest, Listener};
use multiprocess::proxy_capnp::thread_map;
use multiprocess::{Connection, Interface, Kind, Method, Options, ServerCall, Service};
use testing::{FakeChain, FakeEcho, FakeRpc, contract};
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

use crate::link::{Gate, GateKeeper, LIMIT, ends, gate};
use crate::probe::schema::probe_capnp::probe as wire;

/// The interface `Init`.
const INIT: u64 = 0x8838_c700_ba5c_ba65;

/// Offers an echo that is held up, once; then others that are not. Its RPC answers with as many megabytes as it is asked for.
/// It has no wallets, and keeps the chain that they were to be on.
struct Offer(Arc<Mutex<Option<Gate>>>, Mutex<Vec<Arc<dyn Chain>>>);

/// What the others get.
fn offer(gate: Arc<Mutex<Option<Gate>>>) -> Arc<Offer> {
    Arc::new(Offer(gate, Mutex::default()))
}

impl Init for Offer {
    fn make_echo(&self) -> Result<Arc<dyn Echo>> {
        match self.0.lock().unwrap().take() {
            Some(gate) => Ok(Arc::new(gate)),
            None => Ok(Arc::new(FakeEcho)),
        }
    }

    fn make_rpc(&self) -> Result<Arc<dyn Rpc>> {
        self.1.lock().unwrap().clear();
        Ok(Arc::new(Long))
    }

    fn make_wallet_loader(&self, _: ProcessConfig, chain: Arc<dyn Chain>) -> Result<Arc<dyn WalletLoader>> {
        self.1.lock().unwrap().push(chain);
        Err(Error::internal("no wallets"))
    }
}

struct Long;

impl Rpc for Long {
    fn execute_rpc(&self, request: String, uri: String, user: String) -> Result<String> {
        match request.parse::<usize>() {
            Ok(megabytes) => Ok("x".repeat(megabytes << 20)),
            Err(_) => FakeRpc.execute_rpc(request, uri, user),
        }
    }
}

/// A new directory.
fn new_dir(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("ipc-limits-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir(&dir).unwrap();
    dir
}

/// A socket with limits and its clients.
struct Place {
    dir: PathBuf,
    keeper: GateKeeper,
    _listener: Listener,
}

impl Place {
    fn new(limits: &str) -> Place {
        let dir = new_dir(limits);
        let address = BindAddress::parse(&format!("unix:x.sock,{limits}"), &dir, "test").unwrap();
        let (gate, keeper) = gate("call");
        // The other tests hold nothing up.
        let gate = Arc::new(Mutex::new(limits.starts_with("calls").then_some(gate)));
        let listener = ipc::listen(&address, move || Guest { init: offer(gate.clone()), until_gone: Box::new(()) });
        Place { dir, keeper, _listener: listener.unwrap() }
    }

    fn connect(&self) -> (multiprocess::Connection, Arc<dyn Init>) {
        ipc::connect("unix:x.sock", &self.dir, "test").unwrap()
    }

    fn stream(&self) -> UnixStream {
        UnixStream::connect(self.dir.join("x.sock")).unwrap()
    }

    /// Others do not notice.
    fn others_are_served(&self) {
        let (_link, init) = self.connect();
        contract::echo(&init.make_echo().unwrap());
    }
}

#[track_caller]
fn overloaded<T: std::fmt::Debug>(result: Result<T>, text: &str) {
    match result {
        Err(Error::Overloaded { limit, .. }) => assert!(limit.contains(text), "{limit}"),
        other => panic!("{other:?} instead of: {text}"),
    }
}

#[test]
fn calls_in_progress() {
    const LIMIT_OF_CALLS: usize = 4;
    let place = Place::new("calls=4");
    let (_link, init) = place.connect();
    let echo = init.make_echo().unwrap();
    let held: Vec<_> = (0..LIMIT_OF_CALLS)
        .map(|_| {
            let (init, echo) = (init.clone(), echo.clone());
            let (warm, ready) = channel();
            let (go, wait) = channel::<()>();
            let call = std::thread::spawn(move || {
                // To make a thread over there is a call, too.
                init.make_rpc().map(drop).unwrap();
                warm.send(()).unwrap();
                wait.recv().unwrap();
                echo.echo("held".to_owned())
            });
            ready.recv_timeout(LIMIT).unwrap();
            (call, go)
        })
        .collect();
    for (_, go) in &held {
        go.send(()).unwrap();
        assert_eq!(place.keeper.reached.recv_timeout(LIMIT), Ok("call"));
    }
    overloaded(init.make_rpc().map(drop), "too many calls at once: 4 are allowed");
    place.others_are_served();
    // Which of them one release lets go is not said.
    held.iter().for_each(|_| place.keeper.release.send(()).unwrap());
    for (call, _) in held {
        assert_eq!(ends(move || call.join().unwrap()), Ok("held".to_owned()));
    }
    ends(move || contract::echo(&init.make_echo().unwrap()));
}

#[test]
fn objects() {
    let place = Place::new("objects=3");
    let (_link, init) = place.connect();
    // The bootstrap object is one.
    let held: Vec<_> = (0..2).map(|_| init.make_rpc().unwrap()).collect();
    overloaded(init.make_rpc().map(drop), "more than 3 objects");
    place.others_are_served();
    drop(held);
    ends(move || while init.make_rpc().is_err() {});
}

#[test]
fn objects_of_the_client() {
    let place = Place::new("objects=5");
    let (_link, init) = place.connect();
    let give = || match init.make_wallet_loader(testing::config(), FakeChain::new(1)) {
        Err(Error::Internal { .. }) => true,
        answer => {
            overloaded(answer.map(drop), "more than 5 objects");
            false
        }
    };
    // Threads of the client's are objects, too.
    let given = (0..5).take_while(|_| give()).count();
    assert!((1..5).contains(&given), "{given}");
    place.others_are_served();
    // Has it let go of them.
    init.make_rpc().unwrap();
    ends(move || {
        while init
            .make_wallet_loader(testing::config(), FakeChain::new(1))
            .is_err_and(|error| matches!(error, Error::Overloaded { .. }))
        {}
    });
}

#[test]
fn threads() {
    let place = Place::new("threads=2");
    let refused = bare(place.stream(), async |init| {
        let map = construct(&init).await;
        let mut held = Vec::new();
        loop {
            match map.make_thread_request().send().promise.await {
                Ok(made) => held.push(made),
                Err(error) => return (held.len(), error),
            }
        }
    });
    assert_eq!(refused.0, 2);
    assert!(refused.1.extra.ends_with("more than 2 threads"), "{}", refused.1.extra);
    place.others_are_served();
}

#[test]
fn size_of_a_message() {
    let place = Place::new("message=1");
    let (_link, init) = place.connect();
    let rpc = init.make_rpc().unwrap();
    let ask = |size: usize| rpc.execute_rpc("[".repeat(size), String::new(), String::new());
    assert_eq!(ask(500_000), Ok("[]".to_owned()));
    overloaded(ask(2_000_000), "is too long");
    // It is not read, and so cannot be skipped.
    assert!(matches!(ask(1), Err(Error::Disconnected { .. })));
    place.others_are_served();
}

#[test]
fn bytes_not_read() {
    let place = Place::new("buffers=1");
    let (_link, init) = place.connect();
    let rpc = init.make_rpc().unwrap();
    let ask = |request: &str| rpc.execute_rpc(request.to_owned(), String::new(), String::new());
    overloaded(ask("2"), "unread answers of more than 1048576 bytes");
    overloaded(ask(&"[".repeat(2_000_000)), "more than 1048576 bytes");
    assert_eq!(ask("["), Ok("[]".to_owned()));
    place.others_are_served();
}

#[test]
fn who_does_not_read_is_disconnected() {
    let place = Place::new("buffers=1,calls=1000000");
    let mut stream = place.stream();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    let end = (0..1_000_000).find_map(|id| {
        let mut call = Builder::new_default();
        let mut init = call.init_root::<message::Builder<'_>>().init_call();
        init.set_question_id(id);
        init.init_target().set_imported_cap(0);
        capnp::serialize::write_message(&mut stream, &call).err()
    });
    assert!(end.is_some(), "a million calls are taken without one answer being read");
    place.others_are_served();
}

#[test]
fn claimed_sizes_take_no_memory() {
    let place = Place::new("message=4096");
    // Addresses are reserved ahead, memory is not.
    let before = resident();
    let streams: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = place.stream();
            let words: u32 = (1 << 29) - 1;
            stream.write_all(&0u32.to_le_bytes()).unwrap();
            stream.write_all(&words.to_le_bytes()).unwrap();
            stream.write_all(&[0; 1000]).unwrap();
            stream
        })
        .collect();
    place.others_are_served();
    assert!(resident() < before + (100 << 20), "{} bytes, {} before", resident(), before);
    for stream in streams {
        stream.shutdown(Shutdown::Both).unwrap();
    }
}

/// Megabytes that messages of all connections may take.
#[derive(Debug)]
struct Memory(Mutex<usize>);

impl ipc::MessageMemory for Memory {
    fn take(&self, bytes: usize) -> bool {
        let mut left = self.0.lock().unwrap();
        let enough = bytes <= *left;
        *left -= if enough { bytes } else { 0 };
        enough
    }

    fn give_back(&self, bytes: usize) {
        *self.0.lock().unwrap() += bytes;
    }
}

/// Begins a message of so many megabytes.
fn begin(stream: &mut UnixStream, megabytes: u32) {
    let words = megabytes << 17;
    stream.write_all(&[0u32.to_le_bytes(), words.to_le_bytes()].concat()).unwrap();
}

/// Says whether the other side closes the connection, whatever it says before.
fn is_ended(mut stream: UnixStream) -> bool {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn messages_that_are_begun_count_and_others_are_served() {
    let all = 40 << 20;
    let memory = Arc::new(Memory(Mutex::new(all)));
    let dir = new_dir("begun");
    let address = BindAddress::parse("unix:x.sock", &dir, "test").unwrap();
    let welcome = move || Guest { init: offer(Arc::default()), until_gone: Box::new(()) };
    let listener = ipc::listen_within(&address, memory.clone(), welcome).unwrap();
    let part = vec![0; 9 << 20];
    let begun: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = UnixStream::connect(dir.join("x.sock")).unwrap();
            begin(&mut stream, 99);
            // Fails as soon as there is no memory left.
            let sent = stream.write_all(&part);
            (stream, sent.is_ok())
        })
        .collect();
    let (kept, refused): (Vec<_>, Vec<_>) = begun.into_iter().partition(|(_, sent)| *sent);
    // The last one may have been refused only after all was on its way.
    assert!((3..=5).contains(&kept.len()), "{}", kept.len());
    assert!(refused.into_iter().all(|(stream, _)| is_ended(stream)));
    let (_link, init) = ipc::connect("unix:x.sock", &dir, "test").unwrap();
    contract::echo(&init.make_echo().unwrap());
    drop(kept);
    while *memory.0.lock().unwrap() < all {
        std::thread::yield_now();
    }
    drop(listener);
}

#[test]
fn a_message_has_to_arrive_in_time() {
    let options = || Options { message_timeout: Some(std::time::Duration::from_millis(100)), ..Options::default() };
    let serve = || {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = ipc::Server::start_with(theirs, options(), offer(Arc::default())).unwrap();
        (ours, server)
    };
    for part in [&[0u8; 4][..], &[0, 0, 0, 0, 0, 0, 2, 0], &[0, 0, 0, 0, 0, 0, 2, 0, 1, 2, 3]] {
        let (mut stream, server) = serve();
        stream.write_all(part).unwrap();
        assert!(is_ended(stream), "{part:?}");
        server.wait();
    }
    // Between messages there is all the time in the world: others are late meanwhile.
    let (stream, server) = serve();
    let (link, init) = ipc::connect_socket(stream, "test").unwrap();
    let echo = init.make_echo().unwrap();
    for _ in 0..3 {
        let (mut late, _server) = serve();
        late.write_all(&[0; 4]).unwrap();
        assert!(is_ended(late));
    }
    contract::echo(&echo);
    drop((link, server));
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn nesting() {
    let place = Place::new("nesting=20");
    for (depth, taken) in [(5, true), (50, false)] {
        let text = bare(place.stream(), async |init| {
            // A pool runs calls that name no thread.
            let map = construct(&init).await;
            let mut pool = map.make_pool_request();
            pool.get().set_count(1);
            pool.send().promise.await.unwrap();
            // `Init.makeRpc`, with a parameter that it does not know.
            let mut call: Request<Any, Any> = init.hook.new_call(INIT, 4, None);
            nest(call.get(), depth);
            call.send().promise.await.err().map_or_else(String::new, |error| error.extra)
        });
        let deep = text.contains("nesting") || text.contains("nested");
        assert_eq!(deep, !taken, "{depth}: {text}");
    }
    place.others_are_served();
}

type Any = capnp::any_pointer::Owned;

/// What a client does that is no more than Cap'n Proto.
pub fn bare<T>(stream: UnixStream, work: impl AsyncFnOnce(capnp::capability::Client) -> T) -> T {
    stream.set_nonblocking(true).unwrap();
    block_on(async {
        let (reader, writer) = tokio::net::UnixStream::from_std(stream).unwrap().into_split();
        let limits = capnp::message::ReaderOptions::new();
        let network = VatNetwork::new(reader.compat(), writer.compat_write(), Side::Client, limits);
        let mut rpc = RpcSystem::new(Box::new(network), None);
        let init = rpc.bootstrap(Side::Server);
        tokio::task::spawn_local(rpc);
        work(init).await
    })
}

/// Calls `Init.construct`.
pub async fn construct(init: &capnp::capability::Client) -> thread_map::Client {
    let construct: Request<Any, Any> = init.hook.new_call(INIT, 0, None);
    let reply = construct.send().promise.await.unwrap();
    let map: thread_map::make_thread_results::Reader<'_> = reply.get().unwrap().get_as().unwrap();
    map.get_result().unwrap().client.cast_to()
}

/// Fills a pointer with structs in structs, each of them the second field of the one around it.
fn nest(pointer: capnp::any_pointer::Builder<'_>, depth: usize) {
    if depth > 0 {
        let call: call::Builder<'_> = pointer.init_as();
        let next: capnp::any_pointer::Builder<'_> = call.init_params().get_content();
        nest(next, depth - 1);
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

#[test]
fn a_deadline_for_all_calls_of_an_interface() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (gate, keeper) = gate("call");
    let gate = Arc::new(Mutex::new(Some(gate)));
    let _server = ipc::Server::start(theirs, "client", offer(gate)).unwrap();
    let options = multiprocess::Options {
        deadlines: vec![("Echo", std::time::Duration::from_millis(50))],
        ..multiprocess::Options::default()
    };
    let (_link, init) = ipc::connect_socket_with(ours, options).unwrap();
    let echo = init.make_echo().unwrap();
    assert_eq!(echo.echo(String::new()), Err(Error::TimedOut { call: "Echo.echo".to_owned() }));
    keeper.release.send(()).unwrap();
}

/// An interface with a method that takes anything.
static TAKES: Interface = Interface {
    name: "Takes",
    methods: &[Method { name: "Takes.take", interface_id: 7, ordinal: 0, kind: Kind::Call, context: false }],
};

struct Takes;

impl Service for Takes {
    fn interface(&self) -> &'static Interface {
        &TAKES
    }

    fn serve(&self, _: usize, _: &mut ServerCall<'_>) -> std::result::Result<(), multiprocess::Error> {
        Ok(())
    }
}

#[test]
fn a_part_that_is_in_a_message_often_is_not_read_so_often() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(LIMIT)).unwrap();
    let event_loop = multiprocess::EventLoop::start().unwrap();
    let _server = Connection::serve(&event_loop, theirs, Arc::new(Takes), Options::default()).unwrap();
    let mut bytes = Vec::new();
    for (id, fill) in [(0, None), (1, Some(4000))] {
        let mut message = Builder::new(HeapAllocator::new().first_segment_words(1 << 16));
        let root = message.init_root::<message::Builder<'_>>();
        match fill {
            None => root.init_bootstrap().set_question_id(id),
            Some(count) => {
                let mut call = root.init_call();
                call.set_question_id(id);
                call.set_interface_id(7);
                call.reborrow().init_target().init_promised_answer().set_question_id(0);
                let mut params = call.init_params();
                // An object keeps the message from being read where it arrived.
                params.reborrow().init_cap_table(1).get(0).set_sender_hosted(0);
                let content = params.get_content().init_as::<wire::contain_params::Builder<'_>>();
                content.init_value().init_names(count).set(0, "x".repeat(16_000));
            }
        }
        capnp::serialize::write_message(&mut bytes, &message).unwrap();
    }
    // All of the texts are the first one.
    let words = bytes.as_chunks_mut::<8>().0;
    let text = 16_001 << 3 | 2;
    let first = words.iter().position(|word| u64::from_le_bytes(*word) >> 32 == text).unwrap();
    for index in 1..4000 {
        let pointer = u64::from_le_bytes(words[first]) - (index as u64) * 4;
        words[first + index] = pointer.to_le_bytes();
    }
    ours.write_all(&bytes).unwrap();
    loop {
        let message = capnp::serialize::read_message(&mut ours, ReaderOptions::new()).unwrap();
        if let message::Return(answer) = message.get_root::<message::Reader<'_>>().unwrap().which().unwrap()
            && let answer = answer.unwrap()
            && answer.get_answer_id() == 1
        {
            let return_::Exception(Ok(error)) = answer.which().unwrap() else { panic!("it was read") };
            let reason = error.get_reason().unwrap().to_str().unwrap();
            assert!(reason.contains("exceeded"), "{reason}");
            break;
        }
    }
}
