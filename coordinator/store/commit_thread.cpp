// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/commit_thread.hpp"

#include "base/test_fault.hpp"
#include "coordinator/store/artifact_folder.hpp"

#include <utility>

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
    for (auto waiting = queue_.take_all(); !waiting.empty(); waiting = queue_.take_all()) {
        while (!waiting.empty()) {
            commit(take_group(waiting));
        }
        while (queue_.is_idle() && database_.tidy()) {
        }
    }
}

CommitThread::Group CommitThread::take_group(std::deque<Persist>& waiting)
{
    Group group;
    std::size_t bytes = 0;
    while (!waiting.empty() && group.operations.size() < operations_per_commit && bytes < bytes_per_commit) {
        Persist persist = std::move(waiting.front());
        waiting.pop_front();
        if (!is_whole(persist)) {
            continue;
        }
        if (const auto* settled = std::get_if<SettleItems>(&persist.operation);
            settled != nullptr && settled->content) {
            bytes += settled->content->bytes.size();
        }
        group.operations.push_back(std::move(persist.operation));
        group.tickets.push_back(persist.ticket);
    }
    return group;
}

bool CommitThread::is_whole(const Persist& persist)
{
    const auto* settled = std::get_if<SettleItems>(&persist.operation);
    if (settled == nullptr || !settled->content) {
        return true;
    }
    auto fault = find_corruption(settled->outcomes.front().sha256, *settled->content);
    if (fault) {
        on_event_(ArtifactNotSaved{persist.ticket, true, std::move(*fault)});
    }
    return !fault;
}

void CommitThread::commit(const Group& group)
{
    const auto committed = database_.commit(group.operations);
    if (!committed && committed.error().is_of_operation && group.operations.size() > 1) {
        commit_one_by_one(group); // a bad one must not take the others with it
        return;
    }
    for (const auto ticket : group.tickets) {
        if (committed) {
            (void)base::test_fault("store.committed"); // an exit only: it is on disk
            on_event_(StoreCommitted{ticket});
        } else {
            on_event_(StoreFailed{ticket, committed.error().message});
        }
    }
}

void CommitThread::commit_one_by_one(const Group& group)
{
    for (std::size_t i = 0; i < group.operations.size(); ++i) {
        commit({{group.operations[i]}, {group.tickets[i]}});
    }
}

} // namespace sdfleet::coordinator
