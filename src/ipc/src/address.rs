//! Addresses of sockets as users write them (`-ipcbind`, `-ipcconnect`), and what comes of them.
//!
//! `unix` is the default socket of a data directory, `unix:<path>` any other; relative paths start at the data
//! directory. To listen, `fd:<n>` is a socket that the parent process has bound, and options may follow after commas.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{Error, Limits, Result};

/// Length of a socket's path in the system's address, its end included.
const PATH_SIZE: usize = 108;

/// Where a socket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the file system.
    Unix(PathBuf),
    /// Open in this process already.
    Descriptor(i32),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Unix(path) => write!(f, "unix:{}", path.display()),
            Place::Descriptor(fd) => write!(f, "fd:{fd}"),
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
        // From the end, because a path may have commas.
        while let Some((before, option)) = rest.rsplit_once(',')
            && let Some((key, value)) = option.split_once('=')
            && !option.contains('/')
        {
            let number = || value.parse().ok().filter(|number| *number > 0);
            let invalid = || Error::BindOption { option: option.to_owned() };
            match key {
                "allow" if !value.is_empty() => {
                    address.allow.get_or_insert_default().extend(value.split('+').map(str::to_owned));
                }
                "connections" => address.connections = Some(number().ok_or_else(invalid)?),
                "memory" => address.memory = Some(number().ok_or_else(invalid)?),
                _ if number().is_some_and(|number| address.limits.set(key, number)) => {}
                _ => return Err(invalid()),
            }
            rest = before;
        }
        address.place = match rest.strip_prefix("fd:") {
            Some(fd) => Place::Descriptor(fd.parse().map_err(|_| Error::Address { address: text.to_owned() })?),
            None => Place::Unix(unix(rest, datadir, name)?),
        };
        Ok(address)
    }
}

/// Returns the path of a socket from its address.
///
/// # Errors
/// If it is no address, or the path is longer than the system allows.
pub fn unix(address: &str, datadir: &Path, name: &str) -> Result<PathBuf> {
    let refuse = || Error::Address { address: address.to_owned() };
    if address.starts_with("tcp") || address.starts_with("tls") {
        return Err(Error::Tcp { address: address.to_owned() });
    }
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
            "unix,connections=0",
            Err(
                "'connections=0' is not an option of a socket: allow, connections, memory, calls, objects, threads, nesting, message and buffers are",
            ),
        );
        check(
            "unix,allow=",
            Err(
                "'allow=' is not an option of a socket: allow, connections, memory, calls, objects, threads, nesting, message and buffers are",
            ),
        );
        check(
            "tcp:127.0.0.1:8000",
            Err(
                "Unrecognized address 'tcp:127.0.0.1:8000': sockets are local only, since whoever reaches one needs no \
                 password",
            ),
        );
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
}
