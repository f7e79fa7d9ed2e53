// The engine's life: options, loading, importing, flushing, stopping.

#include "state.h"

#include <dbwrapper.h>
#include <deploymentinfo.h>
#include <kernel/checks.h>
#include <kernel/context.h>
#include <node/blockstorage.h>
#include <node/chainstate.h>
#include <policy/settings.h>
#include <util/byte_units.h>
#include <util/fs.h>
#include <util/fs_helpers.h>
#include <util/log.h>
#include <util/task_runner.h>
#include <util/translation.h>

#include <chrono>
#include <stdexcept>
#include <utility>

namespace bridge {
namespace {
//! Lets the engine's signals use our queue.
class QueueRunner : public util::TaskRunnerInterface
{
public:
    explicit QueueRunner(EventQueue& queue) : m_queue{queue} {}
    void insert(std::function<void()> func) override { m_queue.insert(std::move(func)); }
    void flush() override { m_queue.drain(); }
    size_t size() override { return m_queue.size(); }

private:
    EventQueue& m_queue;
};

//! An option the engine has no use for.
struct BadOption : std::runtime_error {
    using std::runtime_error::runtime_error;
};

fs::path to_path(const rust::Vec<std::uint8_t>& bytes)
{
    return fs::PathFromString({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

CChainParams::DeploymentOptions deployment_options(const LoadOptions& options)
{
    CChainParams::DeploymentOptions deployments{};
    for (const ActivationHeight& entry : options.activation_heights) {
        const std::string name{entry.deployment};
        const auto buried = GetBuriedDeployment(name);
        if (!buried) throw BadOption("Invalid name (" + name + "@" + std::to_string(entry.height) + ") for -testactivationheight=name@height.");
        deployments.activation_heights[*buried] = entry.height;
    }
    for (const VersionBits& entry : options.version_bits) {
        const std::string name{entry.deployment};
        bool found{false};
        for (std::size_t i = 0; i < VersionBitsDeploymentInfo.size(); ++i) {
            if (name != VersionBitsDeploymentInfo[i].name) continue;
            deployments.version_bits_parameters[Consensus::DeploymentPos(i)] = {
                .start_time = entry.start_time,
                .timeout = entry.timeout,
                .min_activation_height = entry.min_activation_height,
            };
            LogInfo("Setting version bits activation parameters for %s to start=%ld, timeout=%ld, min_activation_height=%d",
                    name, entry.start_time, entry.timeout, entry.min_activation_height);
            found = true;
        }
        if (!found) throw BadOption("Invalid deployment (" + name + ")");
    }
    return deployments;
}

std::unique_ptr<const CChainParams> chain_params(const LoadOptions& options)
{
    auto deployments{deployment_options(options)};
    switch (options.chain) {
    case 0: return CChainParams::Main({.dep_opts = std::move(deployments)});
    case 1: return CChainParams::TestNet({.dep_opts = std::move(deployments)});
    case 2: return CChainParams::TestNet4({.dep_opts = std::move(deployments)});
    case 3: {
        CChainParams::SigNetOptions signet{.dep_opts = std::move(deployments)};
        if (options.has_signet_challenge) {
            signet.challenge.emplace(options.signet_challenge.begin(), options.signet_challenge.end());
        }
        return CChainParams::SigNet(signet);
    }
    case 4:
        return CChainParams::RegTest({
            .dep_opts = std::move(deployments),
            .fastprune = options.fast_prune,
            .enforce_bip94 = options.bip94,
        });
    default: throw BadOption("unknown chain");
    }
}

CTxMemPool::Options mempool_options(const LoadOptions& options, const CChainParams& params, ValidationSignals& signals)
{
    const MempoolLimits& given{options.mempool};
    if (!params.IsTestChain() && !given.require_standard) {
        throw BadOption("acceptnonstdtxn is not currently supported for " + params.GetChainTypeString() + " chain");
    }
    if (given.cluster_count > MAX_CLUSTER_COUNT_LIMIT) {
        throw BadOption("limitclustercount must be less than or equal to " + std::to_string(MAX_CLUSTER_COUNT_LIMIT));
    }
    CTxMemPool::Options mempool{
        .check_ratio = given.check_ratio >= 0 ? given.check_ratio : (params.DefaultConsistencyChecks() ? 1 : 0),
        .signals = &signals,
    };
    // The engine keeps this one for the whole process.
    ::nBytesPerSigOp = given.bytes_per_sigop;
    mempool.max_size_bytes = given.max_size;
    mempool.expiry = std::chrono::seconds{given.expiry};
    mempool.incremental_relay_feerate = CFeeRate{given.incremental_fee};
    if (given.min_relay_fee >= 0) {
        mempool.min_relay_feerate = CFeeRate{given.min_relay_fee};
    } else if (mempool.incremental_relay_feerate > mempool.min_relay_feerate) {
        mempool.min_relay_feerate = mempool.incremental_relay_feerate;
        LogInfo("Increasing minrelaytxfee to %s to match incrementalrelayfee", mempool.min_relay_feerate.ToString());
    }
    mempool.dust_relay_feerate = CFeeRate{given.dust_fee};
    mempool.max_datacarrier_bytes = given.has_datacarrier ? std::optional<unsigned>{given.max_datacarrier} : std::nullopt;
    mempool.permit_bare_multisig = given.permit_bare_multisig;
    mempool.require_standard = given.require_standard;
    mempool.limits.cluster_count = given.cluster_count;
    mempool.limits.cluster_size_vbytes = given.cluster_size;
    mempool.limits.ancestor_count = given.ancestor_count;
    mempool.limits.descendant_count = given.descendant_count;
    return mempool;
}

ChainstateManager::Options chainman_options(const State& state)
{
    const LoadOptions& given{state.options};
    ChainstateManager::Options options{
        .chainparams = *state.params,
        .datadir = to_path(given.net_datadir),
        .notifications = *state.relay,
        .signals = state.signals.get(),
    };
    if (given.check_block_index >= 0) options.check_block_index = given.check_block_index;
    if (given.has_minimum_chain_work) {
        // The bridge has numbers big-endian, the engine hashes the other way round.
        Hash32 little{given.minimum_chain_work};
        std::reverse(little.begin(), little.end());
        options.minimum_chain_work = UintToArith256(to_uint256(little));
    }
    if (given.has_assume_valid) options.assumed_valid_block = to_uint256(given.assume_valid);
    options.max_tip_age = std::chrono::seconds{given.max_tip_age};
    options.coins_view.batch_write_bytes = given.db_batch;
    options.coins_view.simulate_crash_ratio = given.crash_ratio;
    options.coins_db.force_compact = given.force_compact;
    options.worker_threads_num = given.worker_threads;
    options.prevoutfetch_threads_num = std::clamp(given.prevout_fetch_threads, 0, MAX_PREVOUTFETCH_THREADS);
    options.script_execution_cache_bytes = given.signature_cache / 2;
    options.signature_cache_bytes = given.signature_cache / 2;
    return options;
}

uint64_t prune_target(uint64_t mib)
{
    if (mib == 1) return node::BlockManager::PRUNE_TARGET_MANUAL;
    if (mib > std::numeric_limits<uint64_t>::max() / 1_MiB) throw BadOption("Prune target is too large.");
    const uint64_t target{mib * 1_MiB};
    if (target && target < MIN_DISK_SPACE_FOR_BLOCK_FILES) {
        throw BadOption("Prune configured below the minimum of " + std::to_string(MIN_DISK_SPACE_FOR_BLOCK_FILES / 1_MiB) +
                        " MiB.  Please use a higher number.");
    }
    return target;
}

LoadStatus to_status(node::ChainstateLoadStatus status)
{
    switch (status) {
    case node::ChainstateLoadStatus::SUCCESS: return LoadStatus::Success;
    case node::ChainstateLoadStatus::FAILURE: return LoadStatus::Failure;
    case node::ChainstateLoadStatus::FAILURE_FATAL: return LoadStatus::Fatal;
    case node::ChainstateLoadStatus::FAILURE_INCOMPATIBLE_DB: return LoadStatus::Incompatible;
    case node::ChainstateLoadStatus::FAILURE_INSUFFICIENT_DBCACHE: return LoadStatus::InsufficientCache;
    case node::ChainstateLoadStatus::INTERRUPTED: return LoadStatus::Interrupted;
    }
    return LoadStatus::Fatal;
}

void flush_all(ChainstateManager& chainman, bool wipe_cache)
{
    LOCK(::cs_main);
    for (const auto& chainstate : chainman.m_chainstates) {
        if (chainstate->CanFlushToDisk()) chainstate->ForceFlushStateToDisk(wipe_cache);
    }
}
} // namespace

State::State(const LoadOptions& given, rust::Box<EventSink> sink)
    : options{given},
      queue{std::make_unique<EventQueue>()},
      relay{std::make_unique<Relay>(*queue, std::move(sink), given.stop_at_height)}
{
}

State::~State()
{
    // Nobody else uses the engine any more. What calls that were under way at `stop` changed is written here.
    try {
        if (chainman && !queue->stopped()) flush_all(*chainman, /*wipe_cache=*/true);
        queue->stop();
        if (signals) signals->UnregisterAllValidationInterfaces();
        if (chainman) {
            flush_all(*chainman, /*wipe_cache=*/true);
            LOCK(::cs_main);
            for (const auto& chainstate : chainman->m_chainstates) chainstate->ResetCoinsViews();
        }
    } catch (const std::exception& e) {
        LogError("Cannot write the chain state: %s", e.what());
    }
}

Engine::Engine(const LoadOptions& options, rust::Box<EventSink> sink) : m{std::make_unique<State>(options, std::move(sink))} {}
Engine::~Engine() = default;

std::unique_ptr<Engine> new_engine(const LoadOptions& options, rust::Box<EventSink> sink)
{
    return std::make_unique<Engine>(options, std::move(sink));
}

LoadResult Engine::load() const
{
    // Chooses the hash implementations and seeds the random numbers, once for the process.
    static const kernel::Context context{};
    if (auto sane{kernel::SanityChecks(context)}; !sane) {
        return {LoadStatus::Fatal, to_text(util::ErrorString(sane).original)};
    }

    State& s{*m};
    const kernel::CacheSizes cache_sizes{s.options.db_cache};
    LogInfo("Cache configuration:");
    LogInfo("* Using %.1f MiB for block index database", cache_sizes.block_tree_db / double(1_MiB));
    LogInfo("* Using %.1f MiB for chain state database", cache_sizes.coins_db / double(1_MiB));
    try {
        s.params = chain_params(s.options);
        s.signals = std::make_unique<ValidationSignals>(std::make_unique<QueueRunner>(*s.queue));
        s.signals->RegisterValidationInterface(s.relay.get());

        bilingual_str error;
        s.mempool = std::make_unique<CTxMemPool>(mempool_options(s.options, *s.params, *s.signals), error);
        if (!error.empty()) return {LoadStatus::Fatal, to_text(error.original)};
        LogInfo("* Using %.1f MiB for in-memory UTXO set (plus up to %.1f MiB of unused mempool space)",
                cache_sizes.coins / double(1_MiB), s.mempool->m_opts.max_size_bytes / double(1_MiB));

        const auto options{chainman_options(s)};
        node::BlockManager::Options block_options{
            .chainparams = *s.params,
            .use_xor = s.options.blocks_xor,
            .prune_target = prune_target(s.options.prune),
            .fast_prune = s.options.fast_prune,
            .blocks_dir = to_path(s.options.blocks_dir),
            .notifications = *s.relay,
            .block_tree_db_params = DBParams{
                .path = options.datadir / "blocks" / "index",
                .cache_bytes = cache_sizes.block_tree_db,
                .wipe_data = s.options.reindex,
                .options = {.force_compact = s.options.force_compact},
            },
        };
        s.chainman = std::make_unique<ChainstateManager>(s.interrupt, options, std::move(block_options));
    } catch (const BadOption& e) {
        return {LoadStatus::Options, to_text(e.what())};
    } catch (const dbwrapper_error& e) {
        LogError("%s", e.what());
        return {LoadStatus::Failure, "Error opening block database"};
    } catch (const std::exception& e) {
        return {LoadStatus::Fatal, to_text(std::string{"Failed to initialize ChainstateManager: "} + e.what())};
    }
    ChainstateManager& chainman{*s.chainman};
    s.relay->m_chainman = &chainman;
    if (chainman.m_interrupt) return {LoadStatus::Interrupted, {}};

    node::ChainstateLoadOptions options;
    options.mempool = s.mempool.get();
    options.wipe_chainstate_db = s.options.reindex || s.options.reindex_chainstate;
    options.prune = chainman.m_blockman.IsPruneMode();
    options.check_blocks = s.options.check_blocks;
    options.check_level = s.options.check_level;
    options.require_full_verification = s.options.require_full_verification;
    options.coins_error_cb = [relay = s.relay.get()] { relay->last_words("Error reading from database, shutting down."); };

    const auto step = [](auto&& f) -> node::ChainstateLoadResult {
        try {
            return f();
        } catch (const std::exception& e) {
            LogError("%s", e.what());
            return {node::ChainstateLoadStatus::FAILURE, Untranslated("Error loading databases")};
        }
    };
    s.relay->status("Loading block index…");
    auto [status, error]{step([&] { return node::LoadChainstate(chainman, cache_sizes, options); })};
    if (status == node::ChainstateLoadStatus::SUCCESS) {
        s.relay->status("Verifying blocks…");
        if (chainman.m_blockman.m_have_pruned && options.check_blocks > MIN_BLOCKS_TO_KEEP) {
            LogWarning("pruned datadir may not have more than %d blocks; only checking available blocks", MIN_BLOCKS_TO_KEEP);
        }
        std::tie(status, error) = step([&] { return node::VerifyLoadedChainstate(chainman, options); });
    }
    if (status != node::ChainstateLoadStatus::SUCCESS) return {to_status(status), to_text(error.original)};
    LogInfo("Block index and chainstate loaded");

    for (const fs::path& dir : {to_path(s.options.net_datadir), to_path(s.options.blocks_dir)}) {
        if (!CheckDiskSpace(dir)) {
            return {LoadStatus::Fatal, to_text("Error: Disk space is low for \"" + fs::PathToString(dir) + "\"")};
        }
    }
    return {LoadStatus::Success, {}};
}

void Engine::import_blocks(const rust::Vec<Bytes>& files) const
{
    ChainstateManager& chainman{*m->chainman};
    if (chainman.m_blockman.IsPruneMode() && chainman.m_blockman.m_blockfiles_indexed) {
        m->relay->status("Pruning blockstore…");
        LOCK(::cs_main);
        for (const auto& chainstate : chainman.m_chainstates) chainstate->PruneAndFlush();
    }
    std::vector<fs::path> paths;
    for (const Bytes& file : files) paths.push_back(to_path(file.data));
    node::ImportBlocks(chainman, paths);
    WITH_LOCK(::cs_main, chainman.UpdateIBDStatus());
}

void Engine::flush() const { flush_all(*m->chainman, /*wipe_cache=*/false); }

void Engine::sync_events() const { m->queue->drain(); }

void Engine::interrupt() const noexcept
{
    if (!m->interrupt()) LogError("Failed to send the interrupt");
}

bool Engine::interrupted() const noexcept { return bool(m->interrupt); }

//! Writes the state and ends the delivery of events; calls under way elsewhere go on.
void Engine::stop() const
{
    if (m->mempool) m->mempool->AddTransactionsUpdated(1);
    if (m->chainman) flush_all(*m->chainman, /*wipe_cache=*/true);
    m->queue->stop();
}
} // namespace bridge
