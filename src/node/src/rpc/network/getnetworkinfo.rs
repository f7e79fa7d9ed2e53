//! `getnetworkinfo`.

use common::version;
use rpc::{Call, Command, Res, RpcResult, example_cli, example_rpc};
use serde_json::{Value, json};

use super::network;
use crate::NodeContext;
use crate::rpc::blockchain::getblockchaininfo::WARNINGS_DOC;
use crate::rpc::mempool::getmempoolinfo::feerate_json;
use crate::rpc::support::{engine_error, warnings};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getnetworkinfo",
    category: "network",
    args: &[],
    description: "Returns the state of the peer-to-peer network.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::num("version", "The version of the node"),
            Res::str("subversion", "The version as peers see it"),
            Res::num("protocolversion", "The version of the protocol"),
            Res::hex("localservices", "Services offered to the network"),
            Res::arr("localservicesnames", "Their names", &[Res::str("SERVICE_NAME", "Name of a service")]),
            Res::bool("localrelay", "Whether peers are asked for transactions"),
            Res::num("timeoffset", "Median difference to the clocks of peers, in seconds"),
            Res::num("connections", "Number of connections"),
            Res::num("connections_in", "Number of inbound connections"),
            Res::num("connections_out", "Number of outbound connections"),
            Res::bool("networkactive", "Whether networking is on"),
            Res::arr(
                "networks",
                "Each network",
                &[Res::obj(
                    "",
                    "",
                    &[
                        Res::str("name", "Network (ipv4, ipv6, onion, i2p, cjdns)"),
                        Res::bool("limited", "Whether it is shut out by -onlynet"),
                        Res::bool("reachable", "Whether it can be reached"),
                        Res::str("proxy", "The proxy (\"host:port\"), empty if none"),
                        Res::bool("proxy_randomize_credentials", "Whether proxy credentials are random"),
                    ],
                )],
            ),
            Res::num("relayfee", "Least fee rate in BTC/kvB of transactions that are relayed"),
            Res::num("incrementalfee", "Fee rate in BTC/kvB a replacement must add"),
            Res::arr(
                "localaddresses",
                "Own addresses",
                &[Res::obj(
                    "",
                    "",
                    &[Res::str("address", "The address"), Res::num("port", "The port"), Res::num("score", "Its score")],
                )],
            ),
            WARNINGS_DOC,
        ],
    )],
    examples: &[example_cli!("getnetworkinfo", ""), example_rpc!("getnetworkinfo", "")],
    run,
};

fn run(ctx: &NodeContext, _: &Call<'_>) -> RpcResult {
    let info = ctx.kernel.mempool_info().map_err(engine_error)?;
    let network = network(ctx)?;
    let (inbound, outbound) = network.counts();
    let services = network.services();
    let networks: Value = ["ipv4", "ipv6", "onion", "i2p", "cjdns"]
        .iter()
        .map(|name| {
            let reachable = name.starts_with("ipv");
            json!({
                "name": name,
                "limited": !reachable,
                "reachable": reachable,
                "proxy": "",
                "proxy_randomize_credentials": false,
            })
        })
        .collect();
    Ok(json!({
        "version": version::CLIENT_VERSION,
        "subversion": version::subversion(&ctx.args.get_all("uacomment")),
        "protocolversion": p2p::PROTOCOL_VERSION,
        "localservices": format!("{services:016x}"),
        "localservicesnames": p2p::services_names(services),
        "localrelay": network.relays_transactions(),
        "timeoffset": network.time_offset(),
        "networkactive": network.is_active(),
        "connections": inbound + outbound,
        "connections_in": inbound,
        "connections_out": outbound,
        "networks": networks,
        "relayfee": feerate_json(info.min_relay_fee),
        "incrementalfee": feerate_json(info.incremental_fee),
        "localaddresses": [],
        "warnings": warnings(ctx),
    }))
}
