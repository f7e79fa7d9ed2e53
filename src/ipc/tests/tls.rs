//! Connections across a network: who gets in, what strangers can do, and the moments at which the network can fail.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use interfaces::{Echo, Error, Init};
use ipc::{BindAddress, Fingerprint, Guest, Listener};
use testing::{FakeChain, FakeInit, RpcHook, contract};

use crate::disconnect::{gone, request};
use crate::link::{LIMIT, Once, ends, gate};
use crate::socket::directory;

fn listen_for(options: &str, dir: &Path, init: Arc<dyn Init>) -> Listener {
    let address = BindAddress::parse(&format!("tls:127.0.0.1:0{options}"), dir, "test").unwrap();
    ipc::listen(&address, move || Guest { init: init.clone(), until_gone: Box::new(()) }).unwrap()
}

fn listen(options: &str, dir: &Path) -> Listener {
    listen_for(options, dir, Arc::new(FakeInit::default()))
}

fn authorize(server: &Path, client: Fingerprint) {
    fs::write(server.join("ipc/authorized"), format!("# clients\n{client} laptop\n")).unwrap();
}

fn refusal(address: &str, dir: &Path) -> String {
    ipc::connect(address, dir, "test").err().unwrap().to_string()
}

#[test]
fn both_sides_know_each_other() {
    let (server, client, other) = (directory("tls-server"), directory("tls-client"), directory("tls-other"));
    let listener = listen("", &server);
    let [server_key, client_key, other_key] = [&server, &client, &other].map(|dir| ipc::fingerprint(dir).unwrap());
    let plain = listener.address();
    let address = format!("{plain},fingerprint={server_key}");

    // The server is not who the client expects: nothing is sent.
    let expected = format!(
        "the server has another key than expected; if this is its fingerprint, which its log shows at the start, append to \
         the address: ,fingerprint={server_key}"
    );
    assert_eq!(refusal(&plain, &client), expected);
    assert_eq!(refusal(&format!("{plain},fingerprint={other_key}"), &client), expected);
    // The client is not known.
    let expected = format!(
        "the server does not know this program's key; to be let in, add this line to ipc/authorized there: {client_key}"
    );
    assert_eq!(refusal(&address, &client), expected);
    authorize(&server, client_key);
    let (link, init) = ipc::connect(&address, &client, "test").unwrap();
    contract::init(&init, FakeChain::new(5));
    // Far more than any buffer holds.
    let echo = init.make_echo().unwrap();
    let long = "x".repeat(4 << 20);
    assert!(echo.echo(long.clone()).unwrap() == long);
    assert!(refusal(&address, &other).ends_with(&other_key.to_string()));
    // Programs of one data directory have one key, and need no list.
    fs::remove_file(server.join("ipc/authorized")).unwrap();
    contract::echo(&ipc::connect(&plain, &server, "test").unwrap().1.make_echo().unwrap());
    // Who was let in stays in; who comes anew does not.
    contract::echo(&echo);
    assert!(refusal(&address, &client).starts_with("the server does not know"));

    ends(|| listener.close());
    ends(move || link.wait());
    assert_eq!(echo.echo(String::new()), Err(gone("Echo.echo")));
    assert_eq!(refusal(&plain, &server), format!("{}: Connection refused", &plain["tls:".len()..]));
}

/// The host and port of a listener.
fn host(listener: &Listener) -> String {
    listener.address()["tls:".len()..].to_owned()
}

#[test]
fn strangers_learn_nothing_and_harm_nobody() {
    let dir = directory("tls-strangers");
    let listener = listen("", &dir);
    let (_link, init) = ipc::connect(&listener.address(), &dir, "test").unwrap();
    let echo = init.make_echo().unwrap();
    // More than the lobby holds, and all of them sit there.
    let idle: Vec<_> = (0..40).map(|_| TcpStream::connect(host(&listener)).unwrap()).collect();
    let noises: [&[u8]; 5] =
        [b"", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 4096], &[0, 0, 0, 0, 1, 0, 0, 0], &[0x16, 3, 1, 0x40, 0, 1, 0, 0x3f]];
    for noise in noises {
        let mut stream = TcpStream::connect(host(&listener)).unwrap();
        stream.write_all(noise).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let answer = ends(move || stream.read_to_end(&mut answer).map(|_| answer).unwrap_or_default());
        // At most an alert, which is all that TLS has to say.
        assert!(answer.is_empty() || (answer[0] == 21 && answer.len() == 7), "{answer:?}");
        contract::echo(&echo);
    }
    // A client of Cap'n Proto without encryption.
    let stream = TcpStream::connect(host(&listener)).unwrap();
    let (_link, plain) = ipc::connect_socket(stream, "server").unwrap();
    assert!(ends(move || plain.make_echo().is_err()));
    ipc::connect(&listener.address(), &dir, "test").unwrap().1.make_echo().unwrap();
    // The end waits for none of them.
    ends(|| listener.close());
    drop(idle);
}

#[test]
fn one_client_too_many_is_told_so() {
    let dir = directory("tls-limit");
    let listener = listen(",connections=1", &dir);
    let (link, init) = ipc::connect(&listener.address(), &dir, "test").unwrap();
    // Whoever has no key yet does not cost the first its place.
    let _idle: Vec<_> = (0..40).map(|_| TcpStream::connect(host(&listener)).unwrap()).collect();
    let refused = refusal(&listener.address(), &dir);
    assert!(refused.ends_with("there are 1 connections already, as many as are allowed"), "{refused}");
    contract::echo(&init.make_echo().unwrap());
    link.close();
    link.wait();
    let again = (0..1000).find_map(|_| ipc::connect(&listener.address(), &dir, "test").ok());
    assert!(again.is_some());
    ends(|| listener.close());
}

#[test]
fn servers_that_are_none() {
    let dir = directory("tls-none");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tls:{}", listener.local_addr().unwrap());
    let check = |answer: &'static [u8], expected: &str| {
        let accepting = listener.try_clone().unwrap();
        let server = std::thread::spawn(move || {
            let mut stream = accepting.accept().unwrap().0;
            let mut hello = [0; 1024];
            assert!(stream.read(&mut hello).unwrap() > 0);
            stream.write_all(answer).unwrap();
        });
        assert_eq!(refusal(&address, &dir), expected);
        server.join().unwrap();
    };
    check(b"", "the other side closed the connection before it was set up");
    check(b"HTTP/1.1 400 Bad Request\r\n\r\n", "the other side does not speak TLS 1.3");
    assert!(refusal("tls:nowhere.invalid:1", &dir).starts_with("nowhere.invalid:1: "));
}

/// A network between a client and a listener, which can be cut.
struct Wire {
    address: String,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    fn to(listener: &Listener) -> Wire {
        let (server, entry) = (host(listener), TcpListener::bind("127.0.0.1:0").unwrap());
        let address = format!("tls:{}", entry.local_addr().unwrap());
        let streams = Arc::new(Mutex::new(Vec::new()));
        let kept = streams.clone();
        std::thread::spawn(move || {
            let client = entry.accept().unwrap().0;
            let server = TcpStream::connect(server).unwrap();
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                kept.lock().unwrap().push(from.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        });
        Wire { address, streams }
    }

    fn cut(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

#[test]
fn cut_before_the_first_call() {
    let dir = directory("tls-cut-first");
    let (echo, keeper) = gate("");
    let listener = listen_for("", &dir, Arc::new(Once::new(echo)));
    let wire = Wire::to(&listener);
    let (link, init) = ipc::connect(&wire.address, &dir, "test").unwrap();
    let echo = init.make_echo().unwrap();
    wire.cut();
    ends(move || link.wait());
    assert_eq!(echo.echo(String::new()), Err(gone("Echo.echo")));
    assert_eq!(init.make_echo().err(), Some(gone("Init.makeEcho")));
    // The server sees it, too.
    assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("drop"));
}

#[test]
fn cut_during_a_call() {
    let dir = directory("tls-cut-call");
    let (echo, keeper) = gate("call");
    let listener = listen_for("", &dir, Arc::new(Once::new(echo)));
    let wire = Wire::to(&listener);
    let (_link, init) = ipc::connect(&wire.address, &dir, "test").unwrap();
    let echo = init.make_echo().unwrap();
    let call = std::thread::spawn(move || echo.echo(String::new()));
    assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("call"));
    wire.cut();
    assert_eq!(ends(move || call.join().unwrap()), Err(gone("Echo.echo")));
    drop(keeper.release);
    assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("drop"));
}

#[test]
fn cut_during_a_callback() {
    let dir = directory("tls-cut-callback");
    let (send, errors) = channel();
    let send = Mutex::new(send);
    let hook: RpcHook = Arc::new(move |_, chain| {
        let answer = chain.abort_node("x".to_owned());
        let _ = send.lock().unwrap().send(answer.clone());
        answer.map(|()| Ok(String::new()))
    });
    let listener = listen_for("", &dir, Arc::new(FakeInit::with_hook(hook)));
    let wire = Wire::to(&listener);
    let (_link, init) = ipc::connect(&wire.address, &dir, "test").unwrap();
    let (arrived, reached) = channel();
    let (release, wait) = channel::<()>();
    let (arrived, wait) = (Mutex::new(arrived), Mutex::new(wait));
    let chain = FakeChain::new(0);
    chain.on_abort(move || {
        arrived.lock().unwrap().send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
    });
    let loader = init.make_wallet_loader(testing::config(), chain).unwrap();
    let call = std::thread::spawn(move || loader.execute_rpc(request("callback")));
    reached.recv_timeout(LIMIT).unwrap();
    wire.cut();
    assert_eq!(errors.recv_timeout(LIMIT).unwrap(), Err(gone("Chain.abortNode")));
    drop(release);
    assert_eq!(ends(move || call.join().unwrap()), Err(gone("WalletLoader.executeRpc")));
}

#[test]
fn cut_during_a_drop() {
    let dir = directory("tls-cut-drop");
    let (echo, keeper) = gate("drop");
    let listener = listen_for("", &dir, Arc::new(Once::new(echo)));
    let wire = Wire::to(&listener);
    let (_link, init) = ipc::connect(&wire.address, &dir, "test").unwrap();
    let echo: Arc<dyn Echo> = init.make_echo().unwrap();
    let dropping = std::thread::spawn(move || drop(echo));
    assert_eq!(keeper.reached.recv_timeout(LIMIT), Ok("drop"));
    wire.cut();
    ends(move || dropping.join().unwrap());
    drop(keeper.release);
}

#[test]
fn an_error_of_the_far_side_is_its_error() {
    let dir = directory("tls-error");
    let listener = listen_for("", &dir, Arc::new(Once::new(gate("").0)));
    let (_link, init) = ipc::connect(&listener.address(), &dir, "test").unwrap();
    assert_eq!(init.make_rpc().err(), Some(Error::unsupported("Init.makeRpc")));
}
