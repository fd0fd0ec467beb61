// SPDX-License-Identifier: Apache-2.0
#include "proto/codec.hpp"

#include "proto/packet.hpp"

#include <array>
#include <optional>
#include <string>
#include <utility>

namespace sdfleet::proto {

namespace {

constexpr std::size_t max_array = 2 * max_items_per_job;
constexpr std::size_t max_map = 64;
constexpr std::size_t max_string = 64 * 1024;
constexpr std::size_t max_depth = 16;

tl::unexpected<DecodeError> fail(DecodeError::Kind kind, std::string message)
{
    return tl::unexpected(DecodeError{kind, std::move(message)});
}

/// The memory of the objects that a message is read through; kept from one message to the next, of which there are many.
class ObjectMemory {
public:
    ObjectMemory() : zone_(zone()) {}
    ObjectMemory(const ObjectMemory&) = delete;
    ObjectMemory& operator=(const ObjectMemory&) = delete;
    ~ObjectMemory() { zone_.clear(); } // all but its first few kilobytes go back

    /// The objects point into `bytes`, too.
    msgpack::object unpack(std::span<const std::byte> bytes, std::size_t& offset)
    {
        static const msgpack::unpack_limit limit(max_array, max_map, max_string, 0, 0, max_depth);
        const auto stays_where_it_is = [](msgpack::type::object_type, std::size_t, void*) { return true; };
        return msgpack::unpack(zone_, reinterpret_cast<const char*>(bytes.data()), bytes.size(), offset,
                               stays_where_it_is, nullptr, limit);
    }

private:
    static msgpack::zone& zone()
    {
        thread_local msgpack::zone memory;
        return memory;
    }

    msgpack::zone& zone_;
};

/// What msgpack packs into.
class Appender {
public:
    explicit Appender(std::string& bytes) : bytes_(bytes) {}
    void write(const char* data, std::size_t size) { bytes_.append(data, size); }

private:
    std::string& bytes_;
};

using Converter = Message (*)(const msgpack::object&);

template <class Body>
Message convert_to(const msgpack::object& object)
{
    if (object.type != msgpack::type::MAP) {
        throw msgpack::type_error();
    }
    return object.as<Body>();
}

/// From message number to the function that reads such a body; nullptr where there is no message.
template <std::size_t... Index>
constexpr auto make_converters(std::index_sequence<Index...>)
{
    std::array<Converter, 256> converters{};
    ((converters[static_cast<std::size_t>(std::variant_alternative_t<Index, MessageVariant>::type)] =
          &convert_to<std::variant_alternative_t<Index, MessageVariant>>),
     ...);
    return converters;
}

constexpr auto converters = make_converters(std::make_index_sequence<std::variant_size_v<MessageVariant>>());

bool is_read_at_every_version(std::uint8_t type)
{
    switch (static_cast<MessageType>(type)) {
    case MessageType::agent_hello:
    case MessageType::client_hello:
    case MessageType::actor_hello:
    case MessageType::refused:
        return true;
    default:
        return false;
    }
}

std::optional<DecodeError> find_fault(const Envelope& envelope)
{
    if (converters[envelope.type] == nullptr) {
        return DecodeError{DecodeError::Kind::unknown_message,
                           "there is no message number " + std::to_string(envelope.type)};
    }
    const bool is_ours = envelope.version >= protocol_version_min && envelope.version <= protocol_version_max;
    if (!is_ours && !is_read_at_every_version(envelope.type)) {
        return DecodeError{DecodeError::Kind::unsupported_version,
                           "protocol version " + std::to_string(envelope.version) + " is not between " +
                               std::to_string(protocol_version_min) + " and " + std::to_string(protocol_version_max)};
    }
    return std::nullopt;
}

tl::expected<Decoded, DecodeError> decode_or_throw(std::span<const std::byte> bytes)
{
    ObjectMemory memory;
    std::size_t offset = 0;
    const auto envelope = memory.unpack(bytes, offset);
    if (envelope.type != msgpack::type::MAP) {
        return fail(DecodeError::Kind::malformed, "the envelope is not a map");
    }
    Decoded decoded;
    envelope.convert(decoded.envelope);
    if (auto fault = find_fault(decoded.envelope)) {
        return tl::unexpected(std::move(*fault));
    }
    if (offset == bytes.size()) {
        return fail(DecodeError::Kind::malformed, "the body is missing");
    }
    const auto body = memory.unpack(bytes, offset);
    if (offset != bytes.size()) {
        return fail(DecodeError::Kind::trailing_bytes, "bytes follow the body");
    }
    decoded.message = converters[decoded.envelope.type](body);
    return decoded;
}

} // namespace

void append_encoded(std::string& bytes, Envelope envelope, const Message& message)
{
    envelope.type = static_cast<std::uint8_t>(type_of(message));
    Appender appender(bytes);
    msgpack::packer packer(appender);
    packer.pack(envelope);
    std::visit([&packer](const auto& body) { packer.pack(body); }, message);
}

std::string encode(const Envelope& envelope, const Message& message)
{
    std::string bytes;
    append_encoded(bytes, envelope, message);
    return bytes;
}

tl::expected<Decoded, DecodeError> decode(std::span<const std::byte> bytes)
{
    if (bytes.size() > max_message_bytes) {
        return fail(DecodeError::Kind::too_large, "a message of " + std::to_string(bytes.size()) +
                                                      " bytes is above the limit of " +
                                                      std::to_string(max_message_bytes));
    }
    // msgpack reports bad bytes and bad types by exceptions; they end here.
    try {
        return decode_or_throw(bytes);
    } catch (const msgpack::unpack_error& error) {
        return fail(DecodeError::Kind::malformed, std::string("not readable as msgpack: ") + error.what());
    } catch (const msgpack::type_error&) {
        return fail(DecodeError::Kind::wrong_type, "a member is not of the type that the protocol gives it");
    }
}

} // namespace sdfleet::proto
