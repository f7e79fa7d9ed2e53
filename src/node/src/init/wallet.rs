//! What the wallet side is told at the start. It is put together here because the wallet may be another process, which
//! reads no options itself.

use std::path::{Path, PathBuf};

use common::args::Args;
use common::chain::Chain;
use common::lossless;
use interfaces::{ProcessConfig, Setting};

/// Returns the wallet's configuration, or why `-walletdir` cannot be used.
pub(crate) fn config(args: &Args, chain: Chain, net_datadir: &Path) -> Result<ProcessConfig, String> {
    let wallet_dir = wallet_dir(args, net_datadir)?;
    // The wallet side gets names only, so what settings.json has in their place is refused here.
    if let Some(serde_json::Value::Array(wallets)) = args.dynamic_setting("wallet")
        && wallets.iter().any(|wallet| !wallet.is_string())
    {
        return Err("Invalid value detected for '-wallet' or '-nowallet'. '-wallet' requires a string value, while \
                    '-nowallet' accepts only '1' to disable all wallets"
            .to_owned());
    }
    let settings =
        args.effective_settings().into_iter().map(|(name, values)| Setting { name, values }).collect::<Vec<_>>();
    Ok(ProcessConfig {
        chain: chain.name().to_owned(),
        net_datadir: lossless::from_os(net_datadir),
        wallet_dir: lossless::from_os(&wallet_dir),
        settings,
    })
}

/// Says whether the wallet side will load the wallet without a name of its own accord: it does where no setting names
/// wallets, as it did before wallets had names.
pub(crate) fn loads_unnamed(args: &Args, config: &ProcessConfig) -> bool {
    !args.is_set("wallet") && lossless::to_path(&config.wallet_dir).join("wallet.dat").is_file()
}

fn wallet_dir(args: &Args, net_datadir: &Path) -> Result<PathBuf, String> {
    if !args.is_set("walletdir") {
        let wallets = net_datadir.join("wallets");
        return Ok(if wallets.is_dir() { wallets } else { net_datadir.to_owned() });
    }
    let given = args.get_path("walletdir", "").unwrap_or_default();
    let refuse = |what: &str| Err(format!("Specified -walletdir \"{}\" {what}", given.display()));
    match given.canonicalize() {
        Err(_) => refuse("does not exist"),
        Ok(path) if !path.is_dir() => refuse("is not a directory"),
        Ok(_) if !given.is_absolute() => refuse("is a relative path"),
        Ok(path) => Ok(path),
    }
}
