//! The HTTP server over raw sockets: what it answers to well-formed, malformed, oversized and unfinished requests.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::args::{Args, Program};
use rpc::server::{Server, ServerConfig};
use rpc::{Command, Table};
use serde_json::json;
use tempfile::TempDir;

/// What the test's commands wait for and report.
struct Gate {
    entered: Mutex<Sender<()>>,
    release: Mutex<Receiver<()>>,
}

static COMMANDS: &[Command<Gate>] = &[
    Command {
        name: "uri",
        category: "test",
        args: &[],
        description: "Returns the path of the request.",
        result: &[],
        examples: &[],
        run: |_, call| Ok(json!([call.request.uri, call.request.wallet(), call.request.user])),
    },
    Command {
        name: "wait",
        category: "test",
        args: &[],
        description: "Waits until it is released.",
        result: &[],
        examples: &[],
        run: |gate, _| {
            gate.entered.lock().unwrap().send(()).unwrap();
            gate.release.lock().unwrap().recv().unwrap();
            Ok(json!("done"))
        },
    },
    Command {
        name: "length",
        category: "test",
        args: &[rpc::Arg::required("text", rpc::ArgType::Str, "")],
        description: "Returns the length of a text.",
        result: &[],
        examples: &[],
        run: |_, call| Ok(json!(call.str("text")?.len())),
    },
];

struct Setup {
    server: Server,
    dir: TempDir,
    entered: Receiver<()>,
    release: Sender<()>,
}

impl Setup {
    fn new(options: &[&str]) -> Setup {
        let dir = tempfile::tempdir().unwrap();
        let datadir = format!("-datadir={}", dir.path().display());
        let words = ["bitcoind", datadir.as_str()].into_iter().chain(options.iter().copied());
        let args = Args::parse(Program::Bitcoind, words).unwrap();
        args.init_config().unwrap();
        let mut config = ServerConfig::from_args(&args).unwrap();
        config.endpoints.retain(|endpoint| endpoint.host == "127.0.0.1");
        config.endpoints.iter_mut().for_each(|endpoint| endpoint.port = 0);
        let server = Server::bind(config).unwrap();
        let (entered_sender, entered) = channel();
        let (release, release_receiver) = channel();
        let gate = Gate { entered: Mutex::new(entered_sender), release: Mutex::new(release_receiver) };
        server.add(Arc::new(Table::new(Arc::new(gate), &[COMMANDS])));
        server.finish_warmup();
        Setup { server, dir, entered, release }
    }

    fn client(&self) -> Client {
        let cookie = std::fs::read_to_string(self.dir.path().join(".cookie")).unwrap_or_default();
        Client::connect(self.server.addresses()[0], &cookie)
    }
}

struct Client {
    stream: TcpStream,
    authorization: String,
}

impl Client {
    fn connect(address: SocketAddr, credentials: &str) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client { stream, authorization: format!("Authorization: Basic {}\r\n", STANDARD.encode(credentials)) }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    fn post(&mut self, path: &str, body: &str) {
        let request =
            format!("POST {path} HTTP/1.1\r\n{}Content-Length: {}\r\n\r\n{body}", self.authorization, body.len());
        self.send(request.as_bytes());
    }

    /// Reads one response: status, head and body.
    fn response(&mut self) -> (u16, String, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            assert_eq!(self.stream.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&head));
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (status, head, String::from_utf8(body).unwrap())
    }

    fn ask(&mut self, path: &str, body: &str) -> (u16, String) {
        self.post(path, body);
        let (status, _, body) = self.response();
        (status, body)
    }

    /// Says whether the server closed the connection; a reset counts.
    fn closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }
}

#[test]
fn commands_over_one_connection() {
    let setup = Setup::new(&[]);
    let mut client = setup.client();
    let check = |client: &mut Client, path: &str, body: &str, status: u16, expected: &str| {
        assert_eq!(client.ask(path, body), (status, expected.to_owned()), "{path} {body}");
    };
    check(
        &mut client,
        "/",
        r#"{"method":"uri","id":1}"#,
        200,
        "{\"result\":[\"/\",null,\"__cookie__\"],\"error\":null,\"id\":1}\n",
    );
    check(
        &mut client,
        "/wallet/a%20b",
        r#"{"jsonrpc":"2.0","method":"uri","id":2}"#,
        200,
        "{\"jsonrpc\":\"2.0\",\"result\":[\"/wallet/a%20b\",\"a b\",\"__cookie__\"],\"id\":2}\n",
    );
    check(&mut client, "/", r#"{"jsonrpc":"2.0","method":"uri"}"#, 204, "");
    check(&mut client, "/", r#"[{"method":"length","params":["abc"]}]"#, 200, "[{\"result\":3,\"error\":null}]\n");
    check(
        &mut client,
        "/",
        "{",
        500,
        "{\"result\":null,\"error\":{\"code\":-32700,\"message\":\"Parse error\"},\"id\":null}\n",
    );
    check(
        &mut client,
        "/",
        r#"{"method":"x","id":1}"#,
        404,
        "{\"result\":null,\"error\":{\"code\":-32601,\"message\":\"Method not found\"},\"id\":1}\n",
    );
    check(&mut client, "/other", r#"{"method":"uri"}"#, 404, "");
    check(&mut client, "/../etc/passwd", "", 404, "");
    client.send(b"GET / HTTP/1.1\r\n\r\n");
    let (status, _, body) = client.response();
    assert_eq!((status, body.as_str()), (405, "JSONRPC server handles only POST requests"));
    client.send(b"DELETE / HTTP/1.1\r\n\r\n");
    assert_eq!(client.response().0, 405);
    // Two requests sent together are answered in order.
    client.post("/", r#"{"method":"length","params":["a"]}"#);
    client.post("/", r#"{"method":"length","params":["ab"]}"#);
    assert!(client.response().2.starts_with("{\"result\":1") && client.response().2.starts_with("{\"result\":2"));
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n";
    let authorization = client.authorization.clone();
    client.send(
        format!("{chunked}{authorization}\r\n10\r\n{{\"method\":\"uri\",\r\n8\r\n\"id\":  1\r\n1\r\n}}\r\n0\r\n\r\n")
            .as_bytes(),
    );
    assert_eq!(client.response().0, 200);
    client.send(
        format!("POST / HTTP/1.1\r\nConnection: close\r\n{authorization}Content-Length: 2\r\n\r\n{{}}").as_bytes(),
    );
    assert_eq!(client.response().0, 400);
    assert!(client.closed());
}

#[test]
fn credentials() {
    let setup = Setup::new(&[]);
    for credentials in ["__cookie__:wrong", "other:x", "nocolon", ""] {
        let mut client = Client::connect(setup.server.addresses()[0], credentials);
        let before = Instant::now();
        client.post("/", r#"{"method":"uri"}"#);
        let (status, head, body) = client.response();
        assert_eq!((status, body.as_str()), (401, ""), "{credentials}");
        assert!(head.to_lowercase().contains("www-authenticate: basic realm=\"jsonrpc\""), "{head}");
        assert!(before.elapsed() >= Duration::from_millis(250));
    }
    let mut client = setup.client();
    client.authorization.clear();
    client.post("/", r#"{"method":"uri"}"#);
    assert_eq!(client.response().0, 401);
    let cookie = setup.dir.path().join(".cookie");
    assert!(cookie.exists());
    setup.server.stop();
    assert!(!cookie.exists());
    let other = Setup::new(&["-rpcuser=u", "-rpcpassword=p", "-rpcwhitelist=u:length"]);
    let mut client = Client::connect(other.server.addresses()[0], "u:p");
    assert_eq!(client.ask("/", r#"{"method":"length","params":[""]}"#).0, 200);
    assert_eq!(client.ask("/", r#"{"method":"uri"}"#), (403, String::new()));
}

#[test]
fn guesses_over_many_connections_share_one_bound() {
    let setup = Setup::new(&["-rpcuser=user", "-rpcpassword=password"]);
    let address = setup.server.addresses()[0];
    let uri = r#"{"method":"uri"}"#;
    let mut known = Client::connect(address, "user:password");
    assert_eq!(known.ask("/", uri).0, 200);
    let begin = Instant::now();
    let mut wrong: Vec<_> = (0..100).map(|number| Client::connect(address, &format!("user:{number}"))).collect();
    wrong.iter_mut().for_each(|client| client.post("/", uri));
    // Waits for those before it, and nobody waits for it.
    let mut right = Client::connect(address, "user:password");
    right.post("/", uri);
    // Who has shown the password waits for nobody.
    assert_eq!(known.ask("/", uri).0, 200);
    let last = &mut wrong[99].stream;
    last.set_nonblocking(true).unwrap();
    let is_answered = last.peek(&mut [0]).is_ok();
    last.set_nonblocking(false).unwrap();
    assert!(!is_answered, "a known client waits for guesses");
    assert_eq!(right.response().0, 200);
    for client in &mut wrong {
        assert_eq!(client.response().0, 401);
    }
    // Ten at a time are answered after 250 ms.
    assert!(begin.elapsed() >= Duration::from_millis(2500), "{:?}", begin.elapsed());
}

#[test]
fn malformed_and_oversized_requests() {
    let setup = Setup::new(&[]);
    let check = |request: &[u8], expected: u16| {
        let mut client = setup.client();
        client.send(request);
        assert_eq!(client.response().0, expected, "{}", String::from_utf8_lossy(&request[..request.len().min(60)]));
    };
    check(b"GET / \r\n\r\n", 400);
    check(b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400);
    check(b"GET / HTTP/INVALID\r\n\r\n", 400);
    check(b"GET / NOTHTTP/1.1\r\n\r\n", 400);
    check(b"GET /safe\x00/x HTTP/1.1\r\n\r\n", 400);
    check(b"GET / HTTP/1.1\r\nAuthorization : x\r\n\r\n", 400);
    check(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}", 400);
    check(format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(7192)).as_bytes(), 404);
    check(format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(8192)).as_bytes(), 400);
    let headers = |count: usize| "header_0000: foo\r\n".repeat(count);
    check(format!("GET /x HTTP/1.1\r\n{}\r\n", headers(399)).as_bytes(), 404);
    check(format!("GET /x HTTP/1.1\r\n{}\r\n", headers(455)).as_bytes(), 400);
    check(b"POST / HTTP/1.1\r\nContent-Length: 33554433\r\n\r\n", 413);
    let mut client = setup.client();
    let long = "x".repeat(3_000_000);
    let (status, body) = client.ask("/", &format!(r#"{{"method":"length","params":["{long}"]}}"#));
    assert_eq!((status, body.as_str()), (200, "{\"result\":3000000,\"error\":null}\n"));
}

#[test]
fn unfinished_requests_time_out() {
    let setup = Setup::new(&["-rpcservertimeout=1"]);
    let check = |bytes: &[u8]| {
        let mut client = setup.client();
        let before = Instant::now();
        client.send(bytes);
        assert!(client.closed());
        let took = before.elapsed();
        assert!((Duration::from_millis(900)..Duration::from_secs(5)).contains(&took), "{took:?}");
    };
    check(b"GET /test1 HTTP/1.1\r\nHost: somehost\r\n");
    check(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n{");
    check(b"");
    // A request that is being served does not time out, and neither does its connection right after.
    let mut client = setup.client();
    client.post("/", r#"{"method":"wait"}"#);
    setup.entered.recv().unwrap();
    std::thread::scope(|scope| {
        let (mut other, release) = (setup.client(), setup.release.clone());
        scope.spawn(move || {
            assert!(other.closed());
            release.send(()).unwrap();
        });
        assert_eq!(client.response().2, "{\"result\":\"done\",\"error\":null}\n");
    });
    assert_eq!(client.ask("/", r#"{"method":"length","params":[""]}"#).0, 200);
}

#[test]
fn a_full_queue_is_answered_at_once() {
    let setup = Setup::new(&["-rpcthreads=1", "-rpcworkqueue=1"]);
    let mut running = setup.client();
    running.post("/", r#"{"method":"wait"}"#);
    setup.entered.recv().unwrap();
    let mut clients: Vec<Client> = (0..2).map(|_| setup.client()).collect();
    clients.iter_mut().for_each(|client| client.post("/", r#"{"method":"wait"}"#));
    // One of the two waits for the thread, the other is turned away; which is which depends on the sockets.
    let (mut refused, mut waiting) = {
        let (first, second) = (clients.pop().unwrap(), clients.pop().unwrap());
        first.stream.set_nonblocking(true).unwrap();
        second.stream.set_nonblocking(true).unwrap();
        let answered = |client: &Client| client.stream.peek(&mut [0]).is_ok();
        let deadline = Instant::now() + Duration::from_secs(20);
        while !answered(&first) && !answered(&second) {
            assert!(Instant::now() < deadline, "nobody was turned away");
            std::thread::yield_now();
        }
        if answered(&first) { (first, second) } else { (second, first) }
    };
    refused.stream.set_nonblocking(false).unwrap();
    waiting.stream.set_nonblocking(false).unwrap();
    let (status, _, body) = refused.response();
    assert_eq!((status, body.as_str()), (503, "Work queue depth exceeded"));
    setup.release.send(()).unwrap();
    setup.release.send(()).unwrap();
    assert_eq!(running.response().0, 200);
    assert_eq!(waiting.response().0, 200);
}

#[test]
fn warm_up_and_shutdown() {
    let setup = Setup::new(&[]);
    setup.server.set_warmup("Loading block index…");
    let mut client = setup.client();
    let (status, body) = client.ask("/", r#"{"method":"uri","id":1}"#);
    assert_eq!(status, 500);
    assert!(body.contains(r#""error":{"code":-28,"message":"Loading block index…"}"#), "{body}");
    setup.server.finish_warmup();
    client.post("/", r#"{"method":"wait"}"#);
    setup.entered.recv().unwrap();
    setup.server.interrupt();
    let mut late = setup.client();
    late.post("/", r#"{"method":"uri"}"#);
    assert_eq!(late.response().0, 503);
    // A command that runs is waited for, and its answer arrives.
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| setup.server.stop());
        setup.release.send(()).unwrap();
        assert_eq!(client.response().2, "{\"result\":\"done\",\"error\":null}\n");
        stopping.join().unwrap();
    });
    assert!(client.closed());
    assert!(TcpStream::connect(setup.server.addresses()[0]).is_err());
    setup.server.stop();
}

#[test]
fn other_networks_are_refused() {
    let setup = Setup::new(&[]);
    let address = setup.server.addresses()[0];
    assert!(address.ip().is_loopback());
    let mut config = {
        let args = Args::parse(Program::Bitcoind, ["bitcoind", "-datadir=/tmp", "-norpccookiefile"]).unwrap();
        ServerConfig::from_args(&args).unwrap()
    };
    config.endpoints.retain(|endpoint| endpoint.host == "127.0.0.1");
    config.endpoints[0].port = 0;
    config.allowed = vec!["10.0.0.0/8".parse().unwrap()];
    let server = Server::bind(config).unwrap();
    let mut client = Client::connect(server.addresses()[0], "a:b");
    client.post("/", "{}");
    assert_eq!(client.response().0, 403);
    assert!(client.closed());
}

#[test]
fn nothing_a_client_says_does_harm() {
    let server = rpc::server::fuzz::Loopback::new();
    testing::fuzz::drive("jsonrpc", 5000, |body| drop(server.body(body)));
    testing::fuzz::drive("http", 3000, |bytes| drop(server.connection(bytes)));
    // Without password, with it, and two requests on one connection.
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/http");
    let answer = |seed: &str| String::from_utf8(server.connection(&std::fs::read(seeds.join(seed)).unwrap())).unwrap();
    assert!(answer("no_password").starts_with("HTTP/1.1 401 "));
    assert!(answer("uptime").contains(r#""error":null,"id":1"#));
    assert_eq!(answer("two").matches("HTTP/1.1 200 OK").count(), 2);
}
