//! Stand-ins for capabilities in messages that are built and read away from the event loop.
//!
//! A real capability may only be touched by the event loop's thread. A message built elsewhere therefore holds slots:
//! hooks that answer no call and only remember a number. The event loop exchanges slots for capabilities, and the
//! other way round, when it copies the message.
//!
//! **Invariant:** a slot never leaves the thread that made it.

use capnp::any_pointer;
use capnp::capability::{Promise, Request};
use capnp::private::capability::{ClientHook, ParamsHook, ResultsHook};
use capnp::{Error, MessageSize};
use capnp_rpc::new_broken_cap;

/// Tells slots from capabilities of the RPC system, whose brands are addresses.
const BRAND: usize = 1;

struct Slot(usize);

/// Makes the slot with this number.
pub(crate) fn slot(index: usize) -> Box<dyn ClientHook> {
    Box::new(Slot(index))
}

/// Returns the number of a slot; `None` if the hook is something else.
pub(crate) fn slot_index(hook: &dyn ClientHook) -> Option<usize> {
    (hook.get_brand() == BRAND).then(|| hook.get_ptr())
}

fn misuse() -> Error {
    Error::failed("a capability was called outside of the event loop".to_owned())
}

impl ClientHook for Slot {
    fn add_ref(&self) -> Box<dyn ClientHook> {
        slot(self.0)
    }

    fn new_call(
        &self,
        interface_id: u64,
        method_id: u16,
        size_hint: Option<MessageSize>,
    ) -> Request<any_pointer::Owned, any_pointer::Owned> {
        new_broken_cap(misuse()).hook.new_call(interface_id, method_id, size_hint)
    }

    fn call(&self, _: u64, _: u16, _: Box<dyn ParamsHook>, _: Box<dyn ResultsHook>) -> Promise<(), Error> {
        Promise::err(misuse())
    }

    fn get_brand(&self) -> usize {
        BRAND
    }

    fn get_ptr(&self) -> usize {
        self.0
    }

    fn get_resolved(&self) -> Option<Box<dyn ClientHook>> {
        None
    }

    fn when_more_resolved(&self) -> Option<Promise<Box<dyn ClientHook>, Error>> {
        None
    }

    fn when_resolved(&self) -> Promise<(), Error> {
        Promise::ok(())
    }
}
