// SPDX-License-Identifier: Apache-2.0
#include "proto/messages.hpp"

#include <array>
#include <utility>

namespace sdfleet::proto {

namespace {

using Taker = void (*)(MessageVariant&, void*);

template <std::size_t... Index>
constexpr auto make_takers(std::index_sequence<Index...>)
{
    std::array<Taker, 256> takers{};
    ((takers[static_cast<std::size_t>(std::variant_alternative_t<Index, MessageVariant>::type)] =
          [](MessageVariant& message, void* body) {
              message.emplace<Index>(std::move(*static_cast<std::variant_alternative_t<Index, MessageVariant>*>(body)));
          }),
     ...);
    return takers;
}

constexpr auto takers = make_takers(std::make_index_sequence<std::variant_size_v<MessageVariant>>());

} // namespace

Message::Message() = default;
Message::Message(const Message&) = default;
Message::Message(Message&&) noexcept = default;
Message& Message::operator=(const Message&) = default;
Message& Message::operator=(Message&&) noexcept = default;
Message::~Message() = default;

bool Message::operator==(const Message& other) const
{
    return static_cast<const MessageVariant&>(*this) == static_cast<const MessageVariant&>(other);
}

void Message::take(MessageType type, void* body)
{
    takers[static_cast<std::size_t>(type)](*this, body);
}

} // namespace sdfleet::proto
