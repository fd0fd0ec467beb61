// SPDX-License-Identifier: Apache-2.0
#include "actor/draft_codec.hpp"

#include "collective/object_codec.hpp"

#include <string>
#include <utility>

namespace sdfleet::actor {

namespace {

using Texts = collective::ObjectCodec<std::vector<std::string>>;

} // namespace

std::vector<std::byte> encode_draft(const DrawnItem& item)
{
    collective::ObjectWriter to;
    to.add_count(item.attempt_id.value);
    to.add_count(static_cast<std::size_t>(item.elapsed.count()));
    to.add_count(item.draft.height);
    to.add_count(item.draft.width);
    std::vector<std::string> texts{item.draft.media_type};
    for (const auto& [keyword, text] : item.draft.texts) {
        texts.push_back(keyword);
        texts.push_back(text);
    }
    Texts::write(to, texts);
    return std::move(to).take();
}

std::optional<DrawnItem> decode_draft(std::span<const std::byte> bytes)
{
    collective::ObjectReader from(bytes);
    const auto id = from.number<std::uint64_t>();
    const auto elapsed_ms = from.number<std::uint64_t>();
    const auto height = from.number<std::uint64_t>();
    const auto width = from.number<std::uint64_t>();
    const auto texts = Texts::read(from);
    constexpr std::uint64_t largest_side = 65'536;
    if (!width || !texts || texts->size() % 2 != 1 || !from.is_at_end() || *height > largest_side ||
        *width > largest_side) {
        return std::nullopt;
    }
    DrawnItem item{{*id}, std::chrono::milliseconds(*elapsed_ms), {}};
    item.draft.media_type = texts->front();
    item.draft.height = static_cast<std::uint32_t>(*height);
    item.draft.width = static_cast<std::uint32_t>(*width);
    for (std::size_t i = 1; i + 1 < texts->size(); i += 2) {
        item.draft.texts.emplace_back((*texts)[i], (*texts)[i + 1]);
    }
    return item;
}

} // namespace sdfleet::actor
