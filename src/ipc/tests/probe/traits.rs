//! The traits and their types, as `src/interfaces` has those of the protocol.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bitcoin::Block;
use bytes::Bytes;

pub use ::interfaces::{BoxFuture, Result, serve_caller};

/// The result of a call that is part of a stream.
pub type Sent = Result<()>;

/// One method for every kind of type that can cross: most return what they are given.
pub trait Probe: Send + Sync {
    /// Returns so many bytes.
    fn bytes(&self, size: u64) -> Result<Vec<u8>>;

    /// Returns how many bytes it was given.
    fn take(&self, bytes: Vec<u8>) -> Result<u64>;

    /// Returns both.
    fn floats(&self, single: f32, double: f64) -> Result<Vec<f64>>;

    /// Returns what it was given.
    fn contain(&self, value: Containers) -> Result<Containers>;

    /// Divides each first by its second, or says why not.
    fn divide(&self, pairs: Vec<(i32, i32)>) -> Result<Vec<std::result::Result<i32, String>>>;

    /// Calls each object, without a thread that waits where it can, and returns it with what it said, in the order of their names.
    fn swap(&self, counters: BTreeMap<String, Arc<dyn Counter>>) -> Result<Vec<(Arc<dyn Counter>, u32)>>;

    /// Returns so many bytes without a copy.
    fn shared(&self, size: u64) -> Result<Bytes>;

    /// Returns what it was given, in another order, and what the object says.
    fn long(
        &self,
        words: String,
        counter: Arc<dyn Counter>,
        bytes: Vec<u8>,
        shared: Bytes,
        block: Option<Block>,
    ) -> Result<Long>;

    /// Refuses with a color if asked to.
    fn color(&self, fail: bool) -> Result<std::result::Result<(), Color>>;

    /// Returns where to write to.
    fn sink(&self) -> Result<Arc<dyn Sink>>;

    /// Writes so many numbers, of four bytes each, and returns what the sink says then.
    fn pour(&self, count: u32, into: Arc<dyn Sink>) -> Result<u64>;
}

/// A stream.
pub trait Sink: Send + Sync {
    /// Takes some more.
    fn write(&self, bytes: Vec<u8>) -> Sent;

    /// Says how many bytes it has taken.
    fn done(&self) -> Result<u64>;
}

/// Whatever may be long.
#[derive(Clone)]
pub struct Long {
    pub number: u32,
    pub shared: Bytes,
    pub bytes: Vec<u8>,
    pub words: String,
    pub counter: Arc<dyn Counter>,
    pub block: Option<Block>,
}

/// An object to be passed along.
pub trait Counter: Send + Sync {
    /// Counts.
    fn next(&self) -> Result<u32>;

    /// Starts that, if the count is another process's.
    fn next_async(&self) -> Option<BoxFuture<u32>> {
        None
    }
}

/// Everything that holds other values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Containers {
    pub sorted: BTreeMap<String, u32>,
    pub hashed: HashMap<u64, Vec<String>>,
    pub by_thing: Vec<(Thing, (f32, String))>,
    pub names: BTreeSet<String>,
    pub numbers: HashSet<i64>,
    pub things: BTreeSet<Thing>,
    pub pair: (f32, String),
    pub nested: ((bool, f64), Option<u64>),
    pub lists: Vec<Vec<Vec<String>>>,
    pub many: Vec<(u8, Vec<u8>)>,
    pub maybe: Option<Option<u32>>,
    pub maybes: Vec<Option<Option<u32>>>,
    pub list: Option<Vec<Option<String>>>,
    pub outcomes: Vec<std::result::Result<Thing, Refusal>>,
    pub done: BTreeMap<String, std::result::Result<(), Color>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    pub name: String,
    pub color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Color {
    Red,
    DeepBlue,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    Busy,
    Other { reason: String },
    Thing(Thing),
}
