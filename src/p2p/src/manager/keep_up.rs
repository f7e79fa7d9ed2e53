//! Whether outbound peers keep up with our chain: one that does not is of no use, and makes room for another.

use std::time::Duration;

use super::{Fault, Manager};
use crate::PeerId;
use crate::peer::ChainSync;
use crate::time;

/// How long a peer has to get to the work of our tip.
const TIMEOUT: Duration = Duration::from_secs(20 * 60);
/// How much longer after it was asked once more.
const LAST_CHANCE: Duration = Duration::from_secs(2 * 60);

impl Manager {
    pub(super) fn keep_up(&mut self, id: PeerId) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if peer.chain_sync == ChainSync::Protected || !peer.kind().is_automatic() || !peer.headers.is_started() {
            return Ok(());
        }
        let tip = self.kernel.tip()?;
        let now = time::now();
        let has_work = |work| peer.chain.best.is_some_and(|best| best.work >= work);
        let best = peer.chain.best.map_or_else(|| "<none>".to_owned(), |best| best.hash.to_string());
        if has_work(tip.chainwork) {
            peer.chain_sync = ChainSync::Level;
            return Ok(());
        }
        match peer.chain_sync {
            ChainSync::Behind { target, deadline, asked } if !has_work(target.work) => {
                if now <= deadline {
                    return Ok(());
                }
                if asked {
                    let text = format!("Outbound peer has old chain, best known block = {best}");
                    return Err(Fault::DisconnectNotice(text));
                }
                peer.chain_sync = ChainSync::Behind { target, deadline: now + LAST_CHANCE, asked: true };
                let target_index = self.kernel.block_index(&target.hash)?;
                let from = target_index.and_then(|index| index.previous()).unwrap_or(target.hash);
                self.ask_for_headers(id, &from)?;
                log::debug!(
                    target: "net",
                    "sending getheaders to outbound peer={id} to verify chain work (current best known block:{best}, \
                     benchmark blockhash: {})",
                    target.hash
                );
            }
            _ => {
                let target = (&tip).into();
                peer.chain_sync = ChainSync::Behind { target, deadline: now + TIMEOUT, asked: false };
            }
        }
        Ok(())
    }
}
