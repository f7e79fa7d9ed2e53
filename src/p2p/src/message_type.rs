//! The names of messages.

/// Messages by the name they have on the wire. Bytes are counted for each of these.
pub(crate) const ALL: &[&str] = &[
    "addr",
    "addrv2",
    "block",
    "blocktxn",
    "cfcheckpt",
    "cfheaders",
    "cfilter",
    "cmpctblock",
    "feature",
    "feefilter",
    "filteradd",
    "filterclear",
    "filterload",
    "getaddr",
    "getblocks",
    "getblocktxn",
    "getcfcheckpt",
    "getcfheaders",
    "getcfilters",
    "getdata",
    "getheaders",
    "headers",
    "inv",
    "mempool",
    "merkleblock",
    "notfound",
    "ping",
    "pong",
    "sendaddrv2",
    "sendcmpct",
    "sendheaders",
    "sendtxrcncl",
    "tx",
    "verack",
    "version",
    "wtxidrelay",
];

/// Under which name bytes of all other messages are counted.
pub(crate) const OTHER: &str = "*other*";

/// Returns the name bytes of a message are counted under.
pub(crate) fn counted(name: &str) -> &'static str {
    ALL.binary_search(&name).map_or(OTHER, |at| ALL[at])
}

/// Leaves out of a text from a peer what could disturb a log or a terminal.
pub(crate) fn sanitize(text: &[u8]) -> String {
    let safe = |c: &u8| c.is_ascii_alphanumeric() || b" .,;-_/:?@()".contains(c);
    text.iter().filter(|c| safe(c)).map(|c| char::from(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_for_the_search() {
        assert!(ALL.is_sorted());
        assert_eq!(counted("ping"), "ping");
        assert_eq!(counted("gnip"), OTHER);
        assert!(ALL.iter().all(|name| name.len() <= 12));
    }

    #[test]
    fn unsafe_characters_go() {
        assert_eq!(sanitize(b"/Satoshi:1.0(x)/\n\x1b[31m<b>"), "/Satoshi:1.0(x)/31mb");
    }
}
