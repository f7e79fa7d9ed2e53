//! Opens the log and begins it with where everything is, so that a log tells by itself which node it is of.

use common::args::Args;

use super::Failure;
use crate::ui;

/// Opens the log and begins it with where everything is.
pub(super) fn open(args: &Args) -> Result<(), Failure> {
    let options = common::logging::options(args);
    common::logging::start(&options).map_err(|error| error.to_string())?;
    if !args.get_bool("logtimestamps") {
        log::info!("Startup time: {}", common::time::iso8601(common::clock::now()));
    }
    log::info!("Default data directory {}", common::datadir::default_datadir().display());
    log::info!("Using data directory {}", args.net_datadir().display());
    match args.config_file_path() {
        None => log::info!("Config file: <disabled>"),
        Some(path) if path.is_dir() => log::warn!("Config file: {} (is directory, not file)", path.display()),
        Some(path) if path.exists() => log::info!("Config file: {}", path.display()),
        Some(path) if args.is_set("conf") => {
            ui::warning(&format!("The specified config file {} does not exist", path.display()));
        }
        Some(path) => log::info!("Config file: {} (not found, skipping)", path.display()),
    }
    args.log_args();
    if let Some(path) = args.get_path("datadir", "").filter(|path| args.is_set("datadir") && !path.is_absolute()) {
        log::warn!(
            "Relative datadir option '{}' specified, which will be interpreted relative to the current working \
             directory '{}'. This is fragile, because if bitcoin is started in the future from a different location, \
             it will be unable to locate the current data files. There could also be data loss if bitcoin is started \
             while in a temporary directory.",
            path.display(),
            std::env::current_dir().unwrap_or_default().display()
        );
    }
    if !options.rate_limit {
        log::info!("Log rate limiting disabled");
    }
    Ok(())
}
