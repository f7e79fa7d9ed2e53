// What an engine consists of, and conversions that several files need. Not seen by Rust.

#pragma once

#include "enginebridge/src/ffi.rs.h"

#include <arith_uint256.h>
#include <chain.h>
#include <coins.h>
#include <consensus/validation.h>
#include <kernel/caches.h>
#include <kernel/chainparams.h>
#include <kernel/notifications_interface.h>
#include <primitives/block.h>
#include <primitives/transaction.h>
#include <streams.h>
#include <sync.h>
#include <txmempool.h>
#include <uint256.h>
#include <util/signalinterrupt.h>
#include <validation.h>
#include <validationinterface.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bridge {
//! Bytes of a serialized header.
constexpr std::size_t HEADER_SIZE{80};

class EventQueue;

//! Carries events from the engine to Rust. Owned by State; defined in events.cpp.
class Relay : public CValidationInterface, public kernel::Notifications
{
public:
    Relay(EventQueue& queue, rust::Box<EventSink> sink, int stop_at_height)
        : m_queue{queue}, m_sink{std::move(sink)}, m_stop_at_height{stop_at_height} {}

    //! Set while there is a chain, for describing blocks.
    ChainstateManager* m_chainman{nullptr};

    //! Says what the engine is busy with.
    void status(const std::string& text);
    //! The tip that validation reached last, known before what moved it returns. Waits for no validation.
    uint256 latest_tip() const EXCLUSIVE_LOCKS_REQUIRED(!m_tip_mutex);
    //! Reports an error at once, on this thread, because the process ends when this returns.
    void last_words(const std::string& message);

    kernel::InterruptResult blockTip(SynchronizationState state, const CBlockIndex& index, double verification_progress) override EXCLUSIVE_LOCKS_REQUIRED(!m_tip_mutex);
    void headerTip(SynchronizationState state, int64_t height, int64_t timestamp, bool presync) override;
    void progress(const bilingual_str& title, int progress_percent, bool resume_possible) override;
    void warningSet(kernel::Warning id, const bilingual_str& message) override;
    void warningUnset(kernel::Warning id) override;
    void flushError(const bilingual_str& message) override;
    void fatalError(const bilingual_str& message) override;

protected:
    void UpdatedBlockTip(const CBlockIndex* index, const CBlockIndex* fork, bool initial_download) override;
    void TransactionAddedToMempool(const NewMempoolTransactionInfo& tx, uint64_t sequence) override;
    void TransactionRemovedFromMempool(const CTransactionRef& tx, MemPoolRemovalReason reason, uint64_t sequence) override;
    void MempoolTransactionsRemovedForBlock(const std::vector<RemovedMempoolTransactionInfo>& txs, unsigned int height) override;
    void BlockConnected(const kernel::ChainstateRole& role, const std::shared_ptr<const CBlock>& block, const CBlockIndex* index) override;
    void BlockDisconnected(const std::shared_ptr<const CBlock>& block, const CBlockIndex* index) override;
    void ChainStateFlushed(const kernel::ChainstateRole& role, const CBlockLocator& locator) override;
    void BlockChecked(const std::shared_ptr<const CBlock>& block, const BlockValidationState& state) override;

private:
    void post(std::function<void(const EventSink&)> event);
    IndexEntry describe(const CBlockIndex& index) const;

    EventQueue& m_queue;
    rust::Box<EventSink> m_sink;
    const int m_stop_at_height;
    mutable Mutex m_tip_mutex;
    uint256 m_tip GUARDED_BY(m_tip_mutex);
};

//! The single thread that delivers events, in the order they came.
class EventQueue
{
public:
    EventQueue();
    ~EventQueue();

    void insert(std::function<void()> event);
    //! Waits until everything inserted so far was delivered.
    void drain();
    std::size_t size();
    //! Delivers what is left and ends the thread. What is inserted later runs at once, with Rust no longer told.
    void stop();
    bool stopped() const;

private:
    struct Impl;
    std::unique_ptr<Impl> m;
};

//! Deletion order is the reverse of this one: the chain first, the queue last.
struct State {
    State(const LoadOptions& options, rust::Box<EventSink> sink);
    ~State();

    LoadOptions options;
    std::unique_ptr<EventQueue> queue;
    std::unique_ptr<Relay> relay;
    util::SignalInterrupt interrupt;
    std::unique_ptr<const CChainParams> params;
    std::unique_ptr<ValidationSignals> signals;
    std::unique_ptr<CTxMemPool> mempool;
    std::unique_ptr<ChainstateManager> chainman;
};

inline uint256 to_uint256(const Hash32& bytes) { return uint256{std::span<const unsigned char>{bytes}}; }

inline Hash32 to_bytes(std::span<const unsigned char> hash)
{
    Hash32 bytes;
    std::copy_n(hash.begin(), bytes.size(), bytes.begin());
    return bytes;
}
inline Hash32 to_bytes(const uint256& hash) { return to_bytes(std::span{hash.data(), hash.size()}); }
template <bool has_witness>
Hash32 to_bytes(const transaction_identifier<has_witness>& id) { return to_bytes(id.ToUint256()); }

//! Text that may come from disk or from the system is not always UTF-8.
inline rust::String to_text(const std::string& text) { return rust::String::lossy(text); }

inline rust::Slice<const std::uint8_t> to_slice(const std::string& text)
{
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::span<const unsigned char> to_span(rust::Slice<const std::uint8_t> slice) { return {slice.data(), slice.size()}; }
inline std::span<const unsigned char> to_span(const rust::Vec<std::uint8_t>& vec) { return {vec.data(), vec.size()}; }

//! Reads a block into `block`. Returns why that is impossible; empty if it is not.
inline std::string decode_block(rust::Slice<const std::uint8_t> bytes, CBlock& block)
{
    try {
        SpanReader{to_span(bytes)} >> TX_WITH_WITNESS(block);
        return {};
    } catch (const std::exception& e) {
        return e.what();
    }
}

inline rust::Vec<std::uint8_t> to_vec(std::span<const unsigned char> bytes)
{
    // Byte by byte through rust::Vec would be three calls of Rust's for each.
    return copy_bytes({bytes.data(), bytes.size()});
}
inline rust::Vec<std::uint8_t> to_vec(std::span<const std::byte> bytes)
{
    return to_vec(std::span{reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
}

template <typename T>
std::vector<unsigned char> serialize(const T& value)
{
    std::vector<unsigned char> bytes;
    bytes.reserve(::GetSerializeSize(value));
    VectorWriter{bytes, 0, value};
    return bytes;
}

inline rust::Slice<const std::uint8_t> to_slice(std::span<const unsigned char> bytes) { return {bytes.data(), bytes.size()}; }

//! An entry that says there is none.
IndexEntry no_index();
//! Describes a block of the index; none if null.
IndexEntry to_index(const ChainstateManager& chainman, const CBlockIndex* index) EXCLUSIVE_LOCKS_REQUIRED(::cs_main);

CoinEntry to_coin(const Coin& coin);
VerdictEntry to_verdict(const BlockValidationState& state);
} // namespace bridge
