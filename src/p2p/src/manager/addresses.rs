//! `addr`, `addrv2` and `getaddr`. Addresses are not kept: peers are chosen by the user.

use super::{Fault, Manager};
use crate::wire::WireError;
use crate::{PeerId, wire};

/// Most addresses of a message.
const MAX_ADDRESSES: usize = 1000;

impl Manager {
    pub(super) fn on_addresses(&mut self, id: PeerId, name: &str, mut payload: &[u8]) -> Result<(), Fault> {
        wire::take_count(&mut payload, MAX_ADDRESSES).map_err(|error| match error {
            WireError::TooMany(count) => Fault::Misbehaving(format!("{name} message size = {count}")),
            other => other.into(),
        })?;
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.address_relay = !peer.kind().is_blocks_only();
        }
        Ok(())
    }

    pub(super) fn on_getaddr(&mut self, id: PeerId) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if !peer.kind().is_inbound() {
            let kind = peer.kind().name();
            log::debug!(target: "net", "Ignoring \"getaddr\" from {kind} connection. peer={id}");
            return Ok(());
        }
        peer.address_relay = true;
        Ok(())
    }
}
