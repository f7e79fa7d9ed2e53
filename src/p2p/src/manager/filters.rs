//! What asks for a service this node does not offer: bloom filters (BIP37), block filters (BIP157), and the announcement
//! of compact blocks (BIP152).

use super::{Fault, Manager};
use crate::{PeerId, wire};

impl Manager {
    pub(super) fn on_filter(&mut self, _: PeerId, name: &str) -> Result<(), Fault> {
        Err(Fault::Disconnect(format!("{name} received despite not offering bloom services")))
    }

    pub(super) fn on_block_filter(&mut self, _: PeerId, mut payload: &[u8]) -> Result<(), Fault> {
        let kind: u8 = wire::take(&mut payload)?;
        Err(Fault::Disconnect(format!("peer requested unsupported block filter type: {kind}")))
    }

    pub(super) fn on_sendcmpct(&mut self, _: PeerId, mut payload: &[u8]) -> Result<(), Fault> {
        let announce: u8 = wire::take(&mut payload)?;
        let _version: u64 = wire::take(&mut payload)?;
        if announce > 1 {
            return Err(Fault::Misbehaving("invalid sendcmpct announce field".to_owned()));
        }
        Ok(())
    }
}
