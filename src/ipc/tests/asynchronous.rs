//! Calls whose result is a future: many at once, given up, called back, cut off; and an event loop run by a guest.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::join_all;
use interfaces::{Chain, Echo, Error, Init, Result, RpcRequest};
use ipc::client::{EchoClient, InitClient};
use multiprocess::{Options, Side};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use testing::{FakeChain, FakeInit, RpcHook};

use crate::link::{LIMIT, Once, ends, gate};
use crate::probe::{self, Local};

/// Any executor does; this is the one at hand.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Serves `init` to ourselves, as a client that can be called without waiting.
fn link(init: impl Init + 'static) -> (multiprocess::Connection, Arc<InitClient>, ipc::Server) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = ipc::Server::start(theirs, "client", Arc::new(init)).unwrap();
    let (connection, init) = ipc::connect_on(&multiprocess::EventLoop::start().unwrap(), ours, "server").unwrap();
    (connection, init, server)
}

fn request(method: &str) -> RpcRequest {
    RpcRequest { method: method.to_owned(), params: String::new(), uri: "/".to_owned(), user: String::new(), tip: None }
}

#[test]
fn a_result_without_a_thread_that_waits() {
    let (_connection, init, _server) = link(FakeInit::default());
    let echo: Arc<EchoClient> = ends(move || block_on(init.make_echo_async())).unwrap();
    // Started one after the other, before any is awaited.
    let answers: Vec<_> = (0..100).map(|number| echo.echo_async(number.to_string())).collect();
    let answers = ends(move || block_on(join_all(answers)));
    assert_eq!(answers, (0..100).map(|number| Ok(number.to_string())).collect::<Vec<_>>());
    // The same object still has its methods that wait.
    assert_eq!(echo.echo("waits".to_owned()), Ok("waits".to_owned()));
}

#[test]
fn one_that_takes_long_holds_up_no_other() {
    let (slow, keeper) = gate("call");
    let (_connection, init, _server) = link(Once(Mutex::new(Some(Arc::new(slow)))));
    let echo = block_on(init.make_echo_async()).unwrap();
    let first = echo.echo_async("first".to_owned());
    assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("call"));
    // Another lane serves it, up to the same gate.
    let second = echo.echo_async("second".to_owned());
    assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("call"));
    keeper.release.send(()).unwrap();
    keeper.release.send(()).unwrap();
    let both = ends(move || block_on(async { (first.await, second.await) }));
    assert_eq!(both, (Ok("first".to_owned()), Ok("second".to_owned())));
}

#[test]
fn one_that_takes_too_long_times_out_and_holds_up_no_other() {
    let (slow, keeper) = gate("call");
    let (_connection, init, _server) = link(Once(Mutex::new(Some(Arc::new(slow)))));
    let echo = block_on(init.make_echo_async()).unwrap();
    let limit = Duration::from_millis(50);
    let first = multiprocess::within(limit, || echo.echo_async("first".to_owned()));
    assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("call"));
    assert_eq!(ends(move || block_on(first)), Err(Error::TimedOut { call: "Echo.echo".to_owned() }));
    // Its thread over there is still busy; the next call has another.
    let second = multiprocess::within(LIMIT, || echo.echo_async("second".to_owned()));
    assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("call"));
    keeper.release.send(()).unwrap();
    keeper.release.send(()).unwrap();
    assert_eq!(ends(move || block_on(second)), Ok("second".to_owned()));
}

#[test]
fn what_is_called_back_runs_elsewhere() {
    let hook: RpcHook = Arc::new(|_, chain| {
        chain.abort_node("back".to_owned())?;
        Ok(Ok("done".to_owned()))
    });
    let (_connection, init, _server) = link(FakeInit::with_hook(hook));
    let chain = FakeChain::new(1);
    let seen = Arc::new(Mutex::new(None));
    chain.on_abort({
        let seen = seen.clone();
        move || *seen.lock().unwrap() = Some(std::thread::current().id())
    });
    let shared: Arc<dyn Chain> = chain.clone();
    let loader = ends(move || block_on(init.make_wallet_loader_async(testing::config(), shared))).unwrap();
    assert_eq!(ends(move || block_on(loader.execute_rpc_async(request("x")))), Ok(Ok("done".to_owned())));
    let seen = seen.lock().unwrap().unwrap();
    assert_ne!(seen, std::thread::current().id());
}

#[test]
fn a_dropped_future_gives_the_call_up() {
    let (slow, keeper) = gate("call");
    let (connection, init, server) = link(Once(Mutex::new(Some(Arc::new(slow)))));
    let echo = block_on(init.make_echo_async()).unwrap();
    for _ in 0..50 {
        let mut call = Box::pin(echo.echo_async("never read".to_owned()));
        assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("call"));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(call);
        keeper.release.send(()).unwrap();
    }
    // Neither side keeps anything of them.
    let last = echo.echo_async("read".to_owned());
    assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("call"));
    keeper.release.send(()).unwrap();
    assert_eq!(ends(move || block_on(last)), Ok("read".to_owned()));
    drop((echo, init));
    connection.close();
    assert!(connection.wait_idle(LIMIT));
    server.close();
}

#[test]
fn a_call_given_up_is_counted() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _server = probe::serve(theirs, Local::default(), Options::default());
    let (_client, probe) = probe::connect(ours, Options::default());
    // No other test has this method fail.
    let count = || {
        let all = multiprocess::metrics().methods;
        let found = all.iter().find(|method| method.method == "Probe.floats" && method.side == Side::Client);
        found.map_or(0, |method| method.errors)
    };
    assert_eq!(count(), 0);
    (0..3).for_each(|_| drop(probe.floats_async(1.0, 2.0)));
    assert_eq!(count(), 3);
}

#[test]
fn a_lost_connection_ends_what_is_under_way_and_what_comes_after() {
    let (slow, keeper) = gate("call");
    let (connection, init, _server) = link(Once(Mutex::new(Some(Arc::new(slow)))));
    let echo = block_on(init.make_echo_async()).unwrap();
    let call = echo.echo_async("lost".to_owned());
    assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("call"));
    connection.close();
    let lost: Result<String> = Err(Error::Disconnected { call: "Echo.echo".to_owned() });
    assert_eq!(ends(move || block_on(call)), lost);
    connection.wait();
    assert_eq!(ends(move || block_on(echo.echo_async("late".to_owned()))), lost);
    drop(keeper);
}

#[test]
fn an_event_loop_run_by_a_guest() {
    let event_loop = multiprocess::EventLoop::start().unwrap();
    let host = event_loop.host().unwrap();
    assert!(event_loop.host().is_none(), "one at a time");
    let turn = |host: &multiprocess::Host| {
        let mut fds = [PollFd::new(host, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 1, tv_nsec: 0 })).unwrap();
        host.turn().unwrap();
    };
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = ipc::Server::start(theirs, "client", Arc::new(FakeInit::default())).unwrap();
    let (connection, init) = ipc::connect_on(&event_loop, ours, "server").unwrap();
    let ask = |text: &str| {
        let mut call = Box::pin(init.make_echo_async());
        let mut context = Context::from_waker(Waker::noop());
        let echo = loop {
            // Nobody reads the socket but us.
            match call.as_mut().poll(&mut context) {
                Poll::Ready(echo) => break echo.unwrap(),
                Poll::Pending => turn(&host),
            }
        };
        assert_eq!(echo.echo(text.to_owned()).unwrap(), text);
    };
    ask("by the guest");
    ask("again");
    // Given back, the loop's own thread goes on, also with what ends by a deadline.
    drop(host);
    let init = init.clone();
    let echo = ends(move || block_on(init.make_echo_async())).unwrap();
    drop(echo);
    assert!(event_loop.host().is_some());
    connection.close();
    ends(move || connection.wait());
    server.close();
}
