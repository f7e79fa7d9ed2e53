//! The process that is killed: it gets to the moment, says so, and stays there.

use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::channel;

use multiprocess::{Connection, EventLoop, Interface, Kind, Method, Options, Proxy};

use crate::held;
use crate::stand_in::{HARNESS, Harness, StandIn, call, hand_over, rows};

fn ready() -> ! {
    println!("ready");
    loop {
        std::thread::park();
    }
}

/// Gets there: interface, method, side and moment are named.
pub fn run(args: &[String]) {
    let [interface, method, side, moment] = args else { panic!("four arguments") };
    let interface: &'static Interface = rows().into_iter().find(|known| known.name == interface).unwrap();
    let method: &'static Method = interface.methods.iter().find(|known| known.name == method).unwrap();
    let serves = side == "serves";
    if moment == "Bootstrap" {
        ready();
    }
    let stream = input();
    let event_loop = EventLoop::start().unwrap();
    let options = Options::default;
    let (reached, is_reached) = channel();
    // What is held up is held up until the end.
    let (_release, released) = channel();
    if moment == "Callback" && serves {
        // Nested: the other side calls this object while we wait for it.
        let hold = StandIn::holding(interface, reached, released, held(method));
        let (_link, harness) = Connection::connect(&event_loop, stream, &HARNESS, options()).unwrap();
        let called = std::thread::spawn(move || hand_over(&harness, Arc::new(hold)));
        if method.kind == Kind::Construct {
            let _ = called.join();
        } else {
            is_reached.recv().unwrap();
        }
        ready();
    }
    if moment == "Callback" {
        let (ended, end) = channel();
        let harness = Arc::new(Harness::waiting(method, ended));
        let _link = Connection::serve(&event_loop, stream, harness, options()).unwrap();
        let _ = end.recv();
        ready();
    }
    if serves {
        let hold = if moment == "Drop" { "drop" } else { held(method) };
        let stand_in = Arc::new(StandIn::holding(interface, reached, released, hold));
        let _link = Connection::serve(&event_loop, stream, stand_in, options()).unwrap();
        if moment != "FirstCall" {
            is_reached.recv().unwrap();
        }
        ready();
    }
    let (_link, object) = Connection::connect(&event_loop, stream, interface, options()).unwrap();
    let proxy = Proxy::new(object, interface);
    match moment.as_str() {
        "FirstCall" => ready(),
        "Call" => {
            let _ = call(proxy.object(), method);
            ready();
        }
        _ => {
            let _ = call(proxy.object(), method);
            drop(proxy);
            ready();
        }
    }
}

/// The socket that the parent left as input.
#[allow(unsafe_code, reason = "adopts the input that the parent process set")]
fn input() -> UnixStream {
    // SAFETY: descriptor 0 is open, and nothing else here uses it.
    UnixStream::from(unsafe { OwnedFd::from_raw_fd(0) })
}
