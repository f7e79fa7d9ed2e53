// Going over everything stored: statistics of the UTXO set, and verification of the last blocks.

#include "state.h"

#include <kernel/coinstats.h>
#include <txdb.h>

namespace bridge {
namespace {
//! Thrown through the engine's walk over the UTXO set to end it.
struct StatsInterrupted {};

kernel::CoinStatsHashType to_hash_type(std::uint8_t type)
{
    switch (type) {
    case 0: return kernel::CoinStatsHashType::HASH_SERIALIZED;
    case 1: return kernel::CoinStatsHashType::MUHASH;
    default: return kernel::CoinStatsHashType::NONE;
    }
}
} // namespace

//! `hash_type`: 0 over the serialized set, 1 MuHash, otherwise none. Writes the caches to disk first.
CoinStatsEntry Engine::coin_stats(std::uint8_t hash_type) const
{
    CoinStatsEntry entry{};
    Chainstate& chainstate{m->chainman->ActiveChainstate()};
    chainstate.ForceFlushStateToDisk(/*wipe_cache=*/false);
    const CCoinsViewDB& view{WITH_LOCK(::cs_main, return chainstate.CoinsDB())};
    try {
        const auto stats{kernel::ComputeUTXOStats(to_hash_type(hash_type), view, m->chainman->m_blockman, [this] {
            if (m->interrupt) throw StatsInterrupted{};
        })};
        if (!stats) return entry;
        entry.found = true;
        entry.height = static_cast<std::uint32_t>(stats->nHeight);
        entry.best_block = to_bytes(stats->hashBlock);
        entry.transactions = stats->nTransactions;
        entry.outputs = stats->nTransactionOutputs;
        entry.bogosize = stats->nBogoSize;
        entry.disk_size = stats->nDiskSize;
        entry.hash = to_bytes(stats->hashSerialized);
        entry.has_total = stats->total_amount.has_value();
        entry.total = stats->total_amount.value_or(0);
    } catch (const StatsInterrupted&) {
        entry.interrupted = true;
    }
    return entry;
}

bool Engine::verify_chain(std::int32_t level, std::int32_t blocks) const
{
    ChainstateManager& chainman{*m->chainman};
    LOCK(::cs_main);
    Chainstate& chainstate{chainman.ActiveChainstate()};
    return CVerifyDB{chainman.GetNotifications()}.VerifyDB(chainstate, chainman.GetConsensus(), chainstate.CoinsTip(), level, blocks) ==
           VerifyDBResult::SUCCESS;
}
} // namespace bridge
