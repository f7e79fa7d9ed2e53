//! A client's bootstrap object: makes what the socket it came through offers.

use std::sync::Arc;

use interfaces::{ClientV30, Echo, Error, Identity, Init, Mining, MiningV30, Result, Rpc};

use super::budget::{Held, OBJECT};
use super::mining::LocalMining;
use super::rpc::LocalRpc;
use super::{Clients, Offer, Session};

/// What Bitcoin Core answers to every client of version 30.
const TOO_OLD: &str = "Old mining interface (@2) not supported. Please update your client!";

pub(super) struct ClientInit {
    clients: Arc<Clients>,
    offer: Offer,
    session: Arc<Session>,
}

impl ClientInit {
    pub(super) fn new(clients: Arc<Clients>, offer: Offer, session: Arc<Session>) -> Self {
        ClientInit { clients, offer, session }
    }
}

struct LocalEcho {
    _held: [Held; 2],
}

impl Echo for LocalEcho {
    fn echo(&self, echo: String) -> Result<String> {
        Ok(echo)
    }
}

fn offered(offered: bool, call: &str) -> Result<()> {
    if offered { Ok(()) } else { Err(Error::unsupported(call)) }
}

impl Init for ClientInit {
    /// Takes whoever it is: what a client calls here is as released, whatever the versions.
    fn introduce(&self, client: Identity) -> Result<Identity> {
        log::debug!(target: "ipc", "a client is {client}");
        Ok(self.clients.identity.clone())
    }

    fn make_echo(&self) -> Result<Arc<dyn Echo>> {
        offered(self.offer.echo, "Init.makeEcho")?;
        Ok(Arc::new(LocalEcho { _held: self.session.take(OBJECT)? }))
    }

    fn make_mining(&self) -> Result<Arc<dyn Mining>> {
        offered(self.offer.mining, "Init.makeMining")?;
        let context = self.clients.context(&self.session)?;
        Ok(Arc::new(LocalMining::new(context, self.session.clone(), self.session.take(OBJECT)?)))
    }

    fn make_mining_old2(&self, client: Option<ClientV30>) -> Result<Arc<dyn MiningV30>> {
        // What sends no context is a later client that wants to know whether this is there.
        client.ok_or_else(|| Error::internal(TOO_OLD))?;
        offered(self.offer.mining, "Init.makeMiningOld2")?;
        self.make_mining().map(interfaces::mining_as_v30)
    }

    fn make_rpc(&self) -> Result<Arc<dyn Rpc>> {
        offered(self.offer.rpc, "Init.makeRpc")?;
        Ok(Arc::new(LocalRpc::new(self.clients.json_rpc.clone(), self.session.take(OBJECT)?)))
    }
}
