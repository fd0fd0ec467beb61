// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/commit_thread.hpp"

#include "base/test_fault.hpp"

#include <utility>
#include <vector>

namespace sdfleet::coordinator {

CommitThread::CommitThread(Database database, std::function<void(Event)> on_event)
    : database_(std::move(database)), on_event_(std::move(on_event)), thread_([this] { run(); })
{
}

CommitThread::~CommitThread()
{
    stop();
}

void CommitThread::stop()
{
    queue_.close();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void CommitThread::push(Persist persist)
{
    if (!queue_.push(persist)) {
        on_event_(StoreFailed{persist.ticket, "too many writes wait for the disk"});
    }
}

void CommitThread::run()
{
    for (auto batch = queue_.take_all(); !batch.empty(); batch = queue_.take_all()) {
        std::vector<StoreOperation> operations;
        operations.reserve(batch.size());
        for (auto& persist : batch) {
            operations.push_back(std::move(persist.operation));
        }
        const auto together = database_.commit(operations);
        for (std::size_t i = 0; i < batch.size(); ++i) {
            // One bad operation must not take the others with it.
            const auto result =
                together || batch.size() == 1 ? together : database_.commit(std::span(operations).subspan(i, 1));
            if (result) {
                (void)base::test_fault("store.committed"); // an exit only: it is on disk
                on_event_(StoreCommitted{batch[i].ticket});
            } else {
                on_event_(StoreFailed{batch[i].ticket, result.error().message});
            }
        }
    }
}

} // namespace sdfleet::coordinator
