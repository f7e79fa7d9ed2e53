//! `version`, `verack` and what is negotiated between them: `wtxidrelay`, `sendaddrv2`, `feature`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use bitcoin::hex::FromHex;
use kernel::BlockIndex;

use super::{Fault, Manager};
use crate::config::{NODE_BLOOM, NODE_NETWORK, NODE_NETWORK_LIMITED, NODE_WITNESS};
use crate::link::ConnectionKind;
use crate::message_type::sanitize;
use crate::peer::{Handshake, Peer, TxRelay, Version};
use crate::permissions::Permissions;
use crate::{PROTOCOL_VERSION, PeerId, address, time, wire};

/// Oldest version spoken to.
const MIN_VERSION: u32 = 31_800;
/// First version that names transactions with their witness (BIP339) and knows the later form of addresses.
const FEATURES_VERSION: u32 = 70_016;
/// First version that can name further features.
const FEATURE_MESSAGE_VERSION: u32 = 70_017;
/// Last version whose software shows alerts.
const ALERTS_VERSION: u32 = 70_012;
/// The last alert there can be: that the key of all alerts is known to anybody, and that it is time to upgrade. It
/// outlives and cancels every other.
const FINAL_ALERT: &str = concat!(
    "60010000000000000000000000ffffff7f00000000ffffff7ffeffff7f01ffffff7f00000000ffffff7f00ffffff7f00",
    "2f555247454e543a20416c657274206b657920636f6d70726f6d697365642c207570677261646520726571756972656400",
    "4630440220653febd6410f470f6bae11cad19c48413becb1ac2c17f908fd0fd53bdc3abd52",
    "02206d0e9c96fe88d4a0f01ed9dedae2b6f9e00da94cad0fecaae66ecf689bf71b50",
);
/// Most bytes of a peer's name.
const MAX_USER_AGENT: usize = 256;
/// Most bytes of the name of a feature, and of what is said of it.
const MAX_FEATURE: (usize, usize) = (80, 512);
/// Bytes of an address without its time.
const ADDRESS_SIZE: usize = 26;
/// Blocks a peer that keeps only recent ones must reach back.
const LIMITED_BLOCKS: i64 = 144;
/// Clocks that are remembered.
const MAX_TIME_OFFSETS: usize = 50;

/// A `version` message, as far as it is of use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct VersionMessage {
    version: u32,
    services: u64,
    time: i64,
    local: SocketAddr,
    nonce: u64,
    user_agent: Vec<u8>,
    height: i32,
    relay: bool,
}

/// Reads a `version` message, which early clients end after any part from the sender's address on. What comes later is
/// left for `rest`, so that a refusal by version or services comes first.
fn read_head(input: &mut &[u8]) -> Result<(u32, u64, i64, SocketAddr), wire::WireError> {
    let version: i32 = wire::take(input)?;
    let services = wire::take(input)?;
    let time: i64 = wire::take(input)?;
    wire::skip(input, 8)?;
    let ip: [u8; 16] = wire::take(input)?;
    let port: [u8; 2] = wire::take(input)?;
    let local = SocketAddr::new(IpAddr::V6(Ipv6Addr::from(ip)).to_canonical(), u16::from_be_bytes(port));
    Ok((u32::try_from(version).unwrap_or(0), services, time.max(0), local))
}

pub(super) fn read_version(mut input: &[u8]) -> Result<VersionMessage, wire::WireError> {
    let (version, services, time, local) = read_head(&mut input)?;
    let mut message =
        VersionMessage { version, services, time, local, nonce: 1, user_agent: Vec::new(), height: -1, relay: true };
    if !input.is_empty() {
        wire::skip(&mut input, ADDRESS_SIZE)?;
        message.nonce = wire::take(&mut input)?;
    }
    if !input.is_empty() {
        message.user_agent = wire::take_bytes(&mut input, MAX_USER_AGENT)?;
    }
    if !input.is_empty() {
        message.height = wire::take(&mut input)?;
    }
    if !input.is_empty() {
        message.relay = wire::take::<u8>(&mut input)? != 0;
    }
    Ok(message)
}

/// Writes an address as `version` has it: services, IPv6 form, port.
fn put_address(out: &mut Vec<u8>, services: u64, address: Option<SocketAddr>) {
    wire::put(out, &services);
    let ip = match address.map(|address| address.ip()) {
        Some(IpAddr::V4(ip)) => ip.to_ipv6_mapped(),
        Some(IpAddr::V6(ip)) => ip,
        None => Ipv6Addr::UNSPECIFIED,
    };
    out.extend_from_slice(&ip.octets());
    out.extend_from_slice(&address.map_or(0, |address| address.port()).to_be_bytes());
}

impl Manager {
    /// Says our version to an outbound peer.
    pub(super) fn begin_handshake(&mut self, id: PeerId) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let Handshake::AwaitingVersion { sent } = &mut peer.handshake else { return Ok(()) };
        if peer.link.info.kind.is_inbound() || std::mem::replace(sent, true) {
            return Ok(());
        }
        self.send_version(id)
    }

    fn send_version(&self, id: PeerId) -> Result<(), Fault> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        let them = Some(peer.link.info.address).filter(|address| address::is_routable(address.ip()));
        let relay = !self.refuses_transactions(peer);
        let height = i32::try_from(self.kernel.tip()?.height).unwrap_or(i32::MAX);
        let mut payload = Vec::new();
        wire::put(&mut payload, &PROTOCOL_VERSION);
        wire::put(&mut payload, &peer.our_services);
        wire::put(&mut payload, &time::seconds(time::now()));
        put_address(&mut payload, 0, them);
        put_address(&mut payload, peer.our_services, None);
        wire::put(&mut payload, &peer.link.info.nonce);
        wire::put(&mut payload, &self.connector.config.user_agent);
        wire::put(&mut payload, &height);
        payload.push(u8::from(relay));
        peer.send("version", &payload);
        let them = if common::logging::log_ips() {
            format!(", them={}", them.map_or_else(|| "[::]:0".to_owned(), |them| them.to_string()))
        } else {
            String::new()
        };
        log::debug!(
            target: "net",
            "send version message: version={PROTOCOL_VERSION}, blocks={height}{them}, txrelay={}, peer={id}",
            u8::from(relay)
        );
        Ok(())
    }

    pub(super) fn on_version(&mut self, id: PeerId, payload: &[u8]) -> Result<(), Fault> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        if peer.handshake.version().is_some() {
            log::debug!(target: "net", "redundant version message from peer={id}");
            return Ok(());
        }
        let (version, services, _, _) = read_head(&mut { payload })?;
        self.check_offer(peer, version, services)?;
        let message = read_version(payload)?;
        if peer.kind().is_inbound() && self.connector.links.is_own_nonce(message.nonce) {
            log::info!("connected to self at {}, disconnecting", peer.link.info.address);
            peer.link.end();
            return Ok(());
        }
        if peer.kind().is_inbound() {
            self.send_version(id)?;
        }
        self.accept_version(id, message);
        Ok(())
    }

    /// Refuses what is too old, and automatic connections to what offers too little.
    fn check_offer(&self, peer: &Peer, version: u32, services: u64) -> Result<(), Fault> {
        if peer.kind().is_automatic() || peer.kind() == ConnectionKind::AddrFetch {
            let expected = self.desirable_services(services)?;
            if services & expected != expected {
                return Err(Fault::Disconnect(format!(
                    "peer does not offer the expected services ({services:08x} offered, {expected:08x} expected)"
                )));
            }
        }
        if version < MIN_VERSION {
            return Err(Fault::Disconnect(format!("peer using obsolete version {version}")));
        }
        Ok(())
    }

    /// Returns what a peer must offer to be connected to: the whole chain, or the end of it if we are near.
    fn desirable_services(&self, services: u64) -> Result<u64, kernel::Error> {
        if services & NODE_NETWORK_LIMITED != 0 {
            let tip: BlockIndex = self.kernel.tip()?;
            let behind = (time::seconds(time::now()) - tip.time()) / self.kernel.block_interval()?.max(1);
            if behind < LIMITED_BLOCKS {
                return Ok(NODE_NETWORK_LIMITED | NODE_WITNESS);
            }
        }
        Ok(NODE_NETWORK | NODE_WITNESS)
    }

    fn accept_version(&mut self, id: PeerId, message: VersionMessage) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let now = time::seconds(time::now());
        let common = message.version.min(PROTOCOL_VERSION);
        let user_agent = sanitize(&message.user_agent);
        let shown = if user_agent.is_empty() { "<no user agent>" } else { &user_agent };
        log::debug!(
            target: "net",
            "receive version message: {shown}: version {}, blocks={}, us={}, txrelay={}, {}",
            message.version,
            message.height,
            message.local,
            u8::from(message.relay),
            peer.link.peer()
        );
        let time_offset = message.time - now;
        let local = Some(message.local).filter(|local| !local.ip().is_unspecified());
        peer.handshake = Handshake::Negotiating(Version {
            version: message.version,
            common,
            services: message.services,
            user_agent,
            relay: message.relay,
            time_offset,
            local,
            wtxid_relay: false,
            address_v2: false,
        });
        if !peer.kind().is_blocks_only() && (message.relay || peer.our_services & NODE_BLOOM != 0) {
            peer.relay = Some(TxRelay::new(message.relay));
        }
        if common >= FEATURES_VERSION {
            peer.send("wtxidrelay", &[]);
            peer.send("sendaddrv2", &[]);
        }
        peer.send("verack", &[]);
        if common <= ALERTS_VERSION {
            peer.send("alert", &Vec::from_hex(FINAL_ALERT).expect("it is hex digits"));
        }
        if peer.kind().is_inbound() {
            return;
        }
        peer.address_relay = !peer.kind().is_blocks_only();
        if peer.kind() == ConnectionKind::Feeler {
            log::debug!(target: "net", "feeler connection completed, disconnecting {}", peer.link.peer());
            peer.link.end();
        }
        if self.time_offsets.len() >= MAX_TIME_OFFSETS {
            self.time_offsets.pop_front();
        }
        self.time_offsets.push_back(time_offset);
    }

    pub(super) fn on_verack(&mut self, id: PeerId) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if !peer.handshake.establish() {
            log::debug!(target: "net", "ignoring redundant verack message from peer={id}");
            return Ok(());
        }
        peer.link.set_established();
        let version = peer.handshake.version().map_or(0, |version| version.version);
        let text = format!(
            "New {} peer connected: transport: v1, version: {version}, {}",
            peer.kind().name(),
            peer.link.peer()
        );
        // Anybody can make inbound connections, at any rate.
        if peer.kind().is_inbound() {
            log::debug!(target: "net", "{text}");
        } else {
            log::info!("{text}");
        }
        let announcer = Self::announcer(peer);
        self.transactions.connected(announcer, peer.uses_wtxids());
        Ok(())
    }

    pub(super) fn on_wtxidrelay(&mut self, id: PeerId) -> Result<(), Fault> {
        let Some(version) = self.negotiating(id, "wtxidrelay")? else { return Ok(()) };
        if version.common < FEATURES_VERSION {
            let common = version.common;
            log::debug!(target: "net", "ignoring wtxidrelay due to old common version={common} from peer={id}");
        } else if std::mem::replace(&mut version.wtxid_relay, true) {
            log::debug!(target: "net", "ignoring duplicate wtxidrelay from peer={id}");
        }
        Ok(())
    }

    pub(super) fn on_sendaddrv2(&mut self, id: PeerId) -> Result<(), Fault> {
        if let Some(version) = self.negotiating(id, "sendaddrv2")? {
            version.address_v2 = true;
        }
        Ok(())
    }

    pub(super) fn on_feature(&mut self, id: PeerId, mut payload: &[u8]) -> Result<(), Fault> {
        let Some(version) = self.negotiating(id, "feature")? else { return Ok(()) };
        if version.common < FEATURE_MESSAGE_VERSION {
            return Err(Fault::Disconnect(format!("feature received with incompatible version {}", version.common)));
        }
        let read = wire::take_bytes(&mut payload, MAX_FEATURE.0)
            .and_then(|name| wire::take_bytes(&mut payload, MAX_FEATURE.1).map(|_| name));
        match read {
            Ok(name) if name.len() >= 4 && payload.is_empty() => {
                log::debug!(target: "net", "unknown feature advertised: {}", sanitize(&name));
                Ok(())
            }
            _ => Err(Fault::Disconnect("invalid feature payload".to_owned())),
        }
    }

    /// Returns what is being negotiated; afterwards the message is refused.
    fn negotiating(&mut self, id: PeerId, name: &str) -> Result<Option<&mut Version>, Fault> {
        match self.peers.get_mut(&id).map(|peer| &mut peer.handshake) {
            Some(Handshake::Negotiating(version)) => Ok(Some(version)),
            Some(Handshake::Established(_)) => Err(Fault::Disconnect(format!("{name} received after verack"))),
            _ => Ok(None),
        }
    }

    /// Returns the median difference of outbound peers' clocks, once there are five.
    pub(crate) fn time_offset(&self) -> i64 {
        let mut offsets: Vec<i64> = self.time_offsets.iter().copied().collect();
        offsets.sort_unstable();
        if offsets.len() < 5 { 0 } else { offsets[offsets.len() / 2] }
    }

    /// Says whether a peer may download whatever it wants.
    pub(super) fn downloads_freely(peer: &Peer) -> bool {
        peer.may(Permissions::DOWNLOAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Vec<u8> {
        let mut bytes = Vec::new();
        wire::put(&mut bytes, &70_016i32);
        wire::put(&mut bytes, &9u64);
        wire::put(&mut bytes, &-5i64);
        put_address(&mut bytes, 1, Some("1.2.3.4:8333".parse().unwrap()));
        bytes
    }

    #[test]
    fn the_final_alert_is_whole() {
        let bytes = Vec::from_hex(FINAL_ALERT).unwrap();
        let mut input = &bytes[..];
        let alert = wire::take_bytes(&mut input, 100).unwrap();
        let signature = wire::take_bytes(&mut input, 100).unwrap();
        assert!(input.is_empty());
        assert!(bitcoin::secp256k1::ecdsa::Signature::from_der(&signature).is_ok());
        assert!(String::from_utf8_lossy(&alert).contains("URGENT: Alert key compromised, upgrade required"));
    }

    #[test]
    fn versions_may_end_early() {
        let mut bytes = message();
        let short = read_version(&bytes).unwrap();
        assert_eq!(
            short,
            VersionMessage {
                version: 70_016,
                services: 9,
                time: 0,
                local: "1.2.3.4:8333".parse().unwrap(),
                nonce: 1,
                user_agent: Vec::new(),
                height: -1,
                relay: true,
            }
        );
        put_address(&mut bytes, 0, None);
        wire::put(&mut bytes, &77u64);
        wire::put(&mut bytes, &"/x/".to_owned());
        wire::put(&mut bytes, &200i32);
        bytes.push(0);
        let full = read_version(&bytes).unwrap();
        assert_eq!((full.nonce, full.height, full.relay), (77, 200, false));
        assert_eq!(full.user_agent, b"/x/");
        for cut in 0..46 {
            assert!(read_version(&bytes[..cut]).is_err(), "cut to {cut}");
        }
    }

    #[test]
    fn names_are_bounded() {
        let mut bytes = message();
        put_address(&mut bytes, 0, None);
        wire::put(&mut bytes, &77u64);
        wire::put(&mut bytes, &"x".repeat(257));
        assert_eq!(read_version(&bytes), Err(wire::WireError::TooMany(257)));
    }
}
