//! What peers from certain addresses may do that others may not (`-whitelist`, `-whitebind`).

use std::net::IpAddr;
use std::ops::BitOr;

use common::subnet::Subnet;

/// A set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u32);

impl Permissions {
    /// None.
    pub const NONE: Permissions = Permissions(0);
    /// May load bloom filters.
    pub const BLOOM_FILTER: Permissions = Permissions(1 << 1);
    /// May send transactions although `-blocksonly` is set, and announce any number.
    pub const RELAY: Permissions = Permissions(1 << 3);
    /// Its transactions are relayed even if they are in the mempool already.
    pub const FORCE_RELAY: Permissions = Permissions(1 << 2 | 1 << 3);
    /// May download blocks and headers without limit.
    pub const DOWNLOAD: Permissions = Permissions(1 << 6);
    /// Is not disconnected for misbehaviour.
    pub const NO_BAN: Permissions = Permissions(1 << 4 | 1 << 6);
    /// May ask for the whole mempool.
    pub const MEMPOOL: Permissions = Permissions(1 << 5);
    /// May ask for addresses at any time.
    pub const ADDR: Permissions = Permissions(1 << 7);
    /// All of them.
    pub const ALL: Permissions = Permissions(0b1111_1110);
    /// Stands for those that are given when none is named.
    const IMPLICIT: Permissions = Permissions(1 << 31);

    /// Says whether all of `other` are in the set.
    pub fn has(self, other: Permissions) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the names, in the order RPC lists them.
    pub fn names(self) -> Vec<&'static str> {
        let all = [
            ("bloomfilter", Self::BLOOM_FILTER),
            ("noban", Self::NO_BAN),
            ("forcerelay", Self::FORCE_RELAY),
            ("relay", Self::RELAY),
            ("mempool", Self::MEMPOOL),
            ("download", Self::DOWNLOAD),
            ("addr", Self::ADDR),
        ];
        all.into_iter().filter(|(_, permission)| self.has(*permission)).map(|(name, _)| name).collect()
    }

    /// Replaces what stands for unnamed permissions.
    pub(crate) fn resolve(self, relay: bool, force_relay: bool) -> Permissions {
        if !self.has(Self::IMPLICIT) {
            return self;
        }
        let mut permissions = Permissions(self.0 & !Self::IMPLICIT.0) | Self::MEMPOOL | Self::NO_BAN;
        if force_relay {
            permissions = permissions | Self::FORCE_RELAY;
        }
        if relay {
            permissions = permissions | Self::RELAY;
        }
        permissions
    }
}

impl BitOr for Permissions {
    type Output = Permissions;

    fn bitor(self, other: Permissions) -> Permissions {
        Permissions(self.0 | other.0)
    }
}

/// Why permissions cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PermissionError {
    /// There is no such permission.
    #[error("Invalid P2P permission: '{0}'")]
    Unknown(String),
    /// Only a direction is given.
    #[error("Only direction was set, no permissions: '{0}'")]
    NoPermission(String),
    /// `-whitebind` is for connections of others.
    #[error("whitebind may only be used for incoming connections (\"out\" was passed)")]
    Outgoing,
    /// The address is none.
    #[error("Invalid netmask specified in -whitelist: '{0}'")]
    Subnet(String),
    /// The address is none.
    #[error("Cannot resolve -whitebind address: '{0}'")]
    Address(String),
    /// The address has no port.
    #[error("Need to specify a port with -whitebind: '{0}'")]
    Port(String),
}

/// Permissions in front of an address, and whose connections they are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant<'a> {
    pub permissions: Permissions,
    pub incoming: bool,
    pub outgoing: bool,
    pub address: &'a str,
}

/// Reads `permission,permission@address`.
pub(crate) fn parse_grant(text: &str) -> Result<Grant<'_>, PermissionError> {
    let Some((names, address)) = text.split_once('@') else {
        return Ok(Grant { permissions: Permissions::IMPLICIT, incoming: true, outgoing: false, address: text });
    };
    let mut grant = Grant { permissions: Permissions::NONE, incoming: false, outgoing: false, address };
    for name in names.split(',').filter(|name| !name.is_empty()) {
        let permission = match name {
            "bloomfilter" | "bloom" => Permissions::BLOOM_FILTER,
            "noban" => Permissions::NO_BAN,
            "forcerelay" => Permissions::FORCE_RELAY,
            "mempool" => Permissions::MEMPOOL,
            "download" => Permissions::DOWNLOAD,
            "all" => Permissions::ALL,
            "relay" => Permissions::RELAY,
            "addr" => Permissions::ADDR,
            "in" => {
                grant.incoming = true;
                continue;
            }
            "out" => {
                grant.outgoing = true;
                continue;
            }
            _ => return Err(PermissionError::Unknown(name.to_owned())),
        };
        grant.permissions = grant.permissions | permission;
    }
    if !grant.incoming && !grant.outgoing {
        grant.incoming = true;
    } else if grant.permissions == Permissions::NONE {
        return Err(PermissionError::NoPermission(text.to_owned()));
    }
    Ok(grant)
}

/// The permissions of peers by their address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Whitelist {
    pub entries: Vec<(Subnet, Permissions)>,
    /// `-whitelistrelay`.
    pub relay: bool,
    /// `-whitelistforcerelay`.
    pub force_relay: bool,
}

impl Whitelist {
    /// Adds an entry of `-whitelist`.
    pub(crate) fn add(&mut self, grant: &Grant<'_>) -> Result<(), PermissionError> {
        let subnet = grant.address.parse().map_err(|_| PermissionError::Subnet(grant.address.to_owned()))?;
        self.entries.push((subnet, grant.permissions));
        Ok(())
    }

    /// Returns the permissions of an address, besides those in `granted`.
    pub(crate) fn permissions(&self, address: IpAddr, granted: Permissions) -> Permissions {
        let found = self.entries.iter().filter(|(subnet, _)| subnet.contains(address));
        let all = found.fold(granted, |all, (_, permissions)| all | *permissions);
        all.resolve(self.relay, self.force_relay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read() {
        let check = |text: &str, expected: Result<(&[&str], bool, bool), &str>| {
            let got = parse_grant(text).map(|grant| (grant.permissions.names(), grant.incoming, grant.outgoing));
            let got = got.map_err(|error| error.to_string());
            let expected = expected.map(|(names, i, o)| (names.to_vec(), i, o)).map_err(str::to_owned);
            assert_eq!(got, expected, "{text}");
        };
        check("noban@127.0.0.1", Ok((&["noban", "download"], true, false)));
        check("in,out,relay@127.0.0.1", Ok((&["relay"], true, true)));
        check("forcerelay@::/0", Ok((&["forcerelay", "relay"], true, false)));
        check("oopsie@127.0.0.1", Err("Invalid P2P permission: 'oopsie'"));
        check("out@127.0.0.1", Err("Only direction was set, no permissions: 'out@127.0.0.1'"));
        check("@127.0.0.1", Ok((&[], true, false)));
    }

    #[test]
    fn addresses_get_what_their_networks_have() {
        let mut list = Whitelist { relay: true, ..Whitelist::default() };
        list.add(&parse_grant("10.0.0.0/8").unwrap()).unwrap();
        list.add(&parse_grant("addr@10.1.0.0/16").unwrap()).unwrap();
        let names = |text: &str| list.permissions(text.parse().unwrap(), Permissions::NONE).names();
        assert_eq!(names("11.0.0.1"), Vec::<&str>::new());
        assert_eq!(names("10.2.0.1"), ["noban", "relay", "mempool", "download"]);
        assert_eq!(names("10.1.0.1"), ["noban", "relay", "mempool", "download", "addr"]);
        let bad = list.add(&parse_grant("noban@nonsense").unwrap());
        assert_eq!(bad, Err(PermissionError::Subnet("nonsense".to_owned())));
    }
}
