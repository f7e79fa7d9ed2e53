// What Rust sees of the engine: declarations only, so that the generated bridge does not compile the engine's headers.
//
// The functions are defined by topic in engine.cpp (life), chain.cpp (questions about blocks), blocks.cpp (blocks and
// coins, in and out), coinstats.cpp (going over all of them), mempool.cpp (transactions), mining.cpp (templates),
// peers.cpp (what peers send and get) and log.cpp. All of them may throw
// std::exception, which the bridge turns into an error; none may abort on anything that comes from outside.

#pragma once

#include "rust/cxx.h"

#include <array>
#include <cstdint>
#include <exception>
#include <memory>

// Overrides how the bridge catches: anything that is thrown becomes an error, not only std::exception.
namespace rust::behavior {
template <typename Try, typename Fail>
static void trycatch(Try&& func, Fail&& fail) noexcept
{
    try {
        func();
    } catch (const std::exception& e) {
        fail(e.what());
    } catch (...) {
        fail("unknown exception");
    }
}
} // namespace rust::behavior

namespace bridge {
struct AcceptEntry;
struct AncestryEntry;
struct BlockAt;
struct BlockRead;
struct Bytes;
struct ChunkEntry;
struct CoinEntry;
struct CoinStatsEntry;
struct CursorCoin;
struct DeltaEntry;
struct DeploymentsEntry;
struct DiagramPoint;
struct DirectFetch;
struct DownloadPlan;
struct DownloadRequest;
struct EventSink;
struct Hash;
struct HeadersEntry;
enum class HeadersOutcomeKind : std::uint8_t;
struct IndexEntry;
struct InfoEntry;
struct LockedEntry;
struct LoadOptions;
struct LoadResult;
struct OpResult;
struct OptionalHash;
struct OutPointEntry;
struct PackageEntry;
struct PeerBlock;
struct PeerHeaders;
struct PoolEntries;
struct PoolEntry;
struct PoolIds;
struct PoolInfo;
struct PoolTx;
struct ProcessEntry;
struct RelayEntry;
struct SpentEntry;
struct SyncParameters;
struct TemplateEntry;
struct TemplateRequest;
struct TipEntry;
struct TxBytes;
struct UndoRead;
struct VerdictEntry;

using Hash32 = std::array<std::uint8_t, 32>;

class CoinCursor;
class Rest;
struct State;

//! A chainstate manager, a mempool and the thread that delivers their events.
class Engine
{
public:
    Engine(const LoadOptions& options, rust::Box<EventSink> sink);
    ~Engine();

    LoadResult load() const;
    void import_blocks(const rust::Vec<Bytes>& files) const;
    void flush() const;
    void sync_events() const;
    void interrupt() const noexcept;
    bool interrupted() const noexcept;
    void stop() const;

    //! Keeps everybody else from the chain until the result is destroyed, by the thread that called; null if somebody is
    //! at it.
    std::unique_ptr<Rest> at_rest() const;
    OptionalHash latest_tip() const;
    IndexEntry tip() const;
    IndexEntry entry(const Hash32& hash) const;
    IndexEntry entry_at(std::uint32_t height) const;
    rust::Vec<IndexEntry> entries(std::uint32_t start, std::uint32_t count) const;
    OptionalHash hash_at(std::uint32_t height) const;
    IndexEntry ancestor(const Hash32& hash, std::uint32_t height) const;
    IndexEntry best_header() const;
    rust::Vec<TipEntry> chain_tips() const;
    InfoEntry chain_info() const;
    bool initial_block_download() const;
    double verification_progress(const Hash32& hash) const;
    DeploymentsEntry deployments(bool of_tip, const Hash32& hash) const;
    rust::Vec<Hash> locator() const;
    IndexEntry find_fork(rust::Slice<const Hash> locator) const;
    IndexEntry find_first_block(std::int64_t min_time, std::uint32_t min_height) const;
    bool has_blocks(const Hash32& last, std::uint32_t min_height, std::int64_t max_height) const;

    BlockRead read_block(const Hash32& hash) const;
    rust::Vec<BlockAt> read_blocks(std::uint32_t start, std::uint32_t count) const;
    UndoRead read_undo(const Hash32& hash) const;
    ProcessEntry process_block(rust::Slice<const std::uint8_t> block, bool fill_witness, bool force, bool min_pow_checked) const;
    HeadersEntry process_headers(rust::Slice<const std::uint8_t> headers, bool min_pow_checked) const;
    VerdictEntry test_block_validity(rust::Slice<const std::uint8_t> block, bool check_pow, bool check_merkle_root) const;
    OpResult invalidate_block(const Hash32& hash) const;
    OpResult reconsider_block(const Hash32& hash) const;
    OpResult precious_block(const Hash32& hash) const;
    OpResult prune_to(std::uint32_t height) const;

    rust::Vec<CoinEntry> coins(rust::Slice<const OutPointEntry> outpoints, std::uint8_t view) const;
    std::unique_ptr<CoinCursor> coin_cursor() const;
    CoinStatsEntry coin_stats(std::uint8_t hash_type) const;
    bool verify_chain(std::int32_t level, std::int32_t blocks) const;

    AcceptEntry accept_transaction(const TxBytes& tx, bool test_only, std::int64_t time) const;
    PackageEntry accept_package(const rust::Vec<TxBytes>& txs, bool test_only, std::int64_t max_feerate) const;
    rust::Vec<PoolEntry> mempool_entries() const;
    PoolEntries mempool_entry(const Hash32& txid) const;
    PoolEntries mempool_relatives(const Hash32& txid, bool descendants) const;
    PoolIds mempool_ids() const;
    rust::Vec<PoolTx> mempool_transactions() const;
    PoolTx mempool_transaction(const Hash32& id, bool by_wtxid) const;
    bool mempool_contains(const Hash32& txid) const;
    rust::Vec<AncestryEntry> mempool_ancestry(rust::Slice<const Hash> txids) const;
    rust::Vec<ChunkEntry> mempool_cluster(const Hash32& txid) const;
    rust::Vec<DiagramPoint> mempool_diagram() const;
    rust::Vec<OptionalHash> mempool_spenders(rust::Slice<const OutPointEntry> outpoints) const;
    PoolInfo mempool_info() const;
    void prioritise(const Hash32& txid, std::int64_t delta) const;
    rust::Vec<DeltaEntry> prioritisations() const;
    void set_unbroadcast(const Hash32& txid, bool unbroadcast) const;
    rust::Vec<Hash> unbroadcast() const;
    void set_mempool_loaded(bool loaded) const;

    std::array<std::uint8_t, 4> message_start() const;
    Hash32 minimum_chain_work() const;
    std::int64_t block_interval() const;
    bool loading_blocks() const;
    void activate_best_chain() const;
    rust::Vec<Hash> locator_of(const Hash32& hash) const;
    bool may_serve_block(const Hash32& hash) const;
    HeadersOutcomeKind check_headers(rust::Slice<const std::uint8_t> headers) const;
    bool permits_difficulty(std::uint32_t height, std::uint32_t old_bits, std::uint32_t new_bits) const;
    SyncParameters headers_sync_parameters() const;
    void report_presync(std::int64_t height, std::int64_t time) const;
    PeerHeaders receive_headers(rust::Slice<const std::uint8_t> headers, bool work_known) const;
    PeerBlock receive_block(rust::Slice<const std::uint8_t> block, bool requested) const;
    DownloadPlan plan_download(const DownloadRequest& request) const;
    DirectFetch plan_direct_fetch(const Hash32& last, std::uint32_t limit, bool witness, rust::Slice<const Hash> requested) const;
    std::uint64_t mempool_sequence() const;
    rust::Vec<RelayEntry> relay_order(rust::Slice<const Hash> wtxids) const;
    PoolTx mempool_transaction_for_relay(const Hash32& id, bool by_wtxid, std::uint64_t sequence) const;

    TemplateEntry block_template(const TemplateRequest& request) const;
    std::uint32_t next_work_required(std::uint32_t time) const;
    std::int64_t block_subsidy(std::uint32_t height) const;

private:
    std::unique_ptr<State> m;
};

//! Walks over the UTXO set as it was when the cursor was made.
class CoinCursor
{
public:
    struct Inner;
    explicit CoinCursor(std::unique_ptr<Inner> inner);
    ~CoinCursor();

    Hash best_block() const noexcept;
    //! Returns up to `most` coins; none at the end.
    rust::Vec<CursorCoin> next_coins(std::uint32_t most);

private:
    std::unique_ptr<Inner> m;
};

//! While there is one, what its thread asks about the chain waits for nobody.
class Rest
{
public:
    struct Inner;
    explicit Rest(std::unique_ptr<Inner> inner);
    ~Rest();

private:
    std::unique_ptr<Inner> m;
};

std::unique_ptr<Engine> new_engine(const LoadOptions& options, rust::Box<EventSink> sink);

//! Verifies an input of a transaction. Returns what is wrong with it; empty if nothing is.
rust::String verify_input(rust::Slice<const std::uint8_t> tx, std::uint32_t input, const rust::Vec<SpentEntry>& spent);

//! Memory for secrets, and what the C library says of its heap.
LockedEntry locked_memory();
rust::String malloc_state();

void start_logging();
bool set_log_category(rust::Str name, bool enabled);
void set_log_level(std::uint8_t level);
bool set_log_category_level(rust::Str name, std::uint8_t level);
void set_clock(std::int64_t time);
} // namespace bridge
