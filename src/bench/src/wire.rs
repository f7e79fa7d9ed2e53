//! Messages between peers, as far as this crate sends and reads them.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use bitcoin::consensus::{Encodable, deserialize};
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::p2p::address::Address;
use bitcoin::p2p::message_network::VersionMessage;
use bitcoin::p2p::{PROTOCOL_VERSION, ServiceFlags};

use crate::chain::MAGIC;

/// Bytes before a payload.
const HEADER: usize = 24;
/// Longest payload, as in the protocol.
const LONGEST: usize = 4_000_000;

/// A message, ready to be sent.
pub(crate) fn message(command: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend(MAGIC);
    bytes.extend(command.as_bytes());
    bytes.resize(MAGIC.len() + 12, 0);
    bytes.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(&sha256d::Hash::hash(payload)[..4]);
    bytes.extend(payload);
    bytes
}

/// The same for something that can be encoded.
pub(crate) fn encoded(command: &str, content: &impl Encodable) -> Vec<u8> {
    message(command, &bitcoin::consensus::serialize(content))
}

/// Reads a message's command and payload.
pub(crate) fn read(stream: &mut impl Read) -> Result<(String, Vec<u8>)> {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    ensure!(header[..4] == MAGIC, "a peer speaks another protocol");
    let command = String::from_utf8_lossy(&header[4..16]).trim_end_matches('\0').to_owned();
    let length = u32::from_le_bytes([header[16], header[17], header[18], header[19]]) as usize;
    ensure!(length <= LONGEST, "a peer sent a message of {length} bytes");
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    Ok((command, payload))
}

/// A connection to a node that listens, with hands shaken.
pub(crate) struct Connection(TcpStream);

impl Connection {
    pub(crate) fn open(port: u16) -> Result<Connection> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).context("cannot connect to the node")?;
        stream.set_nodelay(true)?;
        stream.write_all(&version())?;
        loop {
            match read(&mut stream)?.0.as_str() {
                "version" => stream.write_all(&[message("wtxidrelay", &[]), message("verack", &[])].concat())?,
                "verack" => return Ok(Connection(stream)),
                _ => {}
            }
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.0.write_all(bytes)?)
    }

    /// Waits until everything sent so far was looked at.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.send(&encoded("ping", &1_u64))?;
        while deserialize::<u64>(&self.next("pong")?).ok() != Some(1) {}
        Ok(())
    }

    /// Answers pings until a message comes.
    fn next(&mut self, wanted: &str) -> Result<Vec<u8>> {
        loop {
            let (command, payload) = read(&mut self.0)?;
            if command == "ping" {
                self.send(&message("pong", &payload))?;
            } else if command == wanted {
                return Ok(payload);
            }
        }
    }
}

/// What this crate calls itself.
pub(crate) fn version() -> Vec<u8> {
    let nobody = Address { services: ServiceFlags::NONE, address: [0; 8], port: 0 };
    let services = ServiceFlags::NETWORK | ServiceFlags::WITNESS;
    let version = VersionMessage {
        version: PROTOCOL_VERSION,
        services,
        timestamp: 0,
        receiver: nobody.clone(),
        sender: Address { services, ..nobody },
        nonce: 1,
        user_agent: "/bench/".to_owned(),
        start_height: 0,
        relay: true,
    };
    encoded("version", &version)
}
