//! Sockets: who may make them, who may use them, and what they survive.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use interfaces::{Echo, Error, Identity, Init, Result};
use ipc::{BindAddress, CancelToken, Connected, Guest, Listener, Pauses, Reconnecting};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use testing::{FakeEcho, contract};

use crate::link::{LIMIT, Once, ends, gate};

/// A directory of this test's own, short enough for a socket's path wherever the build is.
pub fn directory(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("ipc-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir(&dir).unwrap();
    dir
}

struct EchoInit;

impl Init for EchoInit {
    fn make_echo(&self) -> Result<Arc<dyn Echo>> {
        Ok(Arc::new(FakeEcho))
    }
}

/// Tells when it is dropped.
struct Gone(Sender<()>);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

fn listen(address: &str, dir: &Path) -> std::result::Result<Listener, String> {
    let address = BindAddress::parse(address, dir, "test").map_err(|error| error.to_string())?;
    ipc::listen(&address, || Guest { init: Arc::new(EchoInit), until_gone: Box::new(()) })
        .map_err(|error| error.to_string())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn connects_and_ends_with_the_listener() {
    let dir = directory("plain");
    let listener = listen("unix:made/here/x.sock", &dir).unwrap();
    assert_eq!(listener.address(), format!("unix:{}", dir.join("made/here/x.sock").display()));
    assert_eq!(mode(&dir.join("made/here/x.sock")), 0o600);
    assert_eq!((mode(&dir.join("made")), mode(&dir.join("made/here"))), (0o700, 0o700));
    let (link, init) = ipc::connect("unix:made/here/x.sock", &dir, "test").unwrap();
    contract::echo(&init.make_echo().unwrap());
    ends(|| listener.close());
    ends(move || link.wait());
    assert!(matches!(init.make_echo(), Err(Error::Disconnected { .. })));
    // The file stays, and says that nobody is there.
    let refused = ipc::connect("unix:made/here/x.sock", &dir, "test").err().unwrap();
    assert_eq!(refused.to_string(), "Connection refused");
    let refused = ipc::connect("unix", &dir, "test").err().unwrap();
    assert_eq!(refused.to_string(), "No such file or directory");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let dir = directory("stale");
    let path = dir.join("x.sock");
    drop(UnixListener::bind(&path).unwrap());
    let listener = listen("unix:x.sock", &dir).unwrap();
    let refused = listen("unix:x.sock", &dir).err().unwrap();
    assert_eq!(refused, format!("another program listens on {}; end it, or choose another path", path.display()));
    let (_link, init) = ipc::connect("unix:x.sock", &dir, "test").unwrap();
    init.make_echo().unwrap();
    drop(listener);
    listen("unix:x.sock", &dir).unwrap().close();

    // One that takes no connections at the moment is in use as well, and nobody waits for it.
    let busy = UnixListener::bind(dir.join("busy.sock")).unwrap();
    rustix::net::listen(&busy, 0).unwrap();
    let _waiting = UnixStream::connect(dir.join("busy.sock")).unwrap();
    let (busy_dir, refuse) = (dir.clone(), "another program listens on");
    let refused = ends(move || listen("unix:busy.sock", &busy_dir).err().unwrap());
    assert!(refused.starts_with(refuse), "{refused}");

    // Many at once on a stale one: one of them gets it, and keeps it.
    let won: Vec<_> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..8).map(|_| scope.spawn(|| listen("unix:x.sock", &dir).ok())).collect();
        tries.into_iter().filter_map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(won.len(), 1);
    ipc::connect("unix:x.sock", &dir, "test").unwrap().1.make_echo().unwrap();
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let dir = directory("other");
    let shown = |name: &str| dir.join(name).display().to_string();
    fs::write(dir.join("file"), "precious").unwrap();
    std::os::unix::fs::symlink(dir.join("target.sock"), dir.join("link")).unwrap();
    let check = |address: &str, expected: String| assert_eq!(listen(address, &dir).err(), Some(expected), "{address}");
    check("unix:file", format!("{} exists and is not a socket; remove it, or choose another path", shown("file")));
    check(
        "unix:link",
        format!("{} is a symbolic link, which is not followed; remove it, or give the path it leads to", shown("link")),
    );
    check("unix:file/x.sock", "File exists".to_owned());
    assert_eq!(fs::read_to_string(dir.join("file")).unwrap(), "precious");
    assert!(fs::symlink_metadata(dir.join("link")).is_ok() && !dir.join("target.sock").exists());
    // Nothing there to adopt.
    check("fd:999", "fd:999 is not a listening socket inherited from a parent process".to_owned());
    check("fd:1", "fd:1 is not a listening socket inherited from a parent process".to_owned());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_descriptor_of_our_own_is_not_taken_over() {
    let dir = directory("own");
    let listener = listen("unix:x.sock", &dir).unwrap();
    let (_link, init) = ipc::connect("unix:x.sock", &dir, "test").unwrap();
    let echo = init.make_echo().unwrap();
    // What other tests do meanwhile is not in the way: none of it comes from a parent.
    let mut own = 0;
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let number = entry.unwrap().file_name().into_string().unwrap();
        let refused = listen(&format!("fd:{number}"), &dir).err().unwrap();
        let text = format!(
            "descriptor {number} is of this program itself; one that the parent process left open can be taken over"
        );
        own += usize::from(refused == text);
        let none = format!("fd:{number} is not a listening socket inherited from a parent process");
        assert!(refused == text || refused == none, "{refused}");
    }
    // One that is not, but of the wrong kind, stays open.
    let (mut left, mut other) = UnixStream::pair().unwrap();
    rustix::io::fcntl_setfd(&left, rustix::io::FdFlags::empty()).unwrap();
    let number = left.as_raw_fd();
    let refused = listen(&format!("fd:{number}"), &dir).err().unwrap();
    assert_eq!(refused, format!("fd:{number} is not a listening socket inherited from a parent process"));
    left.write_all(b"x").unwrap();
    assert_eq!(other.read(&mut [0]).unwrap(), 1);
    assert!(own >= 3, "{own} sockets: that which is listened on and both ends of a connection");
    contract::echo(&echo);
    ipc::connect("unix:x.sock", &dir, "test").unwrap().1.make_echo().unwrap();
    listener.close();
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn one_client_too_many_is_turned_away_alone() {
    let dir = directory("many");
    let (send, gone) = channel();
    let address = BindAddress::parse("unix:x.sock,connections=2", &dir, "test").unwrap();
    let listener =
        ipc::listen(&address, move || Guest { init: Arc::new(EchoInit), until_gone: Box::new(Gone(send.clone())) })
            .unwrap();
    let connect = || ipc::connect("unix:x.sock", &dir, "test").unwrap();
    let (first, second) = (connect(), connect());
    let echo = first.1.make_echo().unwrap();
    second.1.make_echo().unwrap();
    let third = connect();
    let limit = "there are 2 connections already, as many as are allowed".to_owned();
    let call = "Init.makeEcho".to_owned();
    assert_eq!(ends(move || third.1.make_echo().err()), Some(Error::Overloaded { call, limit }));
    contract::echo(&echo);
    drop(second);
    gone.recv_timeout(LIMIT).unwrap();
    // There is room again, at the latest when the end of the other was seen.
    let again = (0..1000).find_map(|_| connect().1.make_echo().ok());
    assert!(again.is_some());
    contract::echo(&echo);
    listener.close();
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn noise_on_a_socket_harms_nobody() {
    let dir = directory("noise");
    let listener = listen("unix:x.sock", &dir).unwrap();
    let (_link, init) = ipc::connect("unix:x.sock", &dir, "test").unwrap();
    let echo = init.make_echo().unwrap();
    let noises: [&[u8]; 4] = [b"", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 4096], &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f]];
    for noise in noises {
        let mut stream = UnixStream::connect(dir.join("x.sock")).unwrap();
        stream.write_all(noise).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // Ends, whatever is said on the way.
        let ended = ends(move || stream.read_to_end(&mut Vec::new()).is_ok());
        assert!(ended || !noise.is_empty());
        contract::echo(&echo);
    }
    listener.close();
    fs::remove_dir_all(dir).unwrap();
}

/// A node for miners only.
struct MiningInit;

impl Init for MiningInit {
    fn make_mining(&self) -> Result<Arc<dyn interfaces::Mining>> {
        testing::FakeInit::default().make_mining()
    }
}

/// Id of Bitcoin Core's bootstrap interface.
const INIT: u64 = 0x8838_c700_ba5c_ba65;

/// Ids of all interfaces that could be served by mistake.
const INTERFACES: [(&str, u64); 8] = [
    ("Init", INIT),
    ("Bootstrap", 0x83c4_5b50_5a00_f68c),
    ("Echo", 0xd36b_8964_0dc9_4399),
    ("Rpc", 0xacb1_d37f_0a71_3129),
    ("BlockTemplate", 0xf967_1ad8_41b2_f622),
    ("Chain", 0x98d1_e0af_eea9_ea19),
    ("WalletLoader", 0xabee_9bf0_d692_a6b6),
    ("Wallet", 0xfa85_3c14_e2ad_42b7),
];

/// No interface has a method with a higher ordinal than this.
const ORDINALS: u16 = 20;

#[test]
fn a_socket_for_miners_leads_to_nothing_else() {
    let dir = directory("allow");
    let address = BindAddress::parse("unix:x.sock,allow=mining", &dir, "test").unwrap();
    let welcome = || Guest { init: Arc::new(MiningInit), until_gone: Box::new(()) };
    let listener = ipc::listen(&address, welcome).unwrap();
    let (_link, init) = ipc::connect("unix:x.sock", &dir, "test").unwrap();
    let mining = init.make_mining().unwrap();
    assert_eq!(init.make_rpc().err(), Some(Error::unsupported("Init.makeRpc")));
    assert_eq!(init.make_echo().err(), Some(Error::unsupported("Init.makeEcho")));
    let wallets = init.make_wallet_loader(testing::config(), testing::FakeChain::new(1)).err();
    assert_eq!(wallets, Some(Error::unsupported("Init.makeWalletLoader")));
    assert!(mining.tip().unwrap().is_some());

    // As a client that was not made from our schemas: calls whatever exists directly on what it was given.
    let event_loop = multiprocess::EventLoop::start().unwrap();
    for (name, id) in INTERFACES {
        for ordinal in 0..=ORDINALS {
            // Hands over nothing, and takes no context.
            if (name, ordinal) == ("Init", 0) {
                continue;
            }
            let (stream, event_loop) = (UnixStream::connect(dir.join("x.sock")).unwrap(), event_loop.clone());
            let answer = ends(move || call_bootstrap(&event_loop, stream, id, ordinal));
            match (name, ordinal) {
                ("Init", 3) => assert_eq!(answer, Ok(())),
                // Is there, wants a chain first, and then is not offered.
                ("Bootstrap", 0) => assert!(answer.is_err()),
                _ => {
                    assert!(matches!(answer, Err(multiprocess::Error::Unsupported(_))), "{name} @{ordinal}: {answer:?}")
                }
            }
        }
    }
    listener.close();
    fs::remove_dir_all(dir).unwrap();
}

/// Calls a method of the object at the other end that its interface may not have.
fn call_bootstrap(
    event_loop: &multiprocess::EventLoop,
    stream: UnixStream,
    interface_id: u64,
    ordinal: u16,
) -> std::result::Result<(), multiprocess::Error> {
    use multiprocess::{Connection, Draft, Interface, Kind, Method, Options, proxy_capnp};
    let called = Method { name: "Any.method", interface_id, ordinal, kind: Kind::Call, context: true };
    let construct =
        Method { name: "Init.construct", interface_id: INIT, ordinal: 0, kind: Kind::Construct, context: false };
    // Tables are static in generated code, and so in what takes them.
    let interface: &'static Interface =
        Box::leak(Box::new(Interface { name: "Any", methods: Box::leak(Box::new([construct, called])) }));
    let (_link, object) = Connection::connect(event_loop, stream, interface, Options::default()).unwrap();
    let mut draft = Draft::new();
    let exports = draft.exports();
    // Any struct will do whose first pointer can be a context.
    let params = draft.root::<capnp_rpc::rpc_capnp::payload::Owned>();
    exports.context(params.init_content().init_as::<proxy_capnp::context::Builder<'_>>());
    object.call(&interface.methods[1], draft, |_| Ok(())).map(drop)
}

#[test]
fn both_say_who_they_are() {
    let dir = directory("who");
    let address = BindAddress::parse("unix:x.sock", &dir, "test").unwrap();
    let welcome = || Guest { init: Arc::new(testing::FakeInit::default()), until_gone: Box::new(()) };
    let listener = ipc::listen(&address, welcome).unwrap();
    let own = testing::identity("test");
    let connected = ipc::connect_as("unix:x.sock", &dir, "test", &own).unwrap();
    assert_eq!(connected.peer, Some(testing::identity("fake")));
    contract::echo(&connected.init.make_echo().unwrap());
    listener.close();

    // One that has no such method, as Bitcoin Core's programs, and one that wants no such client.
    let listener = listen("unix:x.sock", &dir).unwrap();
    let connected = ipc::connect_as("unix:x.sock", &dir, "test", &own).unwrap();
    assert_eq!(connected.peer, None);
    contract::echo(&connected.init.make_echo().unwrap());
    listener.close();
    let listener = ipc::listen(&address, || Guest { init: Arc::new(Particular), until_gone: Box::new(()) }).unwrap();
    let refused = ipc::connect_as("unix:x.sock", &dir, "test", &own).err().unwrap();
    assert_eq!(refused.to_string(), "test is version v1.2.3, particular is version v2.0.0");
    listener.close();
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn one_who_accepts_and_says_nothing_is_given_up() {
    let dir = directory("mute");
    let mute = UnixListener::bind(dir.join("x.sock")).unwrap();
    let limit = Duration::from_millis(50);
    let own = testing::identity("test");
    let given_up = multiprocess::within(limit, || ipc::connect_as("unix:x.sock", &dir, "test", &own)).err().unwrap();
    assert!(matches!(&given_up, ipc::Error::Connect { source } if source.kind() == std::io::ErrorKind::TimedOut));
    drop(mute);
    fs::remove_dir_all(dir).unwrap();
}

/// A socket whose owner takes no connection, with one that waits and takes the only place.
fn busy(path: &Path) -> (OwnedFd, UnixStream) {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    (socket, UnixStream::connect(path).unwrap())
}

fn error_of(connected: ipc::Result<Connected>) -> Option<i32> {
    match connected.err() {
        Some(ipc::Error::Connect { source }) => source.raw_os_error(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_who_takes_no_connections_is_given_up() {
    let dir = directory("busy");
    let (listener, first) = busy(&dir.join("x.sock"));
    let connect = {
        let dir = dir.clone();
        move || ipc::connect_as("unix:x.sock", &dir, "test", &testing::identity("test"))
    };
    let connecting = connect.clone();
    let given_up = ends(move || ipc::within(Duration::from_millis(300), connecting));
    assert_eq!(error_of(given_up), Some(Errno::TIMEDOUT.raw_os_error()));
    let token = CancelToken::new();
    let (covered, connecting) = (token.clone(), connect.clone());
    let waiting = std::thread::spawn(move || covered.run(connecting));
    token.cancel();
    assert_eq!(error_of(ends(move || waiting.join().unwrap())), Some(Errno::CANCELED.raw_os_error()));
    // Who has the patience is let in when there is room.
    let waiting = std::thread::spawn(move || ipc::within(LIMIT, connect));
    let listener = UnixListener::from(listener);
    drop((listener.accept().unwrap(), first));
    let (taken, _) = listener.accept().unwrap();
    drop(taken);
    assert_eq!(error_of(ends(move || waiting.join().unwrap())), Some(Errno::CONNRESET.raw_os_error()));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_client_sets_a_deadline_for_an_interface() {
    let dir = directory("deadline");
    let address = BindAddress::parse("unix:x.sock", &dir, "test").unwrap();
    let (echo, keeper) = gate("call");
    let init = Arc::new(Once::new(echo));
    let welcome = move || Guest { init: init.clone(), until_gone: Box::new(()) };
    let listener = ipc::listen(&address, welcome).unwrap();
    let options = ipc::Options { deadlines: vec![("Echo", Duration::from_millis(100))], ..Default::default() };
    let Connected { link, init, peer } = ipc::connect_with("unix:x.sock", &dir, "test", None, options).unwrap();
    assert_eq!((link.peer(), peer), ("test", None));
    let echo = init.make_echo().unwrap();
    let timed_out = ends(move || echo.echo(String::new()));
    assert_eq!(timed_out, Err(Error::TimedOut { call: "Echo.echo".to_owned() }));
    drop(keeper.release);
    drop(link);
    listener.close();
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_connection_stops_being_made_again_at_once() {
    let dir = directory("again");
    // It takes connections and says nothing; it takes none; it is not even a call that hangs.
    for how in ["mute", "busy", "stuck"] {
        let listener = listen("unix:x.sock", &dir).unwrap();
        let (began, attempts) = channel();
        let (release, stuck) = channel::<()>();
        let (from, stuck) = (dir.clone(), Mutex::new(stuck));
        let connect = move || {
            // The test may have ended.
            if began.send(()).is_ok() && how == "stuck" && !from.join("x.sock").exists() {
                let _ = stuck.lock().unwrap().recv();
            }
            let connected = ipc::connect_as("unix:x.sock", &from, "test", &testing::identity("test"));
            connected.map_err(|error| Error::internal(&error))
        };
        let pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(1) };
        let client = Reconnecting::start("the server", pauses, connect).unwrap();
        attempts.recv().unwrap();
        let path = dir.join("x.sock");
        // Beside the old one, and there before that ends.
        let other = dir.join("y.sock");
        let full = (how == "busy").then(|| busy(&other));
        let mute = (how == "mute").then(|| UnixListener::bind(&other).unwrap());
        if how == "stuck" {
            fs::remove_file(&path).unwrap();
        } else {
            fs::rename(&other, &path).unwrap();
        }
        drop(listener);
        attempts.recv_timeout(LIMIT).unwrap();
        let start = Instant::now();
        ends(move || drop(client));
        assert!(start.elapsed() < Duration::from_secs(5), "{how}: {:?}", start.elapsed());
        drop((full, mute, release));
        let _ = fs::remove_file(&path);
    }
    fs::remove_dir_all(dir).unwrap();
}

/// Talks only to its own version.
struct Particular;

impl Init for Particular {
    fn introduce(&self, client: Identity) -> Result<Identity> {
        let own = Identity { version: "v2.0.0".to_owned(), ..testing::identity("particular") };
        own.check_version(&client).map_err(Error::internal)?;
        Ok(own)
    }
}
