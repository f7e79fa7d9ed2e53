//! What a connection is told that is not taken. It is apart from connections, because there is none.

use std::os::unix::net::UnixStream;

use capnp::ErrorKind;
use capnp::message::Builder;
use capnp_rpc::rpc_capnp::{exception, message};
use rustix::net::{SendFlags, send};

use crate::Error;

/// Tells the other end of a stream why it is not served, as the protocol does, so that its calls end with that. Does not wait: who
/// has no room for a few bytes is told nothing.
pub fn refuse(stream: &UnixStream, error: Error) {
    let error = capnp::Error::from(error);
    let mut said = Builder::new_default();
    let mut abort = said.init_root::<message::Builder<'_>>().init_abort();
    abort.set_reason(error.extra.as_str());
    abort.set_type(match error.kind {
        ErrorKind::Overloaded => exception::Type::Overloaded,
        ErrorKind::Disconnected => exception::Type::Disconnected,
        ErrorKind::Unimplemented => exception::Type::Unimplemented,
        _ => exception::Type::Failed,
    });
    let bytes = capnp::serialize::write_message_to_words(&said);
    if let Err(error) = send(stream, &bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        log::debug!(target: "ipc", "who is turned away is not told why: {error}");
    }
}
