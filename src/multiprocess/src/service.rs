//! What a local object must offer to be called from another process, and the tables that describe interfaces.
//!
//! Implementations are generated: they decode parameters, call the object and encode its results, on the thread the
//! caller asked for.

use std::sync::Arc;

use crate::given_up::GivenUp;
use crate::message::{Draft, Incoming};
use crate::trace::Short;
use crate::{Connection, Error};

/// An interface as clients and servers of it know it.
#[derive(Debug)]
pub struct Interface {
    /// Name for the trace.
    pub name: &'static str,
    /// Methods, those of superclasses included.
    pub methods: &'static [Method],
}

/// A method of an interface.
#[derive(Debug)]
pub struct Method {
    /// `Interface.method`, for errors and the trace.
    pub name: &'static str,
    /// Id of the interface that declares it.
    pub interface_id: u64,
    /// Its ordinal there.
    pub ordinal: u16,
    /// Who answers it.
    pub kind: Kind,
    /// Its first parameter is a context.
    pub context: bool,
}

/// Who answers a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The object.
    Call,
    /// The object; the caller does not wait for each answer (see `stream.rs`).
    Stream,
    /// The runtime: exchanges thread maps.
    Construct,
    /// The runtime: drops the object.
    Destroy,
}

impl Interface {
    /// Finds a method by what identifies it on the wire.
    pub(crate) fn find(&'static self, interface_id: u64, ordinal: u16) -> Option<(usize, &'static Method)> {
        let mut methods = self.methods.iter().enumerate();
        methods.find(|(_, method)| method.interface_id == interface_id && method.ordinal == ordinal)
    }

    /// Returns the interface's method of this kind, if it has one.
    pub fn method_of_kind(&'static self, kind: Kind) -> Option<&'static Method> {
        self.methods.iter().find(|method| method.kind == kind)
    }
}

/// A local object that other processes can call.
///
/// Called on threads made for the peer, never on the event loop. A panic becomes an error of the call.
pub trait Service: Send + Sync + 'static {
    /// Returns the table of the interface it serves.
    fn interface(&self) -> &'static Interface;

    /// Serves one call: `method` is an index into [`Interface::methods`].
    ///
    /// # Errors
    /// What the caller gets instead of results.
    fn serve(&self, method: usize, call: &mut ServerCall<'_>) -> Result<(), Error>;
}

/// One call being served.
pub struct ServerCall<'a> {
    pub(crate) params: &'a Incoming,
    pub(crate) results: &'a mut Draft,
    pub(crate) trace: Option<CallTrace>,
    pub(crate) connection: &'a Connection,
    pub(crate) given_up: &'a Arc<GivenUp>,
}

/// What the trace says of a call.
pub(crate) struct CallTrace {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    pub(crate) connection: String,
    pub(crate) result: Option<String>,
}

impl<'a> ServerCall<'a> {
    /// Returns the parameters.
    pub fn params(&self) -> &'a Incoming {
        self.params
    }

    /// Returns where the results go.
    pub fn results(&mut self) -> &mut Draft {
        self.results
    }

    /// Returns the connection the call came over.
    pub fn connection(&self) -> &'a Connection {
        self.connection
    }

    /// Returns what becomes true when the caller has given the call up or is gone: work that takes long may stop then.
    pub fn given_up(&self) -> Arc<GivenUp> {
        self.given_up.clone()
    }

    /// Writes the request to the trace if that is on; `arguments` prints them.
    pub fn trace_request(&self, arguments: impl FnOnce(&mut Short) -> std::fmt::Result) {
        if let Some(trace) = &self.trace {
            let text = crate::trace::shorten(arguments);
            log::debug!(target: "ipc", "{} IPC server executing request #{} {}({text})", trace.connection, trace.id, trace.name);
        }
    }

    /// Notes the result for the trace if that is on.
    pub fn trace_result(&mut self, result: impl FnOnce(&mut Short) -> std::fmt::Result) {
        if let Some(trace) = &mut self.trace {
            trace.result = Some(crate::trace::shorten(result));
        }
    }
}
