//! `feefilter` (BIP133): below which rate transactions need not be announced.

use std::time::Duration;

use bitcoin::Amount;

use super::{Fault, Manager};
use crate::link::ConnectionKind;
use crate::permissions::Permissions;
use crate::time;
use crate::{PeerId, wire};

/// First version that knows the message.
const VERSION: u32 = 70_013;
/// Average time between two messages.
const INTERVAL: Duration = Duration::from_secs(10 * 60);
/// Within which time a large change is told.
const CHANGE_DELAY: Duration = Duration::from_secs(5 * 60);

impl Manager {
    pub(super) fn on_feefilter(&mut self, id: PeerId, mut payload: &[u8]) -> Result<(), Fault> {
        let rate: u64 = wire::take(&mut payload)?;
        if rate > Amount::MAX_MONEY.to_sat() {
            return Ok(());
        }
        if let Some(relay) = self.peers.get_mut(&id).and_then(|peer| peer.relay.as_mut()) {
            relay.fee_filter = rate;
        }
        let rate = Amount::from_sat(rate).to_string_in(bitcoin::Denomination::Bitcoin);
        log::debug!(target: "net", "received: feefilter of {rate} BTC/kvB from peer={id}");
        Ok(())
    }

    pub(super) fn maybe_send_fee_filter(&mut self, id: PeerId) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let silent = self.connector.config.blocks_only
            || peer.handshake.common() < VERSION
            || peer.may(Permissions::FORCE_RELAY)
            || peer.kind() == ConnectionKind::BlockRelay;
        if silent {
            return Ok(());
        }
        let now = time::now();
        let (told, next) = peer.fee_filter;
        let initial_download = self.kernel.is_initial_block_download()?;
        // A peer that was told to send none is told otherwise as soon as that is over.
        let due = now > next || (!initial_download && told == self.rounder.highest());
        let undecided = now + CHANGE_DELAY >= next;
        if !due && undecided {
            return Ok(());
        }
        let info = self.kernel.mempool_info()?;
        let min_relay = info.min_relay_fee.to_sat_per_kvb();
        let current = if initial_download {
            i64::try_from(Amount::MAX_MONEY.to_sat()).unwrap_or(i64::MAX)
        } else {
            // Up to what is always asked for the mempool asks for nothing, and is not to be rounded up from there.
            Some(info.min_fee.to_sat_per_kvb()).filter(|rate| *rate > min_relay).unwrap_or(0)
        };
        if due {
            let rate = self.rounder.round(current).max(min_relay);
            if rate != told {
                peer.send("feefilter", &wire::encoded(&rate));
            }
            peer.fee_filter = (rate, now + time::exponential(INTERVAL));
        } else if current < 3 * told / 4 || current > 4 * told / 3 {
            peer.fee_filter.1 = now + time::below(CHANGE_DELAY);
        }
        Ok(())
    }
}
