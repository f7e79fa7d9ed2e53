//! Addresses to listen on, and listening on them.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use common::system_error;
use common::version::CLIENT_NAME;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen as start_listening, socket_with, sockopt};

use super::ServerError;

/// An address as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// IP address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// Takes apart `host`, `host:port` or `[host]:port`; an IPv6 address without brackets has no port.
pub(super) fn parse_bind(text: &str, default_port: u16) -> Result<Endpoint, ServerError> {
    let wrong = || ServerError::BindPort(text.to_owned());
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if text.starts_with('[') && host.ends_with(']') => (host, Some(port)),
        Some((host, port)) if !host.contains(':') => (host, Some(port)),
        Some(_) if text.parse::<IpAddr>().is_ok() || text.starts_with('[') => (text, None),
        Some(_) => return Err(wrong()),
        None => (text, None),
    };
    let port = match port {
        None => default_port,
        Some(port) => port.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(wrong)?,
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok(Endpoint { host: host.to_owned(), port })
}

/// Listens on all addresses that work; none is an error.
pub(super) fn listen(endpoints: &[Endpoint]) -> Result<Vec<TcpListener>, ServerError> {
    let mut listeners = Vec::new();
    for Endpoint { host, port } in endpoints {
        log::info!("Binding RPC on address {host} port {port}");
        let Ok(address) = host.parse::<IpAddr>() else {
            log::warn!("Could not bind RPC on address {host} port {port}: Address lookup failed.");
            continue;
        };
        if address.is_unspecified() {
            log::warn!("The RPC server is not safe to expose to untrusted networks such as the public internet");
        }
        let address = SocketAddr::new(address, *port);
        match listen_on(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) => log::warn!("Binding RPC on address {address} failed: {}", explain(address, &error)),
        }
    }
    if listeners.is_empty() {
        log::error!("Unable to bind any endpoint for RPC server");
        return Err(ServerError::Start);
    }
    Ok(listeners)
}

fn explain(address: SocketAddr, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::AddrInUse {
        return format!("Unable to bind to {address} on this computer. {CLIENT_NAME} is probably already running.");
    }
    let reason = system_error::describe(error);
    format!("Unable to bind to {address} on this computer (bind returned error {reason})")
}

/// Listens on one address. Not [`TcpListener::bind`], which would make an IPv6 socket take IPv4 connections as well,
/// so that `::` and `0.0.0.0` exclude each other.
fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)?;
    start_listening(&socket, 4096)?;
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bind_values() {
        let check = |text: &str, expected: Option<(&str, u16)>| {
            let got = parse_bind(text, 8332).ok();
            assert_eq!(got, expected.map(|(host, port)| Endpoint { host: host.to_owned(), port }), "{text}");
        };
        check("127.0.0.1", Some(("127.0.0.1", 8332)));
        check("127.0.0.1:1", Some(("127.0.0.1", 1)));
        check("::1", Some(("::1", 8332)));
        check("[::1]", Some(("::1", 8332)));
        check("[::1]:2", Some(("::1", 2)));
        check("127.0.0.1:0", None);
        check("127.0.0.1:65536", None);
        check("127.0.0.1:x", None);
        check("[::1]:x", None);
    }

    #[test]
    fn a_port_in_use_is_refused() {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let error = listen(&[Endpoint { host: "127.0.0.1".to_owned(), port }]).expect_err("in use");
        assert_eq!(error.to_string(), "Unable to start HTTP server. See debug log for details.");
        let error = listen_on(SocketAddr::from(([127, 0, 0, 1], port))).expect_err("in use");
        assert!(explain(first.local_addr().unwrap(), &error).ends_with("Bitcoin Core is probably already running."));
    }

    #[test]
    fn an_address_of_another_host_is_refused() {
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], 1024));
        let text = explain(elsewhere, &listen_on(elsewhere).expect_err("not ours"));
        assert!(text.ends_with("(bind returned error Cannot assign requested address (99))"), "{text}");
    }
}
