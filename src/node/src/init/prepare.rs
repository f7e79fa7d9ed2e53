//! Settles the options and checks them, the directories and the limits, before anything is started. What a background
//! process checks before it goes to the background is exactly this.

use bitcoin::hex::DisplayHex;
use common::args::Args;
use common::chain::Chain;

use super::{Failure, Paths, checks, engine_log, engine_options, fd_limit, interaction};
use crate::ui;

/// What is settled before anything is started.
pub(super) struct Checked {
    pub connections: fd_limit::Connections,
    pub paths: Paths,
    pub options: kernel::Options,
}

/// Settles options, and checks them and the directories.
pub(super) fn check(args: &Args) -> Result<Checked, Failure> {
    args.soft_set("server", "1");
    log_version();
    interaction::apply(args);
    let connections = check_options(args, args.chain())?;
    let paths = paths(args)?;
    let options = engine_options::read(args, args.chain(), &paths)?;
    p2p::upload_target(args).map_err(|error| error.to_string())?;
    for directory in [&paths.net_datadir, &paths.blocks_dir] {
        common::datadir::probe(directory).map_err(|error| Failure::Error(error.to_string()))?;
    }
    Ok(Checked { connections, paths, options })
}

fn log_version() {
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    log::info!("{} version {} ({build} build)", common::version::CLIENT_NAME, common::version::full_version());
}

fn check_options(args: &Args, chain: Chain) -> Result<fd_limit::Connections, Failure> {
    let errors = args.section_errors();
    if !errors.is_empty() {
        return Err(Failure::Error(errors.iter().map(|error| format!("{error}\n")).collect()));
    }
    if chain == Chain::Test {
        log::info!(
            "Warning: Support for testnet3 is deprecated and will be removed in an upcoming release. Consider \
             switching to testnet4."
        );
    }
    if chain == Chain::Signet
        && let Some(start) = crate::signet::message_start(&crate::signet::challenge(args))
    {
        log::info!("Signet derived magic (message start): {}", start.to_lower_hex_string());
    }
    let warnings: String = args.section_warnings().iter().map(|warning| format!("{warning}\n")).collect();
    if !warnings.is_empty() {
        ui::warning(&warnings);
    }
    checks::check(args, chain)?;
    let connections = fd_limit::raise(args)?;
    common::logging::configure_categories(args).map_err(|error| error.to_string())?;
    engine_log::follow_categories();
    log::info!("Log output may contain privacy-sensitive information. Be cautious when sharing logs.");
    if args.is_set("mocktime") {
        let time = Some(args.get_int("mocktime")).filter(|time| *time != 0);
        common::clock::set_mock_time(time);
        kernel::set_mock_time(time);
    }
    Ok(connections)
}

fn paths(args: &Args) -> Result<Paths, Failure> {
    let blocks_dir = args
        .blocks_dir()
        .ok_or_else(|| format!("Specified blocks directory \"{}\" does not exist.", args.get_str("blocksdir")))?;
    std::fs::create_dir_all(&blocks_dir)
        .map_err(|error| format!("cannot create directory {}: {error}", blocks_dir.display()))?;
    Ok(Paths { net_datadir: args.net_datadir(), blocks_dir })
}
