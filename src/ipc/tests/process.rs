//! The interfaces between real processes. The test program is its own child: started with `-ipcfd` it serves.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test fails by panicking")]

mod reconnect;
mod trace;

use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use interfaces::{Error, RpcError, RpcRequest, WalletLoader};
use rustix::process::{Pid, Signal, kill_process};
use testing::{FakeChain, FakeInit, RpcHook, contract};

/// How long anything may take before it counts as hung.
const LIMIT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if let Some(fd) = args.iter().find_map(|arg| arg.strip_prefix("-ipcfd=")) {
        return child(&args[0], fd.parse().unwrap());
    }
    match args.first().map(String::as_str) {
        Some("parent") => return parent(),
        Some("listen") => return reconnect::serve(&args[1], FakeInit::with_hook(hook())),
        Some("talk-to") => return talk_to(args[1].as_ref()),
        _ => {}
    }
    let tests: &[(&str, fn())] = &[
        ("contract_in_another_process", contract_in_another_process),
        ("an_orderly_end", an_orderly_end),
        ("a_killed_child", a_killed_child),
        ("a_child_that_dies_in_a_callback", a_child_that_dies_in_a_callback),
        ("a_killed_parent", a_killed_parent),
        ("a_thread_that_starts_a_child_may_end", a_thread_that_starts_a_child_may_end),
        ("a_child_that_does_not_exit", a_child_that_does_not_exit),
        ("a_descriptor_with_another_number", a_descriptor_with_another_number),
        ("wrong_programs_and_descriptors", wrong_programs_and_descriptors),
        ("descriptors_are_not_inherited", descriptors_are_not_inherited),
        ("a_server_that_comes_back", reconnect::a_server_that_comes_back),
        ("a_subscription_goes_on_where_it_was", reconnect::a_subscription_goes_on_where_it_was),
        ("a_subscription_ends_while_the_server_is_stopped", reconnect::a_subscription_ends_while_the_server_is_stopped),
        ("trace", trace::trace),
    ];
    let wanted = args.iter().find(|arg| !arg.starts_with('-'));
    for (name, test) in tests {
        if wanted.is_none_or(|wanted| name.contains(wanted.as_str())) {
            println!("test {name} ...");
            test();
        }
    }
    println!("test result: ok");
    ExitCode::SUCCESS
}

/// What a child process does on request.
fn hook() -> RpcHook {
    Arc::new(|request, chain| match request.method.as_str() {
        "pid" => Ok(Ok(std::process::id().to_string())),
        "files" => {
            let entries = std::fs::read_dir("/proc/self/fd").map_err(Error::internal)?;
            let targets = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
            let sockets = targets.filter(|target| target.to_string_lossy().starts_with("socket:"));
            Ok(Ok(sockets.count().to_string()))
        }
        "chain" => {
            contract::chain(chain);
            Ok(Ok(String::new()))
        }
        "callback" => chain.abort_node(String::new()).map(|()| Ok(String::new())),
        "hang" => loop {
            std::thread::park();
        },
        _ => Ok(Err(RpcError { code: -32601, message: "Method not found".to_owned() })),
    })
}

/// What a child process does.
fn child(mode: &str, fd: i32) -> ExitCode {
    let served = ipc::serve_fd(fd, Arc::new(FakeInit::with_hook(hook())));
    if mode == "stubborn" {
        loop {
            std::thread::park();
        }
    }
    match served {
        Ok(()) => ExitCode::from(7),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A process that starts a child and says so, to be killed.
fn parent() -> ExitCode {
    let child = start("serve");
    child.init().make_echo().unwrap();
    println!("{}", child.pid());
    loop {
        std::thread::park();
    }
}

/// Checks the echo of any program that takes `-ipcfd`, such as one in C++, and prints how long a call takes.
fn talk_to(program: &std::path::Path) -> ExitCode {
    let child = ipc::spawn(program).unwrap();
    let echo = child.init().make_echo().unwrap();
    contract::echo(&echo);
    let calls = 5000;
    let start = Instant::now();
    for _ in 0..calls {
        echo.echo("hello".to_owned()).unwrap();
    }
    println!("{} ns per call", start.elapsed().as_nanos() / calls);
    drop(echo);
    println!("{}", child.close());
    ExitCode::SUCCESS
}

fn start(mode: &str) -> ipc::Connection {
    ipc::spawn_with(&std::env::current_exe().unwrap(), [mode]).unwrap()
}

fn loader(child: &ipc::Connection) -> (Arc<dyn WalletLoader>, Arc<FakeChain>) {
    let chain = FakeChain::new(3);
    (child.init().make_wallet_loader(testing::config(), chain.clone()).unwrap(), chain)
}

fn request(method: &str) -> RpcRequest {
    RpcRequest {
        method: method.to_owned(),
        params: "[]".to_owned(),
        uri: "/".to_owned(),
        user: "me".to_owned(),
        tip: None,
    }
}

fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

fn contract_in_another_process() {
    let child = start("serve");
    contract::init(&child.init(), FakeChain::new(5));
    // The other way: the child asks us.
    let (loader, _chain) = loader(&child);
    assert_eq!(loader.execute_rpc(request("chain")), Ok(Ok(String::new())));
    assert_eq!(child.close().code(), Some(7));
}

fn an_orderly_end() {
    let child = start("serve");
    let (loader, _chain) = loader(&child);
    assert_eq!(loader.execute_rpc(request("pid")).unwrap(), Ok(child.pid().to_string()));
    let init = child.init();
    assert_eq!(child.close().code(), Some(7));
    assert!(matches!(init.make_echo(), Err(Error::Disconnected { .. })));
    assert!(matches!(loader.wallets(), Err(Error::Disconnected { .. })));
}

fn a_killed_child() {
    let child = start("serve");
    let (loader, _chain) = loader(&child);
    let (gone, wait) = channel();
    child.on_disconnect(move || gone.send(()).unwrap());
    let call = std::thread::spawn(move || loader.execute_rpc(request("hang")));
    kill(child.pid());
    wait.recv_timeout(LIMIT).unwrap();
    let answer = call.join().unwrap();
    assert_eq!(answer, Err(Error::Disconnected { call: "WalletLoader.executeRpc".to_owned() }));
    assert_eq!(child.wait().signal(), Some(9));
    assert_eq!(child.close().signal(), Some(9));
}

fn a_child_that_dies_in_a_callback() {
    let child = start("serve");
    let (loader, chain) = loader(&child);
    let pid = child.pid();
    chain.on_abort(move || kill(pid));
    let answer = loader.execute_rpc(request("callback"));
    assert_eq!(answer, Err(Error::Disconnected { call: "WalletLoader.executeRpc".to_owned() }));
    // Handles of the dead process can be dropped.
    drop(loader);
    drop(child);
}

fn a_killed_parent() {
    for stopped in [false, true] {
        let mut parent = Command::new(std::env::current_exe().unwrap());
        let mut parent = parent.arg("parent").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(parent.stdout.take().unwrap());
        let mut grandchild = String::new();
        output.read_line(&mut grandchild).unwrap();
        if stopped {
            signal(grandchild.trim().parse().unwrap(), Signal::STOP);
        }
        parent.kill().unwrap();
        parent.wait().unwrap();
        // The grandchild has the pipe, too: it ends when that one is gone.
        let (done, wait) = channel();
        std::thread::spawn(move || done.send(output.read_to_end(&mut Vec::new()).map_err(|error| error.kind())));
        wait.recv_timeout(LIMIT).expect("the grandchild ends").unwrap();
    }
}

fn a_thread_that_starts_a_child_may_end() {
    let child = std::thread::spawn(|| {
        let child = start("serve");
        // It has asked to die with its parent by now.
        child.init().make_echo().unwrap();
        child
    });
    let child = child.join().unwrap();
    contract::echo(&child.init().make_echo().unwrap());
    assert_eq!(child.close().code(), Some(7));
}

fn a_child_that_does_not_exit() {
    let child = start("stubborn");
    child.init().make_echo().unwrap();
    assert_eq!(child.close_within(Duration::from_millis(100)).signal(), Some(9));
}

fn a_descriptor_with_another_number() {
    // As a C++ parent would start us: the shell moves the socket to another number.
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut child = Command::new("sh");
    child.args(["-c", "exec \"$0\" serve -ipcfd=9 9<&0 </dev/null"]).arg(std::env::current_exe().unwrap());
    let mut child = child.stdin(Stdio::from(OwnedFd::from(theirs))).spawn().unwrap();
    let (link, init) = ipc::connect_socket(ours, "child").unwrap();
    contract::echo(&init.make_echo().unwrap());
    drop(link);
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

fn wrong_programs_and_descriptors() {
    let missing = ipc::spawn("/nonexistent/program".as_ref()).err().expect("it does not exist");
    assert!(missing.to_string().starts_with("cannot run /nonexistent/program"), "{missing}");

    let child = ipc::spawn("/bin/true".as_ref()).unwrap();
    assert!(matches!(child.init().make_echo(), Err(Error::Disconnected { .. })));
    assert_eq!(child.close().code(), Some(0));

    let child = ipc::spawn_with("/bin/sh".as_ref(), ["-c", "cat >/dev/null"]).unwrap();
    assert_eq!(child.close().code(), Some(0), "a program that only reads sees the end of the connection");

    for fd in [-1, 1, 2, 777] {
        let error = ipc::serve_fd(fd, Arc::new(FakeInit::default())).unwrap_err();
        assert_eq!(error.to_string(), format!("-ipcfd={fd} is not a socket inherited from a parent process"));
    }
    assert!(ipc::find_program("no-such-program").is_err());
}

fn descriptors_are_not_inherited() {
    let first = start("serve");
    let second = start("serve");
    for child in [&first, &second] {
        let (loader, _chain) = loader(child);
        assert_eq!(loader.execute_rpc(request("files")).unwrap(), Ok("1".to_owned()), "only its own connection");
    }
    // Were the first one's socket open in the second, the first would not see its end.
    assert_eq!(first.close().code(), Some(7));
    assert_eq!(second.close().code(), Some(7));
}
