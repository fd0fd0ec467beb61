// SPDX-License-Identifier: Apache-2.0
// A coordinator core with a clock that the test turns, a disk that answers at once unless told otherwise, and peers that
// are only names.
#pragma once

#include "coordinator/core/core.hpp"

#include "tests/catch.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sdfleet::coordinator {

inline proto::JobSpec echo_job(std::size_t items, proto::Split split = proto::Split::pull)
{
    proto::JobSpec spec;
    spec.split = split;
    spec.parameters.kind = proto::EchoParameters{};
    for (std::size_t i = 0; i < items; ++i) {
        spec.items.push_back({"prompt " + std::to_string(i), i, std::nullopt});
    }
    return spec;
}

inline proto::JobSpec drawing_job(std::string model, std::size_t items)
{
    auto spec = echo_job(items);
    spec.model = std::move(model);
    spec.parameters.kind = proto::DiffusionParameters{};
    return spec;
}

/// The real hash does not matter to the core.
inline std::string fake_sha256(char digit = 'a')
{
    return std::string(64, digit);
}

class World {
public:
    enum class Disk { works, full, silent };

    explicit World(Options options = {}, Limits limits = {}, std::vector<RestoredJob> jobs = {},
                   std::uint64_t epoch = 1)
        : core({{"cluster"}, epoch, "test"}, options, limits), options_(options), limits_(limits), epoch_(epoch)
    {
        feed(Restored{std::move(jobs), {}});
    }

    Core core;
    Milliseconds now;
    Disk disk = Disk::works;
    bool corrupts_artifacts = false;
    std::map<std::string, std::deque<proto::Message>> inbox; ///< by peer
    std::vector<StoreOperation> stored;
    std::vector<Event> unanswered; ///< what a silent disk will say
    std::vector<std::string> alarms;
    std::vector<std::string> lines;
    std::set<std::string> files; ///< of large artifacts, by hash
    std::set<std::string> removed_artifacts;
    std::set<std::string> launchers; ///< clients that may run programs
    bool keeps_sends = false;
    std::vector<Send> sends; ///< all that was sent, with correlations and blobs, when it is kept

    void feed(const Event& event)
    {
        std::deque<Event> events{event};
        for (; !events.empty(); events.pop_front()) {
            for (auto& effect : core.step(events.front(), now)) {
                std::visit([&](auto& body) { perform(body, events); }, effect);
            }
            const auto fault = core.find_inconsistency();
            INFO(fault.value_or(""));
            REQUIRE_FALSE(fault);
        }
    }

    /// Turns the clock, stopping at every deadline on the way.
    void wait(std::int64_t milliseconds)
    {
        const Milliseconds end{now.count + milliseconds};
        while (core.next_deadline() && *core.next_deadline() <= end) {
            now = std::max(now, *core.next_deadline());
            feed(Tick{});
        }
        now = end;
    }

    /// Turns the clock while the named nodes send heartbeats that list what they hold.
    void wait_with_heartbeats(std::int64_t milliseconds, const std::vector<std::string>& nodes)
    {
        for (std::int64_t waited = 0; waited < milliseconds; waited += 500) {
            for (const auto& node : nodes) {
                say(node, proto::Heartbeat{1, held[node], {}, {}});
            }
            wait(500);
        }
    }

    void say(const std::string& peer, proto::Message message, std::uint64_t correlation = 0,
             std::vector<proto::Blob> blobs = {})
    {
        feed(PacketReceived{{peer},
                            {},
                            correlation,
                            std::move(message),
                            std::move(blobs),
                            1'700'000'000'000,
                            launchers.contains(peer)});
    }

    /// A node whose control connection bears its name. Its actors are ready.
    proto::AgentHello hello_of(const std::string& node, std::uint32_t actors = 1, std::uint64_t incarnation = 1,
                               std::vector<std::string> models = {"m"}, std::uint32_t max_batch = 1)
    {
        proto::AgentHello hello;
        hello.node_id = {node};
        hello.incarnation = {incarnation};
        hello.hostname = "host of " + node;
        for (const auto& model : models) {
            hello.models.push_back({model, "f00d"});
        }
        for (std::uint32_t slot = 0; slot < actors; ++slot) {
            hello.actors.push_back({{slot}, "cpu", proto::ActorPhase::ready, 100 + slot, 0, "", max_batch});
        }
        return hello;
    }

    void join(const std::string& node, std::uint32_t actors = 1, std::uint64_t incarnation = 1)
    {
        say(node, hello_of(node, actors, incarnation));
        REQUIRE(take<proto::Welcome>(node).size() == 1);
    }

    void submit(const std::string& job, const proto::JobSpec& spec, const std::string& client = "client")
    {
        say(client, proto::ClientHello{});
        say(client, proto::Submit{{job}, spec}, 7);
    }

    /// Removes and returns what a peer got of one type.
    template <class Body>
    std::vector<Body> take(const std::string& peer)
    {
        std::vector<Body> found;
        std::erase_if(inbox[peer], [&](const proto::Message& message) {
            if (const auto* body = std::get_if<Body>(&message)) {
                found.push_back(*body);
                return true;
            }
            return false;
        });
        return found;
    }

    template <class Body>
    Body take_one(const std::string& peer)
    {
        auto found = take<Body>(peer);
        REQUIRE(found.size() == 1);
        return found.front();
    }

    /// The node says that it has and starts all that it was given; returns it.
    std::vector<proto::Assign> start_all(const std::string& node)
    {
        auto assigns = take<proto::Assign>(node);
        for (const auto& assign : assigns) {
            accept(node, assign);
            say(node, proto::Started{assign.attempt_id});
        }
        return assigns;
    }

    void accept(const std::string& node, const proto::Assign& assign)
    {
        held[node].push_back(assign.attempt_id);
        say(node, proto::Accepted{assign.attempt_id});
    }

    void finish(const std::string& node, const proto::Assign& assign)
    {
        std::erase(held[node], assign.attempt_id);
        say(node, proto::ItemDone{assign.attempt_id, assign.job_id, assign.index, "text/plain", fake_sha256(), 5}, 0,
            {proto::Blob::of("result")});
    }

    void fail(const std::string& node, const proto::Assign& assign, proto::FailureReason reason,
              const std::string& message = "")
    {
        std::erase(held[node], assign.attempt_id);
        say(node, proto::ItemFailed{assign.attempt_id, assign.job_id, assign.index, reason, message});
    }

    proto::JobSummary summary(const std::string& job) { return detail(job).job; }

    proto::ItemReport item(const std::string& job, std::uint32_t index) { return detail(job).reports.at(index); }

    proto::JobDetail detail(const std::string& job)
    {
        say("observer", proto::ClientHello{});
        say("observer", proto::GetJob{{job}, 0, 1000});
        return take_one<proto::JobDetail>("observer");
    }

    /// A new process on the same disk. Whatever was not on it is gone, and so are the connections.
    void restart()
    {
        core = Core({{"cluster"}, ++epoch_, "test"}, options_, limits_);
        unanswered.clear();
        inbox.clear();
        feed(Restored{jobs_on_disk(), policies_on_disk()});
    }

    std::vector<RestoredJob> jobs_on_disk() const
    {
        std::vector<RestoredJob> jobs;
        const auto find = [&jobs](const proto::JobId& id) {
            return std::find_if(jobs.begin(), jobs.end(), [&](const auto& job) { return job.job.job_id == id; });
        };
        for (const auto& operation : stored) {
            if (const auto* insert = std::get_if<InsertJob>(&operation)) {
                jobs.push_back({*insert, false, {}});
            } else if (const auto* settled = std::get_if<SettleItems>(&operation)) {
                auto& outcomes = find(settled->job_id)->outcomes;
                outcomes.insert(outcomes.end(), settled->outcomes.begin(), settled->outcomes.end());
            } else if (const auto* cancelled = std::get_if<MarkJobCancelled>(&operation)) {
                find(cancelled->job_id)->is_cancelled = true;
            } else if (const auto* forgotten = std::get_if<ForgetJobs>(&operation)) {
                for (const auto& id : forgotten->jobs) {
                    jobs.erase(find(id));
                }
            }
        }
        return jobs;
    }

    /// The hashes of the artifacts that are there: small ones in the database, large ones as files.
    std::set<std::string> artifacts_on_disk() const
    {
        std::set<std::string> artifacts;
        for (const auto& operation : stored) {
            if (const auto* settled = std::get_if<SettleItems>(&operation); settled != nullptr && settled->content) {
                artifacts.insert(settled->outcomes.front().sha256);
            } else if (const auto* forgotten = std::get_if<ForgetJobs>(&operation)) {
                for (const auto& sha256 : forgotten->artifacts) {
                    artifacts.erase(sha256);
                }
            }
        }
        artifacts.insert(files.begin(), files.end());
        return artifacts;
    }

    std::vector<SetNodePolicy> policies_on_disk() const
    {
        std::map<proto::NodeId, SetNodePolicy> policies;
        for (const auto& operation : stored) {
            if (const auto* policy = std::get_if<SetNodePolicy>(&operation)) {
                policies[policy->node_id] = *policy;
            }
        }
        std::vector<SetNodePolicy> list;
        for (const auto& [id, policy] : policies) {
            list.push_back(policy);
        }
        return list;
    }

    /// A silent disk's answers to what it was asked so far.
    void answer_disk()
    {
        for (const auto& event : std::exchange(unanswered, {})) {
            feed(event);
        }
    }

    std::map<std::string, std::vector<proto::AttemptId>> held; ///< what each node would list in a heartbeat

private:
    Options options_;
    Limits limits_;
    std::uint64_t epoch_;

    void perform(Send& effect, std::deque<Event>&)
    {
        if (keeps_sends) {
            sends.push_back(effect);
        }
        inbox[effect.peer.bytes].push_back(std::move(effect.message));
    }

    /// Of a disk that works, or of one that says nothing yet.
    void answer(Event event, std::deque<Event>& events)
    {
        if (disk == Disk::silent) {
            unanswered.push_back(std::move(event));
        } else {
            events.push_back(std::move(event));
        }
    }

    void perform(Persist& effect, std::deque<Event>& events)
    {
        if (disk == Disk::full) {
            events.push_back(StoreFailed{effect.ticket, "disk full"});
            return;
        }
        const auto* settled = std::get_if<SettleItems>(&effect.operation);
        if (corrupts_artifacts && settled != nullptr && settled->content) {
            answer(ArtifactNotSaved{effect.ticket, true, "bits fell over"}, events);
            return;
        }
        stored.push_back(effect.operation);
        answer(StoreCommitted{effect.ticket}, events);
    }

    void perform(SaveArtifact& effect, std::deque<Event>& events)
    {
        if (corrupts_artifacts) {
            answer(ArtifactNotSaved{effect.ticket, true, "bits fell over"}, events);
        } else if (disk == Disk::full) {
            events.push_back(ArtifactNotSaved{effect.ticket, false, "disk full"});
        } else {
            files.insert(effect.sha256);
            answer(ArtifactSaved{effect.ticket}, events);
        }
    }

    void perform(LoadArtifact& effect, std::deque<Event>& events)
    {
        events.push_back(ArtifactLoaded{effect.ticket, proto::Blob::of("result")});
    }

    void perform(RemoveArtifact& effect, std::deque<Event>&)
    {
        files.erase(effect.sha256);
        removed_artifacts.insert(effect.sha256);
    }
    void perform(Log& effect, std::deque<Event>&) { lines.push_back(effect.text); }
    void perform(Alarm& effect, std::deque<Event>&) { alarms.push_back(effect.text); }
};

} // namespace sdfleet::coordinator
