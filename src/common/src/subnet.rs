//! Networks by address and prefix (`-rpcallowip`, `-whitelist`).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network: an address and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    address: IpAddr,
    bits: u32,
}

/// The text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a network")]
pub struct InvalidSubnet;

impl Subnet {
    /// Returns the networks that are always allowed: this host's own.
    pub fn loopback() -> Vec<Subnet> {
        vec![
            Subnet { address: IpAddr::from([127, 0, 0, 0]), bits: 8 },
            Subnet { address: IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), bits: 128 },
        ]
    }

    /// Says whether an address belongs to the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match (self.address, address) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                masked(address, self.bits) == masked(self.address, self.bits)
            }
            _ => false,
        }
    }
}

/// Returns the first `bits` bits, moved to the top of 128.
fn masked(address: IpAddr, bits: u32) -> u128 {
    let value = match address {
        IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        IpAddr::V6(address) => u128::from(address),
    };
    if bits == 0 { 0 } else { value & (u128::MAX << (128 - bits.min(128))) }
}

impl FromStr for Subnet {
    type Err = InvalidSubnet;

    /// Reads an address, `address/bits` or `address/netmask`; the address may stand in brackets.
    fn from_str(text: &str) -> Result<Self, InvalidSubnet> {
        let (address, mask) = match text.split_once('/') {
            Some((address, mask)) => (address, Some(mask)),
            None => (text, None),
        };
        let unwrapped = address.strip_prefix('[').and_then(|address| address.strip_suffix(']'));
        let address: IpAddr = unwrapped.unwrap_or(address).parse().map_err(|_| InvalidSubnet)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match mask {
            None => width,
            Some(mask) => match mask.parse::<u32>() {
                Ok(bits) if bits <= width => bits,
                Ok(_) => return Err(InvalidSubnet),
                Err(_) => netmask_bits(mask, address).ok_or(InvalidSubnet)?,
            },
        };
        Ok(Subnet { address, bits })
    }
}

/// Counts the bits of a netmask such as `255.255.255.0`; `None` if it is none.
fn netmask_bits(mask: &str, address: IpAddr) -> Option<u32> {
    let mask: IpAddr = mask.parse().ok()?;
    let value = masked(mask, 128);
    let bits = value.leading_ones();
    let contiguous = value.checked_shl(bits).unwrap_or(0) == 0;
    (mask.is_ipv4() == address.is_ipv4() && contiguous).then_some(bits)
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership() {
        let check = |subnet: &str, address: &str, expected: bool| {
            let subnet: Subnet = subnet.parse().unwrap();
            assert_eq!(subnet.contains(address.parse().unwrap()), expected, "{subnet} {address}");
        };
        check("1.2.3.4", "1.2.3.4", true);
        check("1.2.3.4", "1.2.3.5", false);
        check("1.2.3.0/24", "1.2.3.200", true);
        check("1.2.3.4/255.255.255.0", "1.2.3.200", true);
        check("1.2.3.4/255.255.255.0", "1.2.4.1", false);
        check("0.0.0.0/0", "9.9.9.9", true);
        check("0.0.0.0/0", "::1", false);
        check("::/0", "2001:db8::1", true);
        check("2001:db8::/32", "2001:db8:1::1", true);
        check("2001:db8::/ffff:ffff::", "2001:db9::1", false);
        check("127.0.0.0/8", "::ffff:127.0.0.1", true);
        check("[::1]", "::1", true);
    }

    #[test]
    fn not_a_network() {
        for text in ["", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4/255.0.255.0", "::1/129", "1.2.3.4/ffff::", "1.2.3.4/"] {
            assert_eq!(text.parse::<Subnet>(), Err(InvalidSubnet), "{text}");
        }
    }
}
