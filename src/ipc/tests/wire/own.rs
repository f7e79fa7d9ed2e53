//! What our own clients send and our own servers answer, for every method of the schemas, against what they sent and
//! answered when `own.txt` was written. A change there that was not meant is an error: programs of other versions are out.
//! What was meant is written with `UPDATE_EXPECT=1`.
//!
//! The contract suites run through a relay that notes each call with its answer. What is noted is a set, so that nothing
//! depends on which thread was faster.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use capnp::message::{ReaderOptions, ReaderSegments};
use capnp::schema_capnp::{code_generator_request, node};
use capnp_rpc::rpc_capnp::{cap_descriptor, exception, message, payload, return_};
use interfaces::{ClientV30, Init, RpcError, RpcRequest};
use multiprocess::EventLoop;
use testing::{FakeChain, FakeInit, contract};

use super::content::Content;
use crate::asynchronous::block_on;
use crate::limits::{bare, construct};
use crate::link::{LIMIT, ends};

/// What an interface and an ordinal are called.
pub(super) type Names = HashMap<(u64, u16), String>;

#[test]
fn every_method_sends_and_answers_what_it_did() {
    let tape = Arc::new(Tape::default());
    let chain = FakeChain::new(5);
    let checked = chain.clone();
    let init = FakeInit::with_hook(Arc::new(move |request, chain| {
        if request.method != CHECK_CHAIN {
            return Ok(Err(RpcError { code: -32601, message: "Method not found".to_owned() }));
        }
        contract::chain(chain);
        contract::fake_chain(chain, &checked);
        Ok(Ok(String::new()))
    }));
    tape.record(init, "", |stream| {
        let (link, init) = ipc::connect_on(&EventLoop::start().unwrap(), stream, "server").unwrap();
        let echo = block_on(init.make_echo_async()).unwrap();
        assert_eq!(block_on(echo.echo_async("no thread waits".to_owned())).as_deref(), Ok("no thread waits"));
        let init: Arc<dyn Init> = init;
        contract::introduce(&init);
        contract::echo(&init.make_echo().unwrap());
        contract::mining(&init.make_mining().unwrap());
        contract::rpc(&init.make_rpc().unwrap());
        let loader = init.make_wallet_loader(testing::config(), chain).unwrap();
        let (params, uri, user) = ("[]".to_owned(), "/".to_owned(), "user".to_owned());
        let request = RpcRequest { method: CHECK_CHAIN.to_owned(), params, uri, user, tip: None };
        loader.execute_rpc(request).unwrap().unwrap();
        contract::wallet_loader(&loader);
        link
    });
    tape.record(FakeInit::default(), "V30", |stream| {
        let (link, init) = ipc::connect_socket(stream, "server").unwrap();
        contract::mining_v30(&init.make_mining_old2(Some(ClientV30 {})).unwrap());
        assert!(init.make_mining_old2(None).is_err());
        link
    });
    // What our clients have no use for.
    tape.record(FakeInit::default(), "", |stream| {
        bare(stream, async |init| {
            let map = construct(&init).await;
            let mut thread = map.make_thread_request();
            thread.get().set_name("bare");
            let thread = thread.send().promise.await.unwrap().get().unwrap().get_result().unwrap();
            thread.get_name_request().send().promise.await.unwrap();
            let mut pool = map.make_pool_request();
            pool.get().set_count(2);
            pool.send().promise.await.unwrap();
        });
    });
    expect_test::expect_file!["own.txt"].assert_eq(&tape.text());
}

#[test]
fn every_method_is_there() {
    let path = |file| Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let frozen = std::fs::read_to_string(path("tests/wire/own.txt")).unwrap();
    let schemas = std::fs::read_to_string(path("../../xtask/golden/schemas.txt")).unwrap();
    // What is declared for clients once more is called as what it stands for.
    let ours = schemas.lines().filter(|line| !line.starts_with("schemas/client/"));
    let methods = ours.filter(|line| line.contains(") -> (")).filter_map(|line| line.split_once('\t'));
    let known: BTreeSet<_> = methods
        .map(|(place, method)| format!("{} {}", place.split_once(' ').unwrap().1, method.split(' ').next().unwrap()))
        .collect();
    let headings = frozen.lines().filter(|line| line.starts_with(char::is_alphabetic));
    let called: BTreeSet<_> = headings.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect();
    assert_eq!(called, known, "left: what own.txt has; right: what the schemas have");
}

/// The RPC command that has the wallet side check its chain.
const CHECK_CHAIN: &str = "check chain";

/// What is called what; where interfaces share an id, those whose names end like this.
pub(super) fn names(version: &str) -> Names {
    let mut names = Names::new();
    let mut description = ipc::description();
    let mut options = ReaderOptions::new();
    options.traversal_limit_in_words(None);
    let message = capnp::serialize::read_message(&mut description, options).unwrap();
    let nodes = message.get_root::<code_generator_request::Reader<'_>>().unwrap().get_nodes().unwrap();
    let interfaces: BTreeMap<_, _> = nodes
        .iter()
        .filter_map(|node| {
            let Ok(node::Interface(interface)) = node.which() else { return None };
            let name = node.get_display_name().unwrap().to_str().unwrap().rsplit(':').next().unwrap();
            Some((name, (node.get_id(), interface.get_methods().unwrap())))
        })
        .collect();
    for (name, (id, methods)) in &interfaces {
        let (name, methods) = match interfaces.get_key_value(format!("{name}{version}").as_str()) {
            Some((name, (_, methods))) => (name, methods),
            None => (name, methods),
        };
        for (ordinal, method) in (0..).zip(*methods) {
            let method = method.get_name().unwrap().to_str().unwrap();
            names.insert((*id, ordinal), format!("{name} @{ordinal} {method} {id:#x}"));
        }
    }
    names
}

/// What was said, by both sides.
#[derive(Default)]
struct Tape {
    noted: Mutex<Noted>,
    answered: Condvar,
}

#[derive(Default)]
struct Noted {
    /// Calls that are not answered yet, by who made them and their number there.
    open: HashMap<(bool, u32), (String, String)>,
    /// Calls and their answers, by method.
    calls: BTreeMap<String, BTreeSet<(String, String)>>,
}

impl Tape {
    /// Serves `init` to a client, and notes what both say.
    fn record<T: Send + 'static>(
        self: &Arc<Self>,
        init: FakeInit,
        version: &str,
        client: impl FnOnce(UnixStream) -> T + Send + 'static,
    ) {
        let names = Arc::new(names(version));
        let (ours, near) = UnixStream::pair().unwrap();
        let (far, theirs) = UnixStream::pair().unwrap();
        let server = ipc::Server::start(theirs, "client", Arc::new(init)).unwrap();
        let relay = |client: bool, from: &UnixStream, to: &UnixStream| {
            let (tape, names) = (self.clone(), names.clone());
            let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            std::thread::spawn(move || {
                while let Ok(message) = capnp::serialize::read_message(&mut from, ReaderOptions::new()) {
                    let segments = message.into_segments();
                    tape.note(client, &segments, &names);
                    // Who left hears nothing.
                    let _ = capnp::serialize::write_message_segments(&mut to, &segments);
                }
                let _ = to.shutdown(Shutdown::Write);
            })
        };
        let relays = [relay(true, &near, &far), relay(false, &far, &near)];
        let link = ends(move || client(ours));
        let noted = self.noted.lock().unwrap();
        let (noted, late) = self.answered.wait_timeout_while(noted, LIMIT, |noted| !noted.open.is_empty()).unwrap();
        assert!(!late.timed_out(), "not answered: {:?}", noted.open);
        drop((noted, link));
        server.wait();
        relays.into_iter().for_each(|relay| relay.join().unwrap());
    }

    fn note(&self, client: bool, segments: &impl ReaderSegments, names: &Names) {
        let message = capnp::message::Reader::new(segments, ReaderOptions::new());
        let mut noted = self.noted.lock().unwrap();
        match message.get_root::<message::Reader<'_>>().unwrap().which().unwrap() {
            message::Call(call) => {
                let call = call.unwrap();
                let name = &names[&(call.get_interface_id(), call.get_method_id())];
                let params = show(segments, call.get_params().unwrap(), 1);
                noted.open.insert((client, call.get_question_id()), (name.clone(), params));
            }
            message::Return(answer) => {
                let answer: return_::Reader<'_> = answer.unwrap();
                // What is not there asked for the bootstrap object.
                let Some((name, params)) = noted.open.remove(&(!client, answer.get_answer_id())) else { return };
                let answer = match answer.which().unwrap() {
                    return_::Results(results) => show(segments, results.unwrap(), 0),
                    return_::Exception(thrown) => {
                        let thrown: exception::Reader<'_> = thrown.unwrap();
                        let reason = thrown.get_reason().unwrap().to_str().unwrap();
                        format!("{:?} {reason}", thrown.get_type().unwrap())
                    }
                    _ => "something else".to_owned(),
                };
                noted.calls.entry(name).or_default().insert((params, answer));
                self.answered.notify_all();
            }
            _ => {}
        }
    }

    fn text(&self) -> String {
        let mut text =
            "# What our clients send (>) and our servers answer (<), method by method. See own.rs.\n".to_owned();
        for (name, calls) in &self.noted.lock().unwrap().calls {
            text.push_str(&format!("\n{name}\n"));
            calls.iter().for_each(|(params, results)| text.push_str(&format!("> {params}\n< {results}\n")));
        }
        text
    }
}

/// Shows a payload, which is this pointer of what the message is.
fn show(segments: &impl ReaderSegments, payload: payload::Reader<'_>, pointer: usize) -> String {
    let objects = payload.get_cap_table().unwrap().iter().map(|object| match object.which().unwrap() {
        cap_descriptor::None(()) => "nobody's",
        // What it is called while it is not known depends on time.
        cap_descriptor::SenderHosted(_) | cap_descriptor::SenderPromise(_) => "mine",
        cap_descriptor::ReceiverHosted(_) | cap_descriptor::ReceiverAnswer(_) => "yours",
        cap_descriptor::ThirdPartyHosted(_) => "another's",
    });
    let program = std::env::args_os().next().unwrap();
    let program = Path::new(&program).file_name().unwrap().to_str().unwrap();
    // Threads are named after the program.
    let text = |text: &str| text.replace(program, "program").replace(&format!("-{}/", std::process::id()), "-pid/");
    Content { segments, objects: objects.collect(), text: &text }.show(&[0, pointer, 0])
}
