//! The trace: what it shows and what it never shows.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use interfaces::{CreateWallet, Error, RpcRequest};
use ipc::client::{InitClient, RpcClient};
use multiprocess::Options;
use testing::{FakeChain, FakeInit, contract};

/// Keeps what is logged.
struct Lines(Mutex<Vec<String>>);

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target() == "ipc" {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

static LINES: Lines = Lines(Mutex::new(Vec::new()));

/// Calls, among them some that fail at different places, over a connection whose ends are `here` and `there`.
fn refusals() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let options = |peer: &str, bytes| Options { peer: peer.to_owned(), bytes, ..Options::default() };
    let server = ipc::Server::start_with(theirs, options("here", 8 << 10), Arc::new(FakeInit::default())).unwrap();
    let event_loop = multiprocess::EventLoop::start().unwrap();
    let table = ipc::tables().iter().find(|table| table.name == "Init").unwrap();
    let connected = multiprocess::Connection::connect(&event_loop, ours, table, options("there", 1 << 16));
    let (link, object) = connected.unwrap();
    let echo = InitClient::connect(object.clone()).make_echo().unwrap();
    let mut number = 0;
    let mut in_between = || {
        number += 1;
        assert_eq!(echo.echo(number.to_string()), Ok(number.to_string()));
    };
    in_between();
    assert!(matches!(
        RpcClient::connect(object).execute_rpc(String::new(), String::new(), String::new()),
        Err(Error::Unsupported { .. })
    ));
    in_between();
    assert!(matches!(echo.echo("refused ".repeat(3000)), Err(Error::Overloaded { .. })));
    in_between();
    assert!(matches!(echo.echo("kept here ".repeat(10_000)), Err(Error::Overloaded { .. })));
    in_between();
    drop((echo, link));
    server.wait();
}

/// Runs the wallet contract with the trace on, and looks at every line.
pub fn trace() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = ipc::Server::start(theirs, "client", Arc::new(FakeInit::default())).unwrap();
    let (link, init) = ipc::connect_socket(ours, "server").unwrap();
    contract::init(&init, FakeChain::new(5));
    let loader = init.make_wallet_loader(testing::config(), FakeChain::new(1)).unwrap();
    for (method, params) in [("walletpassphrase", "[\"sesame one\",60]"), ("getbalance", "[\"shown\"]")] {
        let request = RpcRequest {
            method: method.to_owned(),
            params: params.to_owned(),
            uri: "/".to_owned(),
            user: "me".to_owned(),
            tip: None,
        };
        loader.execute_rpc(request).unwrap().unwrap_err();
    }
    let secret = CreateWallet {
        name: "secret".to_owned(),
        disable_private_keys: false,
        blank: false,
        passphrase: "sesame two".to_owned(),
        avoid_reuse: false,
        load_on_startup: Some(false),
    };
    loader.create_wallet(secret).unwrap().ok().unwrap();
    drop((loader, init, link));
    server.wait();
    refusals();
    log::set_max_level(log::LevelFilter::Off);

    let lines = LINES.0.lock().unwrap();
    for secret in ["correct horse", "wrong horse", "again", "hunter2", "sesame"] {
        let told: Vec<_> = lines.iter().filter(|line| line.contains(secret)).collect();
        assert!(told.is_empty(), "{secret} in {told:?}");
    }
    let has = |start: &str, rest: &str| {
        let found = lines.iter().any(|line| line.starts_with(start) && line.contains(rest));
        assert!(found, "{start} … {rest} in {lines:#?}");
    };
    has("server IPC client send #", "Init.makeWalletLoader(config: {chain: \"regtest\"");
    has("client IPC server executing request #", "Init.makeWalletLoader(config: {chain: \"regtest\"");
    has("client IPC server send response #", "Init.makeWalletLoader");
    has("server IPC client recv #", "Init.makeWalletLoader");
    has("client IPC client send #", "Chain.status()");
    has("server IPC server executing request #", "Chain.status()");
    has("client IPC server executing request #", "Wallet.unlock(passphrase: ***, seconds: 60)");
    has("client IPC server executing request #", "{method: \"walletpassphrase\", params: ***");
    has("client IPC server executing request #", "{method: \"getbalance\", params: \"[\\\"shown\\\"]\"");
    has("client IPC server send response #", "refused: {code: -18");
    assert!(lines.iter().all(|line| line.chars().count() < 400 && !line.contains('\n')));
    // The same call has the same number on both sides, whatever became of those before it.
    let numbers = |start: &str| -> Vec<_> {
        let of = lines.iter().filter_map(|line| line.strip_prefix(start));
        of.map(|rest| rest.split('(').next().unwrap().to_owned()).collect()
    };
    for (client, server, refused) in [("server", "client", 0), ("client", "server", 0), ("there", "here", 2)] {
        let sent = numbers(&format!("{client} IPC client send #"));
        let executed = numbers(&format!("{server} IPC server executing request #"));
        let strangers: Vec<_> = executed.iter().filter(|call| !sent.contains(call)).collect();
        assert!(strangers.is_empty(), "{strangers:?} of {executed:?}, but {sent:?}");
        assert!(!executed.is_empty() && sent.len() >= executed.len() + refused, "{client}: {sent:?} {executed:?}");
    }
    has("there IPC client recv #- Echo.echo", "has not read");
}
