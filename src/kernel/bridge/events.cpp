// From the engine's signals to Rust: one queue, one thread, no locks of the engine's held.

#include "state.h"

#include <kernel/chain.h>
#include <kernel/mempool_entry.h>
#include <kernel/mempool_removal_reason.h>
#include <kernel/types.h>
#include <kernel/warning.h>
#include <util/log.h>
#include <util/thread.h>
#include <util/translation.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

namespace bridge {

struct EventQueue::Impl {
    std::mutex mutex;
    std::condition_variable filled;
    std::deque<std::function<void()>> events;
    bool ending{false};
    std::atomic<bool> ended{false};
    std::thread thread;

    void run()
    {
        std::unique_lock lock{mutex};
        while (true) {
            filled.wait(lock, [&] { return ending || !events.empty(); });
            if (events.empty()) break;
            auto event{std::move(events.front())};
            events.pop_front();
            lock.unlock();
            try {
                event();
            } catch (const std::exception& e) {
                LogError("Event dropped: %s", e.what());
            }
            event = nullptr; // what it holds goes without the lock
            lock.lock();
        }
        ended = true;
    }
};

EventQueue::EventQueue() : m{std::make_unique<Impl>()}
{
    // Core's name for the thread that does this, so that log lines look the same.
    m->thread = std::thread(&util::TraceThread, "scheduler", [impl = m.get()] { impl->run(); });
}

EventQueue::~EventQueue() { stop(); }

void EventQueue::insert(std::function<void()> event)
{
    {
        std::lock_guard lock{m->mutex};
        if (!m->ended) {
            m->events.push_back(std::move(event));
            m->filled.notify_one();
            return;
        }
    }
    event(); // somebody may wait for it
}

void EventQueue::drain()
{
    std::promise<void> promise;
    insert([&promise] { promise.set_value(); });
    promise.get_future().wait();
}

std::size_t EventQueue::size()
{
    std::lock_guard lock{m->mutex};
    return m->events.size();
}

void EventQueue::stop()
{
    {
        std::lock_guard lock{m->mutex};
        m->ending = true;
        m->filled.notify_one();
    }
    if (m->thread.joinable()) m->thread.join();
}

bool EventQueue::stopped() const { return m->ended; }

void Relay::post(std::function<void(const EventSink&)> event)
{
    m_queue.insert([this, event = std::move(event)] {
        if (!m_queue.stopped()) event(*m_sink);
    });
}

IndexEntry Relay::describe(const CBlockIndex& index) const
{
    LOCK(::cs_main);
    return to_index(*m_chainman, &index);
}

// Not by the queue: whoever is told wants to know it while it is so.
void Relay::status(const std::string& text) { m_sink->status(to_slice(text)); }

uint256 Relay::latest_tip() const { return WITH_LOCK(m_tip_mutex, return m_tip); }

void Relay::last_words(const std::string& message) { m_sink->fatal_error(to_slice(message)); }

kernel::InterruptResult Relay::blockTip(SynchronizationState state, const CBlockIndex& index, double verification_progress)
{
    WITH_LOCK(m_tip_mutex, m_tip = index.GetBlockHash());
    post([this, state, &index, verification_progress](const EventSink& sink) {
        sink.block_tip(static_cast<std::uint8_t>(state), describe(index), verification_progress);
    });
    if (m_stop_at_height > 0 && index.nHeight >= m_stop_at_height) {
        post([](const EventSink& sink) { sink.stop_height_reached(); });
        return kernel::Interrupted{};
    }
    return {};
}

void Relay::headerTip(SynchronizationState state, int64_t height, int64_t timestamp, bool presync)
{
    post([=](const EventSink& sink) { sink.header_tip(static_cast<std::uint8_t>(state), height, timestamp, presync); });
}

void Relay::progress(const bilingual_str& title, int progress_percent, bool resume_possible)
{
    post([title = title.original, progress_percent, resume_possible](const EventSink& sink) {
        sink.progress(to_slice(title), progress_percent, resume_possible);
    });
}

void Relay::warningSet(kernel::Warning id, const bilingual_str& message)
{
    post([id, message = message.original](const EventSink& sink) {
        sink.warning_set(static_cast<std::uint8_t>(id), to_slice(message));
    });
}

void Relay::warningUnset(kernel::Warning id)
{
    post([id](const EventSink& sink) { sink.warning_unset(static_cast<std::uint8_t>(id)); });
}

void Relay::flushError(const bilingual_str& message)
{
    post([message = message.original](const EventSink& sink) { sink.flush_error(to_slice(message)); });
}

void Relay::fatalError(const bilingual_str& message)
{
    post([message = message.original](const EventSink& sink) { sink.fatal_error(to_slice(message)); });
}

// The following come on the queue's thread already, except BlockChecked.

void Relay::UpdatedBlockTip(const CBlockIndex* index, const CBlockIndex* fork, bool initial_download)
{
    if (m_queue.stopped()) return;
    OptionalHash fork_hash{};
    if (fork) fork_hash = {true, to_bytes(fork->GetBlockHash())};
    m_sink->tip_updated(describe(*index), fork_hash, initial_download);
}

void Relay::TransactionAddedToMempool(const NewMempoolTransactionInfo& tx, uint64_t sequence)
{
    if (m_queue.stopped() || !m_sink->wants_transactions()) return;
    m_sink->transaction_added(to_slice(serialize(TX_WITH_WITNESS(*tx.info.m_tx))), sequence);
}

void Relay::TransactionRemovedFromMempool(const CTransactionRef& tx, MemPoolRemovalReason reason, uint64_t sequence)
{
    if (m_queue.stopped() || !m_sink->wants_transactions()) return;
    m_sink->transaction_removed(to_slice(serialize(TX_WITH_WITNESS(*tx))), static_cast<std::uint8_t>(reason), sequence);
}

void Relay::MempoolTransactionsRemovedForBlock(const std::vector<RemovedMempoolTransactionInfo>& txs, unsigned int height)
{
    if (m_queue.stopped() || txs.empty()) return;
    std::vector<Hash> ids;
    ids.reserve(txs.size());
    for (const auto& tx : txs) ids.push_back({to_bytes(tx.info.m_tx->GetHash())});
    m_sink->transactions_mined({ids.data(), ids.size()}, height);
}

void Relay::BlockConnected(const kernel::ChainstateRole& role, const std::shared_ptr<const CBlock>& block, const CBlockIndex* index)
{
    if (m_queue.stopped() || role.historical) return;
    if (!m_sink->wants_blocks()) return m_sink->block_passed();
    m_sink->block_connected(describe(*index), to_slice(serialize(TX_WITH_WITNESS(*block))));
}

void Relay::BlockDisconnected(const std::shared_ptr<const CBlock>& block, const CBlockIndex* index)
{
    if (m_queue.stopped()) return;
    m_sink->block_disconnected(describe(*index), to_slice(serialize(TX_WITH_WITNESS(*block))));
}

void Relay::ChainStateFlushed(const kernel::ChainstateRole& role, const CBlockLocator& locator)
{
    if (m_queue.stopped() || role.historical) return;
    std::vector<Hash> hashes;
    hashes.reserve(locator.vHave.size());
    for (const uint256& hash : locator.vHave) hashes.push_back({to_bytes(hash)});
    m_sink->chain_state_flushed({hashes.data(), hashes.size()});
}

//! Comes while validation holds its locks, hence the detour over the queue.
void Relay::BlockChecked(const std::shared_ptr<const CBlock>& block, const BlockValidationState& state)
{
    post([hash = to_bytes(block->GetHash()), state](const EventSink& sink) {
        sink.block_checked(Hash{hash}, to_verdict(state));
    });
}
} // namespace bridge
