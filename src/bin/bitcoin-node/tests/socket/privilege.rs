//! What a socket for miners leads to: a client that was made from no schema calls every method of every interface there
//! is, on every object that it can get, as soon as the object is promised and once it is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use capnp::message::{Builder, ReaderOptions, SegmentArray};
use capnp::schema_capnp::{code_generator_request, node};
use capnp::traits::{Imbue, ImbueMut};
use capnp_rpc::rpc_capnp::{cap_descriptor, exception, message, message_target, payload, return_};
use testing::contract;

use crate::{connect, reach, rpc, start, stop};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Questions that any client asks first: for the bootstrap object, for threads, for a thread.
const BOOTSTRAP: u32 = 0;
const THREADS: u32 = 1;
const THREAD: u32 = 2;

#[test]
fn a_socket_for_miners_leads_to_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = start(dir.path(), "unix,allow=mining -ipcbind=unix:all.sock");
    let (_link, init) = reach(&mut node, dir.path(), "unix:all.sock");
    while rpc(&init, "getblockcount", "[]").contains("-28") {
        std::thread::yield_now();
    }
    assert!(rpc(&init, "generatetodescriptor", r#"[1,"raw(51)"]"#).contains("result"));
    let schemas = Schemas::read();
    let sockets = ["node.sock", "all.sock"].map(|name| dir.path().join("regtest").join(name));

    // The client finds what there is: where everything is offered, it does.
    let rpc_id = schemas.id("Rpc");
    let mut other = Client::connect(&sockets[1], &schemas);
    let made = other.call(&Target::Answer(BOOTSTRAP, None), (schemas.id("Init"), 4));
    let ran = other.call(&Target::Answer(made, Some(0)), (rpc_id, 0));
    assert!(matches!(other.answer(ran), Some(Said::Values)));

    // Objects by how they are reached, and the interfaces that they have.
    let mut paths: Vec<Vec<Step>> = vec![Vec::new()];
    let mut found: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        next += 1;
        for promised in [true, false] {
            let mut client = Client::connect(&sockets[0], &schemas);
            let target = client.walk(&path, promised);
            for (name, step) in schemas.steps() {
                let question = client.call(&target, step);
                let piped = client.call(&Target::Answer(question, Some(0)), (rpc_id, 0));
                let said = client.answer(question).expect("the connection stays");
                let ran = client.answer(piped).expect("the connection stays");
                assert!(matches!(ran, Said::Refused(..)), "{path:?} {step:?} leads to RPC");
                client.finish([question, piped]);
                if matches!(said, Said::Refused(exception::Type::Unimplemented, _)) {
                    continue;
                }
                found.entry(schemas.describe(&path)).or_default().insert(name);
                // What comes of waiting on what came of waiting is no other object.
                let longer = [path.as_slice(), &[step]].concat();
                if matches!(said, Said::Object(_)) && path.last() != Some(&step) && !paths.contains(&longer) {
                    paths.push(longer);
                }
            }
        }
    }
    let expected = [
        ("", vec!["Bootstrap", "Init"]),
        ("Init.construct", vec!["ThreadMap"]),
        ("Init.construct ThreadMap.makeThread", vec!["Thread"]),
        ("Init.makeMining", vec!["Mining"]),
        ("Init.makeMining Mining.createNewBlock", vec!["BlockTemplate"]),
        ("Init.makeMining Mining.createNewBlock BlockTemplate.waitNext", vec!["BlockTemplate"]),
        ("Init.makeMiningOld2", vec!["Mining"]),
        ("Init.makeMiningOld2 Mining.createNewBlock", vec!["BlockTemplate"]),
        ("Init.makeMiningOld2 Mining.createNewBlock BlockTemplate@10", vec!["BlockTemplate"]),
    ];
    let found: Vec<_> = found.iter().map(|(path, names)| (path.as_str(), names.iter().copied().collect())).collect();
    assert_eq!(found, expected);

    // What was never handed out is nobody's, whatever its number.
    for object in 0..32 {
        let mut client = Client::connect(&sockets[0], &schemas);
        client.walk(&[(schemas.id("Init"), 3)], false);
        let ran = client.call(&Target::Object(object), (rpc_id, 0));
        assert!(matches!(client.answer(ran), None | Some(Said::Refused(..))), "object {object} runs RPC");
    }

    // The others did not notice.
    let (_link, miner) = connect(&mut node, dir.path());
    contract::mining(&miner.make_mining().unwrap());
    contract::rpc(&init.make_rpc().unwrap());
    assert!(stop(node, &init).success());
}

/// A method, as the wire has it: interface and ordinal.
type Step = (u64, u16);

/// The interfaces there are, with the names of their methods.
struct Schemas(Vec<(String, u64, Vec<String>)>);

impl Schemas {
    fn read() -> Schemas {
        let mut description = ipc::description();
        let mut options = ReaderOptions::new();
        options.traversal_limit_in_words(None);
        let message = capnp::serialize::read_message(&mut description, options).unwrap();
        let nodes = message.get_root::<code_generator_request::Reader<'_>>().unwrap().get_nodes().unwrap();
        let interfaces = nodes.iter().filter_map(|node| {
            let Ok(node::Interface(interface)) = node.which() else { return None };
            let name = node.get_display_name().unwrap().to_str().unwrap().rsplit(':').next().unwrap();
            let methods = interface.get_methods().unwrap().iter();
            let methods = methods.map(|method| method.get_name().unwrap().to_string().unwrap());
            Some((name.to_owned(), node.get_id(), methods.collect()))
        });
        Schemas(interfaces.collect())
    }

    fn id(&self, name: &str) -> u64 {
        self.0.iter().find(|(known, ..)| known == name).unwrap().1
    }

    /// Everything to be tried on an object, with the names of the interfaces: what may be the object's end comes last.
    fn steps(&self) -> impl Iterator<Item = (&str, Step)> {
        let most = self.0.iter().map(|(_, _, methods)| methods.len()).max().unwrap() as u16;
        let ordinals = (1..=most).chain([0]);
        ordinals.flat_map(|ordinal| self.0.iter().map(move |(name, id, _)| (name.as_str(), (*id, ordinal))))
    }

    fn describe(&self, path: &[Step]) -> String {
        let method = |(id, ordinal): &Step| {
            let (name, _, methods) = self.0.iter().find(|(_, known, _)| known == id).unwrap();
            // Version 30 has more.
            methods
                .get(usize::from(*ordinal))
                .map_or_else(|| format!("{name}@{ordinal}"), |method| format!("{name}.{method}"))
        };
        path.iter().map(method).collect::<Vec<_>>().join(" ")
    }
}

/// What a call is made on.
enum Target {
    /// What the other side has under this number.
    Object(u32),
    /// What the answer to a question is, or this pointer in it.
    Answer(u32, Option<u16>),
}

/// What an answer is.
enum Said {
    Object(u32),
    Values,
    Refused(exception::Type, #[expect(dead_code, reason = "shown when a test fails")] String),
}

/// A connection on which anything can be said.
struct Client<'a> {
    stream: UnixStream,
    schemas: &'a Schemas,
    asked: u32,
    answers: HashMap<u32, Said>,
}

impl<'a> Client<'a> {
    fn connect(socket: &Path, schemas: &'a Schemas) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut client = Client { stream, schemas, asked: THREADS, answers: HashMap::new() };
        client.say(|message| message.init_bootstrap().set_question_id(BOOTSTRAP));
        let threads = client.call(&Target::Answer(BOOTSTRAP, None), (schemas.id("Init"), 0));
        let thread = client.call(&Target::Answer(threads, Some(0)), (schemas.id("ThreadMap"), 0));
        assert_eq!((threads, thread), (THREADS, THREAD));
        client
    }

    /// It fails if the other side has hung up, which its answers show.
    fn say(&mut self, what: impl FnOnce(message::Builder<'_>)) {
        let mut message = Builder::new_default();
        what(message.init_root());
        let _ = capnp::serialize::write_message(&mut self.stream, &message);
    }

    /// Goes from the bootstrap object to another.
    fn walk(&mut self, path: &[Step], promised: bool) -> Target {
        let mut at = Target::Answer(BOOTSTRAP, None);
        let mut last = BOOTSTRAP;
        for step in path {
            last = self.call(&at, *step);
            at = Target::Answer(last, Some(0));
        }
        if promised {
            return at;
        }
        match self.answer(last) {
            Some(Said::Object(object)) => Target::Object(object),
            _ => panic!("no object"),
        }
    }

    fn call(&mut self, target: &Target, (interface, ordinal): Step) -> u32 {
        let question = self.asked;
        self.asked += 1;
        let is = |name: &str| interface == self.schemas.id(name);
        // Methods of these take no context, or a map of threads instead.
        let bare = is("ThreadMap") || is("Thread") || (is("Init") && ordinal == 0);
        let chain = is("Bootstrap");
        let wait = is("BlockTemplate") && ordinal == 8;
        self.say(|message| {
            let mut call = message.init_call();
            call.set_question_id(question);
            call.set_interface_id(interface);
            call.set_method_id(ordinal);
            target.write(call.reborrow().init_target());
            if !bare {
                params(call.init_params(), chain, wait);
            }
        });
        question
    }

    /// Waits for an answer; `None` if the connection ends before.
    fn answer(&mut self, question: u32) -> Option<Said> {
        while !self.answers.contains_key(&question) {
            let message = capnp::serialize::read_message(&mut self.stream, ReaderOptions::new()).ok()?;
            let root = message.get_root::<message::Reader<'_>>().unwrap();
            if let Ok(message::Return(answer)) = root.which() {
                let answer: return_::Reader<'_> = answer.unwrap();
                self.answers.insert(answer.get_answer_id(), said(answer));
            }
        }
        self.answers.remove(&question)
    }

    fn finish(&mut self, questions: [u32; 2]) {
        for question in questions {
            self.say(|message| message.init_finish().set_question_id(question));
        }
    }
}

impl Target {
    fn write(&self, mut to: message_target::Builder<'_>) {
        match self {
            Target::Object(object) => to.set_imported_cap(*object),
            Target::Answer(question, pointer) => {
                let mut answer = to.init_promised_answer();
                answer.set_question_id(*question);
                if let Some(pointer) = pointer {
                    answer.init_transform(1).get(0).set_get_pointer_field(*pointer);
                }
            }
        }
    }
}

fn said(answer: return_::Reader<'_>) -> Said {
    match answer.which().unwrap() {
        return_::Results(results) => {
            let objects = results.unwrap().get_cap_table().unwrap();
            match objects.iter().next().map(|object| object.which().unwrap()) {
                Some(cap_descriptor::SenderHosted(object) | cap_descriptor::SenderPromise(object)) => {
                    Said::Object(object)
                }
                Some(_) => panic!("an object of ours"),
                None => Said::Values,
            }
        }
        return_::Exception(thrown) => {
            let thrown: exception::Reader<'_> = thrown.unwrap();
            Said::Refused(thrown.get_type().unwrap(), thrown.get_reason().unwrap().to_string().unwrap())
        }
        _ => panic!("neither results nor an exception"),
    }
}

/// Writes parameters that suit many methods: a context, which is the options of a block where version 30 has them in its
/// place, numbers that mean no time to wait, and as others want them a chain or how long to wait for which fees.
fn params(mut params: payload::Builder<'_>, chain: bool, wait: bool) {
    let mut table = params.reborrow().init_cap_table(2);
    let mut thread = table.reborrow().get(0).init_receiver_answer();
    thread.set_question_id(THREAD);
    thread.init_transform(1).get(0).set_get_pointer_field(0);
    table.get(1).set_sender_hosted(0);
    let structure = |distance: u64, words: u64, pointers: u64| distance << 2 | words << 32 | pointers << 48;
    let object = |index: u64| 3 | index << 32;
    let words = [
        structure(0, 1, 3),
        // As a number a tiny bit less than nothing; the lowest bit is a block's `cooldown`, which is true unless told.
        1 << 63 | 1,
        structure(2, 3, 2),
        if wait { structure(6, 2, 0) } else { 0 },
        if chain { object(1) } else { 0 },
        // Not from the mempool, weight, sigops; the thread, and none to call back.
        0,
        8000,
        400,
        object(0),
        0,
        // Milliseconds and satoshi, each as it differs from what holds unless told.
        10_000.0_f64.to_bits() ^ f64::MAX.to_bits(),
        2_100_000_000_000_000,
    ];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let segments: &[&[u8]] = &[&bytes];
    let filled = capnp::message::Reader::new(SegmentArray::new(segments), ReaderOptions::new());
    // What the objects are is in the table.
    let number = || Some(capnp_rpc::new_broken_cap(capnp::Error::failed("a number".to_owned())).hook);
    let hooks = vec![number(), number()];
    let mut root = filled.get_root::<capnp::any_pointer::Reader<'_>>().unwrap();
    root.imbue(&hooks);
    let mut copied = Vec::new();
    let mut content = params.reborrow().get_content();
    content.imbue_mut(&mut copied);
    content.set_as(root).unwrap();
}
