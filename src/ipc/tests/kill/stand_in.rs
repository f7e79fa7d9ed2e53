//! Objects that serve any interface by its table, and calls that need no more of a method than that.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};

use capnp::any_pointer;
use capnp::capability::FromClientHook;
use capnp_rpc::rpc_capnp::payload;
use multiprocess::proxy_capnp::{context, thread_map};
use multiprocess::{Draft, Error, Incoming, Interface, Kind, Method, Object, ServerCall, Service};

/// An interface of this test's: its one method takes an object and calls it.
pub static HARNESS: Interface = Interface {
    name: "Harness",
    methods: &[
        Method { name: "Harness.handOver", interface_id: ID, ordinal: 0, kind: Kind::Call, context: false },
        CONSTRUCT,
    ],
};

const ID: u64 = 0xd8d2_3f1a_7c5e_9b01;

/// What a bootstrap object needs for calls on threads.
const CONSTRUCT: Method =
    Method { name: "Harness.construct", interface_id: ID, ordinal: 1, kind: Kind::Construct, context: false };

/// The interfaces, each fit to be that of a bootstrap object.
pub fn rows() -> Vec<&'static Interface> {
    let fit = |interface: &&'static Interface| -> &'static Interface {
        if interface.method_of_kind(Kind::Construct).is_some() {
            return interface;
        }
        let methods = interface.methods.iter().map(|method| Method { ..*method }).chain([CONSTRUCT]);
        let methods: &'static [Method] = Box::leak(methods.collect());
        Box::leak(Box::new(Interface { name: interface.name, methods }))
    };
    ipc::tables().iter().map(fit).collect()
}

/// Parameters that any method takes: a context, if it has one, and nothing else.
pub fn draft(method: &Method) -> Draft {
    let mut draft = Draft::new();
    let exports = draft.exports();
    let root = draft.root::<any_pointer::Owned>();
    if method.context {
        let holder: payload::Builder<'_> = root.init_as();
        let context: context::Builder<'_> = holder.get_content().init_as();
        exports.context(context);
    } else {
        let _: payload::Builder<'_> = root.init_as();
    }
    draft
}

/// Calls a method with those.
pub fn call(object: &Object, method: &'static Method) -> Result<Incoming, Error> {
    object.call(method, draft(method), |_| Ok(()))
}

/// Hands an object over to a [`Harness`], which calls it.
pub fn hand_over(harness: &Object, object: Arc<dyn Service>) -> Result<(), Error> {
    let mut draft = Draft::new();
    let exports = draft.exports();
    // A struct whose first field is an object.
    let mut params = draft.root::<thread_map::make_thread_results::Owned>();
    params.set_result(FromClientHook::new(exports.service(object)));
    // It holds the object, too.
    drop(exports);
    harness.call(&HARNESS.methods[0], draft, |_| Ok(())).map(drop)
}

/// Serves any interface; tells when it is called and when it is dropped, and can be held up in either.
pub struct StandIn {
    interface: &'static Interface,
    reached: Mutex<Sender<&'static str>>,
    release: Mutex<Receiver<()>>,
    hold: &'static str,
}

impl StandIn {
    /// Makes one that waits at `hold`, `"call"` or `"drop"`, until the sender to `release` is gone.
    pub fn holding(
        interface: &'static Interface,
        reached: Sender<&'static str>,
        release: Receiver<()>,
        hold: &'static str,
    ) -> Self {
        StandIn { interface, reached: Mutex::new(reached), release: Mutex::new(release), hold }
    }

    fn pass(&self, place: &'static str) {
        if self.hold == place {
            // Nobody may listen any more.
            let _ = self.reached.lock().unwrap().send(place);
            let _ = self.release.lock().unwrap().recv();
        }
    }
}

impl Service for StandIn {
    fn interface(&self) -> &'static Interface {
        self.interface
    }

    fn serve(&self, _: usize, _: &mut ServerCall<'_>) -> Result<(), Error> {
        self.pass("call");
        Ok(())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.pass("drop");
    }
}

/// Calls a method of what it is handed, and tells how that ended.
pub struct Harness {
    method: &'static Method,
    /// Does not return from being called.
    stays: bool,
    ended: Mutex<Sender<Result<(), Error>>>,
}

impl Harness {
    pub fn calling(method: &'static Method, ended: Sender<Result<(), Error>>) -> Self {
        Harness { method, stays: false, ended: Mutex::new(ended) }
    }

    /// Like [`Self::calling`], and stays in the call.
    pub fn waiting(method: &'static Method, ended: Sender<Result<(), Error>>) -> Self {
        Harness { stays: true, ..Self::calling(method, ended) }
    }
}

impl Service for Harness {
    fn interface(&self) -> &'static Interface {
        &HARNESS
    }

    fn serve(&self, _: usize, served: &mut ServerCall<'_>) -> Result<(), Error> {
        let params = served.params();
        let root = params.root::<thread_map::make_thread_results::Owned>()?;
        let hook = FromClientHook::into_client_hook(root.get_result()?);
        let object = params.imports().object(hook)?;
        let result = call(&object, self.method).map(drop);
        let _ = self.ended.lock().unwrap().send(result);
        if self.stays {
            loop {
                std::thread::park();
            }
        }
        Ok(())
    }
}
