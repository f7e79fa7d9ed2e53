//! `getpeerinfo`.

use std::time::Duration;

use bitcoin::Amount;
use p2p::PeerInfo;
use rpc::{Call, Command, Res, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Map, Value, json};

use super::network;
use crate::NodeContext;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getpeerinfo",
    category: "network",
    args: &[],
    description: "Returns an entry for each connected node.",
    result: &[Res::arr("", "", &[Res::obj("", "", PEER)])],
    examples: &[example_cli!("getpeerinfo", ""), example_rpc!("getpeerinfo", "")],
    run,
};

const PEER: &[Res] = &[
    Res::num("id", "Number of the connection"),
    Res::str("addr", "Address and port of the peer, or its name as the connection was asked for"),
    Res::str("addrbind", "Our end of the connection").optional(),
    Res::str("addrlocal", "Our address as the peer sees it").optional(),
    Res::str("network", "Network (ipv4, ipv6, onion, i2p, cjdns, not_publicly_routable)"),
    Res::num("mapped_as", "Autonomous system of the peer, with -asmap").optional(),
    Res::hex("services", "Services the peer offers"),
    Res::arr("servicesnames", "Their names", &[Res::str("SERVICE_NAME", "Name of a service")]),
    Res::bool("relaytxes", "Whether the peer wants transactions"),
    Res::num("last_inv_sequence", "The mempool's sequence as of the last announcement to the peer"),
    Res::num("inv_to_send", "Transactions that wait to be announced to the peer"),
    Res::time("lastsend", "When bytes were last sent, in Unix seconds"),
    Res::time("lastrecv", "When bytes were last received, in Unix seconds"),
    Res::time("last_transaction", "When the last valid transaction came from the peer, in Unix seconds"),
    Res::time("last_block", "When the last block came from the peer, in Unix seconds"),
    Res::num("bytessent", "Bytes sent"),
    Res::num("bytesrecv", "Bytes received"),
    Res::time("conntime", "When the connection was made, in Unix seconds"),
    Res::num("timeoffset", "The peer's clock against ours, in seconds"),
    Res::num("pingtime", "Last round trip in seconds, if any").optional(),
    Res::num("minping", "Shortest round trip in seconds, if any").optional(),
    Res::num("pingwait", "For how many seconds the answer to a ping is awaited, if one is").optional(),
    Res::num("version", "Version of the peer"),
    Res::str("subver", "Name of the peer"),
    Res::bool("inbound", "Whether the peer made the connection"),
    Res::bool("bip152_hb_to", "Whether we asked the peer for compact blocks at high bandwidth"),
    Res::bool("bip152_hb_from", "Whether the peer asked us for compact blocks at high bandwidth"),
    Res::num(
        "presynced_headers",
        "Height up to which headers were checked before they are stored; -1 if that is not done",
    ),
    Res::num("synced_headers", "Height of the last header in common"),
    Res::num("synced_blocks", "Height of the last block in common"),
    Res::arr("inflight", "", &[Res::num("n", "Height of a block the peer is asked for")]),
    Res::bool("addr_relay_enabled", "Whether addresses are relayed with the peer"),
    Res::num("addr_processed", "Addresses taken from the peer"),
    Res::num("addr_rate_limited", "Addresses dropped because they were too many"),
    Res::arr(
        "permissions",
        "What the peer may do",
        &[Res::str("permission_type", "bloomfilter, noban, forcerelay, relay, mempool, download or addr")],
    ),
    Res::num("minfeefilter", "Least fee rate of transactions the peer wants"),
    Res::obj_dyn("bytessent_per_msg", "", &[Res::num("msg", "Bytes sent in messages of this type, if any")]),
    Res::obj_dyn(
        "bytesrecv_per_msg",
        "",
        &[Res::num("msg", "Bytes received in messages of this type, if any; of unknown types under \"*other*\"")],
    ),
    Res::str(
        "connection_type",
        "Why there is a connection: outbound-full-relay, block-relay-only, inbound, manual, addr-fetch, feeler or \
         private-broadcast",
    ),
    Res::str("transport_protocol_type", "Transport: detecting, v1 or v2"),
    Res::str("session_id", "Session of the v2 transport; empty otherwise"),
];

fn run(ctx: &NodeContext, _: &Call<'_>) -> RpcResult {
    Ok(network(ctx)?.peers().iter().map(describe).collect())
}

fn describe(peer: &PeerInfo) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
    let seconds = |time: Duration| json!(time.as_secs_f64());
    put("id", json!(peer.id));
    put("addr", json!(peer.name));
    if let Some(bind) = peer.bind {
        put("addrbind", json!(bind.to_string()));
    }
    if let Some(local) = peer.local {
        put("addrlocal", json!(local.to_string()));
    }
    put("network", json!(peer.family.name()));
    put("services", json!(format!("{:016x}", peer.services)));
    put("servicesnames", json!(p2p::services_names(peer.services)));
    put("relaytxes", json!(peer.relays_transactions));
    put("last_inv_sequence", json!(peer.last_inv_sequence));
    put("inv_to_send", json!(peer.inv_to_send));
    put("lastsend", json!(peer.last_send));
    put("lastrecv", json!(peer.last_receive));
    put("last_transaction", json!(peer.last_transaction));
    put("last_block", json!(peer.last_block));
    put("bytessent", json!(peer.bytes_sent));
    put("bytesrecv", json!(peer.bytes_received));
    put("conntime", json!(peer.connected));
    put("timeoffset", json!(peer.time_offset));
    for (key, time) in [("pingtime", peer.ping), ("minping", peer.min_ping), ("pingwait", peer.ping_wait)] {
        if let Some(time) = time {
            put(key, seconds(time));
        }
    }
    put("version", json!(peer.version));
    put("subver", json!(peer.user_agent));
    put("inbound", json!(peer.kind.is_inbound()));
    put("bip152_hb_to", json!(false));
    put("bip152_hb_from", json!(false));
    put("presynced_headers", json!(peer.presynced_headers));
    put("synced_headers", json!(peer.synced_headers));
    put("synced_blocks", json!(peer.synced_blocks));
    put("inflight", json!(peer.in_flight));
    put("addr_relay_enabled", json!(peer.address_relay));
    put("addr_processed", json!(peer.addresses_processed));
    put("addr_rate_limited", json!(peer.addresses_limited));
    put("permissions", json!(peer.permissions.names()));
    put("minfeefilter", values::amount(Amount::from_sat(peer.min_fee_filter)));
    put("bytessent_per_msg", json!(peer.sent_by_type));
    put("bytesrecv_per_msg", json!(peer.received_by_type));
    put("connection_type", json!(peer.kind.name()));
    put("transport_protocol_type", json!("v1"));
    put("session_id", json!(""));
    Value::Object(out)
}
