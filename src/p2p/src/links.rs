//! The connections there are, for everyone who counts, finds or ends one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::PeerId;
use crate::inbox::{Inbox, Work};
use crate::link::{ConnectionKind, Link};

/// The connections there are.
#[derive(Default)]
pub(crate) struct Links {
    by_id: Mutex<BTreeMap<PeerId, Arc<Link>>>,
    next_id: AtomicI64,
    active: AtomicBool,
    inbox: Inbox,
}

impl Links {
    /// Makes an empty list; `active` says whether connections may be made.
    pub(crate) fn new(active: bool) -> Self {
        Links { active: AtomicBool::new(active), ..Links::default() }
    }

    /// Returns the message thread's work.
    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Returns the number for a new connection.
    pub(crate) fn next_id(&self) -> PeerId {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Says whether connections may be made.
    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    /// Allows connections or forbids them. Returns whether that changed something.
    pub(crate) fn set_active(&self, active: bool) -> bool {
        self.active.swap(active, Ordering::AcqRel) != active
    }

    /// Adds a connection and tells the message thread.
    pub(crate) fn add(&self, link: Arc<Link>) {
        self.lock().insert(link.info.id, link.clone());
        self.inbox.push(Work::Opened(link));
    }

    /// Takes off a connection that is over and tells the message thread.
    pub(crate) fn remove(&self, id: PeerId) {
        if self.lock().remove(&id).is_some() {
            self.inbox.push(Work::Closed(id));
        }
    }

    /// Returns all connections.
    pub(crate) fn all(&self) -> Vec<Arc<Link>> {
        self.lock().values().cloned().collect()
    }

    /// Says whether a connection is on the list.
    pub(crate) fn contains(&self, id: PeerId) -> bool {
        self.lock().contains_key(&id)
    }

    /// Counts connections.
    pub(crate) fn count(&self, counts: impl Fn(ConnectionKind) -> bool) -> usize {
        self.lock().values().filter(|link| counts(link.info.kind)).count()
    }

    /// Says whether there is a connection to an address.
    pub(crate) fn is_connected_to(&self, address: SocketAddr) -> bool {
        self.lock().values().any(|link| link.info.address == address)
    }

    /// Says whether there is a connection under this name.
    pub(crate) fn is_connected_to_name(&self, name: &str) -> bool {
        self.lock().values().any(|link| link.info.name == name)
    }

    /// Says whether a nonce is that of a connection of our own that waits for its answer: the peer is this node.
    pub(crate) fn is_own_nonce(&self, nonce: u64) -> bool {
        let own = |link: &Arc<Link>| !link.info.kind.is_inbound() && !link.is_established() && link.info.nonce == nonce;
        self.lock().values().any(own)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, Arc<Link>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
