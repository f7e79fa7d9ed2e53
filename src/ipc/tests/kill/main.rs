//! The kill matrix: each method of each interface, on either side, with the other process killed at each of five moments.
//!
//! The rows are the tables that the generator makes, so that a new method is in the matrix by being in a schema. What is
//! called is a stand-in for any interface: it knows only the table. The process that is killed is this program again; what
//! survives must see the end of its calls, let go of every object, and work as before.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test fails by panicking")]

mod child;
mod stand_in;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use multiprocess::{Connection, Error, EventLoop, Interface, Kind, Method, Object, Options, Proxy};
use stand_in::{HARNESS, Harness, StandIn, call, rows};

/// How long anything may take before it counts as hung.
const LIMIT: Duration = Duration::from_secs(if option_env!("SANITIZED").is_some() { 200 } else { 20 });

/// Children at a time.
const AT_ONCE: usize = 4;

/// When the other process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Bootstrap,
    FirstCall,
    Call,
    Callback,
    Drop,
}

const MOMENTS: [Moment; 5] = [Moment::Bootstrap, Moment::FirstCall, Moment::Call, Moment::Callback, Moment::Drop];

/// A row of the matrix: what is called, which side of it is killed, and when.
#[derive(Clone, Copy)]
struct Case {
    interface: &'static Interface,
    method: &'static Method,
    /// The killed process serves the method; else it calls it.
    serves: bool,
    moment: Moment,
}

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "child") {
        child::run(&args[1..]);
        return ExitCode::SUCCESS;
    }
    let cases = matrix();
    // A sanitizer has a thread of its own from the first of ours on.
    std::thread::spawn(|| {}).join().unwrap();
    let before = (threads(), files());
    let event_loop = EventLoop::start().unwrap();
    let (next, failed, start) = (AtomicUsize::new(0), AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let Case { method, serves, moment, .. } = *case;
                    let side = if serves { "server" } else { "client" };
                    let run = std::panic::AssertUnwindSafe(|| case.run(&event_loop));
                    if std::panic::catch_unwind(run).is_err() {
                        eprintln!("{}, {side} killed, {moment:?}", method.name);
                        failed.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    drop(event_loop);
    let deadline = Instant::now() + LIMIT;
    while (threads(), files()) != before && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!((threads(), files()), before, "threads and descriptors are what they were");
    println!("{} cases in {:?}", cases.len(), start.elapsed());
    if failed.into_inner() {
        return ExitCode::FAILURE;
    }
    println!("test result: ok. 1 passed; 0 failed");
    ExitCode::SUCCESS
}

fn matrix() -> Vec<Case> {
    let mut cases = Vec::new();
    for interface in rows() {
        for method in interface.methods {
            for serves in [true, false] {
                cases.extend(MOMENTS.map(|moment| Case { interface, method, serves, moment }));
            }
        }
    }
    cases
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

fn files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// A child that says a line when it is where it is to be killed.
struct Victim {
    child: Child,
    ready: Receiver<String>,
}

impl Victim {
    fn start(case: &Case) -> (Victim, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let serves = if case.serves { "serves" } else { "calls" };
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["child", case.interface.name, case.method.name, serves, &format!("{:?}", case.moment)]);
        let mut child = command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let (said, ready) = channel();
        std::thread::spawn(move || {
            for line in std::io::BufRead::lines(std::io::BufReader::new(output)).map_while(Result::ok) {
                // The case may be over.
                let _ = said.send(line);
            }
        });
        (Victim { child, ready }, ours)
    }

    fn wait_until_ready(&self) {
        assert_eq!(self.ready.recv_timeout(LIMIT).as_deref(), Ok("ready"));
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Both fail if it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `work` on a thread; the result must arrive in time.
struct Background<T>(Receiver<T>);

impl<T: Send + 'static> Background<T> {
    fn start(work: impl FnOnce() -> T + Send + 'static) -> Self {
        let (done, wait) = channel();
        std::thread::spawn(move || done.send(work()));
        Background(wait)
    }

    #[track_caller]
    fn end(self) -> T {
        self.0.recv_timeout(LIMIT).expect("it ends in time")
    }
}

#[track_caller]
fn disconnected<T>(result: Result<T, Error>) {
    assert_eq!(result.err(), Some(Error::Disconnected));
}

impl Case {
    fn run(&self, event_loop: &EventLoop) {
        let (mut victim, stream) = Victim::start(self);
        match (self.moment, self.serves) {
            (Moment::Callback, true) => self.calls_back(event_loop, &mut victim, stream),
            (Moment::Callback, false) => self.is_called_back(event_loop, &mut victim, stream),
            (_, true) => self.calls(event_loop, &mut victim, stream),
            (_, false) => self.serves(event_loop, &mut victim, stream),
        }
    }

    fn options() -> Options {
        Options { destroy_timeout: LIMIT, ..Options::default() }
    }

    /// We call; the other side, which serves, is killed.
    fn calls(&self, event_loop: &EventLoop, victim: &mut Victim, stream: UnixStream) {
        let Case { interface, method, moment, .. } = *self;
        if moment == Moment::Bootstrap {
            victim.wait_until_ready();
            victim.kill();
        }
        let (link, object) = Connection::connect(event_loop, stream, interface, Self::options()).unwrap();
        let making = move |object: Object| move || call(&object, method).map(drop);
        match moment {
            Moment::Bootstrap => disconnected(Background::start(making(object)).end()),
            Moment::FirstCall => {
                victim.wait_until_ready();
                victim.kill();
                disconnected(Background::start(making(object)).end());
            }
            Moment::Call => {
                let called = Background::start(making(object));
                if method.kind == Kind::Construct {
                    // The runtime answers.
                    called.end().unwrap();
                    victim.kill();
                } else {
                    victim.wait_until_ready();
                    victim.kill();
                    disconnected(called.end());
                }
            }
            Moment::Drop => {
                let proxy = Proxy::new(object, interface);
                let dropped = Background::start(move || {
                    // To have been called is what it can say.
                    let _ = call(proxy.object(), method);
                    drop(proxy);
                });
                if interface.method_of_kind(Kind::Destroy).is_some() {
                    victim.wait_until_ready();
                }
                victim.kill();
                dropped.end();
            }
            Moment::Callback => unreachable!("the other side calls first"),
        }
        assert!(link.wait_idle(LIMIT), "the connection ends");
    }

    /// The other side calls us; we call an object that it gave us; it is killed in there.
    fn calls_back(&self, event_loop: &EventLoop, victim: &mut Victim, stream: UnixStream) {
        let (ended, end) = channel();
        let harness = Arc::new(Harness::calling(self.method, ended));
        let link = Connection::serve(event_loop, stream, harness, Self::options()).unwrap();
        victim.wait_until_ready();
        victim.kill();
        let result = end.recv_timeout(LIMIT).expect("the call back ends");
        if self.method.kind != Kind::Construct {
            disconnected(result);
        }
        assert!(link.wait_idle(LIMIT), "the connection ends");
    }

    /// We call the other side; it calls an object that we gave it; it is killed while we serve that.
    fn is_called_back(&self, event_loop: &EventLoop, victim: &mut Victim, stream: UnixStream) {
        let (reached, is_reached) = channel();
        let (release, released) = channel();
        let stand_in = Arc::new(StandIn::holding(self.interface, reached, released, held(self.method)));
        let weak = Arc::downgrade(&stand_in);
        let (link, object) = Connection::connect(event_loop, stream, &HARNESS, Self::options()).unwrap();
        let outer = Background::start(move || stand_in::hand_over(&object, stand_in));
        if self.method.kind == Kind::Construct {
            victim.wait_until_ready();
        } else {
            is_reached.recv_timeout(LIMIT).unwrap();
        }
        victim.kill();
        disconnected(outer.end());
        drop(release);
        assert!(link.wait_idle(LIMIT), "the connection ends");
        dropped(&weak);
    }

    /// We serve; the other side, which calls, is killed.
    fn serves(&self, event_loop: &EventLoop, victim: &mut Victim, stream: UnixStream) {
        let Case { interface, method, moment, .. } = *self;
        let (reached, is_reached) = channel();
        let (release, released) = channel();
        let destroyed = interface.method_of_kind(Kind::Destroy).is_some();
        let hold = match moment {
            Moment::Call if method.kind != Kind::Construct => held(method),
            Moment::Drop if destroyed => "drop",
            _ => "",
        };
        let stand_in = Arc::new(StandIn::holding(interface, reached, released, hold));
        let weak = Arc::downgrade(&stand_in);
        let link = Connection::serve(event_loop, stream, stand_in, Self::options()).unwrap();
        if hold.is_empty() {
            victim.wait_until_ready();
        } else {
            is_reached.recv_timeout(LIMIT).unwrap();
        }
        victim.kill();
        let waiting = link.clone();
        Background::start(move || waiting.wait()).end();
        drop(release);
        assert!(link.wait_idle(LIMIT), "calls end");
        drop(link);
        dropped(&weak);
    }
}

/// Where a stand-in is to be held up so that a call of this method is.
fn held(method: &Method) -> &'static str {
    if method.kind == Kind::Destroy { "drop" } else { "call" }
}

#[track_caller]
fn dropped<T: ?Sized>(object: &Weak<T>) {
    let deadline = Instant::now() + LIMIT;
    while object.strong_count() > 0 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(object.strong_count(), 0, "the object is let go of");
}
