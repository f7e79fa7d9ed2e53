// Transactions: in, and what is there.

#include "state.h"

#include <kernel/mempool_entry.h>
#include <policy/packages.h>
#include <policy/rbf.h>
#include <util/feefrac.h>
#include <util/log.h>

#include <map>
#include <string>

namespace bridge {
namespace {
Hash to_hash(const Txid& id) { return {to_bytes(id)}; }
Hash to_hash(const Wtxid& id) { return {to_bytes(id)}; }
Txid to_txid(const Hash32& bytes) { return Txid::FromUint256(to_uint256(bytes)); }

//! Null if the bytes are no transaction.
CTransactionRef to_transaction(const TxBytes& bytes)
{
    try {
        SpanReader reader{to_span(bytes.data)};
        CMutableTransaction tx;
        reader >> (bytes.witness ? TX_WITH_WITNESS : TX_NO_WITNESS)(tx);
        if (!reader.empty()) return nullptr;
        return MakeTransactionRef(std::move(tx));
    } catch (const std::ios_base::failure&) {
        return nullptr;
    }
}

template <typename Validation>
RejectionEntry to_rejection(const Validation& state)
{
    return RejectionEntry{
        .failed = state.IsError(),
        .kind = static_cast<std::uint8_t>(state.GetResult()),
        .reason = to_text(state.GetRejectReason()),
        .debug = to_text(state.GetDebugMessage()),
    };
}

AcceptEntry to_accept(const MempoolAcceptResult& result)
{
    AcceptEntry entry{};
    switch (result.m_result_type) {
    case MempoolAcceptResult::ResultType::VALID: entry.status = AcceptStatus::Accepted; break;
    case MempoolAcceptResult::ResultType::INVALID: entry.status = AcceptStatus::Rejected; break;
    case MempoolAcceptResult::ResultType::MEMPOOL_ENTRY: entry.status = AcceptStatus::InMempool; break;
    case MempoolAcceptResult::ResultType::DIFFERENT_WITNESS: entry.status = AcceptStatus::DifferentWitness; break;
    }
    entry.rejection = to_rejection(result.m_state);
    entry.vsize = result.m_vsize.value_or(0);
    entry.fee = result.m_base_fees.value_or(0);
    if (result.m_effective_feerate) {
        entry.has_feerate = true;
        entry.feerate = result.m_effective_feerate->GetFeePerK();
    }
    if (result.m_wtxids_fee_calculations) {
        for (const Wtxid& wtxid : *result.m_wtxids_fee_calculations) entry.includes.push_back(to_hash(wtxid));
    }
    for (const CTransactionRef& tx : result.m_replaced_transactions) entry.replaced.push_back(to_hash(tx->GetHash()));
    if (result.m_other_wtxid) entry.other_wtxid = to_bytes(*result.m_other_wtxid);
    return entry;
}

AcceptEntry with_status(AcceptStatus status)
{
    AcceptEntry entry{};
    entry.status = status;
    return entry;
}

PoolEntry to_entry(const CTxMemPool& pool, const CTxMemPoolEntry& e) EXCLUSIVE_LOCKS_REQUIRED(pool.cs)
{
    const CTransaction& tx{e.GetTx()};
    const auto [ancestor_count, ancestor_size, ancestor_fees] = pool.CalculateAncestorData(e);
    const auto [descendant_count, descendant_size, descendant_fees] = pool.CalculateDescendantData(e);
    const FeePerWeight chunk{pool.GetMainChunkFeerate(e)};
    PoolEntry entry{};
    entry.txid = to_bytes(tx.GetHash());
    entry.wtxid = to_bytes(tx.GetWitnessHash());
    entry.vsize = e.GetTxSize();
    entry.weight = e.GetTxWeight();
    entry.time = e.GetTime().count();
    entry.height = e.GetHeight();
    entry.fee = e.GetFee();
    entry.modified_fee = e.GetModifiedFee();
    entry.ancestor_count = ancestor_count;
    entry.ancestor_size = ancestor_size;
    entry.ancestor_fees = ancestor_fees;
    entry.descendant_count = descendant_count;
    entry.descendant_size = descendant_size;
    entry.descendant_fees = descendant_fees;
    entry.chunk_weight = chunk.size;
    entry.chunk_fee = chunk.fee;
    std::map<std::string, Txid> ids; // sorted as they are printed
    for (const CTxIn& input : tx.vin) {
        if (pool.exists(input.prevout.hash)) ids.emplace(input.prevout.hash.ToString(), input.prevout.hash);
    }
    for (const auto& [text, txid] : ids) entry.depends.push_back(to_hash(txid));
    for (const CTxMemPoolEntry& child : pool.GetChildren(e)) entry.spent_by.push_back(to_hash(child.GetTx().GetHash()));
    entry.unbroadcast = pool.IsUnbroadcastTx(tx.GetHash());
    entry.replaceable = IsRBFOptIn(tx, pool) == RBFTransactionState::REPLACEABLE_BIP125;
    return entry;
}

//! All entries, best chunk first. The engine's own list of them is in the same order, but is sorted anew each time; a block
//! builder walks along what is kept in order anyway.
std::vector<CTxMemPoolEntry::CTxMemPoolEntryRef> in_order(const CTxMemPool& pool) EXCLUSIVE_LOCKS_REQUIRED(pool.cs)
{
    struct Builder {
        const CTxMemPool& pool;
        explicit Builder(const CTxMemPool& p) : pool{p} { pool.StartBlockBuilding(); }
        ~Builder() { pool.StopBlockBuilding(); }
    } const builder{pool};
    std::vector<CTxMemPoolEntry::CTxMemPoolEntryRef> all;
    all.reserve(pool.size());
    while (true) {
        const std::size_t before{all.size()};
        pool.GetBlockBuilderChunk(all);
        if (all.size() == before) return all;
        pool.IncludeBuilderChunk();
    }
}

PoolTx to_pool_tx(const TxMempoolInfo& info)
{
    return PoolTx{
        .found = true,
        .data = to_vec(std::span<const unsigned char>{serialize(TX_WITH_WITNESS(*info.tx))}),
        .time = info.m_time.count(),
        .fee = info.fee,
        .fee_delta = info.nFeeDelta,
    };
}
} // namespace

//! `time` is when it came, or below zero for now.
AcceptEntry Engine::accept_transaction(const TxBytes& bytes, bool test_only, std::int64_t time) const
{
    const CTransactionRef tx{to_transaction(bytes)};
    if (!tx) return with_status(AcceptStatus::Undecodable);
    LOCK(::cs_main);
    if (time < 0) return to_accept(m->chainman->ProcessTransaction(tx, test_only));
    return to_accept(AcceptToMemoryPool(m->chainman->ActiveChainstate(), tx, time, /*bypass_limits=*/false, test_only));
}

//! `max_feerate` below zero means none.
PackageEntry Engine::accept_package(const rust::Vec<TxBytes>& txs, bool test_only, std::int64_t max_feerate) const
{
    PackageEntry entry{};
    Package package;
    for (const TxBytes& bytes : txs) {
        const CTransactionRef tx{to_transaction(bytes)};
        if (!tx) {
            entry.results.push_back(with_status(AcceptStatus::Undecodable));
            return entry;
        }
        package.push_back(tx);
    }
    if (package.empty()) return entry;
    std::optional<CFeeRate> limit;
    if (max_feerate >= 0) limit = CFeeRate{max_feerate};
    const PackageMempoolAcceptResult result{[&] {
        LOCK(::cs_main);
        return ProcessNewPackage(m->chainman->ActiveChainstate(), *m->mempool, package, test_only, limit);
    }()};
    entry.has_rejection = !result.m_state.IsValid();
    entry.rejection = to_rejection(result.m_state);
    for (const CTransactionRef& tx : package) {
        const auto it{result.m_tx_results.find(tx->GetWitnessHash())};
        entry.results.push_back(it == result.m_tx_results.end() ? with_status(AcceptStatus::Unfinished) : to_accept(it->second));
    }
    return entry;
}

rust::Vec<PoolEntry> Engine::mempool_entries() const
{
    const CTxMemPool& pool{*m->mempool};
    LOCK(pool.cs);
    rust::Vec<PoolEntry> list;
    for (const CTxMemPoolEntry& e : in_order(pool)) list.push_back(to_entry(pool, e));
    return list;
}

PoolEntries Engine::mempool_entry(const Hash32& txid) const
{
    const CTxMemPool& pool{*m->mempool};
    LOCK(pool.cs);
    PoolEntries result{};
    if (const CTxMemPoolEntry* e{pool.GetEntry(to_txid(txid))}) {
        result.found = true;
        result.entries.push_back(to_entry(pool, *e));
    }
    return result;
}

PoolEntries Engine::mempool_relatives(const Hash32& txid, bool descendants) const
{
    const CTxMemPool& pool{*m->mempool};
    LOCK(pool.cs);
    PoolEntries result{};
    const auto it{pool.GetIter(to_txid(txid))};
    if (!it) return result;
    result.found = true;
    CTxMemPool::setEntries relatives;
    if (descendants) {
        pool.CalculateDescendants(*it, relatives);
        relatives.erase(*it);
    } else {
        relatives = pool.CalculateMemPoolAncestors(**it);
    }
    for (const CTxMemPool::txiter relative : relatives) result.entries.push_back(to_entry(pool, *relative));
    return result;
}

PoolIds Engine::mempool_ids() const
{
    const CTxMemPool& pool{*m->mempool};
    LOCK(pool.cs);
    PoolIds ids{};
    for (const CTxMemPoolEntry& e : in_order(pool)) ids.txids.push_back(to_hash(e.GetTx().GetHash()));
    ids.sequence = pool.GetSequence();
    return ids;
}

rust::Vec<PoolTx> Engine::mempool_transactions() const
{
    rust::Vec<PoolTx> list;
    for (const TxMempoolInfo& info : m->mempool->infoAll()) list.push_back(to_pool_tx(info));
    return list;
}

PoolTx Engine::mempool_transaction(const Hash32& id, bool by_wtxid) const
{
    const TxMempoolInfo info{by_wtxid ? m->mempool->info(Wtxid::FromUint256(to_uint256(id))) : m->mempool->info(to_txid(id))};
    return info.tx ? to_pool_tx(info) : PoolTx{};
}

bool Engine::mempool_contains(const Hash32& txid) const { return m->mempool->exists(to_txid(txid)); }

rust::Vec<AncestryEntry> Engine::mempool_ancestry(rust::Slice<const Hash> txids) const
{
    const CTxMemPool& pool{*m->mempool};
    LOCK(pool.cs);
    rust::Vec<AncestryEntry> list;
    for (const Hash& txid : txids) {
        AncestryEntry entry{};
        if (const auto it{pool.GetIter(to_txid(txid.bytes))}) {
            std::size_t ancestors, cluster;
            pool.GetTransactionAncestry(to_txid(txid.bytes), ancestors, cluster);
            entry = {true, ancestors, static_cast<std::uint64_t>(pool.GetDescendantCount(*it)), cluster};
        }
        list.push_back(entry);
    }
    return list;
}

//! The chunks of a transaction's cluster in the order they would be mined; none if it is not there.
rust::Vec<ChunkEntry> Engine::mempool_cluster(const Hash32& txid) const
{
    const CTxMemPool& pool{*m->mempool};
    LOCK(pool.cs);
    rust::Vec<ChunkEntry> chunks;
    // The cluster comes as one list: a chunk is complete when the weights of its transactions add up to its own.
    int64_t missing{0};
    for (const CTxMemPoolEntry* e : pool.GetCluster(to_txid(txid))) {
        if (missing <= 0) {
            const FeePerWeight chunk{pool.GetMainChunkFeerate(*e)};
            chunks.push_back(ChunkEntry{.fee = chunk.fee, .weight = chunk.size});
            missing = chunk.size;
        }
        chunks.back().txids.push_back(to_hash(e->GetTx().GetHash()));
        missing -= e->GetAdjustedWeight();
    }
    return chunks;
}

//! Weight and fee of the best chunks together, from none to all.
rust::Vec<DiagramPoint> Engine::mempool_diagram() const
{
    const CTxMemPool& pool{*m->mempool};
    LOCK(pool.cs);
    rust::Vec<DiagramPoint> points;
    for (const FeePerWeight& point : pool.GetFeerateDiagram()) points.push_back(DiagramPoint{point.size, point.fee});
    return points;
}

rust::Vec<OptionalHash> Engine::mempool_spenders(rust::Slice<const OutPointEntry> outpoints) const
{
    const CTxMemPool& pool{*m->mempool};
    LOCK(pool.cs);
    rust::Vec<OptionalHash> list;
    for (const OutPointEntry& outpoint : outpoints) {
        const CTransaction* spender{pool.GetConflictTx(COutPoint{to_txid(outpoint.txid), outpoint.vout})};
        list.push_back(spender ? OptionalHash{true, to_bytes(spender->GetHash())} : OptionalHash{});
    }
    return list;
}

PoolInfo Engine::mempool_info() const
{
    const CTxMemPool& pool{*m->mempool};
    const CTxMemPool::Options& options{pool.m_opts};
    LOCK(pool.cs);
    return PoolInfo{
        .loaded = pool.GetLoadTried(),
        .size = pool.size(),
        .bytes = pool.GetTotalTxSize(),
        .usage = pool.DynamicMemoryUsage(),
        .total_fee = pool.GetTotalFee(),
        .max_usage = options.max_size_bytes,
        .min_fee = std::max(pool.GetMinFee(), options.min_relay_feerate).GetFeePerK(),
        .min_relay_fee = options.min_relay_feerate.GetFeePerK(),
        .incremental_fee = options.incremental_relay_feerate.GetFeePerK(),
        .dust_fee = options.dust_relay_feerate.GetFeePerK(),
        .unbroadcast = pool.GetUnbroadcastTxs().size(),
        .require_standard = options.require_standard,
        .permit_bare_multisig = options.permit_bare_multisig,
        .has_datacarrier = options.max_datacarrier_bytes.has_value(),
        .max_datacarrier = options.max_datacarrier_bytes.value_or(0),
        .cluster_count = options.limits.cluster_count,
        .cluster_size = options.limits.cluster_size_vbytes,
        .ancestor_count = options.limits.ancestor_count,
        .descendant_count = options.limits.descendant_count,
        .optimal = pool.m_txgraph->DoWork(0), // no work: only asks
        .sequence = pool.GetSequence(),
        .transactions_updated = pool.GetTransactionsUpdated(),
    };
}

void Engine::prioritise(const Hash32& txid, std::int64_t delta) const { m->mempool->PrioritiseTransaction(to_txid(txid), delta); }

rust::Vec<DeltaEntry> Engine::prioritisations() const
{
    rust::Vec<DeltaEntry> list;
    for (const auto& info : m->mempool->GetPrioritisedTransactions()) {
        list.push_back(DeltaEntry{to_bytes(info.txid), info.delta, info.in_mempool, info.modified_fee.value_or(0)});
    }
    return list;
}

void Engine::set_unbroadcast(const Hash32& txid, bool unbroadcast) const
{
    if (unbroadcast) {
        m->mempool->AddUnbroadcastTx(to_txid(txid));
    } else {
        m->mempool->RemoveUnbroadcastTx(to_txid(txid));
    }
}

rust::Vec<Hash> Engine::unbroadcast() const
{
    rust::Vec<Hash> list;
    for (const Txid& txid : m->mempool->GetUnbroadcastTxs()) list.push_back(to_hash(txid));
    return list;
}

void Engine::set_mempool_loaded(bool loaded) const { m->mempool->SetLoadTried(loaded); }
} // namespace bridge
