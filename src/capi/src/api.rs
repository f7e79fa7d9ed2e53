//! The functions, types and codes of the library, with the names that C programs use. Nothing else is exported.
//!
//! Each function takes its arguments apart, has [`crate::client`] do the work, and reports.
//!
//! Safety, for all of them: a pointer is NULL or what the header says it is. A text ends with a zero; what a result goes to
//! may be written to, and need not be initialized; a tip that is passed in is initialized. Clients may be anything.
#![allow(unsafe_code, non_camel_case_types, clippy::missing_safety_doc, reason = "this is C's side of the border")]

use std::ffi::c_char;

use crate::client::Client;
use crate::report::{Failure, report};
use crate::{arguments, handles};

/// Size of the message of an `mp_error`, its final zero included. Longer messages are cut.
pub const MP_MESSAGE_SIZE: usize = 512;

/// Size of a block hash as text, its final zero included.
pub const MP_HASH_SIZE: usize = 65;

/// No time limit.
pub const MP_FOREVER: u32 = u32::MAX;

/// Longest text that can be passed in, in bytes: that of a request over HTTP.
pub const MP_MAX_TEXT: usize = 32 << 20;

/// How a call went: one of the codes below. Later versions may have more.
// Not an enum: C before 2023 and C++ before 2011 have none of a fixed size.
pub type mp_code = i32;

/// It went well.
pub const MP_OK: mp_code = 0;

/// An argument makes no sense: a NULL where none may be, a text that is too long or not UTF-8, a client that was closed,
/// an address that is none.
pub const MP_INVALID: mp_code = 1;

/// Nobody listens at the address, or this user may not connect to it.
pub const MP_CONNECT: mp_code = 2;

/// The connection is gone, or the node is shutting down.
pub const MP_DISCONNECTED: mp_code = 3;

/// The socket does not offer what was asked for.
pub const MP_UNSUPPORTED: mp_code = 4;

/// The time limit is over.
pub const MP_TIMED_OUT: mp_code = 5;

/// The node could not do it; the message says why.
pub const MP_FAILED: mp_code = 6;

/// A mistake in this library. The message is for its authors.
pub const MP_INTERNAL: mp_code = 7;

/// This client asked for more at a time than the node gives to one; less, or later, may do.
pub const MP_OVERLOADED: mp_code = 8;

/// A connection to a node. Opened by mp_connect, closed by mp_close.
pub struct mp_client {
    _opaque: [u8; 0],
}

/// What went wrong with a call. The caller owns it; there is nothing to free.
#[repr(C)]
pub struct mp_error {
    /// What the call returned.
    pub code: mp_code,
    /// What happened, in one line; empty if it went well.
    pub message: [c_char; MP_MESSAGE_SIZE],
}

/// The last block of the chain.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mp_tip {
    /// Its height.
    pub height: i32,
    /// Its hash, as the RPC commands write it.
    pub hash: [c_char; MP_HASH_SIZE],
}

/// Returns the version of the library, such as "31.99.0". It is not freed.
#[unsafe(no_mangle)]
pub extern "C" fn mp_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// Connects to a node that listens at `address`: "unix:" and the path of its socket, relative to the current directory
/// unless it begins with a slash; or "fd:" and the number of a connected socket that the parent process left open, which
/// is the client's from then on. Writes the connection to `client`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_connect(
    address: *const c_char,
    timeout_ms: u32,
    client: *mut *mut mp_client,
    error: *mut mp_error,
) -> mp_code {
    // SAFETY: as the caller promises.
    let (address, client, error) =
        unsafe { (arguments::text(address, "address"), arguments::place(client, "client"), arguments::error(error)) };
    report(error, || {
        let client = client?.set(std::ptr::null_mut());
        client.set(handles::open(Client::connect(address?, timeout_ms)?));
        Ok(())
    })
}

/// Ends the connection and releases the client; NULL, or a client that was closed, is left alone. Calls that other threads
/// are in return MP_DISCONNECTED.
#[unsafe(no_mangle)]
pub extern "C" fn mp_close(client: *mut mp_client) {
    report(None, || {
        if let Some(client) = handles::close(client) {
            client.disconnect();
        }
        Ok(())
    });
}

/// Ends the connection and keeps the client: calls that are in progress, and all later ones, return MP_DISCONNECTED.
/// For the end of a program of several threads; mp_close is still due.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_disconnect(client: *mut mp_client, error: *mut mp_error) -> mp_code {
    // SAFETY: as the caller promises.
    let error = unsafe { arguments::error(error) };
    report(error, || {
        handles::find(client)?.disconnect();
        Ok(())
    })
}

/// Sends a text to the node and writes what comes back, the same, to `reply`, which is released with mp_free. Shows that
/// the node is there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_echo(
    client: *mut mp_client,
    text: *const c_char,
    timeout_ms: u32,
    reply: *mut *mut c_char,
    error: *mut mp_error,
) -> mp_code {
    // SAFETY: as the caller promises.
    let (text, reply, error) =
        unsafe { (arguments::text(text, "text"), arguments::place(reply, "reply"), arguments::error(error)) };
    report(error, || {
        let reply = reply?.set(std::ptr::null_mut());
        let answer = handles::find(client)?.echo(text?, timeout_ms)?;
        reply.set(arguments::give_text(answer)?);
        Ok(())
    })
}

/// Writes the last block of the node's chain to `tip`. A node that has just been started loads its chain first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_get_tip(
    client: *mut mp_client,
    timeout_ms: u32,
    tip: *mut mp_tip,
    error: *mut mp_error,
) -> mp_code {
    // SAFETY: as the caller promises.
    let (tip, error) = unsafe { (arguments::place(tip, "tip"), arguments::error(error)) };
    report(error, || {
        let tip = tip?;
        tip.set(arguments::give_tip(&handles::find(client)?.tip(timeout_ms)?));
        Ok(())
    })
}

/// Waits until the last block is another than `known`, one that this library wrote, and writes it to `tip`; the two may
/// be the same. If it stays the same until the time limit, returns MP_TIMED_OUT. Without `known` (NULL) it does not wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_wait_tip(
    client: *mut mp_client,
    known: *const mp_tip,
    timeout_ms: u32,
    tip: *mut mp_tip,
    error: *mut mp_error,
) -> mp_code {
    // SAFETY: as the caller promises. `known` is copied before anything is written.
    let (known, tip, error) =
        unsafe { (arguments::known_tip(known), arguments::place(tip, "tip"), arguments::error(error)) };
    report(error, || {
        let (tip, known) = (tip?, known?);
        tip.set(arguments::give_tip(&handles::find(client)?.wait_tip(known, timeout_ms)?));
        Ok(())
    })
}

/// Runs RPC commands: `request` is a JSON-RPC request, or a batch, as it would be posted to the node over HTTP, and the
/// JSON of the answer is written to `reply`, which is released with mp_free. What a command refuses is in there.
/// `uri` is NULL, or the path it would be posted to, such as "/wallet/name". There is no password.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_rpc(
    client: *mut mp_client,
    request: *const c_char,
    uri: *const c_char,
    timeout_ms: u32,
    reply: *mut *mut c_char,
    error: *mut mp_error,
) -> mp_code {
    let no_uri = uri.is_null();
    // SAFETY: as the caller promises.
    let (request, uri, reply, error) = unsafe {
        (
            arguments::text(request, "request"),
            arguments::text(uri, "uri"),
            arguments::place(reply, "reply"),
            arguments::error(error),
        )
    };
    report(error, || {
        let reply = reply?.set(std::ptr::null_mut());
        let uri = if no_uri { "/".to_owned() } else { uri? };
        let answer = handles::find(client)?.rpc(request?, uri, timeout_ms)?;
        reply.set(arguments::give_text(answer)?);
        Ok(())
    })
}

/// Releases a text that this library handed out; NULL is left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_free(text: *mut c_char) {
    report(None, || {
        // SAFETY: as the caller promises.
        unsafe { arguments::take_text(text) };
        Ok::<(), Failure>(())
    });
}
