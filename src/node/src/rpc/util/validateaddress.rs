//! `validateaddress`.

use bitcoin::Network;
use rpc::{Arg, ArgType, Command, Res, example_cli, example_rpc};
use serde_json::{Map, Value, json};

use crate::NodeContext;
use crate::rpc::shape::address;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "validateaddress",
    category: "util",
    args: &[Arg::required("address", ArgType::Str, "The bitcoin address to validate")],
    // Clients match on this sentence.
    description: "Return information about the given bitcoin address.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::bool("isvalid", "Whether the address is valid"),
            Res::str("address", "The address as it is usually written").optional(),
            Res::hex("scriptPubKey", "The output script in hex").optional(),
            Res::bool("isscript", "Whether it stands for a script").optional(),
            Res::bool("iswitness", "Whether it is a witness address").optional(),
            Res::num("witness_version", "The version of the witness program").optional(),
            Res::hex("witness_program", "The witness program in hex").optional(),
            Res::str("error", "What is wrong").optional(),
            Res::arr(
                "error_locations",
                "Positions in the address that are probably wrong, if known",
                &[Res::num("index", "A position")],
            )
            .optional(),
        ],
    )],
    examples: &[
        example_cli!("validateaddress", "\"bc1q09vm5lfy0j5reeulh4x5752q25uqqvz34hufdl\""),
        example_rpc!("validateaddress", "\"bc1q09vm5lfy0j5reeulh4x5752q25uqqvz34hufdl\""),
    ],
    run: |ctx, call| Ok(validate(call.str("address")?, ctx.chain.network())),
};

fn validate(text: &str, network: Network) -> Value {
    let mut out = Map::new();
    match address::decode(text, network) {
        Ok(script) => {
            out.insert("isvalid".into(), json!(true));
            out.insert("address".into(), json!(address::encode(&script, network)));
            out.insert("scriptPubKey".into(), json!(script.to_hex_string()));
            out.extend(address::describe(&script));
        }
        Err(error) => {
            out.insert("isvalid".into(), json!(false));
            out.insert("error_locations".into(), json!(error.positions));
            out.insert("error".into(), json!(error.message));
        }
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        assert_eq!(
            validate("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", Network::Bitcoin).to_string(),
            r#"{"isvalid":false,"error_locations":[41],"error":"Invalid Bech32 checksum"}"#
        );
        assert_eq!(
            validate("bc1pfeessrawgf", Network::Bitcoin).to_string(),
            r#"{"isvalid":true,"address":"bc1pfeessrawgf","scriptPubKey":"51024e73","isscript":true,"iswitness":true}"#
        );
    }
}
