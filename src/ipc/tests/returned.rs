//! Objects of ours that the other side gives back to us as what they are, which our own programs do not: they pass on an
//! object of their own that calls it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::ThreadId;

use capnp_rpc::CapabilityServerSet;
use capnp_rpc::rpc_twoparty_capnp::Side;
use interfaces::Result;
use multiprocess::Options;
use multiprocess::proxy_capnp::{context, thread, thread_map};

use crate::asynchronous::block_on;
use crate::link::ends;
use crate::probe::schema::probe_capnp::{self as wire, probe};
use crate::probe::{self as local, Count, Counter, Probe, ProbeClient};
use crate::stream::{bare, run_bare};

/// Gives back what it is given.
#[derive(Default)]
struct Mirror {
    threads: Rc<RefCell<CapabilityServerSet<Threads, thread::Client>>>,
    sink: RefCell<Option<wire::sink::Client>>,
}

impl Mirror {
    fn knows(&self, context: context::Reader<'_>) -> std::result::Result<(), capnp::Error> {
        let thread = context.get_thread()?;
        let known = self.threads.borrow().get_local_server_of_resolved(&thread);
        known.map(drop).ok_or_else(|| capnp::Error::failed("not a thread of this side".to_owned()))
    }
}

/// Makes threads that are none.
struct Threads(Rc<RefCell<CapabilityServerSet<Threads, thread::Client>>>);

impl thread::Server for Threads {}

impl thread_map::Server for Threads {
    async fn make_thread(
        self: Rc<Self>,
        _: thread_map::MakeThreadParams,
        mut results: thread_map::MakeThreadResults,
    ) -> std::result::Result<(), capnp::Error> {
        let made = self.0.borrow_mut().new_client(Threads(self.0.clone()));
        results.get().set_result(made);
        Ok(())
    }
}

impl probe::Server for Mirror {
    async fn construct(
        self: Rc<Self>,
        _: probe::ConstructParams,
        mut results: probe::ConstructResults,
    ) -> std::result::Result<(), capnp::Error> {
        results.get().set_thread_map(capnp_rpc::new_client(Threads(self.threads.clone())));
        Ok(())
    }

    async fn swap(
        self: Rc<Self>,
        params: probe::SwapParams,
        mut results: probe::SwapResults,
    ) -> std::result::Result<(), capnp::Error> {
        self.knows(params.get()?.get_context()?)?;
        let given = params.get()?.get_counters()?;
        let mut list = results.get().init_result(given.len());
        for (index, counter) in given.iter().enumerate() {
            list.reborrow().get(index as u32).set_counter(counter.get_counter()?);
        }
        Ok(())
    }

    async fn floats(
        self: Rc<Self>,
        params: probe::FloatsParams,
        _: probe::FloatsResults,
    ) -> std::result::Result<(), capnp::Error> {
        self.knows(params.get()?.get_context()?)
    }

    async fn pour(
        self: Rc<Self>,
        params: probe::PourParams,
        _: probe::PourResults,
    ) -> std::result::Result<(), capnp::Error> {
        *self.sink.borrow_mut() = Some(params.get()?.get_into()?);
        Ok(())
    }

    async fn sink(
        self: Rc<Self>,
        _: probe::SinkParams,
        mut results: probe::SinkResults,
    ) -> std::result::Result<(), capnp::Error> {
        results.get().set_result(self.sink.borrow_mut().take().unwrap());
        Ok(())
    }
}

/// Runs `work` with a connection to a mirror.
fn with_mirror(work: impl FnOnce(Arc<ProbeClient>) + Send + 'static) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let serving = std::thread::spawn(move || {
        run_bare(async {
            let probe: probe::Client = capnp_rpc::new_client(Mirror::default());
            // An error only says how it ended.
            let _ = bare(theirs, Side::Server, Some(probe.client)).await;
        });
    });
    let (connection, probe) = local::connect(ours, Options::default());
    ends(move || work(probe));
    connection.close();
    ends(|| serving.join().unwrap());
}

/// Counts, asks the other side in between, and notes the thread it is called on.
#[derive(Default)]
struct Asks {
    count: AtomicU32,
    probe: Mutex<Option<Arc<ProbeClient>>>,
    thread: Mutex<Option<ThreadId>>,
}

impl Counter for Asks {
    fn next(&self) -> Result<u32> {
        *self.thread.lock().unwrap() = Some(std::thread::current().id());
        let probe = self.probe.lock().unwrap().clone().unwrap();
        assert_eq!(probe.floats(1.0, 2.0), Ok(Vec::new()));
        Ok(self.count.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

fn given(probe: &Arc<ProbeClient>) -> (BTreeMap<String, Arc<dyn Counter>>, Weak<Asks>) {
    let asks = Arc::new(Asks { probe: Mutex::new(Some(probe.clone())), ..Asks::default() });
    let weak = Arc::downgrade(&asks);
    (BTreeMap::from([("one".to_owned(), asks as Arc<dyn Counter>)]), weak)
}

#[test]
fn an_object_given_back_is_called_on_the_thread_that_calls() {
    with_mirror(|probe| {
        let (counters, asks) = given(&probe);
        let [(counter, _)] = probe.swap(counters).unwrap().try_into().ok().unwrap();
        assert_eq!((counter.next(), counter.next()), (Ok(1), Ok(2)));
        let thread = *asks.upgrade().unwrap().thread.lock().unwrap();
        assert_eq!(thread, Some(std::thread::current().id()));
        let elsewhere = counter.clone();
        assert_eq!(std::thread::spawn(move || elsewhere.next()).join().unwrap(), Ok(3));
        // Waits until the object is gone.
        drop(counter);
        assert!(asks.upgrade().is_none());
    });
}

#[test]
fn an_object_given_back_is_called_without_a_thread_that_waits() {
    with_mirror(|probe| {
        let (counters, asks) = given(&probe);
        block_on(async {
            let [(counter, _)] = probe.swap_async(counters).await.unwrap().try_into().ok().unwrap();
            assert_eq!((counter.next_async().await, counter.next_async().await), (Ok(1), Ok(2)));
            drop(counter);
        });
        assert!(asks.upgrade().is_none());
    });
}

#[test]
fn a_stream_given_back_is_written_to() {
    with_mirror(|probe| {
        probe.pour(0, Arc::new(Count::default())).unwrap();
        let sink = probe.sink().unwrap();
        // Some are long enough to be sent without a copy.
        let sizes = [1, 100, 1 << 20, 10];
        sizes.iter().for_each(|size| sink.write(vec![b'x'; *size]).unwrap());
        assert_eq!(sink.done(), Ok(sizes.iter().sum::<usize>() as u64));
    });
}
