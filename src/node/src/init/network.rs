//! Starts the peer-to-peer network.

use p2p::{Config, Network, StartError};

use super::Failure;
use crate::{NodeContext, ui};

/// Reads the options of the network, opens its sockets and starts its threads; `automatic` is how many connections there
/// may be besides those asked for by hand.
pub(super) fn start(context: &NodeContext, automatic: i64) -> Result<(), Failure> {
    let automatic = usize::try_from(automatic).unwrap_or(0);
    let config = Config::from_args(&context.args, context.chain, automatic).map_err(|error| error.to_string())?;
    ui::init_message("Starting network threads…");
    match Network::start(config, context.kernel.clone()) {
        Ok(network) => {
            context.peers.set(network);
            Ok(())
        }
        Err(error) => {
            if let StartError::Listen(reason) = &error {
                ui::error(reason);
            }
            Err(Failure::Error(error.to_string()))
        }
    }
}
