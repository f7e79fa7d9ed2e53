//! The functions as a C program calls them, against fakes behind a socket; and that the header is theirs.
#![allow(unsafe_code, reason = "calls as C programs make them")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::ffi::{CStr, CString, c_char};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use interfaces::{Echo, Init, Mining, Rpc};
use ipc::{BindAddress, Guest, Listener};
use testing::{FakeEcho, FakeInit};

use crate::api::*;

/// Time for what is expected to happen.
const LONG: u32 = 30_000;

/// A node of fakes behind a socket, and a client of it.
struct Node {
    listener: Option<Listener>,
    dir: PathBuf,
    client: *mut mp_client,
}

// SAFETY: a handle may be used from any thread.
unsafe impl Sync for Node {}

impl Node {
    fn start(init: Arc<dyn Init>) -> Node {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("capi-{}-{number}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let address = BindAddress::parse("unix:n.sock", &dir, "node").unwrap();
        let welcome = move || Guest { init: init.clone(), until_gone: Box::new(()) };
        let listener = ipc::listen(&address, welcome).unwrap();
        let mut node = Node { listener: Some(listener), dir, client: null_mut() };
        let address = text(&node.address());
        let mut error = no_error();
        let code = unsafe { mp_connect(address.as_ptr(), LONG, &raw mut node.client, &raw mut error) };
        assert_eq!((code, message(&error)), (MP_OK, String::new()));
        node
    }

    fn address(&self) -> String {
        format!("unix:{}", self.dir.join("n.sock").display())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        mp_close(self.client);
        std::fs::remove_dir_all(&self.dir).unwrap();
    }
}

fn text(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn no_error() -> mp_error {
    mp_error { code: MP_INTERNAL, message: [b'?' as c_char; MP_MESSAGE_SIZE] }
}

fn message(error: &mp_error) -> String {
    unsafe { CStr::from_ptr(error.message.as_ptr()) }.to_str().unwrap().to_owned()
}

/// Makes a call that gets a text.
fn reply(call: impl FnOnce(*mut *mut c_char, *mut mp_error) -> mp_code) -> Result<String, (mp_code, String)> {
    let (mut reply, mut error) = (std::ptr::dangling_mut::<c_char>(), no_error());
    let code = call(&raw mut reply, &raw mut error);
    assert_eq!(code, error.code);
    if code != MP_OK {
        assert!(reply.is_null(), "a failure hands nothing out");
        return Err((code, message(&error)));
    }
    assert_eq!(message(&error), "");
    let answer = unsafe { CStr::from_ptr(reply) }.to_str().unwrap().to_owned();
    unsafe { mp_free(reply) };
    Ok(answer)
}

fn echo(client: *mut mp_client, words: &CStr, limit: u32) -> Result<String, (mp_code, String)> {
    reply(|reply, error| unsafe { mp_echo(client, words.as_ptr(), limit, reply, error) })
}

fn rpc(client: *mut mp_client, request: &CStr, uri: *const c_char) -> Result<String, (mp_code, String)> {
    reply(|reply, error| unsafe { mp_rpc(client, request.as_ptr(), uri, LONG, reply, error) })
}

/// Connects where nothing can come of it.
fn refused(address: *const c_char) -> (mp_code, String) {
    let (mut client, mut error) = (std::ptr::dangling_mut(), no_error());
    let code = unsafe { mp_connect(address, LONG, &raw mut client, &raw mut error) };
    assert!(client.is_null());
    assert_eq!(code, error.code);
    (code, message(&error))
}

#[test]
fn the_header_is_made_from_the_functions() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(here.join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new().with_config(config).with_src(here.join("src/api.rs")).generate().unwrap();
    let mut header = Vec::new();
    bindings.write(&mut header);
    let header = String::from_utf8(header).unwrap();
    // What is for Rust's readers only.
    expect_test::expect_file!["../include/multiprocess.h"].assert_eq(&header);
}

#[test]
fn echoes_asks_and_follows_the_tip() {
    let node = Node::start(Arc::new(FakeInit::default()));
    assert_eq!(echo(node.client, &text("grüß dich"), LONG), Ok("grüß dich".to_owned()));
    assert_eq!(echo(node.client, &text(""), LONG), Ok(String::new()));
    assert_eq!(rpc(node.client, &text("[]"), null()), Ok("[]".to_owned()));
    assert!(rpc(node.client, &text("{}"), text("/wallet/a").as_ptr()).unwrap().contains("Method not found"));

    let mut tip = mp_tip { height: -1, hash: [0; MP_HASH_SIZE] };
    assert_eq!(unsafe { mp_get_tip(node.client, LONG, &raw mut tip, null_mut()) }, MP_OK);
    let hash = unsafe { CStr::from_ptr(tip.hash.as_ptr()) }.to_str().unwrap().to_owned();
    assert_eq!((tip.height, hash.len()), (0, 64));
    let mut error = no_error();
    let wait = |known: *const mp_tip, limit, tip: *mut mp_tip, error: &mut mp_error| unsafe {
        mp_wait_tip(node.client, known, limit, tip, error)
    };
    // Into the tip that is known: it must survive for the next try.
    let place = &raw mut tip;
    assert_eq!(wait(place, 30, place, &mut error), MP_TIMED_OUT);
    assert_eq!(wait(place, 30, place, &mut error), MP_TIMED_OUT);
    assert_eq!(wait(null(), LONG, place, &mut error), MP_OK);
    let other = mp_tip { height: 7, hash: crate::report::array(&"ab".repeat(32)) };
    assert_eq!(wait(&raw const other, LONG, place, &mut error), MP_OK);
    assert_eq!(unsafe { CStr::from_ptr(tip.hash.as_ptr()) }.to_str().unwrap(), hash);
    let other = mp_tip { height: 7, hash: crate::report::array("not a hash") };
    assert_eq!(wait(&raw const other, LONG, place, &mut error), MP_INVALID);
    assert_eq!(message(&error), "the hash of the known tip is not one");
}

#[test]
fn wrong_arguments_are_named() {
    let node = Node::start(Arc::new(FakeInit::default()));
    let client = node.client;
    let invalid = |said: &str| Err((MP_INVALID, said.to_owned()));
    assert_eq!(refused(null()), (MP_INVALID, "address is NULL".to_owned()));
    for wrong in ["", "x", "unixx", "tcp:1.2.3.4:5"] {
        let (code, said) = refused(text(wrong).as_ptr());
        assert!(code == MP_INVALID && said.starts_with("Unrecognized address '"), "{wrong}: {said}");
    }
    for wrong in ["unix", "unix:"] {
        assert_eq!(
            refused(text(wrong).as_ptr()).1,
            format!("'{wrong}' names no socket: unix: and its path are needed")
        );
    }
    assert_eq!(refused(c"tls:a:1".as_ptr()).1, "'tls:a:1' needs keys, which this library has no place for");
    let (code, said) = refused(text(&format!("unix:/{}", "x".repeat(200))).as_ptr());
    assert!(code == MP_INVALID && said.ends_with("exceeded maximum socket path length"), "{said}");
    assert_eq!(refused(text("unix:/nobody/here").as_ptr()), (MP_CONNECT, "No such file or directory".to_owned()));
    assert_eq!(unsafe { mp_connect(text("unix:x").as_ptr(), LONG, null_mut(), null_mut()) }, MP_INVALID);

    assert_eq!(reply(|to, error| unsafe { mp_echo(client, null(), LONG, to, error) }), invalid("text is NULL"));
    assert_eq!(
        reply(|to, error| unsafe { mp_rpc(client, null(), null(), LONG, to, error) }),
        invalid("request is NULL")
    );
    let (code, said) = echo(client, c"a\xff", LONG).unwrap_err();
    assert!(code == MP_INVALID && said.starts_with("text is not UTF-8: "), "{said}");
    let long = text(&"x".repeat(MP_MAX_TEXT + 1));
    assert_eq!(rpc(client, &long, null()), invalid("request is longer than 33554432 bytes"));
    assert_eq!(unsafe { mp_echo(client, c"a".as_ptr(), LONG, null_mut(), null_mut()) }, MP_INVALID);
    assert_eq!(unsafe { mp_get_tip(client, LONG, null_mut(), null_mut()) }, MP_INVALID);

    assert_eq!(echo(null_mut(), c"a", LONG), invalid("client is NULL"));
    let made_up = std::ptr::without_provenance_mut(usize::MAX);
    assert_eq!(echo(made_up, c"a", LONG), invalid("client is not open, or not any more"));
    mp_close(made_up);
    mp_close(null_mut());
    unsafe { mp_free(null_mut()) };
    mp_close(client);
    mp_close(client);
    assert_eq!(echo(client, c"a", LONG), invalid("client is not open, or not any more"));
    assert_eq!(unsafe { mp_disconnect(client, null_mut()) }, MP_INVALID);
}

/// How long what is slow takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Offers an echo that is slow, wrong or broken, depending on what it is to return, and nothing else.
struct Difficult;

impl Echo for Difficult {
    fn echo(&self, echo: String) -> interfaces::Result<String> {
        match echo.as_str() {
            "refuse" => Err(interfaces::Error::internal("not today")),
            "panic" => panic!("on purpose"),
            "zero" => Ok("\0".to_owned()),
            "wait" => {
                std::thread::park_timeout(PATIENCE);
                Ok(echo)
            }
            _ => FakeEcho.echo(echo),
        }
    }
}

impl Init for Difficult {
    fn make_echo(&self) -> interfaces::Result<Arc<dyn Echo>> {
        Ok(Arc::new(Difficult))
    }

    fn make_mining(&self) -> interfaces::Result<Arc<dyn Mining>> {
        Err(interfaces::Error::internal("no chain"))
    }

    fn make_rpc(&self) -> interfaces::Result<Arc<dyn Rpc>> {
        Err(interfaces::Error::unsupported("Init.makeRpc"))
    }
}

#[test]
fn what_the_node_does_not_do_has_a_code() {
    let node = Node::start(Arc::new(Difficult));
    assert_eq!(echo(node.client, c"refuse", LONG), Err((MP_FAILED, "not today".to_owned())));
    assert_eq!(echo(node.client, c"panic", LONG).unwrap_err().0, MP_FAILED);
    assert_eq!(echo(node.client, c"zero", LONG).unwrap_err().0, MP_FAILED);
    assert_eq!(rpc(node.client, c"{}", null()).unwrap_err().0, MP_UNSUPPORTED);
    let mut tip = mp_tip { height: -1, hash: [0; MP_HASH_SIZE] };
    assert_eq!(unsafe { mp_get_tip(node.client, LONG, &raw mut tip, null_mut()) }, MP_FAILED);
    assert_eq!(tip.height, -1);
    assert_eq!(echo(node.client, c"wait", 20), Err((MP_TIMED_OUT, "no answer to Echo.echo in time".to_owned())));
    // The node is still at it, and that holds up nothing.
    let start = Instant::now();
    assert_eq!(echo(node.client, c"x", LONG), Ok("x".to_owned()));
    assert!(start.elapsed() < PATIENCE / 2);
}

#[test]
fn disconnecting_ends_the_calls_of_other_threads() {
    let node = Node::start(Arc::new(Difficult));
    let waiting = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (node, waiting) = (&node, &waiting);
        let calls: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(move || {
                    assert_eq!(echo(node.client, c"x", LONG), Ok("x".to_owned()));
                    waiting.fetch_add(1, Ordering::SeqCst);
                    echo(node.client, c"wait", MP_FOREVER)
                })
            })
            .collect();
        while waiting.load(Ordering::SeqCst) < 4 {
            std::thread::yield_now();
        }
        assert_eq!(unsafe { mp_disconnect(node.client, null_mut()) }, MP_OK);
        for call in calls {
            assert_eq!(call.join().unwrap().unwrap_err().0, MP_DISCONNECTED);
        }
    });
    // The handle is still good, if for nothing.
    assert_eq!(echo(node.client, c"x", LONG).unwrap_err().0, MP_DISCONNECTED);
    assert_eq!(unsafe { mp_disconnect(node.client, null_mut()) }, MP_OK);
}

#[test]
fn a_node_that_goes_away_is_an_error_and_no_signal() {
    let mut node = Node::start(Arc::new(FakeInit::default()));
    // As in a program in C, which has not told the system otherwise.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    assert!(echo(node.client, c"x", LONG).is_ok());
    drop(node.listener.take());
    assert_eq!(echo(node.client, c"x", LONG).unwrap_err().0, MP_DISCONNECTED);
    assert_eq!(refused(text(&node.address()).as_ptr()), (MP_CONNECT, "Connection refused".to_owned()));
}
