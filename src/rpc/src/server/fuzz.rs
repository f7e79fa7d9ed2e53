//! The server without sockets: takes the bytes of a connection and returns what it says. Driven by the fuzz targets
//! `http` and `jsonrpc` and, on stable and within bounds, by this crate's tests; no program uses it.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::auth::Auth;
use super::config::ServerConfig;
use super::guesses::Guesses;
use super::http;
use super::{Shared, Subnet};
use crate::control;
use crate::server::JsonRpc;

/// User and password that requests with all rights bring.
pub const CREDENTIALS: (&str, &str) = ("user", "password");

/// Bytes beyond which a body is cut: longer ones find nothing new.
const MOST_BYTES: usize = 1 << 16;
/// Bytes on the way to the server, and back.
const WINDOW: usize = 4096;

/// A server with the commands that are about itself.
pub struct Loopback {
    shared: Arc<Shared>,
    runtime: Runtime,
}

impl Loopback {
    /// Starts the threads.
    ///
    /// # Panics
    ///
    /// Where the system has none: then there is nothing to fuzz.
    pub fn new() -> Loopback {
        let config = ServerConfig {
            endpoints: Vec::new(),
            allowed: Subnet::loopback(),
            password: Some((CREDENTIALS.0.to_owned(), CREDENTIALS.1.to_owned())),
            cookie: None,
            hashed: Vec::new(),
            whitelist: Vec::new(),
            whitelist_default: false,
            threads: 1,
            work_queue: 16,
            timeout: Some(Duration::from_secs(30)),
        };
        let (auth, _) = Auth::new(&config).expect("a password is enough");
        let mut shared = Shared::new(config, auth).expect("there are threads");
        shared.guesses = Guesses::new(Duration::ZERO);
        shared.registry.add(control::commands(&shared.registry, || {}));
        shared.registry.finish_warmup();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("there are sockets");
        Loopback { shared: Arc::new(shared), runtime }
    }

    /// Serves one connection, over which a client sends these bytes and then no more. Returns all that the server said:
    /// nothing, or answers.
    ///
    /// # Panics
    ///
    /// When it found an error.
    pub fn connection(&self, bytes: &[u8]) -> Vec<u8> {
        let (client, server) = tokio::io::duplex(WINDOW);
        let (_open, closed) = watch::channel(false);
        let peer = ([127, 0, 0, 1], 1).into();
        let said = self.runtime.block_on(async {
            let (mut from, mut to) = tokio::io::split(client);
            let mut said = Vec::new();
            let send = async {
                // Fails when the server has ended the connection.
                let _ = to.write_all(bytes).await;
                let _ = to.shutdown().await;
            };
            let receive = from.read_to_end(&mut said);
            let serve = http::connection(server, peer, self.shared.clone(), closed);
            let ((), received, ()) = tokio::join!(send, receive, serve);
            received.expect("memory can be read");
            said
        });
        assert!(said.is_empty() || said.starts_with(b"HTTP/1."), "{}", String::from_utf8_lossy(&said));
        said
    }

    /// Answers the body of a request.
    ///
    /// # Panics
    ///
    /// When the answer is not JSON.
    pub fn body(&self, bytes: &[u8]) -> String {
        let body = String::from_utf8_lossy(&bytes[..bytes.len().min(MOST_BYTES)]);
        let server = JsonRpc { registry: self.shared.registry.clone(), auth: self.shared.auth.clone() };
        let reply = server.answer(&body, "/", "fuzz");
        assert!(common::json::parse(reply.as_bytes()).is_ok(), "{reply}");
        reply
    }
}

impl Default for Loopback {
    fn default() -> Loopback {
        Loopback::new()
    }
}
