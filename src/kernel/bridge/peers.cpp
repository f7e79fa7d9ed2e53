// What the peer-to-peer code asks: headers and blocks from peers, what to download, what to serve, what to announce.

#include "state.h"

#include <chain.h>
#include <deploymentstatus.h>
#include <node/blockstorage.h>
#include <pow.h>
#include <txmempool.h>
#include <util/time.h>

#include <algorithm>
#include <set>
#include <stdexcept>

namespace bridge {
namespace {
//! Blocks below the tip whose work a chain may lack and still be worth storing.
constexpr int WORK_BUFFER_BLOCKS{144};
//! Seconds after which a block off the active chain is no longer served: knowing it would tell peers who we are.
constexpr int64_t STALE_AGE{30 * 24 * 60 * 60};
//! Intervals between blocks that the tip may be old for blocks to be fetched as soon as they are announced.
constexpr int DIRECT_FETCH_INTERVALS{20};
//! Blocks a peer that keeps only recent ones is asked for, with room for blocks that are found meanwhile.
constexpr int LIMITED_PEER_BLOCKS{286};

//! Least work a chain of headers must have to be stored.
arith_uint256 work_threshold(const ChainstateManager& chainman) EXCLUSIVE_LOCKS_REQUIRED(::cs_main)
{
    arith_uint256 near_tip{0};
    if (const CBlockIndex* tip{chainman.ActiveChain().Tip()}) {
        near_tip = tip->nChainWork - std::min<arith_uint256>(WORK_BUFFER_BLOCKS * GetBlockProof(*tip), tip->nChainWork);
    }
    return std::max(near_tip, chainman.MinimumChainWork());
}

Hash32 to_big_endian(const arith_uint256& work)
{
    Hash32 bytes{to_bytes(ArithToUint256(work))};
    std::reverse(bytes.begin(), bytes.end());
    return bytes;
}

BlockSpot to_spot(const CBlockIndex& index)
{
    return BlockSpot{to_bytes(index.GetBlockHash()), static_cast<std::uint32_t>(index.nHeight)};
}

//! Catches what validation says of every block while one is processed: a block may connect others that waited for it.
class VerdictCatcher final : public CValidationInterface
{
public:
    Mutex m_mutex;
    std::vector<std::pair<uint256, BlockValidationState>> m_verdicts GUARDED_BY(m_mutex);

protected:
    void BlockChecked(const std::shared_ptr<const CBlock>& block, const BlockValidationState& state) override
    {
        LOCK(m_mutex);
        m_verdicts.emplace_back(block->GetHash(), state);
    }
};

std::vector<CBlockHeader> read_headers(rust::Slice<const std::uint8_t> bytes)
{
    std::vector<CBlockHeader> headers(bytes.size() / HEADER_SIZE);
    if (headers.empty()) throw std::runtime_error("no headers");
    SpanReader reader{to_span(bytes)};
    for (CBlockHeader& header : headers) reader >> header;
    return headers;
}

class InFlight
{
public:
    explicit InFlight(rust::Slice<const Hash> hashes)
    {
        for (const Hash& hash : hashes) m_hashes.insert(to_uint256(hash.bytes));
    }
    bool contains(const CBlockIndex& index) const { return m_hashes.contains(index.GetBlockHash()); }

private:
    std::set<uint256> m_hashes;
};
} // namespace

std::array<std::uint8_t, 4> Engine::message_start() const { return m->params->MessageStart(); }

Hash32 Engine::minimum_chain_work() const { return to_big_endian(m->chainman->MinimumChainWork()); }

std::int64_t Engine::block_interval() const { return m->params->GetConsensus().nPowTargetSpacing; }

bool Engine::loading_blocks() const { return m->chainman->m_blockman.LoadingBlocks(); }

//! Connects what has the most work, for a block that was stored and not connected yet.
void Engine::activate_best_chain() const
{
    BlockValidationState state;
    m->chainman->ActiveChainstate().ActivateBestChain(state);
}

rust::Vec<Hash> Engine::locator_of(const Hash32& hash) const
{
    LOCK(::cs_main);
    rust::Vec<Hash> hashes;
    if (const CBlockIndex* index{m->chainman->m_blockman.LookupBlockIndex(to_uint256(hash))}) {
        for (const uint256& entry : LocatorEntries(index)) hashes.push_back(Hash{to_bytes(entry)});
    }
    return hashes;
}

bool Engine::may_serve_block(const Hash32& hash) const
{
    LOCK(::cs_main);
    const ChainstateManager& chainman{*m->chainman};
    const CBlockIndex* index{chainman.m_blockman.LookupBlockIndex(to_uint256(hash))};
    if (!index) return false;
    if (chainman.ActiveChain().Contains(*index)) return true;
    const CBlockIndex* best{chainman.m_best_header};
    return index->IsValid(BLOCK_VALID_SCRIPTS) && best && best->GetBlockTime() - index->GetBlockTime() < STALE_AGE &&
           GetBlockProofEquivalentTime(*best, *index, *best, chainman.GetConsensus()) < STALE_AGE;
}

//! Says whether headers have the work they claim and follow each other.
HeadersOutcomeKind Engine::check_headers(rust::Slice<const std::uint8_t> bytes) const
{
    const std::vector<CBlockHeader> headers{read_headers(bytes)};
    if (!HasValidProofOfWork(headers, m->params->GetConsensus())) return HeadersOutcomeKind::BadWork;
    for (std::size_t i{1}; i < headers.size(); ++i) {
        if (headers[i].hashPrevBlock != headers[i - 1].GetHash()) return HeadersOutcomeKind::NotContinuous;
    }
    return HeadersOutcomeKind::Accepted;
}

bool Engine::permits_difficulty(std::uint32_t height, std::uint32_t old_bits, std::uint32_t new_bits) const
{
    return PermittedDifficultyTransition(m->params->GetConsensus(), height, old_bits, new_bits);
}

SyncParameters Engine::headers_sync_parameters() const
{
    const HeadersSyncParams& params{m->params->HeadersSync()};
    return {static_cast<std::uint32_t>(params.commitment_period), static_cast<std::uint32_t>(params.redownload_buffer_size)};
}

//! Tells the user how far the headers of a chain were checked before they are stored.
void Engine::report_presync(std::int64_t height, std::int64_t time) const { m->chainman->ReportHeadersPresync(height, time); }

//! Takes headers that `check_headers` accepts. `work_known` says that the chain's work needs no check.
PeerHeaders Engine::receive_headers(rust::Slice<const std::uint8_t> bytes, bool work_known) const
{
    ChainstateManager& chainman{*m->chainman};
    PeerHeaders result{};
    result.start = no_index();
    result.last = no_index();
    const std::vector<CBlockHeader> headers{read_headers(bytes)};
    {
        LOCK(::cs_main);
        const CBlockIndex* start{chainman.m_blockman.LookupBlockIndex(headers.front().hashPrevBlock)};
        if (!start) {
            result.outcome = HeadersOutcomeKind::Unconnected;
            return result;
        }
        result.start = to_index(chainman, start);
        const CBlockIndex* last{chainman.m_blockman.LookupBlockIndex(headers.back().GetHash())};
        result.new_header = last == nullptr;
        const CBlockIndex* best{chainman.m_best_header};
        const bool known{last && ((best && best->GetAncestor(last->nHeight) == last) || chainman.ActiveChain().Contains(*last))};
        const arith_uint256 threshold{work_threshold(chainman)};
        result.threshold = to_big_endian(threshold);
        if (!work_known && !known && start->nChainWork + CalculateClaimedHeadersWork(headers) < threshold) {
            result.outcome = HeadersOutcomeKind::LowWork;
            return result;
        }
    }
    BlockValidationState state;
    const CBlockIndex* last{nullptr};
    const bool accepted{chainman.ProcessNewBlockHeaders(headers, /*min_pow_checked=*/true, state, &last)};
    result.outcome = accepted ? HeadersOutcomeKind::Accepted : HeadersOutcomeKind::Rejected;
    result.verdict = to_verdict(state);
    LOCK(::cs_main);
    result.last = to_index(chainman, last);
    return result;
}

//! `requested` takes a block even if it has less work than the tip's.
PeerBlock Engine::receive_block(rust::Slice<const std::uint8_t> bytes, bool requested) const
{
    ChainstateManager& chainman{*m->chainman};
    PeerBlock result{.status = OpStatus::Success};
    const auto block{std::make_shared<CBlock>()};
    if (const std::string error{decode_block(bytes, *block)}; !error.empty()) {
        result.status = OpStatus::Undecodable;
        result.message = to_text(error);
        return result;
    }
    bool work_checked{false};
    const CBlockIndex* previous{nullptr};
    bool segwit{false};
    {
        LOCK(::cs_main);
        previous = chainman.m_blockman.LookupBlockIndex(block->hashPrevBlock);
        if (previous) {
            segwit = DeploymentActiveAfter(previous, chainman, Consensus::DEPLOYMENT_SEGWIT);
            work_checked = previous->nChainWork + GetBlockProof(*block) >= work_threshold(chainman);
        }
    }
    if (previous && IsBlockMutated(*block, /*check_witness_root=*/segwit)) {
        result.mutated = true;
        return result;
    }
    const auto catcher{std::make_shared<VerdictCatcher>()};
    m->signals->RegisterSharedValidationInterface(catcher);
    chainman.ProcessNewBlock(block, requested, work_checked, &result.new_block);
    m->signals->UnregisterSharedValidationInterface(catcher);
    LOCK(catcher->m_mutex);
    for (const auto& [hash, state] : catcher->m_verdicts) {
        result.verdicts.push_back(CheckedBlock{to_bytes(hash), to_verdict(state)});
    }
    return result;
}

//! Which blocks a peer should be asked for next, and from where on its chain and ours differ.
DownloadPlan Engine::plan_download(const DownloadRequest& request) const
{
    DownloadPlan plan{};
    const InFlight in_flight{{request.in_flight.data(), request.in_flight.size()}};
    LOCK(::cs_main);
    const ChainstateManager& chainman{*m->chainman};
    const CChain& chain{chainman.ActiveChain()};
    const CBlockIndex* best{chainman.m_blockman.LookupBlockIndex(to_uint256(request.best_known))};
    const CBlockIndex* common{request.has_common ? chainman.m_blockman.LookupBlockIndex(to_uint256(request.common)) : nullptr};
    const auto set_common{[&] {
        plan.has_common = common != nullptr;
        if (common) plan.common = to_spot(*common);
    }};
    set_common();
    if (!best || !chain.Tip() || best->nChainWork < chain.Tip()->nChainWork || best->nChainWork < chainman.MinimumChainWork()) return plan;

    const CBlockIndex* fork{LastCommonAncestor(best, chain.Tip())};
    if (!common || fork->nChainWork > common->nChainWork || best->GetAncestor(common->nHeight) != common) common = fork;
    set_common();
    const int window_end{common->nHeight + static_cast<int>(request.window)};
    const int end{std::min(best->nHeight, window_end + 1)};
    std::vector<const CBlockIndex*> batch;
    for (const CBlockIndex* walk{common}; walk->nHeight < end;) {
        const int count{std::min(end - walk->nHeight, 128)};
        batch.resize(count);
        walk = best->GetAncestor(walk->nHeight + count);
        batch[count - 1] = walk;
        for (int i{count - 1}; i > 0; --i) batch[i - 1] = batch[i]->pprev;
        for (const CBlockIndex* index : batch) {
            if (!index->IsValid(BLOCK_VALID_TREE)) return plan;
            if (!request.witness && DeploymentActiveAt(*index, chainman, Consensus::DEPLOYMENT_SEGWIT)) return plan;
            if (index->nStatus & BLOCK_HAVE_DATA || chain.Contains(*index)) {
                if (index->HaveNumChainTxs()) {
                    common = index;
                    set_common();
                }
                continue;
            }
            if (in_flight.contains(*index)) {
                if (!plan.first_in_flight.found) plan.first_in_flight = {true, to_bytes(index->GetBlockHash())};
                continue;
            }
            if (index->nHeight > window_end) {
                plan.window_full = plan.blocks.empty();
                return plan;
            }
            if (request.limited && best->nHeight - index->nHeight >= LIMITED_PEER_BLOCKS) continue;
            plan.blocks.push_back(to_spot(*index));
            if (plan.blocks.size() >= request.count) return plan;
        }
    }
    return plan;
}

//! The blocks between the active chain and `last`, if it is worth fetching them as soon as their headers came.
DirectFetch Engine::plan_direct_fetch(const Hash32& last, std::uint32_t limit, bool witness, rust::Slice<const Hash> requested) const
{
    DirectFetch fetch{};
    const InFlight in_flight{requested};
    LOCK(::cs_main);
    const ChainstateManager& chainman{*m->chainman};
    const CChain& chain{chainman.ActiveChain()};
    const CBlockIndex* index{chainman.m_blockman.LookupBlockIndex(to_uint256(last))};
    const CBlockIndex* tip{chain.Tip()};
    const auto interval{chainman.GetConsensus().PowTargetSpacing()};
    if (!index || !tip || tip->Time() <= NodeClock::now() - interval * DIRECT_FETCH_INTERVALS) return fetch;
    if (!index->IsValid(BLOCK_VALID_TREE) || tip->nChainWork > index->nChainWork) return fetch;
    std::vector<const CBlockIndex*> blocks;
    while (index && !chain.Contains(*index) && blocks.size() <= limit) {
        const bool servable{witness || !DeploymentActiveAt(*index, chainman, Consensus::DEPLOYMENT_SEGWIT)};
        if (!(index->nStatus & BLOCK_HAVE_DATA) && !in_flight.contains(*index) && servable) blocks.push_back(index);
        index = index->pprev;
    }
    if (!index || !chain.Contains(*index)) {
        fetch.too_far = true;
        return fetch;
    }
    for (auto it{blocks.rbegin()}; it != blocks.rend(); ++it) fetch.blocks.push_back(to_spot(**it));
    return fetch;
}

//! Those of `wtxids` that are in the mempool, parents before children, best first.
rust::Vec<RelayEntry> Engine::relay_order(rust::Slice<const Hash> wtxids) const
{
    const CTxMemPool& pool{*m->mempool};
    LOCK(pool.cs);
    std::vector<Wtxid> ids;
    ids.reserve(wtxids.size());
    for (const Hash& hash : wtxids) ids.push_back(Wtxid::FromUint256(to_uint256(hash.bytes)));
    std::sort(ids.begin(), ids.end(), [&](const Wtxid& a, const Wtxid& b) { return pool.CompareMiningScoreWithTopology(a, b); });
    rust::Vec<RelayEntry> list;
    for (const Wtxid& id : ids) {
        const TxMempoolInfo info{pool.info(id)};
        if (!info.tx) continue;
        list.push_back(RelayEntry{to_bytes(info.tx->GetHash()), to_bytes(id), info.fee, info.vsize});
    }
    return list;
}

std::uint64_t Engine::mempool_sequence() const { return WITH_LOCK(m->mempool->cs, return m->mempool->GetSequence()); }

//! A transaction that entered the mempool before change number `sequence`.
PoolTx Engine::mempool_transaction_for_relay(const Hash32& id, bool by_wtxid, std::uint64_t sequence) const
{
    const uint256 hash{to_uint256(id)};
    const TxMempoolInfo info{by_wtxid ? m->mempool->info_for_relay(Wtxid::FromUint256(hash), sequence)
                                      : m->mempool->info_for_relay(Txid::FromUint256(hash), sequence)};
    return info.tx ? to_pool_tx(info) : PoolTx{};
}
} // namespace bridge
