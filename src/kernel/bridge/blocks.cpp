// Blocks in and out, and the coins they make and spend.

#include "state.h"

#include <consensus/consensus.h>
#include <hash.h>
#include <kernel/cs_main.h>
#include <node/blockstorage.h>
#include <undo.h>
#include <util/log.h>

#include <stdexcept>

namespace bridge {

VerdictEntry to_verdict(const BlockValidationState& state)
{
    return VerdictEntry{
        .mode = static_cast<std::uint8_t>(state.IsValid() ? 0 : state.IsInvalid() ? 1 : 2),
        .kind = static_cast<std::uint8_t>(state.GetResult()),
        .reason = to_text(state.GetRejectReason()),
        .debug = to_text(state.GetDebugMessage()),
    };
}

CoinEntry to_coin(const Coin& coin)
{
    const bool in_mempool{coin.nHeight == MEMPOOL_HEIGHT};
    return CoinEntry{
        .found = true,
        .value = coin.out.nValue,
        .script = to_vec(std::span<const unsigned char>{coin.out.scriptPubKey.data(), coin.out.scriptPubKey.size()}),
        .height = in_mempool ? 0 : coin.nHeight,
        .in_mempool = in_mempool,
        .coinbase = coin.fCoinBase,
    };
}

namespace {
//! Where a block's data is, or why it is nowhere.
struct Place {
    OpStatus status{OpStatus::Success};
    const CBlockIndex* index{nullptr};
    FlatFilePos pos;
};

Place find(const ChainstateManager& chainman, const CBlockIndex* index, uint32_t flag) EXCLUSIVE_LOCKS_REQUIRED(::cs_main)
{
    if (!index) return {.status = OpStatus::NotFound};
    if (!(index->nStatus & flag)) {
        if (chainman.m_blockman.IsBlockPruned(*index)) return {.status = OpStatus::Pruned};
        return {.status = OpStatus::NotDownloaded};
    }
    return {.index = index, .pos = flag == BLOCK_HAVE_DATA ? index->GetBlockPos() : index->GetUndoPos()};
}

//! Reads without the lock: a file may be pruned meanwhile, which is then an error of reading.
BlockRead read(const node::BlockManager& blockman, const Place& place)
{
    BlockRead result{.status = place.status};
    if (place.status != OpStatus::Success) return result;
    const auto raw{blockman.ReadRawBlock(place.pos)};
    if (!raw) {
        result.status = OpStatus::Unreadable;
        result.message = "read error in " + fs::PathToString(blockman.GetBlockPosFilename(place.pos));
        return result;
    }
    const std::span<const std::byte> bytes{*raw};
    if (bytes.size() < HEADER_SIZE || ::Hash(bytes.first(HEADER_SIZE)) != place.index->GetBlockHash()) {
        result.status = OpStatus::Unreadable;
        result.message = "another or a damaged block in " + fs::PathToString(blockman.GetBlockPosFilename(place.pos));
        return result;
    }
    result.data = to_vec(bytes);
    return result;
}


//! Catches what validation says of one block.
class StateCatcher final : public CValidationInterface
{
public:
    explicit StateCatcher(const uint256& hash) : m_hash{hash} {}
    bool m_found{false};
    BlockValidationState m_state;

protected:
    void BlockChecked(const std::shared_ptr<const CBlock>& block, const BlockValidationState& state) override
    {
        if (block->GetHash() != m_hash) return;
        m_found = true;
        m_state = state;
    }

private:
    const uint256 m_hash;
};

OpResult to_result(const BlockValidationState& state)
{
    if (state.IsValid()) return {OpStatus::Success, {}};
    return {OpStatus::Failed, to_text(state.ToString())};
}
} // namespace

BlockRead Engine::read_block(const Hash32& hash) const
{
    const auto& blockman{m->chainman->m_blockman};
    const Place place{WITH_LOCK(::cs_main, return find(*m->chainman, m->chainman->m_blockman.LookupBlockIndex(to_uint256(hash)), BLOCK_HAVE_DATA))};
    return read(blockman, place);
}

rust::Vec<BlockAt> Engine::read_blocks(std::uint32_t start, std::uint32_t count) const
{
    std::vector<Place> places;
    rust::Vec<BlockAt> blocks;
    {
        LOCK(::cs_main);
        const CChain& chain{m->chainman->ActiveChain()};
        for (std::uint64_t height{start}; height < std::uint64_t{start} + count && int64_t(height) <= chain.Height(); ++height) {
            const Place place{find(*m->chainman, chain[height], BLOCK_HAVE_DATA)};
            if (place.status != OpStatus::Success) break;
            places.push_back(place);
            blocks.push_back(BlockAt{.index = to_index(*m->chainman, place.index)});
        }
    }
    for (std::size_t i{0}; i < places.size(); ++i) {
        BlockRead block{read(m->chainman->m_blockman, places[i])};
        if (block.status != OpStatus::Success) {
            blocks.truncate(i);
            break;
        }
        blocks[i].data = std::move(block.data);
    }
    return blocks;
}

UndoRead Engine::read_undo(const Hash32& hash) const
{
    const auto& blockman{m->chainman->m_blockman};
    UndoRead result{.status = OpStatus::Success};
    const CBlockIndex* index{WITH_LOCK(::cs_main, return m->chainman->m_blockman.LookupBlockIndex(to_uint256(hash)))};
    if (index && index->nHeight == 0) return result;
    const Place place{WITH_LOCK(::cs_main, return find(*m->chainman, index, BLOCK_HAVE_UNDO))};
    result.status = place.status;
    if (place.status != OpStatus::Success) return result;
    CBlockUndo undo;
    if (!blockman.ReadBlockUndo(undo, *place.index)) {
        result.status = OpStatus::Unreadable;
        result.message = "damaged undo data";
        return result;
    }
    for (const CTxUndo& tx : undo.vtxundo) {
        result.counts.push_back(tx.vprevout.size());
        for (const Coin& coin : tx.vprevout) result.coins.push_back(to_coin(coin));
    }
    return result;
}

//! `fill_witness` adds the coinbase witness that a miner may leave out.
ProcessEntry Engine::process_block(rust::Slice<const std::uint8_t> bytes, bool fill_witness, bool force, bool min_pow_checked) const
{
    ChainstateManager& chainman{*m->chainman};
    ProcessEntry result{.status = OpStatus::Success};
    const auto block{std::make_shared<CBlock>()};
    if (const std::string error{decode_block(bytes, *block)}; !error.empty()) {
        result.status = OpStatus::Undecodable;
        result.message = to_text(error);
        return result;
    }
    if (fill_witness && !block->vtx.empty() && !block->vtx[0]->vin.empty()) {
        LOCK(::cs_main);
        if (const CBlockIndex* previous{chainman.m_blockman.LookupBlockIndex(block->hashPrevBlock)}) {
            chainman.UpdateUncommittedBlockStructures(*block, previous);
        }
    }
    const auto catcher{std::make_shared<StateCatcher>(block->GetHash())};
    m->signals->RegisterSharedValidationInterface(catcher);
    result.accepted = chainman.ProcessNewBlock(block, force, min_pow_checked, &result.new_block);
    m->signals->UnregisterSharedValidationInterface(catcher);
    // The catcher was called while the engine's lock was held; taking it makes sure that is over.
    LOCK(::cs_main);
    result.checked = catcher->m_found;
    result.verdict = to_verdict(catcher->m_state);
    return result;
}

HeadersEntry Engine::process_headers(rust::Slice<const std::uint8_t> bytes, bool min_pow_checked) const
{
    std::vector<CBlockHeader> headers(bytes.size() / HEADER_SIZE);
    SpanReader reader{to_span(bytes)};
    for (CBlockHeader& header : headers) reader >> header;
    BlockValidationState state;
    const CBlockIndex* last{nullptr};
    m->chainman->ProcessNewBlockHeaders(headers, min_pow_checked, state, &last);
    LOCK(::cs_main);
    return {to_verdict(state), to_index(*m->chainman, last)};
}

VerdictEntry Engine::test_block_validity(rust::Slice<const std::uint8_t> bytes, bool check_pow, bool check_merkle_root) const
{
    CBlock block;
    SpanReader{to_span(bytes)} >> TX_WITH_WITNESS(block);
    LOCK(::cs_main);
    if (!m->chainman->ActiveTip()) throw std::runtime_error("no chain to validate a block on");
    return to_verdict(TestBlockValidity(m->chainman->ActiveChainstate(), block, check_pow, check_merkle_root));
}

OpResult Engine::invalidate_block(const Hash32& hash) const
{
    ChainstateManager& chainman{*m->chainman};
    CBlockIndex* index{WITH_LOCK(::cs_main, return chainman.m_blockman.LookupBlockIndex(to_uint256(hash)))};
    if (!index) return {OpStatus::NotFound, {}};
    BlockValidationState state;
    chainman.ActiveChainstate().InvalidateBlock(state, index);
    if (state.IsValid()) chainman.ActiveChainstate().ActivateBestChain(state);
    return to_result(state);
}

OpResult Engine::reconsider_block(const Hash32& hash) const
{
    ChainstateManager& chainman{*m->chainman};
    {
        LOCK(::cs_main);
        CBlockIndex* index{chainman.m_blockman.LookupBlockIndex(to_uint256(hash))};
        if (!index) return {OpStatus::NotFound, {}};
        chainman.ActiveChainstate().ResetBlockFailureFlags(index);
        chainman.RecalculateBestHeader();
    }
    BlockValidationState state;
    chainman.ActiveChainstate().ActivateBestChain(state);
    return to_result(state);
}

OpResult Engine::precious_block(const Hash32& hash) const
{
    ChainstateManager& chainman{*m->chainman};
    CBlockIndex* index{WITH_LOCK(::cs_main, return chainman.m_blockman.LookupBlockIndex(to_uint256(hash)))};
    if (!index) return {OpStatus::NotFound, {}};
    BlockValidationState state;
    chainman.ActiveChainstate().PreciousBlock(state, index);
    return to_result(state);
}

OpResult Engine::prune_to(std::uint32_t height) const
{
    ChainstateManager& chainman{*m->chainman};
    if (!chainman.m_blockman.IsPruneMode()) return {OpStatus::Failed, "Cannot prune blocks because node is not in prune mode."};
    LOCK(::cs_main);
    Chainstate& chainstate{chainman.ActiveChainstate()};
    const int64_t tip{chainstate.m_chain.Height()};
    if (tip < int64_t(chainman.GetParams().PruneAfterHeight())) return {OpStatus::Failed, "Blockchain is too short for pruning."};
    if (int64_t{height} > tip) return {OpStatus::Failed, "Blockchain is shorter than the attempted prune height."};
    int64_t target{height};
    if (target > tip - int64_t{MIN_BLOCKS_TO_KEEP}) {
        LogDebug(BCLog::RPC, "Attempt to prune blocks close to the tip.  Retaining the minimum number of blocks.");
        target = tip - int64_t{MIN_BLOCKS_TO_KEEP};
    }
    PruneBlockFilesManual(chainstate, target);
    return {OpStatus::Success, {}};
}

//! `view`: 0 the chain's, 1 with the mempool's, 2 of those the ones the mempool does not spend.
rust::Vec<CoinEntry> Engine::coins(rust::Slice<const OutPointEntry> outpoints, std::uint8_t view) const
{
    rust::Vec<CoinEntry> list;
    list.reserve(outpoints.size());
    LOCK2(::cs_main, m->mempool->cs);
    CCoinsViewCache& chain_view{m->chainman->ActiveChainstate().CoinsTip()};
    const CCoinsViewMemPool mempool_view{&chain_view, *m->mempool};
    for (const OutPointEntry& wanted : outpoints) {
        const COutPoint outpoint{Txid::FromUint256(to_uint256(wanted.txid)), wanted.vout};
        std::optional<Coin> coin;
        if (view == 0) {
            coin = chain_view.GetCoin(outpoint);
        } else if (view == 1 || !m->mempool->isSpent(outpoint)) {
            coin = mempool_view.GetCoin(outpoint);
        }
        list.push_back(coin ? to_coin(*coin) : CoinEntry{});
    }
    return list;
}

struct CoinCursor::Inner {
    std::unique_ptr<CCoinsViewCursor> cursor;
};

CoinCursor::CoinCursor(std::unique_ptr<Inner> inner) : m{std::move(inner)} {}
CoinCursor::~CoinCursor() = default;

std::unique_ptr<CoinCursor> Engine::coin_cursor() const
{
    auto inner{std::make_unique<CoinCursor::Inner>()};
    LOCK(::cs_main);
    Chainstate& chainstate{m->chainman->ActiveChainstate()};
    chainstate.ForceFlushStateToDisk(/*wipe_cache=*/false);
    inner->cursor = chainstate.CoinsDB().Cursor();
    if (!inner->cursor) throw std::runtime_error("cannot read the UTXO set");
    return std::make_unique<CoinCursor>(std::move(inner));
}

Hash CoinCursor::best_block() const noexcept { return {to_bytes(m->cursor->GetBestBlock())}; }

rust::Vec<CursorCoin> CoinCursor::next_coins(std::uint32_t most)
{
    rust::Vec<CursorCoin> list;
    CCoinsViewCursor& cursor{*m->cursor};
    for (std::uint32_t i{0}; i < most && cursor.Valid(); ++i, cursor.Next()) {
        COutPoint outpoint;
        Coin coin;
        if (!cursor.GetKey(outpoint) || !cursor.GetValue(coin)) throw std::runtime_error("cannot read the UTXO set");
        list.push_back(CursorCoin{{to_bytes(outpoint.hash), outpoint.n}, to_coin(coin)});
    }
    return list;
}
} // namespace bridge
