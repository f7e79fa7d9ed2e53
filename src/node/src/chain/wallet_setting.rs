//! The list of wallets that are loaded at start-up, in `settings.json`.

use common::args::{Args, ArgsError};
use interfaces::WalletSettingUpdate;
use serde_json::Value;

/// Puts a wallet on the list or takes it off; a list that says so already is not written. Where there is no list,
/// `unnamed` says that the wallet without a name is loaded all the same, and so is part of the first one.
pub(super) fn update(args: &Args, unnamed: bool, update: &WalletSettingUpdate) -> Result<(), ArgsError> {
    let first = || unnamed.then(|| Value::Array(vec!["".into()]));
    let before = args.dynamic_setting("wallet").or_else(first);
    let after = changed(before.as_ref(), update);
    if before == after {
        return Ok(());
    }
    // Asked again under the lock: another wallet may have been added in between.
    args.update_setting_with("wallet", |before| changed(before.or_else(first).as_ref(), update))
}

/// Returns the list with the change made; what is no list counts as an empty one only when something is added.
fn changed(before: Option<&Value>, update: &WalletSettingUpdate) -> Option<Value> {
    let is_it = |entry: &Value| entry.as_str() == Some(&update.name);
    match (before, update.load_on_startup) {
        (Some(Value::Array(list)), true) if list.iter().any(is_it) => before.cloned(),
        (Some(Value::Array(list)), true) => {
            let mut list = list.clone();
            list.push(update.name.clone().into());
            Some(Value::Array(list))
        }
        (_, true) => Some(Value::Array(vec![update.name.clone().into()])),
        (Some(Value::Array(list)), false) => {
            Some(Value::Array(list.iter().filter(|entry| !is_it(entry)).cloned().collect()))
        }
        (_, false) => before.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_to_the_list() {
        let check = |before: Option<Value>, name: &str, load: bool, expected: Option<Value>| {
            let update = WalletSettingUpdate { name: name.to_owned(), load_on_startup: load };
            assert_eq!(changed(before.as_ref(), &update), expected, "{before:?} {name} {load}");
        };
        check(None, "a", true, Some(json!(["a"])));
        check(None, "a", false, None);
        check(Some(json!(["a"])), "a", true, Some(json!(["a"])));
        check(Some(json!(["a"])), "", true, Some(json!(["a", ""])));
        check(Some(json!(["a", "b"])), "a", false, Some(json!(["b"])));
        check(Some(json!(["a"])), "a", false, Some(json!([])));
        check(Some(json!("x")), "a", true, Some(json!(["a"])));
        check(Some(json!("x")), "a", false, Some(json!("x")));
    }
}
