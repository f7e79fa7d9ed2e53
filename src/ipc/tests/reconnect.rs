//! A client whose server is killed, at each of the five moments, and comes back.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use interfaces::{Chain, Echo, Error, Identity, Init, Mining, ProcessConfig, Result, TipRef, WalletLoader};
use ipc::{BindAddress, Connected, Guest, Pauses, Reconnecting, TipEvent, TipFollower};
use rustix::process::Signal;
use testing::{FakeChain, FakeInit, FakeMining, contract};

use crate::{LIMIT, request};

/// What the child serves: fakes, one chain for all, and an echo whose drop takes for ever.
struct Served {
    fakes: FakeInit,
    mining: FakeMining,
}

struct Sticky;

impl Echo for Sticky {
    fn echo(&self, echo: String) -> Result<String> {
        Ok(echo)
    }
}

impl Drop for Sticky {
    fn drop(&mut self) {
        println!("dropping");
        loop {
            std::thread::park();
        }
    }
}

impl Init for Served {
    fn introduce(&self, client: Identity) -> Result<Identity> {
        self.fakes.introduce(client)
    }

    fn make_echo(&self) -> Result<Arc<dyn Echo>> {
        Ok(Arc::new(Sticky))
    }

    fn make_mining(&self) -> Result<Arc<dyn Mining>> {
        Ok(Arc::new(self.mining.for_another_client()))
    }

    fn make_wallet_loader(&self, config: ProcessConfig, chain: Arc<dyn Chain>) -> Result<Arc<dyn WalletLoader>> {
        self.fakes.make_wallet_loader(config, chain)
    }
}

/// What the child does: listens until it is killed.
pub fn serve(path: &str, fakes: FakeInit) -> ExitCode {
    let address = BindAddress::parse(&format!("unix:{path}"), Path::new("/"), "test").unwrap();
    let init: Arc<dyn Init> = Arc::new(Served { fakes, mining: FakeMining::new() });
    let _listener = ipc::listen(&address, move || Guest { init: init.clone(), until_gone: Box::new(()) }).unwrap();
    println!("ready");
    loop {
        std::thread::park();
    }
}

/// A server in a process of its own.
struct Server {
    child: Child,
    said: Receiver<String>,
}

impl Server {
    fn start(path: &Path) -> Server {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("listen").arg(path).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (say, said) = channel();
        std::thread::spawn(move || output.lines().map_while(std::io::Result::ok).try_for_each(|line| say.send(line)));
        let server = Server { child, said };
        server.expect("ready");
        server
    }

    fn expect(&self, line: &str) {
        assert_eq!(self.said.recv_timeout(LIMIT).as_deref(), Ok(line));
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn socket(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("ipc-again-{name}-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

fn client(path: &Path) -> Reconnecting<Connected> {
    let address = format!("unix:{}", path.display());
    let pauses = Pauses { first: Duration::from_millis(5), longest: Duration::from_millis(50) };
    Reconnecting::start("the server", pauses, move || {
        let connected = ipc::connect_as(&address, Path::new("/"), "server", &testing::identity("test"));
        connected.map_err(|error| Error::internal(&error))
    })
    .unwrap()
}

/// Waits until the loss is known: an error of a call may come a moment before.
fn lost(client: &Reconnecting<Connected>) {
    let start = Instant::now();
    while client.get().is_ok() {
        assert!(start.elapsed() < LIMIT);
        std::thread::yield_now();
    }
    assert!(matches!(client.get().err(), Some(Error::Disconnected { call }) if call.is_empty()));
}

fn gone(call: &str) -> Error {
    Error::Disconnected { call: call.to_owned() }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Moment {
    Bootstrap,
    FirstCall,
    Call,
    Callback,
    Drop,
}

pub fn a_server_that_comes_back() {
    for moment in [Moment::Bootstrap, Moment::FirstCall, Moment::Call, Moment::Callback, Moment::Drop] {
        let path = socket("moments");
        let mut server = Server::start(&path);
        let client = client(&path);
        let chain = FakeChain::new(3);
        let echo = client.remade(|connected| connected.init.make_echo());
        let loader = {
            let chain = chain.clone();
            client.remade(move |connected| connected.init.make_wallet_loader(testing::config(), chain.clone()))
        };
        let (old_echo, old_loader) = (echo.get().unwrap(), loader.get().unwrap());
        assert!(Arc::ptr_eq(&old_echo, &echo.get().unwrap()), "asked for once");
        match moment {
            Moment::Bootstrap => {
                server.kill();
                lost(&client);
                // One that takes the connection, and dies.
                std::fs::remove_file(&path).unwrap();
                drop(UnixListener::bind(&path).unwrap().accept().unwrap());
            }
            Moment::FirstCall => {
                server.kill();
                assert_eq!(old_echo.echo(String::new()), Err(gone("Echo.echo")));
            }
            Moment::Call => {
                let (called, loader) = (old_loader.clone(), old_loader.clone());
                let call = std::thread::spawn(move || called.execute_rpc(request("hang")));
                // Answered beside it, so that the other has begun or will never.
                loader.execute_rpc(request("pid")).unwrap().unwrap();
                server.kill();
                assert_eq!(call.join().unwrap(), Err(gone("WalletLoader.executeRpc")));
            }
            Moment::Callback => {
                let pid = server.child.id();
                chain.on_abort(move || crate::kill(pid));
                assert_eq!(old_loader.execute_rpc(request("callback")), Err(gone("WalletLoader.executeRpc")));
                chain.on_abort(|| {});
            }
            Moment::Drop => {
                // Objects are dropped with the last handle, and the handle that is made again holds one.
                let sticky = client.get().unwrap().init.make_echo().unwrap();
                let dropping = std::thread::spawn(move || drop(sticky));
                server.expect("dropping");
                server.kill();
                dropping.join().unwrap();
            }
        }
        lost(&client);
        assert_eq!(echo.get().err(), Some(gone("")), "{moment:?}");
        assert_eq!(loader.get().err(), Some(gone("")), "{moment:?}");
        let _ = server.child.wait();

        let server = Server::start(&path);
        let connected = client.wait(LIMIT).unwrap();
        assert_eq!(connected.peer, Some(testing::identity("fake")));
        contract::echo(&echo.get().unwrap());
        let pid = loader.get().unwrap().execute_rpc(request("pid")).unwrap();
        assert_eq!(pid, Ok(server.child.id().to_string()), "{moment:?}");
        // What was reached over the old connection stays lost, and says so.
        assert_eq!(old_echo.echo(String::new()), Err(gone("Echo.echo")));
        assert_eq!(old_loader.execute_rpc(request("pid")), Err(gone("WalletLoader.executeRpc")));
        client.stop();
        assert_eq!(client.get().err(), Some(gone("")));
        drop(server);
        std::fs::remove_file(&path).unwrap();
    }
}

pub fn a_subscription_goes_on_where_it_was() {
    let path = socket("tips");
    let mut server = Server::start(&path);
    let client = client(&path);
    let (send, told) = channel();
    let send = Mutex::new(send);
    let mining = || client.remade(|connected| connected.init.make_mining());
    let follower = TipFollower::start(mining(), None, move |event| {
        // The test may have ended.
        let _ = send.lock().unwrap().send(event);
    })
    .unwrap();
    let next = || told.recv_timeout(LIMIT).unwrap();
    let tip = || -> TipRef { mining().get().unwrap().tip().unwrap().unwrap() };
    let first = tip();
    assert_eq!(next(), TipEvent::Tip(first));
    let restart = |server: &mut Server| {
        server.kill();
        assert_eq!(next(), TipEvent::Lost);
        *server = Server::start(&path);
        assert_eq!(next(), TipEvent::Resumed);
        client.wait(LIMIT).unwrap();
    };
    // The same tip is not told twice: what comes next is a block made afterwards.
    restart(&mut server);
    assert_eq!(tip(), first);
    contract::mining(&mining().get().unwrap());
    let mut seen = vec![next()];
    while seen.last() != Some(&TipEvent::Tip(tip())) {
        seen.push(next());
    }
    assert!(seen.iter().all(|event| matches!(event, TipEvent::Tip(tip) if tip.height > first.height)), "{seen:?}");
    // The new server is on another chain: told although its tip is lower.
    restart(&mut server);
    assert_eq!(next(), TipEvent::Tip(first));
    // It ends at once, also while the server is away.
    server.kill();
    assert_eq!(next(), TipEvent::Lost);
    drop(follower);
    assert!(told.recv_timeout(LIMIT).is_err());
    std::fs::remove_file(&path).unwrap();
}

pub fn a_subscription_ends_while_the_server_is_stopped() {
    let path = socket("stopped");
    let server = Server::start(&path);
    let client = client(&path);
    let (send, told) = channel();
    let tell = move |event| {
        // The test may have ended.
        let _ = send.send(event);
    };
    let follower = TipFollower::start(client.remade(|connected| connected.init.make_mining()), None, tell).unwrap();
    assert!(matches!(told.recv_timeout(LIMIT), Ok(TipEvent::Tip(_))));
    crate::signal(server.child.id(), Signal::STOP);
    let start = Instant::now();
    drop(follower);
    // The thread that told is gone, too.
    assert_eq!(told.recv_timeout(LIMIT), Err(RecvTimeoutError::Disconnected));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    client.stop();
    drop(server);
    std::fs::remove_file(&path).unwrap();
}
