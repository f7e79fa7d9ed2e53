//! Streams: calls that are not awaited one by one, and readers that are slow, fail or go away.

use std::cell::Cell;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use capnp::message::ReaderOptions;
use capnp_rpc::RpcSystem;
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::twoparty::VatNetwork;
use interfaces::Error;
use multiprocess::proxy_capnp::{thread, thread_map};
use multiprocess::{CancelToken, Connection, Options, within};
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

use crate::asynchronous::block_on;
use crate::link::ends;
use crate::probe::schema::probe_capnp as wire;
use crate::probe::{self, Local, Probe, ProbeClient, Sent, Sink, SinkClient};

/// Long enough to tell who waits from who does not.
const SHORT: Duration = Duration::from_millis(300);

/// A writer's view of a sink behind a connection of its own, and the connections.
fn link(sink: impl Sink + 'static, options: Options) -> (Arc<dyn Sink>, [Connection; 2]) {
    let (probe, link) = probe_link(Local::with(Arc::new(sink)), options);
    (probe.sink().unwrap(), link)
}

fn probe_link(local: Local, options: Options) -> (Arc<ProbeClient>, [Connection; 2]) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = probe::serve(theirs, local, options.clone());
    let (client, probe) = probe::connect(ours, options);
    (probe, [client, server])
}

/// Checks that numbers come in order; may be made to wait, and to fail at one of them.
#[derive(Default)]
struct Numbers {
    seen: Mutex<u32>,
    wait: Option<Mutex<Receiver<()>>>,
    refuse: Option<u32>,
}

impl Sink for Numbers {
    fn write(&self, bytes: Vec<u8>) -> Sent {
        if let Some(wait) = &self.wait {
            // Also goes on when the test lets go of the other end.
            let _ = wait.lock().unwrap().recv();
        }
        let number = u32::from_le_bytes(bytes[..4].try_into().unwrap());
        let mut seen = self.seen.lock().unwrap();
        if self.refuse == Some(number) {
            return Err(Error::Internal { message: format!("no more than {seen}") });
        }
        assert_eq!(number, *seen, "one after the other");
        *seen += 1;
        Ok(())
    }

    fn done(&self) -> interfaces::Result<u64> {
        Ok(u64::from(*self.seen.lock().unwrap()))
    }
}

/// A number in a message of about a kilobyte.
fn kilobyte(number: u32) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(1000, 0);
    bytes
}

/// A sink that takes one for each word it is sent, and all once the sender is dropped.
fn slow() -> (Numbers, Sender<()>) {
    let (go, wait) = channel();
    (Numbers { wait: Some(Mutex::new(wait)), ..Numbers::default() }, go)
}

/// Writes until that has to wait; returns how many were taken.
fn fill(sink: &dyn Sink) -> u32 {
    let mut number = 0;
    while within(SHORT, || sink.write(kilobyte(number))).is_ok() {
        number += 1;
        assert!(number < 10_000, "nothing holds the writer up");
    }
    number
}

/// Under a sanitizer so many take minutes.
const EVENTS: u32 = if option_env!("SANITIZED").is_some() { 5_000 } else { 100_000 };

#[test]
fn a_hundred_thousand_events_arrive_in_order() {
    let (probe, _link) = probe_link(Local::default(), Options::default());
    // There, from a thread of ours, and back, from one that serves our call.
    let (sink, _there) = link(Numbers::default(), Options::default());
    (0..EVENTS).for_each(|number| sink.write(number.to_le_bytes().to_vec()).unwrap());
    assert_eq!(sink.done().unwrap(), u64::from(EVENTS));
    assert_eq!(probe.pour(EVENTS, Arc::new(Numbers::default())).unwrap(), u64::from(EVENTS));
}

#[test]
fn a_slow_reader_holds_the_writer_up() {
    let (numbers, go) = slow();
    let window = 16 << 10;
    let (sink, _link) = link(numbers, Options { window, ..Options::default() });
    let taken = fill(&*sink);
    assert!((8..=17).contains(&taken), "{taken} of about a kilobyte in a window of {window}");
    // One that did not leave leaves later, in its place; the end comes after all.
    drop(go);
    (taken..100).for_each(|number| sink.write(kilobyte(number)).unwrap());
    assert_eq!(sink.done().unwrap(), 100);
}

#[test]
fn what_has_left_is_served_though_the_writer_is_gone() {
    let (numbers, go) = slow();
    let (sink, _link) = link(numbers, Options::default());
    let writer = sink.clone();
    std::thread::spawn(move || (0..20).for_each(|number| writer.write(number_of(number)).unwrap())).join().unwrap();
    // The thread that wrote has ended. What it wrote is yet to be read.
    drop(go);
    assert_eq!(sink.done().unwrap(), 20);
}

#[test]
fn an_error_ends_the_stream_and_shows_at_its_end() {
    let refusal = Error::Internal { message: "no more than 5".to_owned() };
    let (sink, _link) = link(Numbers { refuse: Some(5), ..Numbers::default() }, Options::default());
    // What is on its way behind the one that failed is not carried out: the assertion on order would say so.
    let failed = (0..10).find_map(|number| sink.write(number_of(number)).err());
    assert!(failed.is_none_or(|error| error == refusal));
    assert_eq!(sink.done(), Err(refusal.clone()));
    assert_eq!(sink.write(number_of(10)), Err(refusal));
}

fn number_of(number: u32) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

#[test]
fn a_lost_connection_ends_it() {
    let (numbers, go) = slow();
    let (sink, [client, server]) = link(numbers, Options { window: 4096, ..Options::default() });
    fill(&*sink);
    let writer = std::thread::spawn({
        let sink = sink.clone();
        move || sink.write(kilobyte(0))
    });
    server.close();
    assert!(matches!(ends(|| writer.join().unwrap()), Err(Error::Disconnected { .. })));
    assert!(matches!(sink.write(kilobyte(0)), Err(Error::Disconnected { .. })));
    assert!(matches!(sink.done(), Err(Error::Disconnected { .. })));
    drop(go);
    assert!(client.wait_idle(crate::link::LIMIT) && server.wait_idle(crate::link::LIMIT));
}

#[test]
fn a_writer_that_waits_can_be_cancelled() {
    let (numbers, go) = slow();
    let (sink, _link) = link(numbers, Options { window: 4096, ..Options::default() });
    let taken = fill(&*sink);
    let token = CancelToken::new();
    let writer = std::thread::spawn({
        let (sink, token) = (sink.clone(), token.clone());
        move || token.run(|| sink.write(kilobyte(0)))
    });
    token.cancel();
    assert!(matches!(ends(|| writer.join().unwrap()), Err(Error::Cancelled { .. })));
    // What was cancelled did not leave, and the stream goes on.
    drop(go);
    sink.write(kilobyte(taken)).unwrap();
    assert_eq!(sink.done().unwrap(), u64::from(taken) + 1);
}

#[test]
fn futures_wait_for_room_in_their_turn() {
    let (numbers, go) = slow();
    let local = Local::with(Arc::new(numbers));
    let (probe, _link) = probe_link(local, Options { window: 4096, ..Options::default() });
    let sink: Arc<SinkClient> = block_on(probe.sink_async()).unwrap();
    // Those that left have room behind them or not; the first without is held up.
    let first: Vec<_> = (0..8).map(|number| Box::pin(sink.write_async(kilobyte(number)))).collect();
    let mut last = first.into_iter().next_back().unwrap();
    let held = block_on(async { is_pending(&mut last).await });
    assert!(held, "eight kilobytes are unanswered, with a window of four");
    drop(go);
    ends(move || {
        block_on(async move {
            last.await.unwrap();
            for number in 8..5000 {
                sink.write_async(number_of(number)).await.unwrap();
            }
            assert_eq!(sink.done_async().await, Ok(5000));
        });
    });
}

#[test]
fn who_asks_again_and_again_waits_once() {
    struct Nothing;
    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }
    let (numbers, _go) = slow();
    let (probe, _link) = probe_link(Local::with(Arc::new(numbers)), Options { window: 1, ..Options::default() });
    let sink = block_on(probe.sink_async()).unwrap();
    let task = Arc::new(Nothing);
    let waker = Waker::from(task.clone());
    let mut room = Box::pin(sink.write_async(kilobyte(0)));
    for _ in 0..100 {
        assert!(room.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    // What the stream keeps of the task beside the two here.
    assert_eq!(Arc::strong_count(&task), 3);
    drop(room);
    assert_eq!(Arc::strong_count(&task), 2);
}

/// The other side as Cap'n Proto alone has it: connects to what is at the end of a socket.
/// Cap'n Proto alone at one end of a socket.
pub fn bare(stream: UnixStream, side: Side, bootstrap: Option<capnp::capability::Client>) -> RpcSystem<Side> {
    stream.set_nonblocking(true).unwrap();
    let (reader, writer) = tokio::net::UnixStream::from_std(stream).unwrap().into_split();
    let network = VatNetwork::new(reader.compat(), writer.compat_write(), side, ReaderOptions::new());
    RpcSystem::new(Box::new(network), bootstrap)
}

/// Runs what has such an end.
pub fn run_bare<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

#[test]
fn a_stream_of_cap_n_proto_can_write_to_ours() {
    // Such a client knows of no threads: it has a pool, and yet its calls run one after the other.
    for refuse in [None, Some(300)] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let local = Local::with(Arc::new(Numbers { refuse, ..Numbers::default() }));
        let _server = probe::serve(theirs, local, Options::default());
        let result = run_bare(async {
            let mut rpc = bare(ours, Side::Client, None);
            let probe: wire::probe::Client = rpc.bootstrap(Side::Server);
            tokio::task::spawn_local(rpc);
            let map = probe.construct_request().send().pipeline.get_thread_map();
            let mut pool = map.make_pool_request();
            pool.get().set_count(4);
            pool.send().promise.await.unwrap();
            let sink = probe.sink_request().send().pipeline.get_result();
            for number in 0..1000 {
                let mut write = sink.write_request();
                write.get().set_bytes(&number_of(number));
                write.send().await?;
            }
            let done = sink.done_request().send().promise.await?;
            Ok::<_, capnp::Error>(done.get()?.get_result())
        });
        match refuse {
            None => assert_eq!(result.unwrap(), 1000),
            Some(last) => assert!(result.unwrap_err().extra.ends_with(&format!("no more than {last}"))),
        }
    }
}

#[test]
fn what_is_called_of_a_result_needs_the_call_that_gives_it() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (go, held) = channel();
    let local = Local { held: Some(Mutex::new(held)), ..Local::default() };
    let _server = probe::serve(theirs, local, Options::default());
    run_bare(async {
        let mut rpc = bare(ours, Side::Client, None);
        let probe: wire::probe::Client = rpc.bootstrap(Side::Server);
        tokio::task::spawn_local(rpc);
        let map = probe.construct_request().send().pipeline.get_thread_map();
        let mut pool = map.make_pool_request();
        pool.get().set_count(4);
        pool.send().promise.await.unwrap();
        // Such a client is finished with a call once it has called what that will give.
        let called = probe.sink_request().send().pipeline.get_result().done_request().send().promise;
        probe.bytes_request().send().promise.await.unwrap();
        drop(go);
        assert_eq!(called.await.unwrap().get().unwrap().get_result(), 0);
    });
}

/// A probe as Cap'n Proto alone serves one: it has a sink, and no threads.
struct BareProbe;

impl wire::probe::Server for BareProbe {
    async fn construct(
        self: Rc<Self>,
        _: wire::probe::ConstructParams,
        mut results: wire::probe::ConstructResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_thread_map(capnp_rpc::new_client(BareThreads));
        Ok(())
    }

    async fn sink(
        self: Rc<Self>,
        _: wire::probe::SinkParams,
        mut results: wire::probe::SinkResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_result(capnp_rpc::new_client(BareSink(Cell::default())));
        Ok(())
    }
}

/// Makes threads that are none.
struct BareThreads;

impl thread_map::Server for BareThreads {
    async fn make_thread(
        self: Rc<Self>,
        _: thread_map::MakeThreadParams,
        mut results: thread_map::MakeThreadResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_result(capnp_rpc::new_client(BareThreads));
        Ok(())
    }
}

impl thread::Server for BareThreads {}

/// A sink as Cap'n Proto alone serves one. It takes its time.
struct BareSink(Cell<u64>);

impl wire::sink::Server for BareSink {
    async fn write(self: Rc<Self>, params: wire::sink::WriteParams) -> Result<(), capnp::Error> {
        tokio::task::yield_now().await;
        let number = u32::from_le_bytes(params.get()?.get_bytes()?.try_into().unwrap());
        assert_eq!(u64::from(number), self.0.get(), "one after the other");
        if number == 900 {
            return Err(capnp::Error::failed("no more".to_owned()));
        }
        self.0.set(self.0.get() + 1);
        Ok(())
    }

    async fn done(
        self: Rc<Self>,
        _: wire::sink::DoneParams,
        mut results: wire::sink::DoneResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_result(self.0.get());
        Ok(())
    }
}

#[test]
fn ours_can_write_to_a_stream_of_cap_n_proto() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let serving = std::thread::spawn(move || {
        run_bare(async {
            let probe: wire::probe::Client = capnp_rpc::new_client(BareProbe);
            // An error only says how it ended.
            let _ = bare(theirs, Side::Server, Some(probe.client)).await;
        });
    });
    let (connection, probe) = probe::connect(ours, Options::default());
    ends(move || {
        block_on(async {
            let sink = probe.sink_async().await.unwrap();
            for number in 0..800 {
                sink.write_async(number_of(number)).await.unwrap();
            }
            assert_eq!(sink.done_async().await, Ok(800));
            let failed = async {
                for number in 800..100_000 {
                    sink.write_async(number_of(number)).await?;
                }
                sink.done_async().await
            };
            assert_eq!(failed.await, Err(Error::Internal { message: "no more".to_owned() }));
        });
    });
    connection.close();
    ends(|| serving.join().unwrap());
}

/// Says whether a future is not ready when it is asked.
async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())).await
}

#[test]
fn a_future_ends_with_the_connection() {
    let (numbers, _go) = slow();
    let local = Local::with(Arc::new(numbers));
    let (probe, [_client, server]) = probe_link(local, Options { window: 1024, ..Options::default() });
    let sink = block_on(probe.sink_async()).unwrap();
    let room = sink.write_async(kilobyte(0));
    let more = sink.write_async(kilobyte(1));
    server.close();
    let ended = ends(move || block_on(async { (room.await, more.await) }));
    assert!(matches!(ended, (Err(Error::Disconnected { .. }), Err(Error::Disconnected { .. }))), "{ended:?}");
}

#[test]
fn writers_of_several_streams_do_not_wait_for_each_other() {
    let (numbers, go) = slow();
    let (slow_sink, _link) = link(numbers, Options { window: 4096, ..Options::default() });
    fill(&*slow_sink);
    let (sink, _other) = link(Numbers::default(), Options::default());
    (0..100).for_each(|number| sink.write(number_of(number)).unwrap());
    assert_eq!(sink.done().unwrap(), 100);
    drop(go);
}
