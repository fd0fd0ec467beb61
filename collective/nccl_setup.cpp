// SPDX-License-Identifier: Apache-2.0
#include "collective/nccl_setup.hpp"

#include "collective/core/notice.hpp"
#include "collective/forming_error.hpp"
#include "collective/nccl_device_collectives.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sdfleet::collective {

namespace {

/// What a rank says of itself: a reason, filled up with zeros; nothing but zeros: it is ready. Of one size, so that no rank can
/// make another take more.
constexpr std::size_t answer_bytes = 512;
constexpr std::size_t most_reasons = 4; ///< in the line for people

Bytes encode_answer(const Result<NcclAccess>& own)
{
    Bytes answer(answer_bytes);
    if (!own) {
        const auto text = std::as_bytes(std::span(own.error().message));
        std::ranges::copy(text.first(std::min(text.size(), answer_bytes)), answer.begin());
    }
    return answer;
}

std::string decode_answer(const Bytes& answer)
{
    std::string text;
    for (const auto byte : answer) {
        const auto c = std::to_integer<unsigned char>(byte);
        if (c == 0) {
            break;
        }
        text += c < ' ' ? ' ' : static_cast<char>(c); // one line, whoever wrote it
    }
    return text;
}

/// "ranks 0, 2: no GPU driver; rank 1: ...", or "" when all are ready.
std::string list_reasons(const std::vector<Bytes>& answers)
{
    std::map<std::string, std::vector<Rank>> ranks_of_reason;
    for (Rank rank; rank.value < answers.size(); ++rank.value) {
        if (const auto reason = decode_answer(answers[rank.value]); !reason.empty()) {
            ranks_of_reason[reason].push_back(rank);
        }
    }
    std::string text;
    std::size_t listed = 0;
    for (const auto& [reason, ranks] : ranks_of_reason) {
        if (listed++ == most_reasons) {
            return text + "; and other reasons";
        }
        text += (text.empty() ? "" : "; ") + list_ranks(ranks) + ": " + reason;
    }
    return text;
}

} // namespace

Result<NcclAccess> find_nccl(const NcclOptions& options, std::uint32_t local_rank)
{
    auto plugin = NcclPlugin::load(options.library);
    if (!plugin) {
        return tl::unexpected(std::move(plugin.error()));
    }
    NcclAccess access{*plugin, options};
    if (!access.options.device) {
        const auto facts = plugin->probe(0);
        if (!facts) {
            return tl::unexpected(facts.error());
        }
        access.options.device =
            static_cast<int>(local_rank % static_cast<std::uint32_t>(std::max(1, facts->device_count)));
    }
    if (const auto facts = plugin->probe(*access.options.device); !facts) {
        return tl::unexpected(facts.error());
    }
    return access;
}

Result<void> set_up_nccl(ProcessGroup::Impl& group, const Result<NcclAccess>& own, Deadline deadline)
{
    Operation operation;
    operation.kind = OperationKind::backend_setup;
    operation.whole_bytes = answer_bytes;
    const auto& self = group.mesh.self();
    std::vector<Bytes> answers(self.world_size, Bytes(answer_bytes));
    std::vector<Sink> sinks;
    for (auto& answer : answers) {
        sinks.emplace_back(IntoBuffer{answer});
    }
    answers[self.rank.value] = encode_answer(own);
    const auto told = run_all_gather(group.begin(operation, deadline.left()), answers[self.rank.value], sinks);
    if (!told) {
        return told;
    }
    if (const auto reasons = list_reasons(answers); !reasons.empty() || !own) {
        return tl::unexpected(forming_error(BackendUnavailable{}, self, reasons));
    }
    return NcclDeviceCollectives::create(group, own->plugin, own->options, deadline)
        .map([&](std::unique_ptr<DeviceCollectives> device) { group.device = std::move(device); });
}

} // namespace sdfleet::collective
