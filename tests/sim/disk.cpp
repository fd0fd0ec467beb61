// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/disk.hpp"

#include "base/sha256.hpp"
#include "tests/sim/checker.hpp"
#include "tests/sim/picture.hpp"

namespace sdfleet::sim {

namespace {

constexpr std::uint64_t failure_per_million = 4'000;
constexpr std::uint64_t slow_per_million = 3'000;

bool is_whole(const coordinator::StoreOperation& operation)
{
    const auto* settle = std::get_if<coordinator::SettleItems>(&operation);
    return settle == nullptr || !settle->content ||
           base::sha256_hex(text_of(*settle->content)) == settle->outcomes.front().sha256;
}

constexpr const char* corrupt = "the bytes do not match their hash";

} // namespace

void Disk::push(Task task)
{
    auto& queue = queue_of(task);
    const auto* persist = std::get_if<coordinator::Persist>(&task);
    if (persist != nullptr && environment_.mutation == Mutation::acknowledges_early) {
        environment_.agenda.in(0, [this, ticket = persist->ticket] { on_event_(coordinator::StoreCommitted{ticket}); });
    }
    queue.tasks.push_back(std::move(task));
    if (!queue.is_busy) {
        work(queue);
    }
}

void Disk::work(Queue& queue)
{
    queue.is_busy = !queue.tasks.empty();
    if (!queue.is_busy) {
        return;
    }
    Time duration = environment_.random.between(1, 12);
    if (environment_.faults.strikes(Fault::slow_disk, slow_per_million)) {
        duration += environment_.random.between(200, 4'000);
    }
    environment_.agenda.in(duration, [this, &queue, life = life_] {
        if (life != life_) {
            return;
        }
        const Task task = std::move(queue.tasks.front());
        queue.tasks.pop_front();
        auto answer = std::visit([this](const auto& one) { return perform(one); }, task);
        const bool was_told = environment_.mutation == Mutation::acknowledges_early && task.index() == 0;
        if (!std::holds_alternative<coordinator::Tick>(answer) && !was_told) { // a removal is not answered
            environment_.agenda.in(environment_.random.between(0, 2), [this, life, answer = std::move(answer)] {
                if (life == life_) {
                    on_event_(answer);
                }
            });
        }
        work(queue);
    });
}

bool Disk::fails()
{
    return environment_.now() < full_until_ || environment_.faults.strikes(Fault::store_failure, failure_per_million);
}

coordinator::Event Disk::perform(const coordinator::Persist& task)
{
    if (!is_whole(task.operation)) {
        return coordinator::ArtifactNotSaved{task.ticket, true, corrupt};
    }
    if (fails()) {
        return coordinator::StoreFailed{task.ticket, "the disk is full"};
    }
    checker_.ledger.becomes_durable(task.operation);
    if (!state_.apply(task.operation)) {
        return coordinator::StoreFailed{task.ticket, "the database refused it"};
    }
    checker_.ledger.check_artifacts();
    return coordinator::StoreCommitted{task.ticket};
}

coordinator::Event Disk::perform(const coordinator::SaveArtifact& task)
{
    auto content = text_of(task.content);
    if (base::sha256_hex(content) != task.sha256) {
        return coordinator::ArtifactNotSaved{task.ticket, true, corrupt};
    }
    if (fails()) {
        return coordinator::ArtifactNotSaved{task.ticket, false, "the disk is full"};
    }
    state_.artifact_files[task.sha256] = std::move(content);
    return coordinator::ArtifactSaved{task.ticket};
}

coordinator::Event Disk::perform(const coordinator::LoadArtifact& task)
{
    const auto* found = state_.find_artifact(task.sha256);
    if (found == nullptr) {
        return coordinator::ArtifactNotLoaded{task.ticket, "there is no such file"};
    }
    return coordinator::ArtifactLoaded{task.ticket, proto::Blob::of(*found)};
}

coordinator::Event Disk::perform(const coordinator::RemoveArtifact& task)
{
    state_.artifact_files.erase(task.sha256);
    checker_.ledger.check_artifacts();
    return coordinator::Tick{};
}

/// Each queue got as far as chance would have it; what was not reached never happened.
void Disk::crash()
{
    ++life_;
    for (auto& queue : queues_) {
        auto reached = environment_.random.below(queue.tasks.size() + 1);
        for (; reached > 0; --reached) {
            std::visit([this](const auto& one) { perform(one); }, queue.tasks.front());
            queue.tasks.pop_front();
        }
        queue.tasks.clear();
        queue.is_busy = false;
    }
}

} // namespace sdfleet::sim
