//! The clients that are open, by the handles that C programs have.
//!
//! A handle is a number in a pointer's clothes. It is looked up and never followed, and no number is given out twice, so
//! that a handle that was closed, or made up, is an error instead of somebody else's memory.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::api::mp_client;
use crate::client::Client;
use crate::report::Failure;

struct Open {
    next: usize,
    clients: Option<HashMap<usize, Arc<Client>>>,
}

static OPEN: RwLock<Open> = RwLock::new(Open { next: 1, clients: None });

/// Gives a client a handle.
pub(crate) fn open(client: Client) -> *mut mp_client {
    let mut open = OPEN.write().unwrap_or_else(PoisonError::into_inner);
    let handle = open.next;
    open.next += 1;
    open.clients.get_or_insert_default().insert(handle, Arc::new(client));
    std::ptr::without_provenance_mut(handle)
}

/// Finds the client of a handle.
pub(crate) fn find(handle: *mut mp_client) -> Result<Arc<Client>, Failure> {
    let open = OPEN.read().unwrap_or_else(PoisonError::into_inner);
    let found = open.clients.as_ref().and_then(|clients| clients.get(&handle.addr())).cloned();
    found.ok_or_else(|| {
        Failure::invalid(if handle.is_null() { "client is NULL" } else { "client is not open, or not any more" })
    })
}

/// Takes a handle back; calls in progress keep the client a little longer.
pub(crate) fn close(handle: *mut mp_client) -> Option<Arc<Client>> {
    let mut open = OPEN.write().unwrap_or_else(PoisonError::into_inner);
    open.clients.as_mut()?.remove(&handle.addr())
}
