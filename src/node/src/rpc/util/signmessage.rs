//! `verifymessage` and `signmessagewithprivkey`.

use bitcoin::base64::Engine;
use bitcoin::base64::engine::general_purpose::STANDARD;
use bitcoin::key::Secp256k1;
use bitcoin::secp256k1::Message;
use bitcoin::sign_message::{MessageSignature, signed_msg_hash};
use bitcoin::{NetworkKind, PrivateKey, ScriptBuf};
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::json;

use crate::NodeContext;
use crate::rpc::support::parse_address;

pub(super) const VERIFY: Command<NodeContext> = Command {
    name: "verifymessage",
    category: "util",
    args: &[
        Arg::required("address", ArgType::Str, "The address whose key should have signed."),
        Arg::required("signature", ArgType::Str, "The signature in base 64 (see signmessage)."),
        Arg::required("message", ArgType::Str, "The message."),
    ],
    description: "Checks the signature of a message.",
    result: &[Res::bool("", "Whether the key of the address signed the message")],
    examples: &[
        example_cli!("verifymessage", "\"1D1ZrZNe3JUo7ZycKEYQQiQAWd9y54F4XX\" \"signature\" \"my message\""),
        example_rpc!("verifymessage", "\"1D1ZrZNe3JUo7ZycKEYQQiQAWd9y54F4XX\", \"signature\", \"my message\""),
    ],
    run: verify,
};

pub(super) const SIGN: Command<NodeContext> = Command {
    name: "signmessagewithprivkey",
    category: "util",
    args: &[
        Arg::required("privkey", ArgType::Str, "The private key to sign with."),
        Arg::required("message", ArgType::Str, "The message."),
    ],
    description: "Signs a message with a private key.",
    result: &[Res::str("signature", "The signature in base 64")],
    examples: &[
        example_cli!("signmessagewithprivkey", "\"privkey\" \"my message\""),
        example_rpc!("signmessagewithprivkey", "\"privkey\", \"my message\""),
    ],
    run: sign,
};

fn verify(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let script =
        parse_address(ctx, call.str("address")?).ok_or_else(|| RpcError::invalid_address_or_key("Invalid address"))?;
    if !script.is_p2pkh() {
        return Err(RpcError::type_error("Address does not refer to key"));
    }
    let bytes =
        STANDARD.decode(call.str("signature")?).map_err(|_| RpcError::type_error("Malformed base64 encoding"))?;
    let Ok(signature) = MessageSignature::from_slice(&bytes) else { return Ok(json!(false)) };
    let recovered = signature.recover_pubkey(&Secp256k1::new(), signed_msg_hash(call.str("message")?));
    Ok(json!(recovered.is_ok_and(|key| ScriptBuf::new_p2pkh(&key.pubkey_hash()) == script)))
}

fn sign(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let key = PrivateKey::from_wif(call.str("privkey")?)
        .ok()
        .filter(|key| key.network == NetworkKind::from(ctx.chain.network()))
        .ok_or_else(|| RpcError::invalid_address_or_key("Invalid private key"))?;
    let hash = signed_msg_hash(call.str("message")?);
    let message = Message::from_digest(*bitcoin::hashes::Hash::as_byte_array(&hash));
    let signature = Secp256k1::new().sign_ecdsa_recoverable(&message, &key.inner);
    Ok(json!(MessageSignature::new(signature, key.compressed).to_base64()))
}
