//! Addresses of sockets as users write them (`-ipcbind`, `-ipcconnect`), and what comes of them.
//!
//! `unix` is the default socket of a data directory, `unix:<path>` any other; relative paths start at the data
//! directory. `tls:<host>:<port>` is one of another machine, `fd:<n>` a socket that the parent process listens on or has
//! connected. Options may follow after commas.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::tls::{self, Fingerprint};
use crate::{Error, Limits, Result, limits};

/// Length of a socket's path in the system's address, its end included.
const PATH_SIZE: usize = 108;

/// Where a socket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the file system.
    Unix(PathBuf),
    /// Open in this process already.
    Descriptor(i32),
    /// In a network.
    Tls {
        /// Host and port.
        host: String,
        /// Directory of the keys.
        keys: PathBuf,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Unix(path) => write!(f, "unix:{}", path.display()),
            Place::Descriptor(fd) => write!(f, "fd:{fd}"),
            Place::Tls { host, .. } => write!(f, "tls:{host}"),
        }
    }
}

/// Where to listen, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindAddress {
    /// Where.
    pub place: Place,
    /// Names of the interfaces offered (`allow=`); all if not given.
    pub allow: Option<Vec<String>>,
    /// Most connections at a time (`connections=`).
    pub connections: Option<usize>,
    /// Megabytes that the objects of one connection may take (`memory=`).
    pub memory: Option<usize>,
    /// Limits of one connection.
    pub limits: Limits,
}

impl BindAddress {
    /// Reads an address. `datadir` is where relative paths start, `name` that of the default socket.
    ///
    /// # Errors
    /// If it is none, or an option of it makes no sense.
    pub fn parse(text: &str, datadir: &Path, name: &str) -> Result<BindAddress> {
        let mut address = BindAddress {
            place: Place::Descriptor(-1),
            allow: None,
            connections: None,
            memory: None,
            limits: Limits::default(),
        };
        let mut rest = text;
        while let Some((before, _, key, value)) = last_option(rest) {
            match key {
                "allow" => address.allow.get_or_insert_default().extend(value.split('+').map(str::to_owned)),
                "connections" => address.connections = Some(limits::number(key, value)?),
                "memory" => address.memory = Some(limits::number(key, value)?),
                _ => address.limits.set(key, limits::number(key, value)?),
            }
            rest = before;
        }
        address.place = place(rest, datadir, name)?;
        Ok(address)
    }
}

/// Where to connect to, and who must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConnectAddress {
    pub place: Place,
    /// Key of the server (`fingerprint=`), across a network.
    pub fingerprint: Option<Fingerprint>,
}

impl ConnectAddress {
    /// Reads an address, as [`BindAddress::parse`] does.
    pub(crate) fn parse(text: &str, datadir: &Path, name: &str) -> Result<ConnectAddress> {
        if !text.starts_with("tls:") {
            return Ok(ConnectAddress { place: place(text, datadir, name)?, fingerprint: None });
        }
        let (mut rest, mut fingerprint) = (text, None);
        while let Some((before, option, key, value)) = last_option(rest) {
            match key {
                "fingerprint" => fingerprint = Some(value.parse()?),
                _ => return Err(Error::ConnectOption { option: option.to_owned() }),
            }
            rest = before;
        }
        Ok(ConnectAddress { place: place(rest, datadir, name)?, fingerprint })
    }
}

/// Splits off the last option of an address: what is before, the option, its name and value. From the end, because a
/// path may have commas.
fn last_option(text: &str) -> Option<(&str, &str, &str, &str)> {
    let (before, option) = text.rsplit_once(',')?;
    let (key, value) = option.split_once('=')?;
    (!option.contains('/')).then_some((before, option, key, value))
}

/// Returns where an address without options leads.
fn place(address: &str, datadir: &Path, name: &str) -> Result<Place> {
    if address.starts_with("tcp") {
        return Err(Error::Tcp { address: address.to_owned() });
    }
    if let Some(fd) = address.strip_prefix("fd:") {
        return fd.parse().map(Place::Descriptor).map_err(|_| Error::Address { address: address.to_owned() });
    }
    let Some(host) = address.strip_prefix("tls:") else { return Ok(Place::Unix(unix(address, datadir, name)?)) };
    let valid = host.rsplit_once(':').is_some_and(|(name, port)| {
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or_else(|| {
            // Without brackets it could not be told from the port.
            if name.contains(':') { "" } else { name }
        });
        !name.is_empty() && port.parse::<u16>().is_ok()
    });
    if !valid {
        return Err(Error::Host { address: address.to_owned() });
    }
    Ok(Place::Tls { host: host.to_owned(), keys: datadir.join(tls::DIRECTORY) })
}

/// Returns the path of a socket from its address.
///
/// # Errors
/// If it is no address, or the path is longer than the system allows.
fn unix(address: &str, datadir: &Path, name: &str) -> Result<PathBuf> {
    let refuse = || Error::Address { address: address.to_owned() };
    let path = match address.strip_prefix("unix").ok_or_else(refuse)? {
        "" | ":" => datadir.join(format!("{name}.sock")),
        path => datadir.join(path.strip_prefix(':').ok_or_else(refuse)?),
    };
    if path.as_os_str().len() >= PATH_SIZE {
        return Err(Error::TooLong { path });
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |text: &str, expected: std::result::Result<&str, &str>| {
            let found = BindAddress::parse(text, Path::new("/data"), "node");
            let found = found.map(|address| address.place.to_string()).map_err(|error| error.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
        };
        check("unix", Ok("unix:/data/node.sock"));
        check("unix:", Ok("unix:/data/node.sock"));
        check("unix:x.sock", Ok("unix:/data/x.sock"));
        check("unix:/run/a,b.sock", Ok("unix:/run/a,b.sock"));
        check("unix:/run/a,b=c/x.sock", Ok("unix:/run/a,b=c/x.sock"));
        check("unix:/run/x.sock,allow=mining", Ok("unix:/run/x.sock"));
        check("unix,allow=mining+echo,connections=2", Ok("unix:/data/node.sock"));
        check("fd:3", Ok("fd:3"));
        check("fd:3,allow=mining", Ok("fd:3"));
        check("fd:x", Err("Unrecognized address 'fd:x'"));
        check("unixx", Err("Unrecognized address 'unixx'"));
        check("", Err("Unrecognized address ''"));
        check("1", Err("Unrecognized address '1'"));
        check(
            "unix:/run/x.sock,alow=mining",
            Err(
                "'alow=mining' is not an option of a socket: allow, connections, memory, calls, objects, threads, nesting, message and buffers are",
            ),
        );
        check(
            "tcp:127.0.0.1:8000",
            Err("Unrecognized address 'tcp:127.0.0.1:8000': plain TCP is neither encrypted nor authenticated; \
                 tls:<host>:<port> is"),
        );
        check("tls:127.0.0.1:8000", Ok("tls:127.0.0.1:8000"));
        check("tls:[::1]:0,allow=mining", Ok("tls:[::1]:0"));
        check("tls:host.example:8000,connections=1", Ok("tls:host.example:8000"));
        for wrong in ["tls:", "tls::1", "tls:host", "tls:host:", "tls:host:65536", "tls:::1:1", "tls:[]:1"] {
            let expected =
                format!("'{wrong}' has no host and port: tls:<host>:<port> has, with an IPv6 address in brackets");
            check(wrong, Err(&expected));
        }
        let path = "x".repeat(101);
        check(&format!("unix:{path}"), Ok(&format!("unix:/data/{path}")));
        let long = format!("Unix address path \"/data/{path}x\" exceeded maximum socket path length");
        check(&format!("unix:{path}x"), Err(&long));
    }

    #[test]
    fn options() {
        let text = "unix:/a,b.sock,allow=mining,memory=64,allow=echo+rpc,calls=7,connections=3,message=8";
        let address = BindAddress::parse(text, Path::new("/data"), "node").expect("an address");
        let names = ["echo", "rpc", "mining"].map(str::to_owned).to_vec();
        assert_eq!(address.place, Place::Unix("/a,b.sock".into()));
        assert_eq!((address.allow, address.memory, address.connections), (Some(names), Some(64), Some(3)));
        assert_eq!(address.limits, Limits { calls: 7, message: 8, ..Limits::default() });
    }

    #[test]
    fn numbers() {
        let check = |key: &str, least: usize, most: usize| {
            let parse = |value: &str| {
                let found = BindAddress::parse(&format!("unix,{key}={value}"), Path::new("/data"), "node");
                found.map_err(|error| error.to_string())
            };
            let read = |address: BindAddress| {
                let Limits { calls, objects, threads, nesting, message, buffers } = address.limits;
                let BindAddress { connections, memory, .. } = address;
                let all =
                    [connections, memory, Some(calls), Some(objects), Some(threads), Some(nesting), Some(message)];
                all.into_iter().chain([Some(buffers)]).flatten().filter(|number| [least, most].contains(number)).count()
            };
            for number in [least, most] {
                assert!(read(parse(&number.to_string()).expect("in range")) > 0, "{key}={number}");
            }
            for wrong in
                [(least - 1).to_string(), (most + 1).to_string(), "9".repeat(30), "-1".to_owned(), "x".to_owned()]
            {
                let expected = format!("'{key}={wrong}' is out of range: a number from {least} to {most} is not");
                assert_eq!(parse(&wrong), Err(expected));
            }
        };
        check("connections", 1, 65_536);
        check("memory", 1, 1 << 20);
        check("calls", 4, 1_000_000);
        check("objects", 3, 10_000_000);
        check("threads", 1, 4096);
        check("nesting", 16, 256);
        check("message", 1, 4096);
        check("buffers", 1, 1 << 20);
    }

    #[test]
    fn servers() {
        let key = "ab".repeat(32);
        let check = |text: &str, expected: std::result::Result<(&str, Option<&str>), &str>| {
            let found = ConnectAddress::parse(text, Path::new("/data"), "node").map_err(|error| error.to_string());
            let found = found.map(|found| (found.place.to_string(), found.fingerprint.map(|key| key.to_string())));
            let expected = expected.map(|(place, key)| (place.to_owned(), key.map(str::to_owned)));
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        };
        check("unix", Ok(("unix:/data/node.sock", None)));
        check("fd:3", Ok(("fd:3", None)));
        for wrong in ["fd:", "fd:x", "fd:3,fingerprint=1", "fd:2147483648"] {
            check(wrong, Err(&format!("Unrecognized address '{wrong}'")));
        }
        check("unix:/x,fingerprint=1", Ok(("unix:/x,fingerprint=1", None)));
        check("tls:host:1", Ok(("tls:host:1", None)));
        check(&format!("tls:host:1,fingerprint={key}"), Ok(("tls:host:1", Some(&key))));
        check("tls:host:1,fingerprint=1", Err("'1' is not a fingerprint: 64 hexadecimal digits are"));
        check("tls:host:1,allow=rpc", Err("'allow=rpc' is not an option of -ipcconnect: fingerprint is"));
    }
}
