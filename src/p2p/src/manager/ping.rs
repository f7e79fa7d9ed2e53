//! `ping` and `pong`: whether a peer is there, and how far.

use std::time::Duration;

use super::{Fault, Manager};
use crate::time::{self, Time};
use crate::{PeerId, wire};

/// Time between two pings.
const INTERVAL: Duration = Duration::from_secs(2 * 60);
/// How long a peer has to answer.
const TIMEOUT: Duration = Duration::from_secs(20 * 60);
/// The last version that knows no answer.
const NO_PONG_VERSION: u32 = 60_000;

impl Manager {
    /// Notes that the user wants every peer to be sent a ping.
    pub(crate) fn queue_pings(&mut self) {
        for peer in self.peers.values_mut() {
            peer.ping.wanted = true;
        }
    }

    pub(super) fn maybe_ping(&mut self, id: PeerId) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let now = time::now();
        let waited = peer.ping.sent.map_or(now, |sent| now.saturating_sub(sent));
        let checked = peer.link.info.connected + self.connector.config.peer_timeout < now;
        if checked && peer.ping.awaited.is_some() && waited > TIMEOUT {
            return Err(Fault::Disconnect(format!("ping timeout: {:.6}s", waited.as_secs_f64())));
        }
        let due = peer.ping.awaited.is_none() && waited > INTERVAL;
        if !due && !peer.ping.wanted {
            return Ok(());
        }
        peer.ping.wanted = false;
        peer.ping.sent = Some(now);
        if peer.handshake.common() > NO_PONG_VERSION {
            let nonce = rand::random::<u64>().max(1);
            peer.ping.awaited = Some(nonce);
            peer.send("ping", &wire::encoded(&nonce));
        } else {
            peer.ping.awaited = None;
            peer.send("ping", &[]);
        }
        Ok(())
    }

    pub(super) fn on_ping(&mut self, id: PeerId, mut payload: &[u8]) -> Result<(), Fault> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        if peer.handshake.common() > NO_PONG_VERSION {
            let nonce: u64 = wire::take(&mut payload)?;
            peer.send("pong", &wire::encoded(&nonce));
        }
        Ok(())
    }

    pub(super) fn on_pong(&mut self, id: PeerId, payload: &[u8], received: Time) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let nonce = wire::take::<u64>(&mut { payload }).ok();
        let expected = peer.ping.awaited.unwrap_or(0);
        if let Err(problem) = peer.ping.answered(nonce, received) {
            log::debug!(
                target: "net",
                "pong peer={id}: {}, {expected:x} expected, {:x} received, {} bytes",
                problem.text(),
                nonce.unwrap_or(0),
                payload.len()
            );
        }
        Ok(())
    }
}
