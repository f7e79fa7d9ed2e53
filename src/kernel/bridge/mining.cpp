// What the next block needs and what it would take from the mempool.

#include "state.h"

#include <consensus/consensus.h>
#include <consensus/tx_verify.h>
#include <deploymentstatus.h>
#include <kernel/mempool_entry.h>
#include <pow.h>
#include <util/feefrac.h>
#include <versionbits.h>

#include <map>
#include <stdexcept>
#include <string>

namespace bridge {
namespace {
//! Least time the block after `previous` may have, the time-warp rule of BIP94 included on every chain.
int64_t minimum_time(const CBlockIndex& previous, int64_t interval)
{
    int64_t time{previous.GetMedianTimePast() + 1};
    if ((previous.nHeight + 1) % interval == 0) time = std::max(time, previous.GetBlockTime() - MAX_TIMEWARP);
    return time;
}

//! Takes chunks from the mempool, best first, while they fit. Leaves no block builder behind, whatever happens.
class Selection
{
public:
    Selection(const CTxMemPool& pool, const TemplateRequest& request, TemplateEntry& entry, int64_t lock_time)
        EXCLUSIVE_LOCKS_REQUIRED(pool.cs)
        : m_pool{pool}, m_request{request}, m_entry{entry}, m_lock_time{lock_time}
    {
        m_pool.StartBlockBuilding();
    }
    ~Selection() { m_pool.StopBlockBuilding(); }

    void run()
    {
        // Near the end, most of what is tried does not fit any more.
        constexpr int MAX_FAILURES{1000};
        constexpr uint64_t FULL_ENOUGH{4000};
        int failures{0};
        const FeePerVSize least{CFeeRate{m_request.min_feerate}.GetFeePerVSize()};
        std::vector<CTxMemPoolEntry::CTxMemPoolEntryRef> chunk;
        while (true) {
            chunk.clear();
            const FeePerWeight feerate{m_pool.GetBlockBuilderChunk(chunk)};
            if (chunk.empty() || ByRatio{ToFeePerVSize(feerate)} < ByRatio{least}) return;
            if (fits(chunk, feerate)) {
                m_pool.IncludeBuilderChunk();
                failures = 0;
                take(chunk, feerate);
            } else {
                m_pool.SkipBuilderChunk();
                if (++failures > MAX_FAILURES && m_entry.weight + FULL_ENOUGH > m_request.max_weight) return;
            }
        }
    }

private:
    bool fits(const std::vector<CTxMemPoolEntry::CTxMemPoolEntryRef>& chunk, const FeePerWeight& feerate) const
    {
        if (m_entry.weight >= m_request.max_weight || m_request.max_weight - m_entry.weight <= uint64_t(feerate.size)) return false;
        int64_t sigops{0};
        for (const CTxMemPoolEntry& e : chunk) {
            if (!IsFinalTx(e.GetTx(), m_entry.height, m_lock_time)) return false;
            sigops += e.GetSigOpCost();
        }
        return m_entry.sigops + sigops < uint64_t{MAX_BLOCK_SIGOPS_COST};
    }

    void take(const std::vector<CTxMemPoolEntry::CTxMemPoolEntryRef>& chunk, const FeePerWeight& feerate)
    {
        for (const CTxMemPoolEntry& e : chunk) {
            m_entry.transactions.push_back(TemplateTx{
                .data = to_vec(std::span<const unsigned char>{serialize(TX_WITH_WITNESS(e.GetTx()))}),
                .fee = e.GetFee(),
                .sigops = e.GetSigOpCost(),
                .weight = e.GetTxWeight(),
            });
            m_entry.weight += e.GetTxWeight();
            m_entry.sigops += e.GetSigOpCost();
            m_entry.fees += e.GetFee();
        }
        m_entry.chunk_feerates.push_back(ToFeePerVSize(feerate).EvaluateFeeDown(1000));
    }

    const CTxMemPool& m_pool;
    const TemplateRequest& m_request;
    TemplateEntry& m_entry;
    const int64_t m_lock_time;
};

void add_bits(rust::Vec<TemplateBit>& list, const std::map<std::string, const BIP9GBTStatus::Info, std::less<>>& deployments, std::uint8_t state)
{
    for (const auto& [name, info] : deployments) {
        list.push_back(TemplateBit{name, static_cast<std::uint32_t>(info.bit), info.gbt_optional_rule, state});
    }
}
} // namespace

TemplateEntry Engine::block_template(const TemplateRequest& request) const
{
    ChainstateManager& chainman{*m->chainman};
    const Consensus::Params& consensus{chainman.GetConsensus()};
    LOCK(::cs_main);
    const CBlockIndex* previous{chainman.ActiveTip()};
    if (!previous) throw std::runtime_error("no chain to mine on");

    TemplateEntry entry{};
    entry.previous = to_index(chainman, previous);
    entry.height = previous->nHeight + 1;
    entry.version = chainman.m_versionbitscache.ComputeBlockVersion(previous, consensus);
    const int64_t min_time{minimum_time(*previous, consensus.DifficultyAdjustmentInterval())};
    const int64_t now{TicksSinceEpoch<std::chrono::seconds>(NodeClock::now())};
    entry.min_time = min_time;
    entry.time = std::max(min_time, now);
    CBlockHeader header;
    header.nTime = entry.time;
    entry.bits = GetNextWorkRequired(previous, &header, consensus);
    entry.subsidy = GetBlockSubsidy(entry.height, consensus);
    entry.segwit = DeploymentActiveAfter(previous, chainman, Consensus::DEPLOYMENT_SEGWIT);
    entry.has_signet_challenge = consensus.signet_blocks;
    if (consensus.signet_blocks) entry.signet_challenge = to_vec(std::span<const unsigned char>{consensus.signet_challenge});
    const BIP9GBTStatus bits{chainman.m_versionbitscache.GBTStatus(*previous, consensus)};
    add_bits(entry.deployments, bits.signalling, 0);
    add_bits(entry.deployments, bits.locked_in, 1);
    add_bits(entry.deployments, bits.active, 2);
    entry.weight = request.reserved_weight;
    entry.sigops = request.reserved_sigops;
    if (request.use_mempool) {
        const CTxMemPool& pool{*m->mempool};
        LOCK(pool.cs);
        Selection{pool, request, entry, previous->GetMedianTimePast()}.run();
    }
    return entry;
}

std::uint32_t Engine::next_work_required(std::uint32_t time) const
{
    LOCK(::cs_main);
    const CBlockIndex* previous{m->chainman->ActiveTip()};
    if (!previous) throw std::runtime_error("no chain to mine on");
    CBlockHeader header;
    header.nTime = time;
    return GetNextWorkRequired(previous, &header, m->chainman->GetConsensus());
}

std::int64_t Engine::block_subsidy(std::uint32_t height) const
{
    return GetBlockSubsidy(static_cast<int>(height), m->chainman->GetConsensus());
}
} // namespace bridge
