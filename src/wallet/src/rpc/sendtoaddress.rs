//! `sendtoaddress`

use rpc::command::{example_cli, example_cli_named, example_rpc};
use rpc::{Arg, ArgType, Call, Command, Default as ArgDefault, Res, RpcError, json};
use serde_json::json as object;

use super::{CATEGORY, avoid_reuse, parse_address, synced_wallet};
use crate::fees::{FeeWish, Rate};
use crate::loader::Loader;
use crate::wallet::spend::{Payment, Recipient};

/// Longest confirmation target, blocks.
const MAX_TARGET: i64 = 1008;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "sendtoaddress",
    category: CATEGORY,
    args: &[
        Arg::required("address", ArgType::Str, "The bitcoin address to send to."),
        Arg::required("amount", ArgType::Amount, "The amount in BTC to send. eg 0.1"),
        Arg::optional("comment", ArgType::Str, "What it is for; kept in the wallet, not part of the transaction."),
        Arg::optional("comment_to", ArgType::Str, "Whom it is for; kept in the wallet, not part of the transaction."),
        Arg::or("subtractfeefromamount", ArgType::Bool, "false", "Take the fee from the amount."),
        Arg::new(
            "replaceable",
            ArgType::Bool,
            ArgDefault::Hint("wallet default"),
            "Signal that it may be replaced (BIP125)",
        ),
        Arg::new(
            "conf_target",
            ArgType::Num,
            ArgDefault::Hint("wallet -txconfirmtarget"),
            "Confirmation target in blocks",
        ),
        Arg::or(
            "estimate_mode",
            ArgType::Str,
            "\"unset\"",
            "The fee estimate mode: unset, economical or conservative.",
        ),
        Arg::or(
            "avoid_reuse",
            ArgType::Bool,
            "true",
            "Leave coins on used addresses alone (only in wallets with avoid_reuse).",
        ),
        Arg::new(
            "fee_rate",
            ArgType::Amount,
            ArgDefault::Hint("not set, fall back to wallet fee estimation"),
            "Fee rate in sat/vB.",
        ),
        Arg::or("verbose", ArgType::Bool, "false", "Return more than the transaction id."),
    ],
    description: "Sends an amount to an address.\nRequires wallet passphrase to be set with walletpassphrase call if wallet is encrypted.",
    result: &[
        Res::hex("txid", "The transaction id.").when("if verbose is not set or set to false"),
        Res::obj(
            "",
            "",
            &[Res::hex("txid", "The transaction id."), Res::str("fee_reason", "Where the fee rate comes from.")],
        )
        .when("if verbose is set to true"),
    ],
    examples: &[
        example_cli!("sendtoaddress", "\"bc1q09vm5lfy0j5reeulh4x5752q25uqqvz34hufdl\" 0.1"),
        example_cli_named!(
            "sendtoaddress",
            "address=\"bc1q09vm5lfy0j5reeulh4x5752q25uqqvz34hufdl\" amount=0.5 fee_rate=25"
        ),
        example_rpc!("sendtoaddress", "\"bc1q09vm5lfy0j5reeulh4x5752q25uqqvz34hufdl\", 0.1"),
    ],
    run: |loader, call| {
        let wallet = synced_wallet(loader, call)?;
        let text = |name: &str| -> Result<Option<String>, RpcError> {
            Ok(call.opt_str(name)?.filter(|text| !text.is_empty()).map(str::to_owned))
        };
        let texts = [("comment", text("comment")?), ("to", text("comment_to")?)];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
        let avoid = avoid_reuse(&wallet.state(), call)?;
        let fee = fee_wish(call)?;
        wallet.state().ensure_unlocked()?;
        let address = call.str("address")?;
        let script = parse_address(address, loader.options.network)
            .ok_or_else(|| RpcError::invalid_address_or_key(format!("Invalid Bitcoin address: {address}")))?
            .script_pubkey();
        let amount = call.amount("amount")?;
        let recipient = Recipient { script, amount, subtract_fee: call.bool("subtractfeefromamount")? };
        let payment = Payment { recipients: vec![recipient], fee, avoid_reuse: avoid, texts };
        let (txid, reason) = wallet.pay(&payment)?;
        if call.bool("verbose")? {
            return Ok(object!({"txid": txid.to_string(), "fee_reason": reason.text()}));
        }
        Ok(txid.to_string().into())
    },
}];

fn fee_wish(call: &Call<'_>) -> Result<FeeWish, RpcError> {
    let mut wish = FeeWish { replaceable: call.opt_bool("replaceable")?, ..FeeWish::default() };
    let mode = call.str("estimate_mode")?.to_lowercase();
    if call.has("fee_rate") {
        if call.has("conf_target") {
            return Err(RpcError::invalid_parameter(
                "Cannot specify both conf_target and fee_rate. Please provide either a confirmation target in blocks \
                 for automatic fee estimation, or an explicit fee rate.",
            ));
        }
        if mode != "unset" {
            return Err(RpcError::invalid_parameter("Cannot specify both estimate_mode and fee_rate"));
        }
        // Satoshi per virtual byte with three decimals is satoshi per thousand of them.
        wish.rate = Some(Rate::from_sat_per_kvb(json::parse_amount_decimals(call.value("fee_rate"), 3)?.to_sat()));
        wish.replaceable = wish.replaceable.or(Some(true));
        return Ok(wish);
    }
    wish.conservative = match mode.as_str() {
        "unset" => None,
        "economical" => Some(false),
        "conservative" => Some(true),
        _ => {
            return Err(RpcError::invalid_parameter(
                "Invalid estimate_mode parameter, must be one of: \"unset\", \"economical\", \"conservative\"",
            ));
        }
    };
    if let Some(target) = call.opt_i64("conf_target")? {
        if !(1..=MAX_TARGET).contains(&target) {
            return Err(RpcError::invalid_parameter(format!(
                "Invalid conf_target, must be between 1 and {MAX_TARGET}"
            )));
        }
        wish.target = u32::try_from(target).ok();
    }
    Ok(wish)
}
