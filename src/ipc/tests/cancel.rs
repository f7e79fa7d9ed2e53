//! Calls that are given up: by a token, by a dropped future, by a lost connection; and what serves them stops.

use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use capnp::message::{Builder, ReaderOptions};
use capnp_rpc::rpc_capnp::message;
use interfaces::{Echo, Error, Result, RpcRequest, caller_has_given_up};
use ipc::CancelToken;
use multiprocess::{Connection, Interface, Kind, Method, Options, ServerCall, Service};
use testing::RpcHook;

use crate::link::{LIMIT, Once, ends, link, wallet_link};

/// An echo that answers "now" at once, and anything else never: it works on it until nobody wants it any more.
struct Patient {
    events: Mutex<Sender<&'static str>>,
}

impl Echo for Patient {
    fn echo(&self, echo: String) -> Result<String> {
        let tell = |event| self.events.lock().unwrap().send(event).unwrap();
        if echo == "now" {
            return Ok(echo);
        }
        tell("begun");
        while !caller_has_given_up() {
            std::thread::yield_now();
        }
        tell("stopped");
        Ok(echo)
    }
}

fn patient() -> (Once, Receiver<&'static str>) {
    let (events, seen) = channel();
    (Once::new(Patient { events: Mutex::new(events) }), seen)
}

fn cancelled(call: &str) -> Error {
    Error::Cancelled { call: call.to_owned() }
}

#[test]
fn a_token_ends_the_call_and_the_work() {
    let (init, seen) = patient();
    let link = link(init);
    let echo = link.init.make_echo().unwrap();
    let token = CancelToken::new();
    let caller = std::thread::spawn({
        let (echo, token) = (echo.clone(), token.clone());
        move || {
            let first = token.run(|| echo.echo("never".to_owned()));
            let second = token.run(|| echo.echo("now".to_owned()));
            // The thread over there that served the first is free again, or this would hang.
            (first, second, echo.echo("now".to_owned()))
        }
    });
    assert_eq!(seen.recv_timeout(LIMIT), Ok("begun"));
    assert!(!token.is_cancelled());
    token.cancel();
    assert_eq!(seen.recv_timeout(LIMIT), Ok("stopped"));
    let refused = || Err(cancelled("Echo.echo"));
    assert_eq!(ends(move || caller.join().unwrap()), (refused(), refused(), Ok("now".to_owned())));
}

#[test]
fn one_token_ends_the_calls_of_many_threads_and_no_others() {
    let (init, seen) = patient();
    let link = link(init);
    let echo = link.init.make_echo().unwrap();
    let (token, other) = (CancelToken::new(), CancelToken::new());
    let start = |token: &CancelToken| {
        let (echo, token) = (echo.clone(), token.clone());
        std::thread::spawn(move || token.run(|| echo.echo("never".to_owned())))
    };
    let callers: Vec<_> = (0..8).map(|_| start(&token)).collect();
    let apart = start(&other);
    (0..9).for_each(|_| assert_eq!(seen.recv_timeout(LIMIT), Ok("begun")));
    token.cancel();
    for caller in callers {
        assert_eq!(ends(move || caller.join().unwrap()), Err(cancelled("Echo.echo")));
        assert_eq!(seen.recv_timeout(LIMIT), Ok("stopped"));
    }
    assert!(!apart.is_finished());
    other.cancel();
    assert_eq!(ends(move || apart.join().unwrap()), Err(cancelled("Echo.echo")));
}

#[test]
fn a_dropped_future_ends_the_work() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (init, seen) = patient();
    let _server = ipc::Server::start(theirs, "client", Arc::new(init)).unwrap();
    let event_loop = multiprocess::EventLoop::start().unwrap();
    let (_connection, init) = ipc::connect_on(&event_loop, ours, "server").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let echo = runtime.block_on(init.make_echo_async()).unwrap();
    let mut call = Box::pin(echo.echo_async("never".to_owned()));
    assert_eq!(seen.recv_timeout(LIMIT), Ok("begun"));
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(call);
    assert_eq!(seen.recv_timeout(LIMIT), Ok("stopped"));
}

#[test]
fn a_time_limit_and_a_lost_connection_end_the_work() {
    let (init, seen) = patient();
    let link = link(init);
    let echo = link.init.make_echo().unwrap();
    // Long enough to be begun.
    let late = multiprocess::within(Duration::from_millis(300), || echo.echo("never".to_owned()));
    assert_eq!(late, Err(Error::TimedOut { call: "Echo.echo".to_owned() }));
    assert_eq!(seen.recv_timeout(LIMIT), Ok("begun"));
    assert_eq!(seen.recv_timeout(LIMIT), Ok("stopped"));
    let caller = std::thread::spawn(move || echo.echo("never".to_owned()));
    assert_eq!(seen.recv_timeout(LIMIT), Ok("begun"));
    link.client.close();
    assert_eq!(seen.recv_timeout(LIMIT), Ok("stopped"));
    assert_eq!(ends(move || caller.join().unwrap()), Err(Error::Disconnected { call: "Echo.echo".to_owned() }));
}

/// An interface with a method that ends once nobody wants it any more, and tells how often it was called.
static PATIENT: Interface = Interface {
    name: "Patient",
    methods: &[Method { name: "Patient.wait", interface_id: 7, ordinal: 0, kind: Kind::Call, context: false }],
};

struct Waits(Sender<()>);

impl Service for Waits {
    fn interface(&self) -> &'static Interface {
        &PATIENT
    }

    fn serve(&self, _: usize, call: &mut ServerCall<'_>) -> std::result::Result<(), multiprocess::Error> {
        self.0.send(()).unwrap();
        let given_up = call.given_up();
        while !given_up.is_set() {
            std::thread::yield_now();
        }
        Ok(())
    }
}

/// Answers at once.
struct Quick;

impl Service for Quick {
    fn interface(&self) -> &'static Interface {
        &PATIENT
    }

    fn serve(&self, _: usize, _: &mut ServerCall<'_>) -> std::result::Result<(), multiprocess::Error> {
        Ok(())
    }
}

/// Calls and gives that up, so many times, with `between` in between. Each call is to be answered: then its number is used
/// again, as the other side has forgotten it.
fn give_up(service: impl Service, rounds: usize, between: impl Fn(usize)) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(LIMIT)).unwrap();
    let event_loop = multiprocess::EventLoop::start().unwrap();
    let _server = Connection::serve(&event_loop, theirs, Arc::new(service), Options::default()).unwrap();
    let send = |stream: &mut UnixStream, fill: &dyn Fn(message::Builder<'_>)| {
        let mut message = Builder::new_default();
        fill(message.init_root());
        capnp::serialize::write_message(stream, &message).unwrap();
    };
    send(&mut ours, &|message| message.init_bootstrap().set_question_id(0));
    for round in 0..rounds {
        send(&mut ours, &|message| {
            let mut call = message.init_call();
            call.set_question_id(1);
            call.set_interface_id(7);
            call.reborrow().init_target().init_promised_answer().set_question_id(0);
            call.init_params();
        });
        between(round);
        send(&mut ours, &|message| message.init_finish().set_question_id(1));
        loop {
            let message = capnp::serialize::read_message(&mut ours, ReaderOptions::new()).unwrap();
            match message.get_root::<message::Reader<'_>>().unwrap().which().unwrap() {
                message::Return(answer) if answer.as_ref().unwrap().get_answer_id() == 1 => break,
                message::Return(_) => {}
                _ => panic!("not an answer"),
            }
        }
    }
}

#[test]
fn nothing_is_kept_of_a_call_given_up() {
    let (begun, seen) = channel();
    // Some are given up before they begin.
    give_up(Waits(begun), 1000, |round| {
        if round % 2 == 0 {
            seen.recv_timeout(LIMIT).unwrap();
        }
    });
}

#[test]
fn nothing_is_kept_of_a_call_given_up_as_it_is_answered() {
    // Whenever that may be.
    give_up(Quick, 5_000, |round| (0..round % 500 * 40).for_each(|_| std::hint::spin_loop()));
}

#[test]
fn what_the_other_side_calls_back_is_its_own() {
    // Our token covers our call; the wallet's call of our chain, served on the same thread, calls the wallet again.
    let hook: RpcHook = Arc::new(|request, chain| {
        if request.method == "outer" {
            chain.abort_node(String::new())?;
        }
        Ok(Ok(request.method.clone()))
    });
    let (_link, loader, chain) = wallet_link(Some(hook));
    let request = |method: &str| RpcRequest {
        method: method.to_owned(),
        params: String::new(),
        uri: "/".to_owned(),
        user: String::new(),
        tip: None,
    };
    let token = CancelToken::new();
    let (inner, nested) = channel();
    chain.on_abort({
        let (loader, token, inner) = (loader.clone(), token.clone(), Mutex::new(inner));
        let request = request("inner");
        move || {
            token.cancel();
            inner.lock().unwrap().send(loader.execute_rpc(request.clone())).unwrap();
        }
    });
    let outer = ends({
        let (loader, request) = (loader.clone(), request("outer"));
        move || token.run(|| loader.execute_rpc(request))
    });
    assert_eq!(outer, Err(cancelled("WalletLoader.executeRpc")));
    assert_eq!(nested.recv_timeout(LIMIT).unwrap(), Ok(Ok("inner".to_owned())));
    chain.on_abort(|| {});
}
