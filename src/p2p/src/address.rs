//! Addresses of peers: reading and naming them, and which networks they belong to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

/// Most addresses a name is resolved to.
const MAX_RESOLVED: usize = 256;

/// The network an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Not reachable from elsewhere.
    NotPubliclyRoutable,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// Returns the network of an address.
    pub fn of(address: IpAddr) -> Family {
        match address.to_canonical() {
            address if !is_routable(address) => Family::NotPubliclyRoutable,
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        }
    }

    /// Returns its name, as RPC prints it.
    pub fn name(self) -> &'static str {
        match self {
            Family::NotPubliclyRoutable => "not_publicly_routable",
            Family::Ipv4 => "ipv4",
            Family::Ipv6 => "ipv6",
        }
    }
}

/// Says whether the address is this host's own.
pub(crate) fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.octets()[0] == 0,
        IpAddr::V6(address) => address.is_loopback(),
    }
}

/// Returns what addresses of one provider share: 16 bits of an IPv4 address, 32 of an IPv6 one. All that cannot be
/// reached from elsewhere are one group.
pub(crate) fn group(address: IpAddr) -> [u8; 5] {
    match address.to_canonical() {
        address if !is_routable(address) => [0; 5],
        IpAddr::V4(address) => [4, address.octets()[0], address.octets()[1], 0, 0],
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.octets();
            [6, a, b, c, d]
        }
    }
}

/// Says whether an address can be reached from anywhere.
pub(crate) fn is_routable(address: IpAddr) -> bool {
    if is_local(address) {
        return false;
    }
    match address.to_canonical() {
        IpAddr::V4(address) => is_routable_v4(address),
        IpAddr::V6(address) => is_routable_v6(address),
    }
}

fn is_routable_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    let benchmarking = a == 198 && (b == 18 || b == 19);
    let shared = a == 100 && (64..128).contains(&b);
    let special = address.is_private() || address.is_link_local() || address.is_documentation();
    !(special || benchmarking || shared || address.is_broadcast() || address.is_unspecified())
}

fn is_routable_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let documentation = is_documentation(address);
    let orchid = a == 0x2001 && (b & 0xfff0 == 0x10 || b & 0xfff0 == 0x20);
    let link_local = a == 0xfe80;
    let unique_local = a & 0xfe00 == 0xfc00;
    !(documentation || orchid || link_local || unique_local || address.is_unspecified())
}

fn is_documentation(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    a == 0x2001 && b == 0x0db8
}

/// Splits `host`, `host:port`, `[v6]:port` or a bare IPv6 address.
fn split(text: &str, default_port: u16) -> Option<(&str, u16)> {
    let bracketed = |host: &'_ str| -> bool { host.starts_with('[') && host.ends_with(']') };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if bracketed(host) || !host.contains(':') => (host, port.parse().ok()?),
        _ => (text, default_port),
    };
    let inner = if bracketed(host) { &host[1..host.len() - 1] } else { host };
    (!inner.is_empty()).then_some((inner, port))
}

/// Reads an address without asking a name service.
pub(crate) fn parse(text: &str, default_port: u16) -> Option<SocketAddr> {
    let (host, port) = split(text, default_port)?;
    let ip = host.parse().ok().or_else(|| parse_short_v4(host))?;
    Some(SocketAddr::new(ip, port))
}

/// Reads an IPv4 address with parts left out: the last number stands for the rest, as in `127.1`.
fn parse_short_v4(text: &str) -> Option<IpAddr> {
    let numbers: Vec<u32> = text.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    let (last, first) = numbers.split_last()?;
    let mut value = 0;
    for (at, number) in first.iter().enumerate() {
        value |= u32::from(u8::try_from(*number).ok()?) << (24_usize.checked_sub(8 * at)?);
    }
    let room = 32_usize.checked_sub(8 * first.len())?;
    let fits = first.len() < 4 && u64::from(*last) < 1_u64 << room;
    fits.then(|| Ipv4Addr::from(value | *last).into())
}

/// Returns the addresses of a host; asks the name service if `lookup` allows it.
pub(crate) fn resolve(text: &str, default_port: u16, lookup: bool) -> Vec<SocketAddr> {
    if let Some(address) = parse(text, default_port) {
        return vec![address];
    }
    match split(text, default_port) {
        Some((host, port)) if lookup => {
            (host, port).to_socket_addrs().map(|found| found.take(MAX_RESOLVED).collect()).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// Finds an address that others could be told of or connected to; asks the name service if `dns` allows it.
pub fn lookup(text: &str, default_port: u16, dns: bool) -> Option<SocketAddr> {
    let found = resolve(text, default_port, dns).into_iter().next()?;
    let usable = match found.ip().to_canonical() {
        IpAddr::V4(address) => !address.is_unspecified() && !address.is_broadcast(),
        IpAddr::V6(address) => !address.is_unspecified() && !is_documentation(address),
    };
    usable.then_some(found)
}

/// Returns the names of the services in a bit field, as RPC lists them.
pub fn services_names(services: u64) -> Vec<String> {
    let name = |bit: u32| match bit {
        0 => "NETWORK".to_owned(),
        2 => "BLOOM".to_owned(),
        3 => "WITNESS".to_owned(),
        6 => "COMPACT_FILTERS".to_owned(),
        10 => "NETWORK_LIMITED".to_owned(),
        11 => "P2P_V2".to_owned(),
        _ => format!("UNKNOWN[2^{bit}]"),
    };
    (0..64).filter(|bit| services >> bit & 1 == 1).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(parse(text, 8333).map(|address| address.to_string()).as_deref(), expected, "{text}");
        };
        check("127.0.0.1", Some("127.0.0.1:8333"));
        check("127.0.0.1:18444", Some("127.0.0.1:18444"));
        check("::1", Some("[::1]:8333"));
        check("[::1]:5", Some("[::1]:5"));
        check("[::1]", Some("[::1]:8333"));
        check("127.1:5", Some("127.0.0.1:5"));
        check("1.2.256", Some("1.2.1.0:8333"));
        check("1.2.3.256", None);
        check("1.2.3.4.5", None);
        check("256.1", None);
        check("example.org", None);
        check("127.0.0.1:x", None);
        check("", None);
        check(":1", None);
        assert!(resolve("no such host", 1, false).is_empty());
    }

    #[test]
    fn addresses_that_are_of_use() {
        let check = |text: &str, expected: Option<&str>| {
            let found = lookup(text, 9050, false).map(|address| address.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check("127.0.0.1", Some("127.0.0.1:9050"));
        check("[2a00::1]:5", Some("[2a00::1]:5"));
        for text in ["x", "", "0.0.0.0", "255.255.255.255", "::", "2001:db8::1", "1.2.3.4:99999"] {
            check(text, None);
        }
    }

    #[test]
    fn networks() {
        let check = |text: &str, expected: Family| assert_eq!(Family::of(text.parse().unwrap()), expected, "{text}");
        check("127.0.0.1", Family::NotPubliclyRoutable);
        check("192.168.1.1", Family::NotPubliclyRoutable);
        check("8.8.8.8", Family::Ipv4);
        check("::ffff:8.8.8.8", Family::Ipv4);
        check("fe80::1", Family::NotPubliclyRoutable);
        check("fc00::1", Family::NotPubliclyRoutable);
        check("2a00::1", Family::Ipv6);
    }

    #[test]
    fn services() {
        assert_eq!(services_names(0x409), ["NETWORK", "WITNESS", "NETWORK_LIMITED"]);
        assert_eq!(services_names(1 << 40), ["UNKNOWN[2^40]"]);
    }
}
