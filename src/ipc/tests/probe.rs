//! An interface of tests and benchmarks, made by the generator that makes those of the protocol: what that can do is
//! called here from end to end. Its trait is in `probe/traits.rs`, its schema in `probe/probe.capnp`.
#![allow(dead_code, unused_imports, reason = "each of the programs that have it uses a part")]

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use bitcoin::Block;
use bytes::Bytes;
use multiprocess::{Connection, EventLoop, Object, Options};

#[path = "../src/convert.rs"]
mod convert;
#[path = "../src/redact.rs"]
mod redact;
#[path = "../src/show.rs"]
mod show;
#[path = "probe/traits.rs"]
pub mod traits;

/// The schema's types, made by capnpc.
#[allow(unused_qualifications, clippy::all, clippy::unwrap_used, reason = "generated")]
pub mod schema {
    pub mod probe_capnp {
        include!(concat!(env!("OUT_DIR"), "/probe_capnp.rs"));
    }
}

/// The generated client, server and table.
#[allow(unused_imports, unused_mut, unused_variables, clippy::all, reason = "generated")]
mod glue {
    use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
    use std::fmt::{self, Write};
    use std::sync::Arc;

    use capnp::capability::FromClientHook;
    use multiprocess::{
        Draft, Error, Exports, Imports, Incoming, Interface, Kind, Method, Object, Proxy, ServerCall, Service, Short,
        Who,
    };

    use super::show::Show;
    use super::traits as interfaces;
    use super::{convert, redact};

    include!(concat!(env!("OUT_DIR"), "/probe.rs"));
}

pub use glue::{PROBE, ProbeClient, ProbeServer, SinkClient};
pub use traits::{Color, Containers, Counter, Long, Probe, Refusal, Sent, Sink, Thing};

/// Does what the methods say.
#[derive(Default)]
pub struct Local {
    /// The bytes that it gave last.
    pub kept: Mutex<Bytes>,
    /// Where to write to, instead of what counts alone.
    pub sink: Option<Arc<dyn Sink>>,
    /// What to wait for before that is given.
    pub held: Option<Mutex<Receiver<()>>>,
}

impl Local {
    /// One with this to write to.
    pub fn with(sink: Arc<dyn Sink>) -> Self {
        Local { sink: Some(sink), ..Local::default() }
    }
}

/// Counts what is written.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Sink for Count {
    fn write(&self, bytes: Vec<u8>) -> Sent {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn done(&self) -> traits::Result<u64> {
        Ok(self.0.load(Ordering::Relaxed))
    }
}

impl Probe for Local {
    fn bytes(&self, size: u64) -> traits::Result<Vec<u8>> {
        Ok(vec![b'x'; size as usize])
    }

    fn take(&self, bytes: Vec<u8>) -> traits::Result<u64> {
        Ok(bytes.len() as u64)
    }

    fn shared(&self, size: u64) -> traits::Result<Bytes> {
        let mut kept = self.kept.lock().unwrap();
        if kept.len() as u64 != size {
            *kept = vec![b'x'; size as usize].into();
        }
        Ok(kept.clone())
    }

    fn long(
        &self,
        words: String,
        counter: Arc<dyn Counter>,
        bytes: Vec<u8>,
        shared: Bytes,
        block: Option<Block>,
    ) -> traits::Result<Long> {
        Ok(Long { number: counter.next()?, shared, bytes, words, counter, block })
    }

    fn floats(&self, single: f32, double: f64) -> traits::Result<Vec<f64>> {
        Ok(vec![f64::from(single), double])
    }

    fn contain(&self, value: Containers) -> traits::Result<Containers> {
        Ok(value)
    }

    fn divide(&self, pairs: Vec<(i32, i32)>) -> traits::Result<Vec<Result<i32, String>>> {
        let divide = |(a, b): (i32, i32)| a.checked_div(b).ok_or_else(|| format!("cannot divide {a} by {b}"));
        Ok(pairs.into_iter().map(divide).collect())
    }

    fn swap(&self, counters: BTreeMap<String, Arc<dyn Counter>>) -> traits::Result<Vec<(Arc<dyn Counter>, u32)>> {
        let next = |counter: &Arc<dyn Counter>| match counter.next_async() {
            Some(count) => tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(count),
            None => counter.next(),
        };
        counters.into_values().map(|counter| next(&counter).map(|count| (counter, count))).collect()
    }

    fn color(&self, fail: bool) -> traits::Result<Result<(), Color>> {
        Ok(if fail { Err(Color::DeepBlue) } else { Ok(()) })
    }

    fn sink(&self) -> traits::Result<Arc<dyn Sink>> {
        if let Some(held) = &self.held {
            // Also goes on when the test lets go of the other end.
            let _ = held.lock().unwrap().recv();
        }
        Ok(self.sink.clone().unwrap_or_else(|| Arc::new(Count::default())))
    }

    fn pour(&self, count: u32, into: Arc<dyn Sink>) -> traits::Result<u64> {
        (0..count).try_for_each(|number| into.write(number.to_le_bytes().to_vec()))?;
        into.done()
    }
}

/// Serves `probe` over a socket.
pub fn serve(stream: UnixStream, probe: impl Probe + 'static, options: Options) -> Connection {
    Connection::serve(&EventLoop::start().unwrap(), stream, Arc::new(ProbeServer::new(Arc::new(probe))), options)
        .unwrap()
}

/// The probe at the other end of a socket.
pub fn connect(stream: UnixStream, options: Options) -> (Connection, Arc<ProbeClient>) {
    let (connection, object) = reach(stream, options);
    (connection, ProbeClient::client(object))
}

/// The same as an object without methods.
pub fn reach(stream: UnixStream, options: Options) -> (Connection, Object) {
    Connection::connect(&EventLoop::start().unwrap(), stream, &PROBE, options).unwrap()
}
