//! Serves `-ipcbind`: joins the sockets of `ipc` with the clients of `node`, which do not know each other.

use std::path::Path;
use std::sync::Arc;

use node::clients::{Clients, Listening, Offer};

/// Name of the default socket.
const NAME: &str = "node";

/// Listens at an address. The error is for the user, in Bitcoin Core's words.
pub fn listen(address: &str, datadir: &Path, clients: Arc<Clients>) -> Result<Box<dyn Listening>, String> {
    let refuse = |address: &str, reason: String| format!("Unable to bind to IPC address '{address}'. {reason}");
    let parsed = ipc::BindAddress::parse(address, datadir, NAME).map_err(|error| refuse(address, error.to_string()))?;
    let offer = offer(&parsed).map_err(|reason| refuse(address, reason))?;
    let memory = Arc::new(Memory(clients.clone()));
    let welcome = move || {
        let client = clients.connect(offer);
        ipc::Guest { init: client.init(), until_gone: Box::new(client) }
    };
    match ipc::listen_within(&parsed, memory, welcome) {
        Ok(listener) => Ok(Box::new(Socket(listener))),
        Err(error) => Err(refuse(&parsed.place.to_string(), error.to_string())),
    }
}

/// What the options of an address come to.
fn offer(address: &ipc::BindAddress) -> Result<Offer, String> {
    let mut offer = Offer::default();
    if let Some(megabytes) = address.memory {
        offer.memory = megabytes.saturating_mul(1 << 20);
    }
    if let Some(names) = &address.allow {
        offer = Offer { echo: false, mining: false, rpc: false, ..offer };
        for name in names {
            match name.as_str() {
                "echo" => offer.echo = true,
                "mining" => offer.mining = true,
                "rpc" => offer.rpc = true,
                _ => return Err(format!("'{name}' is not an interface that can be allowed: echo, mining and rpc are")),
            }
        }
    }
    Ok(offer)
}

/// Counts messages towards the memory of all clients.
struct Memory(Arc<Clients>);

impl std::fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("memory of all clients")
    }
}

impl ipc::MessageMemory for Memory {
    fn take(&self, bytes: usize) -> bool {
        self.0.take_memory(bytes)
    }

    fn give_back(&self, bytes: usize) {
        self.0.give_back_memory(bytes);
    }
}

struct Socket(ipc::Listener);

impl Listening for Socket {
    fn address(&self) -> String {
        self.0.address()
    }

    fn close(self: Box<Self>) {
        self.0.close();
    }
}
