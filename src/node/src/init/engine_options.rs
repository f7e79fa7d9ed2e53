//! Turns options of the command line into those of the engine. Separate from the start sequence because every value
//! here can be refused, and all are checked before anything is opened.

use bitcoin::hex::FromHex;
use common::args::Args;
use common::chain::Chain;
use kernel::{FeeRate, MempoolOptions, Options, VersionBitsParameters};

use super::{Paths, money};
use crate::ui;

/// Least database cache in MiB.
const MIN_DB_CACHE: i64 = 4;
/// Database cache in MiB unless told otherwise, and where there is enough memory; so many bytes are enough.
const DB_CACHE: i64 = 450;
const LARGE_DB_CACHE: i64 = 1024;
const LARGE_MEMORY: u64 = 4 << 30;
/// Bytes of memory that are left for everything else before a larger database cache is found too large.
const OTHER_MEMORY: u64 = 2 << 30;
/// Least pruning target in MiB.
const MIN_PRUNE_TARGET: i64 = 550;
/// Most transactions a cluster may be allowed to hold.
const MAX_CLUSTER_COUNT: u32 = 64;
/// Deployments that can be given parameters with `-vbparams`.
const VERSION_BITS_DEPLOYMENTS: [&str; 1] = ["testdummy"];
/// Deployments that can be given heights with `-testactivationheight`.
const BURIED_DEPLOYMENTS: [&str; 5] = ["segwit", "bip34", "dersig", "cltv", "csv"];

/// Reads the options that change a chain's rules, for tests. They are refused before anything else is looked at.
pub(crate) fn check_chain_options(args: &Args, chain: Chain) -> Result<(), String> {
    activation_heights(args)?;
    version_bits(args)?;
    if chain == Chain::Signet {
        signet_challenge(args)?;
    }
    Ok(())
}

/// Returns the engine's options.
pub(crate) fn read(args: &Args, chain: Chain, paths: &Paths) -> Result<Options, String> {
    let mut options = Options::new(engine_chain(chain), &paths.net_datadir);
    options.blocks_dir = paths.blocks_dir.clone();
    if chain == Chain::Signet {
        options.signet_challenge = signet_challenge(args)?;
    }
    options.version_bits = version_bits(args)?;
    options.activation_heights = activation_heights(args)?;
    options.bip94 = args.get_all("test").iter().any(|option| option == "bip94");
    if args.is_set("checkblockindex") {
        // A bare -checkblockindex means every time.
        let bare = args.get("checkblockindex").is_some_and(|value| value.is_empty());
        options.check_block_index = Some(if bare { 1 } else { clamp_i32(args.get_int("checkblockindex")) });
    }
    if let Some(value) = args.get("minimumchainwork") {
        let work = user_hash(&value)
            .ok_or_else(|| format!("Invalid minimum work specified ({value}), must be up to 64 hex digits"))?;
        options.minimum_chain_work = Some(bitcoin::Work::from_be_bytes(work));
    }
    if let Some(value) = args.get("assumevalid") {
        let mut hash = user_hash(&value).ok_or_else(|| {
            format!("Invalid assumevalid block hash specified ({value}), must be up to 64 hex digits (or 0 to disable)")
        })?;
        hash.reverse();
        options.assume_valid = Some(bitcoin::hashes::Hash::from_byte_array(hash));
    }
    if args.is_set("maxtipage") {
        options.max_tip_age = args.get_int("maxtipage");
    }
    if args.is_set("dbbatchsize") {
        options.db_batch = args.get_int("dbbatchsize").max(0).unsigned_abs();
    }
    options.crash_ratio = args.is_set("dbcrashratio").then(|| clamp_i32(args.get_int("dbcrashratio")));
    options.force_compact = args.get_bool("forcecompactdb");
    options.par = clamp_i32(args.get_int("par"));
    if args.is_set("prevoutfetchthreads") {
        let threads = args.get_int("prevoutfetchthreads");
        if threads < 0 {
            return Err(format!(
                "-prevoutfetchthreads must be non-negative (got {threads}). Use 0 to disable parallel input fetching."
            ));
        }
        options.prevout_fetch_threads = clamp_i32(threads);
    }
    if args.is_set("maxsigcachesize") {
        options.signature_cache = mebibytes(args.get_int("maxsigcachesize"));
    }
    if args.is_set("blocksxor") {
        options.blocks_xor = args.get_bool("blocksxor");
    }
    options.prune = prune(args)?;
    options.fast_prune = args.get_bool("fastprune");
    options.db_cache = db_cache(args);
    options.reindex = args.get_bool("reindex");
    options.reindex_chainstate = args.get_bool("reindex-chainstate");
    options.check_blocks = args.is_set("checkblocks").then(|| args.get_int("checkblocks"));
    options.check_level = args.is_set("checklevel").then(|| args.get_int("checklevel"));
    if args.is_set("stopatheight") {
        options.stop_at_height = u32::try_from(args.get_int("stopatheight")).ok().filter(|height| *height != 0);
    }
    options.mempool = mempool(args, chain)?;
    Ok(options)
}

/// Returns how many bytes databases and UTXO set may take; tells the user if that is more than the system can well spare.
fn db_cache(args: &Args) -> u64 {
    let memory = total_memory();
    let default = if memory.is_some_and(|memory| memory >= LARGE_MEMORY) { LARGE_DB_CACHE } else { DB_CACHE };
    let Some(given) = args.opt_int("dbcache") else { return mebibytes(default) };
    let bytes = mebibytes(given.max(MIN_DB_CACHE));
    if let Some(memory) = memory
        && bytes > mebibytes(DB_CACHE).max(memory.saturating_sub(OTHER_MEMORY) / 4 * 3)
    {
        ui::warning(&format!(
            "A {} MiB dbcache may be too large for a system memory of only {} MiB.",
            bytes >> 20,
            memory >> 20
        ));
    }
    bytes
}

/// Returns the bytes of memory the system has, if it says.
fn total_memory() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        let info = rustix::system::sysinfo();
        Some(info.totalram as u64 * u64::from(info.mem_unit))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

fn engine_chain(chain: Chain) -> kernel::Chain {
    match chain {
        Chain::Main => kernel::Chain::Main,
        Chain::Test => kernel::Chain::Test,
        Chain::Testnet4 => kernel::Chain::Testnet4,
        Chain::Signet => kernel::Chain::Signet,
        Chain::Regtest => kernel::Chain::Regtest,
    }
}

fn prune(args: &Args) -> Result<u64, String> {
    let target = args.get_int("prune");
    match target {
        ..0 => Err("Prune cannot be configured with a negative value.".to_owned()),
        2..MIN_PRUNE_TARGET => {
            Err(format!("Prune configured below the minimum of {MIN_PRUNE_TARGET} MiB.  Please use a higher number."))
        }
        _ => Ok(target.unsigned_abs()),
    }
}

fn mempool(args: &Args, chain: Chain) -> Result<MempoolOptions, String> {
    let mut options = MempoolOptions::default();
    if args.is_set("checkmempool") {
        options.check_ratio = Some(clamp_i32(args.get_int("checkmempool")));
    }
    if args.is_set("maxmempool") {
        options.max_size = args.get_int("maxmempool").max(0).unsigned_abs().saturating_mul(1_000_000);
    }
    if args.is_set("mempoolexpiry") {
        options.expiry = args.get_int("mempoolexpiry").saturating_mul(3600);
    }
    if let Some(rate) = fee_rate(args, "incrementalrelayfee")? {
        options.incremental_fee = rate;
    }
    options.min_relay_fee = fee_rate(args, "minrelaytxfee")?;
    if let Some(rate) = fee_rate(args, "dustrelayfee")? {
        options.dust_fee = rate;
    }
    options.bytes_per_sigop = u32::try_from(args.get_int("bytespersigop").max(0)).unwrap_or(u32::MAX);
    options.permit_bare_multisig = args.get_bool("permitbaremultisig");
    options.max_datacarrier = match args.get_bool("datacarrier") {
        true if args.is_set("datacarriersize") => {
            Some(u32::try_from(args.get_int("datacarriersize").max(0)).unwrap_or(u32::MAX))
        }
        true => options.max_datacarrier,
        false => None,
    };
    options.require_standard = !args.get_bool("acceptnonstdtxn");
    if chain == Chain::Main && !options.require_standard {
        return Err(format!("acceptnonstdtxn is not currently supported for {} chain", chain.name()));
    }
    let count = |name: &str, default: u64| match args.is_set(name) {
        true => args.get_int(name).max(0).unsigned_abs(),
        false => default,
    };
    if let Some(clusters) = args.opt_int("limitclustercount") {
        options.cluster_count = u32::try_from(clusters)
            .ok()
            .filter(|clusters| *clusters <= MAX_CLUSTER_COUNT)
            .ok_or_else(|| format!("limitclustercount must be less than or equal to {MAX_CLUSTER_COUNT}"))?;
    }
    if args.is_set("limitclustersize") {
        options.cluster_size = args.get_int("limitclustersize").max(0).unsigned_abs().saturating_mul(1000);
    }
    options.ancestor_count = count("limitancestorcount", options.ancestor_count);
    options.descendant_count = count("limitdescendantcount", options.descendant_count);
    Ok(options)
}

fn fee_rate(args: &Args, name: &str) -> Result<Option<FeeRate>, String> {
    let Some(value) = args.get(name) else { return Ok(None) };
    match money::parse(&value) {
        Some(rate) => Ok(Some(FeeRate::from_sat_per_kvb(rate))),
        None => Err(format!("Invalid amount for -{name}=<amount>: '{value}'")),
    }
}

fn activation_heights(args: &Args) -> Result<Vec<(String, u32)>, String> {
    let read = |arg: &String| {
        let form = "-testactivationheight=name@height.";
        let (name, height) = arg.split_once('@').ok_or_else(|| format!("Invalid format ({arg}) for {form}"))?;
        let height = height
            .parse::<u32>()
            .ok()
            .filter(|height| *height < i32::MAX.unsigned_abs())
            .ok_or_else(|| format!("Invalid height value ({arg}) for {form}"))?;
        if !BURIED_DEPLOYMENTS.contains(&name) {
            return Err(format!("Invalid name ({arg}) for {form}"));
        }
        Ok((name.to_owned(), height))
    };
    args.get_all("testactivationheight").iter().map(read).collect()
}

fn version_bits(args: &Args) -> Result<Vec<VersionBitsParameters>, String> {
    let read = |arg: &String| {
        let parts: Vec<&str> = arg.split(':').collect();
        if !(3..=4).contains(&parts.len()) {
            return Err(
                "Version bits parameters malformed, expecting deployment:start:end[:min_activation_height]".to_owned()
            );
        }
        let start_time = parts[1].parse().map_err(|_| format!("Invalid nStartTime ({})", parts[1]))?;
        let timeout = parts[2].parse().map_err(|_| format!("Invalid nTimeout ({})", parts[2]))?;
        let min_activation_height = match parts.get(3) {
            Some(height) => height.parse().map_err(|_| format!("Invalid min_activation_height ({height})"))?,
            None => 0,
        };
        if !VERSION_BITS_DEPLOYMENTS.contains(&parts[0]) {
            return Err(format!("Invalid deployment ({})", parts[0]));
        }
        Ok(VersionBitsParameters { deployment: parts[0].to_owned(), start_time, timeout, min_activation_height })
    };
    args.get_all("vbparams").iter().map(read).collect()
}

fn signet_challenge(args: &Args) -> Result<Option<Vec<u8>>, String> {
    match args.get_all("signetchallenge").as_slice() {
        [] => Ok(None),
        [challenge] => match Vec::from_hex(challenge) {
            Ok(script) => Ok(Some(script)),
            Err(_) => Err(format!("-signetchallenge must be hex, not '{challenge}'.")),
        },
        _ => Err("-signetchallenge cannot be multiple values.".to_owned()),
    }
}

/// Reads up to 64 hex digits, with or without `0x`, as 32 bytes in the order written; missing digits are leading zeros.
fn user_hash(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.len() > 64 {
        return None;
    }
    <[u8; 32]>::from_hex(&format!("{digits:0>64}")).ok()
}

fn mebibytes(count: i64) -> u64 {
    count.max(0).unsigned_abs().saturating_mul(1 << 20)
}

fn clamp_i32(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_users_write_them() {
        assert_eq!(user_hash("0"), Some([0; 32]));
        let mut one = [0; 32];
        one[31] = 1;
        assert_eq!(user_hash("0x1"), Some(one));
        assert_eq!(user_hash(&"f".repeat(64)), Some([0xff; 32]));
        assert_eq!(user_hash(&"0".repeat(65)), None);
        assert_eq!(user_hash("xyz"), None);
    }
}
