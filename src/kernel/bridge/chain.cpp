// Questions about the block tree and the active chain. Everything of one answer is of one moment.

#include "state.h"

#include <deploymentinfo.h>
#include <deploymentstatus.h>
#include <script/interpreter.h>
#include <versionbits.h>

#include <set>

namespace bridge {

IndexEntry no_index()
{
    IndexEntry entry{};
    entry.found = false;
    return entry;
}

IndexEntry to_index(const ChainstateManager& chainman, const CBlockIndex* index)
{
    AssertLockHeld(::cs_main);
    IndexEntry entry{};
    if (!index) return entry;
    const CChain& chain{chainman.ActiveChain()};
    entry.found = true;
    entry.hash = to_bytes(index->GetBlockHash());
    entry.height = index->nHeight;
    entry.version = index->nVersion;
    if (index->pprev) entry.previous = to_bytes(index->pprev->GetBlockHash());
    entry.merkle_root = to_bytes(index->hashMerkleRoot);
    entry.time = index->nTime;
    entry.bits = index->nBits;
    entry.nonce = index->nNonce;
    entry.median_time = index->GetMedianTimePast();
    entry.max_time = index->GetBlockTimeMax();
    entry.chainwork = to_bytes(ArithToUint256(index->nChainWork));
    std::reverse(entry.chainwork.begin(), entry.chainwork.end());
    entry.n_tx = index->nTx;
    entry.chain_tx_count = index->m_chain_tx_count;
    entry.validity = index->nStatus & BLOCK_VALID_MASK;
    entry.have_data = index->nStatus & BLOCK_HAVE_DATA;
    entry.have_undo = index->nStatus & BLOCK_HAVE_UNDO;
    entry.failed = index->nStatus & BLOCK_FAILED_VALID;
    entry.active = chain.Contains(*index);
    if (entry.active) {
        entry.confirmations = chain.Height() - index->nHeight + 1;
        if (const CBlockIndex* next{chain.Next(*index)}) {
            entry.has_next = true;
            entry.next = to_bytes(next->GetBlockHash());
        }
    }
    return entry;
}

namespace {
//! Heights come as unsigned numbers; the engine counts with int.
bool fits(std::uint32_t height) { return height <= static_cast<std::uint32_t>(std::numeric_limits<int>::max()); }

//! Returns the height of the last block whose data is gone, if any is.
std::optional<int> last_pruned(const node::BlockManager& blockman, const CChain& chain) EXCLUSIVE_LOCKS_REQUIRED(::cs_main)
{
    // Genesis has no undo data and does not count.
    const CBlockIndex* first{chain[1]};
    const CBlockIndex* tip{chain.Tip()};
    if (!first || !tip) return std::nullopt;
    if ((tip->nStatus & BLOCK_HAVE_MASK) != BLOCK_HAVE_MASK) return tip->nHeight;
    const CBlockIndex& stored{blockman.GetFirstBlock(*tip, BLOCK_HAVE_MASK, first)};
    if (&stored == first) return std::nullopt;
    return stored.nHeight - 1;
}

DeploymentEntry blank_deployment(const std::string& name)
{
    DeploymentEntry entry{};
    entry.name = name;
    return entry;
}

void add_buried(rust::Vec<DeploymentEntry>& list, const ChainstateManager& chainman, const CBlockIndex& index, Consensus::BuriedDeployment dep)
{
    if (!DeploymentEnabled(chainman, dep)) return;
    DeploymentEntry entry{blank_deployment(DeploymentName(dep))};
    entry.active = DeploymentActiveAfter(&index, chainman, dep);
    entry.has_height = true;
    entry.height = chainman.GetConsensus().DeploymentHeight(dep);
    list.push_back(std::move(entry));
}

void add_signalled(rust::Vec<DeploymentEntry>& list, const ChainstateManager& chainman, const CBlockIndex& index, Consensus::DeploymentPos pos)
{
    if (!DeploymentEnabled(chainman, pos)) return;
    const BIP9Info info{chainman.m_versionbitscache.Info(index, chainman.GetConsensus(), pos)};
    const auto& params{chainman.GetConsensus().vDeployments[pos]};
    DeploymentEntry entry{blank_deployment(DeploymentName(pos))};
    entry.signalled = true;
    entry.start_time = params.nStartTime;
    entry.timeout = params.nTimeout;
    entry.min_activation_height = params.min_activation_height;
    entry.status = info.current_state;
    entry.since = info.since;
    entry.status_next = info.next_state;
    if (info.stats) {
        entry.has_statistics = true;
        entry.bit = params.bit;
        entry.period = info.stats->period;
        entry.threshold = info.stats->threshold;
        entry.elapsed = info.stats->elapsed;
        entry.count = info.stats->count;
        entry.possible = info.stats->possible;
        std::string signals;
        for (const bool signalled : info.signalling_blocks) signals.push_back(signalled ? '#' : '-');
        entry.signals = signals;
    }
    if (info.active_since) {
        entry.has_height = true;
        entry.height = *info.active_since;
        entry.active = *info.active_since <= index.nHeight + 1;
    }
    list.push_back(std::move(entry));
}

std::uint8_t tip_status(const CChain& chain, const CBlockIndex& index) EXCLUSIVE_LOCKS_REQUIRED(::cs_main)
{
    if (chain.Contains(index)) return 0;
    if (index.nStatus & BLOCK_FAILED_VALID) return 1;
    if (!index.HaveNumChainTxs()) return 2;
    if (index.IsValid(BLOCK_VALID_SCRIPTS)) return 3;
    if (index.IsValid(BLOCK_VALID_TREE)) return 4;
    return 5;
}
} // namespace

struct Rest::Inner {
    UniqueLock<RecursiveMutex> lock{::cs_main, "cs_main", __FILE__, __LINE__, /*fTry=*/true};
};

Rest::Rest(std::unique_ptr<Inner> inner) : m{std::move(inner)} {}
Rest::~Rest() = default;

std::unique_ptr<Rest> Engine::at_rest() const
{
    auto inner{std::make_unique<Rest::Inner>()};
    if (!inner->lock.owns_lock()) return nullptr;
    return std::make_unique<Rest>(std::move(inner));
}

OptionalHash Engine::latest_tip() const
{
    const uint256 tip{m->relay->latest_tip()};
    return tip.IsNull() ? OptionalHash{} : OptionalHash{true, to_bytes(tip)};
}

IndexEntry Engine::tip() const
{
    LOCK(::cs_main);
    return to_index(*m->chainman, m->chainman->ActiveTip());
}

IndexEntry Engine::entry(const Hash32& hash) const
{
    LOCK(::cs_main);
    return to_index(*m->chainman, m->chainman->m_blockman.LookupBlockIndex(to_uint256(hash)));
}

IndexEntry Engine::entry_at(std::uint32_t height) const
{
    LOCK(::cs_main);
    return fits(height) ? to_index(*m->chainman, m->chainman->ActiveChain()[height]) : no_index();
}

rust::Vec<IndexEntry> Engine::entries(std::uint32_t start, std::uint32_t count) const
{
    LOCK(::cs_main);
    rust::Vec<IndexEntry> list;
    const CChain& chain{m->chainman->ActiveChain()};
    for (std::uint64_t height{start}; height < std::uint64_t{start} + count && int64_t(height) <= chain.Height(); ++height) {
        list.push_back(to_index(*m->chainman, chain[height]));
    }
    return list;
}

OptionalHash Engine::hash_at(std::uint32_t height) const
{
    LOCK(::cs_main);
    const CBlockIndex* index{fits(height) ? m->chainman->ActiveChain()[height] : nullptr};
    return index ? OptionalHash{true, to_bytes(index->GetBlockHash())} : OptionalHash{};
}

IndexEntry Engine::ancestor(const Hash32& hash, std::uint32_t height) const
{
    LOCK(::cs_main);
    const CBlockIndex* index{m->chainman->m_blockman.LookupBlockIndex(to_uint256(hash))};
    if (!index || !fits(height)) return no_index();
    return to_index(*m->chainman, index->GetAncestor(height));
}

IndexEntry Engine::best_header() const
{
    LOCK(::cs_main);
    return to_index(*m->chainman, m->chainman->m_best_header);
}

rust::Vec<TipEntry> Engine::chain_tips() const
{
    LOCK(::cs_main);
    const CChain& chain{m->chainman->ActiveChain()};
    // Off the active chain, an end is what nothing else builds on.
    std::set<const CBlockIndex*> parents;
    for (const auto& [hash, index] : m->chainman->BlockIndex()) {
        if (!chain.Contains(index)) parents.insert(index.pprev);
    }
    std::vector<const CBlockIndex*> ends;
    if (const CBlockIndex* tip{chain.Tip()}) ends.push_back(tip);
    for (const auto& [hash, index] : m->chainman->BlockIndex()) {
        if (!chain.Contains(index) && !parents.contains(&index)) ends.push_back(&index);
    }
    std::sort(ends.begin(), ends.end(), [](const CBlockIndex* a, const CBlockIndex* b) {
        return a->nHeight != b->nHeight ? a->nHeight > b->nHeight : a < b;
    });
    rust::Vec<TipEntry> tips;
    for (const CBlockIndex* end : ends) {
        const CBlockIndex* fork{chain.FindFork(*end)};
        tips.push_back(TipEntry{
            .height = static_cast<std::uint32_t>(end->nHeight),
            .hash = to_bytes(end->GetBlockHash()),
            .branch_length = static_cast<std::uint32_t>(fork ? end->nHeight - fork->nHeight : end->nHeight + 1),
            .status = tip_status(chain, *end),
        });
    }
    return tips;
}

InfoEntry Engine::chain_info() const
{
    ChainstateManager& chainman{*m->chainman};
    node::BlockManager& blockman{chainman.m_blockman};
    LOCK(::cs_main);
    const CBlockIndex* tip{chainman.ActiveTip()};
    InfoEntry info{};
    info.tip = to_index(chainman, tip);
    info.best_header = to_index(chainman, chainman.m_best_header);
    if (tip) info.verification_progress = chainman.GuessVerificationProgress(tip);
    info.initial_block_download = chainman.IsInitialBlockDownload();
    info.size_on_disk = blockman.CalculateCurrentUsage();
    info.importing = blockman.LoadingBlocks();
    info.block_index_size = chainman.BlockIndex().size();
    info.prune_mode = blockman.IsPruneMode();
    info.have_pruned = blockman.m_have_pruned;
    const Chainstate& chainstate{chainman.CurrentChainstate()};
    info.coins_db_cache = chainstate.m_coinsdb_cache_size_bytes;
    info.coins_cache = chainstate.m_coinstip_cache_size_bytes;
    if (info.prune_mode) {
        const auto pruned{last_pruned(blockman, chainman.ActiveChain())};
        info.first_stored_height = pruned ? *pruned + 1 : 0;
        info.prune_manual = blockman.GetPruneTarget() == node::BlockManager::PRUNE_TARGET_MANUAL;
        info.prune_target = blockman.GetPruneTarget();
    }
    return info;
}

bool Engine::initial_block_download() const { return m->chainman->IsInitialBlockDownload(); }

//! Negative if there is no such block.
double Engine::verification_progress(const Hash32& hash) const
{
    LOCK(::cs_main);
    const CBlockIndex* index{m->chainman->m_blockman.LookupBlockIndex(to_uint256(hash))};
    return index ? m->chainman->GuessVerificationProgress(index) : -1;
}

DeploymentsEntry Engine::deployments(bool of_tip, const Hash32& hash) const
{
    const ChainstateManager& chainman{*m->chainman};
    LOCK(::cs_main);
    const CBlockIndex* index{of_tip ? chainman.ActiveTip() : m->chainman->m_blockman.LookupBlockIndex(to_uint256(hash))};
    DeploymentsEntry entry{};
    if (!index) return entry;
    entry.found = true;
    entry.hash = to_bytes(index->GetBlockHash());
    entry.height = index->nHeight;
    for (const std::string& name : GetScriptFlagNames(GetBlockScriptFlags(*index, chainman))) entry.script_flags.push_back(name);
    for (const auto dep : {Consensus::DEPLOYMENT_HEIGHTINCB, Consensus::DEPLOYMENT_DERSIG, Consensus::DEPLOYMENT_CLTV,
                           Consensus::DEPLOYMENT_CSV, Consensus::DEPLOYMENT_SEGWIT}) {
        add_buried(entry.deployments, chainman, *index, dep);
    }
    for (int pos{0}; pos < Consensus::MAX_VERSION_BITS_DEPLOYMENTS; ++pos) {
        add_signalled(entry.deployments, chainman, *index, Consensus::DeploymentPos(pos));
    }
    return entry;
}

rust::Vec<Hash> Engine::locator() const
{
    LOCK(::cs_main);
    rust::Vec<Hash> hashes;
    if (const CBlockIndex* tip{m->chainman->ActiveTip()}) {
        for (const uint256& hash : LocatorEntries(tip)) hashes.push_back(Hash{to_bytes(hash)});
    }
    return hashes;
}

IndexEntry Engine::find_fork(rust::Slice<const Hash> locator) const
{
    LOCK(::cs_main);
    const CChain& chain{m->chainman->ActiveChain()};
    for (const Hash& hash : locator) {
        const CBlockIndex* index{m->chainman->m_blockman.LookupBlockIndex(to_uint256(hash.bytes))};
        if (!index) continue;
        if (chain.Contains(*index)) return to_index(*m->chainman, index);
        // Whoever asks may be ahead of us on the same chain.
        if (chain.Tip() && index->GetAncestor(chain.Height()) == chain.Tip()) return to_index(*m->chainman, chain.Tip());
    }
    return no_index();
}

IndexEntry Engine::find_first_block(std::int64_t min_time, std::uint32_t min_height) const
{
    LOCK(::cs_main);
    if (!fits(min_height)) return no_index();
    return to_index(*m->chainman, m->chainman->ActiveChain().FindEarliestAtLeast(min_time, min_height));
}

//! `max_height` below zero means that of `last`.
bool Engine::has_blocks(const Hash32& last, std::uint32_t min_height, std::int64_t max_height) const
{
    LOCK(::cs_main);
    const CBlockIndex* block{m->chainman->m_blockman.LookupBlockIndex(to_uint256(last))};
    if (!block) return false;
    if (max_height >= 0 && block->nHeight >= max_height) block = block->GetAncestor(max_height);
    for (; block->nStatus & BLOCK_HAVE_DATA; block = block->pprev) {
        if (block->nHeight <= int64_t{min_height} || !block->pprev) return true;
    }
    return false;
}
} // namespace bridge
