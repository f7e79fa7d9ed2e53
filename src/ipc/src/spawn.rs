//! Starting another program and connecting to it.
//!
//! The child gets one end of a socket pair as its standard input and `-ipcfd=0`: the one descriptor that can be handed
//! over without a moment in which another child could inherit it. Everything else it is told over the connection.
//!
//! **Invariant:** every child is started by one thread, which lives as long as the process: the kernel takes the end of the
//! thread that started a child for the death of its parent (see [`crate::parent`]).

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use interfaces::Init;
use multiprocess::Options;
use rustix::process::{Pid, WaitId, WaitIdOptions};

use crate::event_loop::event_loop;
use crate::glue::{INIT, InitClient};
use crate::{Error, Result};

/// How long a child may take to exit once its connection is closed.
const EXIT_LIMIT: Duration = Duration::from_secs(30);

/// The thread that starts children, once there was one to start.
static SPAWNER: Mutex<Option<Sender<Request>>> = Mutex::new(None);

/// A child to start, and who waits for it.
type Request = (Command, Sender<std::io::Result<Child>>);

/// A child process and the connection to it. Dropping it does what [`Connection::close`] does.
pub struct Connection {
    link: multiprocess::Connection,
    init: Arc<dyn Init>,
    process: Arc<Process>,
}

/// Starts `program` and connects to it. The program is killed when this process dies, if it calls
/// [`crate::serve_fd`].
///
/// # Errors
/// If the program cannot be run or the system gives no socket. A program that runs but is not what it should be shows
/// at the first call.
pub fn spawn(program: &Path) -> Result<Connection> {
    spawn_with(program, std::iter::empty::<&OsStr>())
}

/// Like [`spawn`], with arguments before `-ipcfd`.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_with(program: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Connection> {
    let (ours, theirs) = UnixStream::pair().map_err(Error::Setup)?;
    let mut command = Command::new(program);
    command.args(args).arg("-ipcfd=0").stdin(Stdio::from(OwnedFd::from(theirs)));
    let child = start(command)?.map_err(|source| Error::Run { program: program.to_owned(), source })?;
    let process = Process::watch(child)?;
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    let (link, init) = connect_socket(ours, &name)?;
    Ok(Connection { link, init, process })
}

/// Starts a child on the thread for that, and makes the thread if there is none. The outer error is that it cannot be made.
fn start(command: Command) -> Result<std::io::Result<Child>> {
    let ended = || std::io::Error::other("the thread that starts processes is gone");
    let (answer, started) = channel();
    let mut spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
    let requests = match spawner.take() {
        Some(requests) => requests,
        None => start_spawner().map_err(Error::Setup)?,
    };
    requests.send((command, answer)).map_err(|_| Error::Setup(ended()))?;
    *spawner = Some(requests);
    drop(spawner);
    Ok(started.recv().unwrap_or_else(|_| Err(ended())))
}

fn start_spawner() -> std::io::Result<Sender<Request>> {
    let (requests, received) = channel::<Request>();
    let run = move || {
        for (mut command, answer) in received {
            let child = command.spawn();
            // Closes our copy of the child's end, or its exit would go unnoticed.
            drop(command);
            // Whoever waits does so for as long as it takes.
            let _ = answer.send(child);
        }
    };
    std::thread::Builder::new().name("ipc-spawn".into()).spawn(run)?;
    Ok(requests)
}

/// Connects to the process at the other end of a socket; returns its bootstrap object and the connection, which ends
/// when it is dropped. `peer` names the other side in the log.
///
/// # Errors
/// If nothing can be set up.
pub fn connect_socket(socket: impl Into<OwnedFd>, peer: &str) -> Result<(multiprocess::Connection, Arc<dyn Init>)> {
    connect_socket_with(socket, named(peer))
}

/// Like [`connect_socket`], with limits and deadlines.
///
/// # Errors
/// If nothing can be set up.
pub fn connect_socket_with(
    socket: impl Into<OwnedFd>,
    options: Options,
) -> Result<(multiprocess::Connection, Arc<dyn Init>)> {
    let (link, init) = connect_stream(&event_loop()?, socket, options)?;
    Ok((link, init))
}

/// Like [`connect_socket`], on an event loop of the caller's, and for asynchronous calls.
///
/// # Errors
/// As [`connect_socket`].
pub fn connect_on(
    event_loop: &multiprocess::EventLoop,
    socket: impl Into<OwnedFd>,
    peer: &str,
) -> Result<(multiprocess::Connection, Arc<InitClient>)> {
    connect_stream(event_loop, socket, named(peer))
}

fn named(peer: &str) -> Options {
    Options { peer: peer.to_owned(), ..Options::default() }
}

/// Connects on any event loop, with any options.
pub(crate) fn connect_stream(
    event_loop: &multiprocess::EventLoop,
    socket: impl Into<OwnedFd>,
    options: Options,
) -> Result<(multiprocess::Connection, Arc<InitClient>)> {
    let stream = UnixStream::from(socket.into());
    let (link, object) = multiprocess::Connection::connect(event_loop, stream, &INIT, options).map_err(Error::Setup)?;
    Ok((link, InitClient::client(object)))
}

impl Connection {
    /// Returns the child's bootstrap object.
    pub fn init(&self) -> Arc<dyn Init> {
        self.init.clone()
    }

    /// Returns the child's process id.
    pub fn pid(&self) -> u32 {
        self.process.pid
    }

    /// Has `callback` run once the connection ended, at once if it has.
    pub fn on_disconnect(&self, callback: impl FnOnce() + Send + 'static) {
        self.link.on_disconnect(callback);
    }

    /// Waits until the child exited.
    pub fn wait(&self) -> ExitStatus {
        self.process.wait(None).unwrap_or_else(|| ExitStatus::from_raw(0))
    }

    /// Starts to end the connection; calls in progress fail.
    pub fn disconnect(&self) {
        self.link.close();
    }

    /// Closes the connection and waits until the child exited, as it does when it sees that; kills it if it takes too
    /// long.
    pub fn close(&self) -> ExitStatus {
        self.close_within(EXIT_LIMIT)
    }

    /// Like [`Self::close`], with a limit on how long the child may take before it is killed.
    pub fn close_within(&self, limit: Duration) -> ExitStatus {
        self.disconnect();
        if let Some(status) = self.process.wait(Some(limit)) {
            return status;
        }
        log::warn!(target: "ipc", "process {} does not exit; it is killed", self.process.pid);
        self.process.kill();
        self.wait()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

/// A child process and how it ended.
struct Process {
    pid: u32,
    state: Mutex<(Child, Option<ExitStatus>)>,
    exited: Condvar,
}

impl Process {
    /// Starts a thread that waits for the child.
    fn watch(child: Child) -> Result<Arc<Process>> {
        let pid = child.id();
        let process = Arc::new(Process { pid, state: Mutex::new((child, None)), exited: Condvar::new() });
        let watched = process.clone();
        let watch = move || {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                // Leaves the process a zombie: its id stays taken until the lock is held below.
                let exited = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while rustix::process::waitid(WaitId::Pid(pid), exited).err() == Some(rustix::io::Errno::INTR) {}
            }
            let mut state = watched.state();
            let status = state.0.wait().unwrap_or_else(|_| ExitStatus::from_raw(0));
            log::debug!(target: "ipc", "process {pid} ended: {status}");
            state.1 = Some(status);
            drop(state);
            watched.exited.notify_all();
        };
        std::thread::Builder::new().name("ipc-wait".into()).spawn(watch).map_err(Error::Setup)?;
        Ok(process)
    }

    fn state(&self) -> MutexGuard<'_, (Child, Option<ExitStatus>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, limit: Option<Duration>) -> Option<ExitStatus> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        let mut state = self.state();
        while state.1.is_none() {
            state = match deadline {
                None => self.exited.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.checked_duration_since(Instant::now())?;
                    self.exited.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.1
    }

    fn kill(&self) {
        let mut state = self.state();
        if state.1.is_none() {
            // Fails only if it exited just now.
            let _ = state.0.kill();
        }
    }
}

/// Looks for a program of this distribution: beside this one, under the name it was called by and its real one, and in
/// `../libexec` and `../bin` from there.
///
/// # Errors
/// If it is nowhere; the message lists the places.
pub fn find_program(name: &str) -> Result<PathBuf> {
    let called = std::env::args_os().next().map(PathBuf::from).filter(|path| path.components().count() > 1);
    let real = std::env::current_exe().ok();
    let dirs = [called, real].into_iter().flatten().filter_map(|path| path.parent().map(Path::to_owned));
    let mut dirs: Vec<_> = dirs.collect();
    dirs.dedup();
    let places: Vec<PathBuf> = dirs
        .iter()
        .flat_map(|dir| [dir.join(name), dir.join("../libexec").join(name), dir.join("../bin").join(name)])
        .collect();
    places.iter().find(|path| path.is_file()).cloned().ok_or_else(|| {
        let places: Vec<_> = places.iter().map(|path| path.display().to_string()).collect();
        Error::NotFound { name: name.to_owned(), places: places.join(" or ") }
    })
}
