//! The five moments at which the other side can go away, and what its end leaves behind.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use capnp_rpc::rpc_capnp::message;
use interfaces::{Echo, Error, Init, Result, RpcRequest};
use testing::{FakeChain, RpcHook};

use crate::link::{Gate, LIMIT, Link, Once, ends, gate, link, wallet_link};

pub fn gone(call: &str) -> Error {
    Error::Disconnected { call: call.to_owned() }
}

pub fn request(method: &str) -> RpcRequest {
    RpcRequest {
        method: method.to_owned(),
        params: "[]".to_owned(),
        uri: "/".to_owned(),
        user: "me".to_owned(),
        tip: None,
    }
}

#[test]
fn before_bootstrap() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    let (_link, init) = ipc::connect_socket(ours, "server").unwrap();
    assert_eq!(ends(move || init.make_echo().err()), Some(gone("Init.makeEcho")));
}

#[test]
fn before_the_first_call() {
    let Link { init, server, client } = link(Once::new(gate("").0));
    let echo = init.make_echo().unwrap();
    server.close();
    client.wait();
    assert_eq!(echo.echo(String::new()), Err(gone("Echo.echo")));
    assert_eq!(init.make_echo().err(), Some(gone("Init.makeEcho")));
}

#[test]
fn during_a_call() {
    for by_server in [true, false] {
        let (echo, keeper) = gate("call");
        let Link { init, server, client } = link(Once::new(echo));
        let echo = init.make_echo().unwrap();
        let call = std::thread::spawn(move || echo.echo(String::new()));
        assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("call"));
        if by_server {
            server.close();
        } else {
            client.close();
        }
        assert_eq!(ends(move || call.join().unwrap()), Err(gone("Echo.echo")));
        // The call is still being served; it ends, and with it the object.
        drop(keeper.release);
        assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("drop"));
    }
}

#[test]
fn during_a_callback() {
    // The wallet asks our chain while it serves a call of ours; the connection ends before our answer.
    for by_server in [true, false] {
        let (send, errors) = channel();
        let send = Mutex::new(send);
        let (arrived, reached) = channel();
        let (release, wait) = channel::<()>();
        let hook: RpcHook = Arc::new(move |_, chain| {
            let answer = chain.abort_node("x".to_owned());
            let _ = send.lock().unwrap().send(answer.clone());
            answer.map(|()| Ok(String::new()))
        });
        let link = link(testing::FakeInit::with_hook(hook));
        let (arrived, wait) = (Mutex::new(arrived), Mutex::new(wait));
        let chain = FakeChain::new(0);
        chain.on_abort(move || {
            arrived.lock().unwrap().send(()).unwrap();
            let _ = wait.lock().unwrap().recv();
        });
        let loader = link.init.make_wallet_loader(testing::config(), chain).unwrap();
        let call = std::thread::spawn(move || loader.execute_rpc(request("callback")));
        reached.recv_timeout(LIMIT).unwrap();
        if by_server {
            link.server.close();
        } else {
            link.client.close();
        }
        link.client.wait();
        // The wallet's thread learns at once; ours when the callback it runs is done.
        assert_eq!(errors.recv_timeout(LIMIT).unwrap(), Err(gone("Chain.abortNode")));
        drop(release);
        assert_eq!(ends(move || call.join().unwrap()), Err(gone("WalletLoader.executeRpc")));
    }
}

#[test]
fn during_a_drop() {
    let (echo, keeper) = gate("drop");
    let Link { init, server, client: _client } = link(Once::new(echo));
    let echo = init.make_echo().unwrap();
    let start = Instant::now();
    let dropping = std::thread::spawn(move || drop(echo));
    assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("drop"));
    server.close();
    ends(move || dropping.join().unwrap());
    assert!(start.elapsed() < LIMIT);
    drop(keeper.release);
}

#[test]
fn a_drop_does_not_wait_for_ever() {
    let (echo, keeper) = gate("drop");
    let Link { init, server: _server, client: _client } = link(Once::new(echo));
    let echo = init.make_echo().unwrap();
    ends(move || drop(echo));
    assert_eq!(keeper.reached.try_recv(), Ok("drop"));
    drop(keeper.release);
}

#[test]
fn many_drops_wait_for_a_peer_that_hangs_once() {
    /// Offers echoes whose drop is held up.
    struct Offer(Mutex<Vec<Gate>>);
    impl Init for Offer {
        fn make_echo(&self) -> Result<Arc<dyn Echo>> {
            Ok(Arc::new(self.0.lock().unwrap().pop().unwrap()))
        }
    }
    let (gates, keepers): (Vec<_>, Vec<_>) = (0..12).map(|_| gate("drop")).unzip();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _server = ipc::Server::start(theirs, "client", Arc::new(Offer(Mutex::new(gates)))).unwrap();
    let limit = Duration::from_millis(500);
    let options = multiprocess::Options { destroy_timeout: limit, ..Default::default() };
    let (_link, init) = ipc::connect_socket_with(ours, options).unwrap();
    let mut held: Vec<_> = (0..12).map(|_| init.make_echo().unwrap()).collect();
    let start = Instant::now();
    held.truncate(2);
    assert!((limit..3 * limit).contains(&start.elapsed()), "{:?}", start.elapsed());
    // It answers again: a drop waits as before, and does not return early.
    assert_eq!(held[0].echo("there".to_owned()), Ok("there".to_owned()));
    let start = Instant::now();
    drop(held);
    assert!((limit..2 * limit).contains(&start.elapsed()), "{:?}", start.elapsed());
    drop(keepers);
}

#[test]
fn objects_of_a_lost_client_are_dropped() {
    let (echo, keeper) = gate("");
    let Link { init, server, client } = link(Once::new(echo));
    let echo = init.make_echo().unwrap();
    client.close();
    server.wait();
    assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("drop"));
    drop(echo);
}

#[test]
fn subscriptions_and_warnings_of_a_lost_client_end() {
    let (link, loader, chain) = wallet_link(Some(Arc::new(|_, chain| {
        // Kept by nobody but the connection: leaks on purpose, as a crashed process would.
        std::mem::forget(chain.subscribe(Arc::new(testing::ChainRecorder::default()))?);
        std::mem::forget(chain.raise_warning("behind".to_owned())?);
        Ok(Ok(String::new()))
    })));
    loader.execute_rpc(request("subscribe")).unwrap().unwrap();
    assert_eq!((chain.subscriptions(), chain.warnings().len()), (1, 1));
    let (done, wait) = channel();
    link.client.on_disconnect(move || done.send(()).unwrap());
    link.server.close();
    wait.recv_timeout(LIMIT).unwrap();
    assert_eq!((chain.subscriptions(), chain.warnings().len()), (0, 0));
}

#[test]
fn garbage_ends_the_connection() {
    use std::io::Write;
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &[0; 8], &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]] {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let server = ipc::Server::start(theirs, "stranger", Arc::new(testing::FakeInit::default())).unwrap();
        ours.write_all(garbage).unwrap();
        drop(ours);
        ends(move || server.wait());
    }
}

#[test]
fn a_closed_connection_ends_whatever_the_peer_does() {
    // A peer that says nothing, one that sent half a message, and one that made a call; all stay connected.
    for sent in [&[][..], &[0, 0, 0, 0, 9, 0, 0, 0]] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (&ours).write_all(sent).unwrap();
        let server = ipc::Server::start(theirs, "client", Arc::new(Once::new(gate("").0))).unwrap();
        server.close();
        ends(move || server.wait());
        drop(ours);
    }
    let Link { init, server, client } = link(Once::new(gate("").0));
    let _echo = init.make_echo().unwrap();
    server.close();
    ends(move || server.wait());
    ends(move || client.wait());
}

#[test]
fn a_peer_that_asks_and_does_not_read_is_given_up() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = ipc::Server::start(theirs, "client", Arc::new(Once::new(gate("").0))).unwrap();
    // More answers than the sockets hold.
    for question in 0..20_000 {
        let mut message = capnp::message::Builder::new_default();
        message.init_root::<message::Builder<'_>>().init_bootstrap().set_question_id(question);
        (&ours).write_all(&capnp::serialize::write_message_to_words(&message)).unwrap();
    }
    ours.shutdown(Shutdown::Write).unwrap();
    ends(move || server.wait());
    drop(ours);
}
