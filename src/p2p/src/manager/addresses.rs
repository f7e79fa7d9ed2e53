//! `addr`, `addrv2` and `getaddr`. Addresses are read and not kept: peers are chosen by the user.

use bitcoin::VarInt;

use super::{Fault, Manager};
use crate::wire::WireError;
use crate::{PeerId, wire};

/// Most addresses of a message.
const MAX_ADDRESSES: usize = 1000;
/// Bytes of an address of the older form: time, services, IPv6 form, port.
const ADDRESS_SIZE: usize = 4 + 8 + 16 + 2;
/// Most bytes of an address of the later form (BIP155), and the networks that have a length: number, name, bytes.
const MAX_ADDRESS_V2: u64 = 512;
const NETWORKS_V2: [(u8, &str, u64); 5] =
    [(1, "IPv4", 4), (2, "IPv6", 16), (4, "TORv3", 32), (5, "I2P", 32), (6, "CJDNS", 16)];

/// Walks over an address of the later form: time, services, network, address, port. One of a network nobody knows yet may
/// have any length.
fn skip_address_v2(input: &mut &[u8]) -> Result<(), WireError> {
    wire::skip(input, 4)?;
    let VarInt(_services) = wire::take(input)?;
    let network: u8 = wire::take(input)?;
    let VarInt(size) = wire::take(input)?;
    if size > MAX_ADDRESS_V2 {
        return Err(WireError::Malformed(format!("Address too long: {size} > {MAX_ADDRESS_V2}")));
    }
    if let Some((_, name, expected)) =
        NETWORKS_V2.iter().find(|(number, _, expected)| *number == network && *expected != size)
    {
        return Err(WireError::Malformed(format!("BIP155 {name} address with length {size} (should be {expected})")));
    }
    wire::skip(input, usize::try_from(size).unwrap_or(usize::MAX))?;
    wire::skip(input, 2)
}

impl Manager {
    pub(super) fn on_addresses(&mut self, id: PeerId, name: &str, mut payload: &[u8]) -> Result<(), Fault> {
        let count = wire::take_count(&mut payload, MAX_ADDRESSES).map_err(|error| match error {
            WireError::TooMany(count) => Fault::Misbehaving(format!("{name} message size = {count}")),
            other => other.into(),
        })?;
        for _ in 0..count {
            if name == "addr" { wire::skip(&mut payload, ADDRESS_SIZE)? } else { skip_address_v2(&mut payload)? }
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.address_relay = !peer.kind().is_blocks_only();
        }
        Ok(())
    }

    pub(super) fn on_getaddr(&mut self, id: PeerId) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if !peer.kind().is_inbound() {
            let kind = peer.kind().name();
            log::debug!(target: "net", "Ignoring \"getaddr\" from {kind} connection. peer={id}");
            return Ok(());
        }
        peer.address_relay = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_later_form() {
        let check = |network: u8, size: u8, rest: usize, expected: Option<&str>| {
            let mut bytes = vec![0, 0, 0, 0, 9, network, size];
            bytes.resize(bytes.len() + rest, 0);
            let found = skip_address_v2(&mut &bytes[..]).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), expected, "{network} {size} {rest}");
        };
        check(1, 4, 6, None);
        check(4, 32, 34, None);
        check(99, 7, 9, None);
        check(1, 5, 7, Some("BIP155 IPv4 address with length 5 (should be 4)"));
        check(2, 16, 17, Some("DataStream::read(): end of data: iostream error"));
        let bytes = [0, 0, 0, 0, 9, 1, 0xfd, 1, 2];
        let error = skip_address_v2(&mut &bytes[..]).unwrap_err();
        assert_eq!(error.to_string(), "Address too long: 513 > 512");
    }
}
