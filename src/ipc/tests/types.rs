//! Every kind of type that can cross, there and back, and what cannot be one of them.
#![allow(clippy::drop_non_drop, reason = "what a builder is made for has been written by then")]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use multiprocess::{Connection, Draft, Error, LONG, Method, Object, Options};

use crate::asynchronous::block_on;
use crate::link::ends;
use crate::probe::schema::probe_capnp::{containers, forged, forged_containers, probe as wire};
use crate::probe::{self, Color, Containers, Counter, PROBE, Probe, ProbeClient, Refusal, Thing};

/// A probe behind a connection of its own; the connections keep it there.
fn link() -> (Arc<ProbeClient>, [Connection; 2]) {
    let (object, link) = bare_link();
    (ProbeClient::client(object), link)
}

/// The same as an object without methods.
fn bare_link() -> (Object, [Connection; 2]) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = probe::serve(theirs, probe::Local::default(), Options::default());
    let (client, object) = probe::reach(ours, Options::default());
    (object, [client, server])
}

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn bytes_and_numbers() {
    let (probe, _link) = link();
    for size in [0, 1, 4 << 20] {
        let bytes = probe.bytes(size as u64).unwrap();
        assert_eq!(bytes.len(), size);
        assert_eq!(probe.take(bytes).unwrap(), size as u64);
    }
    let floats = probe.floats(1.5, f64::NEG_INFINITY).unwrap();
    assert_eq!(floats, [1.5, f64::NEG_INFINITY]);
    assert!(probe.floats(0.0, f64::NAN).unwrap()[1].is_nan());
}

#[test]
fn long_fields_go_beside_the_message_and_short_ones_in_it() {
    let (probe, _link) = link();
    let counter = Arc::new(Count(AtomicU32::new(0)));
    let mut block = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
    let mut asked = 0;
    for round in 0..3 {
        for size in [0, 1, LONG - 8, LONG - 1, LONG, LONG + 1, LONG + 7, LONG + 8, 1 << 20] {
            // Each of the fields is long when others are not.
            let sizes = [size, size * (round % 2), size * (round / 2), size / 2];
            let [words, bytes, shared, script] =
                sizes.map(|size| (0..size).map(|n| (n % 251) as u8).collect::<Vec<_>>());
            let words: String = words.into_iter().map(|byte| char::from(b'a' + byte % 26)).collect();
            block.txdata[0].input[0].script_sig = bitcoin::ScriptBuf::from_bytes(script);
            let block = (size % 2 == 0).then(|| block.clone());
            let got = probe
                .long(words.clone(), counter.clone(), bytes.clone(), shared.clone().into(), block.clone())
                .unwrap();
            assert_eq!((got.number, &got.words, &got.bytes, &got.shared[..]), (asked, &words, &bytes, &shared[..]));
            assert_eq!(got.block, block);
            // What comes back is our own object, reached over the other side.
            assert_eq!(got.counter.next().unwrap(), asked + 1);
            asked += 2;
        }
    }
    // Bytes that were not copied stay when the connection is gone.
    let kept = probe.shared(4 << 20).unwrap();
    drop(probe);
    drop(_link);
    assert_eq!((kept.len(), kept.iter().all(|byte| *byte == b'x')), (4 << 20, true));
}

/// Values of every kind, with the ones that are easily confused beside each other.
fn containers() -> Containers {
    let thing = |name: &str, color| Thing { name: text(name), color };
    Containers {
        sorted: BTreeMap::from([(text(""), 0), (text("a"), u32::MAX)]),
        hashed: HashMap::from([(1, vec![]), (u64::MAX, vec![text("x"), text("")])]),
        by_thing: vec![(thing("t", Color::DeepBlue), (f32::MIN, text("p"))), (thing("", Color::Red), (0.0, text("")))],
        names: BTreeSet::from([text(""), text("b")]),
        numbers: HashSet::from([i64::MIN, 0, 7]),
        things: BTreeSet::from([thing("t", Color::Red), thing("t", Color::DeepBlue)]),
        pair: (0.25, text("quarter")),
        nested: ((true, 2.5), Some(0)),
        lists: vec![vec![], vec![vec![]], vec![vec![text("deep"), text("")], vec![]]],
        many: vec![(0, vec![]), (255, vec![0, 1])],
        maybe: Some(None),
        maybes: vec![None, Some(None), Some(Some(0)), Some(Some(3))],
        list: Some(vec![None, Some(text("")), Some(text("s"))]),
        outcomes: vec![
            Ok(thing("fine", Color::Red)),
            Err(Refusal::Busy),
            Err(Refusal::Other { reason: text("why") }),
            Err(Refusal::Thing(thing("bad", Color::DeepBlue))),
        ],
        done: BTreeMap::from([(text("no"), Err(Color::Red)), (text("yes"), Ok(()))]),
    }
}

#[test]
fn containers_keep_their_content() {
    let (probe, _link) = link();
    let full = containers();
    let others = [
        Containers::default(),
        Containers { maybe: Some(Some(0)), ..full.clone() },
        Containers { maybe: None, list: Some(vec![]), nested: ((false, 0.0), None), ..full.clone() },
    ];
    for value in [full].into_iter().chain(others) {
        assert_eq!(probe.contain(value.clone()).unwrap(), value);
    }
    let quotients = probe.divide(vec![(7, 2), (1, 0), (i32::MIN, -1)]).unwrap();
    let refused = [text("cannot divide 1 by 0"), text("cannot divide -2147483648 by -1")];
    assert_eq!(quotients, [Ok(3), Err(refused[0].clone()), Err(refused[1].clone())]);
    assert_eq!(probe.color(true).unwrap(), Err(Color::DeepBlue));
    assert_eq!(probe.color(false).unwrap(), Ok(()));
}

/// Counts what it is asked.
struct Count(AtomicU32);

impl Counter for Count {
    fn next(&self) -> interfaces::Result<u32> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[test]
fn objects_cross_inside_of_containers() {
    let (probe, _link) = link();
    let counters = |first: u32| {
        let counter = |count| Arc::new(Count(AtomicU32::new(count))) as Arc<dyn Counter>;
        BTreeMap::from([(text("b"), counter(first + 1)), (text("a"), counter(first))])
    };
    let swapped = probe.swap(counters(5)).unwrap();
    let counts: Vec<_> = swapped.iter().map(|(counter, count)| (*count, counter.next().unwrap())).collect();
    assert_eq!(counts, [(5, 6), (6, 7)]);
    // Here the objects are clients again, whatever they are in.
    let swapped = ends(move || block_on(probe.swap_async(counters(1))).unwrap());
    let (counter, count) = &swapped[0];
    assert_eq!((*count, block_on(counter.next_async()).unwrap()), (1, 2));
}

fn method(name: &str) -> &'static Method {
    PROBE.methods.iter().find(|method| method.name == name).unwrap()
}

/// Calls `contain` with parameters as no client of ours writes them.
fn contain(probe: &Object, build: impl FnOnce(containers::Builder<'_>)) -> Result<(), Error> {
    let mut draft = Draft::new();
    let exports = draft.exports();
    let mut params = draft.root::<wire::contain_params::Owned>();
    exports.context(params.reborrow().init_context());
    build(params.init_value());
    probe.call(method("Probe.contain"), draft, |_| Ok(())).map(drop)
}

/// The same with elements that take no place.
fn contain_nothing(probe: &Object, build: impl FnOnce(forged_containers::Builder<'_>)) -> Result<(), Error> {
    let mut draft = Draft::new();
    let exports = draft.exports();
    let mut params = draft.root::<forged::Owned>();
    exports.context(params.reborrow().init_context());
    build(params.init_value());
    probe.call(method("Probe.contain"), draft, |_| Ok(())).map(drop)
}

#[test]
fn a_few_bytes_do_not_become_a_list_of_millions() {
    let (probe, _link) = bare_link();
    let refused = |build: &dyn Fn(forged_containers::Builder<'_>)| {
        let error = contain_nothing(&probe, build).unwrap_err().to_string();
        assert_eq!(error, "malformed message: Read limit exceeded");
    };
    refused(&|value| drop(value.init_sorted(10_000_000)));
    refused(&|value| drop(value.init_hashed(10_000_000)));
    refused(&|value| drop(value.init_by_thing(10_000_000)));
    contain_nothing(&probe, |value| drop(value.init_by_thing(3))).unwrap();
}

#[test]
fn what_is_wrong_in_a_container_is_a_typed_error() {
    let (probe, _link) = bare_link();
    let refused = |what: &str, build: &dyn Fn(containers::Builder<'_>)| {
        let error = contain(&probe, build).expect_err(what).to_string();
        assert_eq!(error, format!("malformed message: {what}"));
    };
    refused("Containers.sorted: the same twice", &|value| {
        let mut list = value.init_sorted(2);
        list.reborrow().get(0).set_key("a");
        list.reborrow().get(1).set_key("a");
    });
    refused("Containers.hashed: the same twice", &|value| drop(value.init_hashed(2)));
    refused("Containers.names: the same twice", &|value| drop(value.init_names(2)));
    refused("Containers.numbers: the same twice", &|value| drop(value.init_numbers(2)));
    refused("Containers.things: the same twice", &|value| drop(value.init_things(2)));

    // Nulls are what the schema says of them.
    contain(&probe, |_| {}).unwrap();
    contain(&probe, |value| drop(value.init_outcomes(3))).unwrap();
    contain(&probe, |value| drop(value.init_lists(3))).unwrap();
}

#[test]
fn a_missing_object_in_a_container_is_a_typed_error() {
    let (probe, _link) = bare_link();
    let mut draft = Draft::new();
    let exports = draft.exports();
    let mut params = draft.root::<wire::swap_params::Owned>();
    exports.context(params.reborrow().init_context());
    params.init_counters(1).get(0).set_name("nobody");
    let error = probe.call(method("Probe.swap"), draft, |_| Ok(())).map(drop).unwrap_err();
    assert!(error.to_string().starts_with("malformed message: "), "{error}");
    // The connection is none the worse for it.
    contain(&probe, |_| {}).unwrap();
}
