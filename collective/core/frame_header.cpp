// SPDX-License-Identifier: Apache-2.0
#include "collective/core/frame_header.hpp"

#include "collective/core/byte_order.hpp"

namespace sdfleet::collective {

namespace {

constexpr std::uint32_t magic = 0x31474453; // "SDG1"
constexpr std::uint8_t version = 1;

template <class Enum>
bool is_at_most(std::uint8_t number, Enum last)
{
    return number <= static_cast<std::uint8_t>(last);
}

} // namespace

const char* to_string(OperationKind kind)
{
    constexpr std::array names{"forming",
                               "barrier",
                               "broadcast",
                               "gather",
                               "all_gather",
                               "scatter",
                               "send/recv",
                               "all_reduce",
                               "broadcast_into",
                               "gather_into",
                               "all_gather_into",
                               "scatter_into",
                               "setting up NCCL",
                               "barrier on the device",
                               "broadcast on the device",
                               "gather on the device",
                               "all_gather on the device",
                               "scatter on the device",
                               "send/recv on the device",
                               "all_reduce on the device"};
    static_assert(names.size() == static_cast<std::size_t>(OperationKind::device_all_reduce) + 1);
    return names[static_cast<std::size_t>(kind)];
}

std::array<std::byte, header_bytes> encode(const FrameHeader& header)
{
    std::array<std::byte, header_bytes> bytes{};
    ByteWriter writer(bytes);
    writer.put(magic);
    writer.put(version);
    writer.put(static_cast<std::uint8_t>(header.kind));
    writer.put(static_cast<std::uint8_t>(header.operation.kind));
    writer.put(static_cast<std::uint8_t>(header.operation.type));
    writer.put(static_cast<std::uint8_t>(header.operation.reduce));
    writer.put(std::uint8_t{0});
    writer.put(std::uint16_t{0});
    writer.put(header.operation.root);
    writer.put(header.epoch);
    writer.put(header.operation.sequence);
    writer.put(header.operation.whole_bytes);
    writer.put(header.payload_bytes);
    writer.put(header.offset);
    return bytes;
}

tl::expected<FrameHeader, std::string> decode_header(std::span<const std::byte> bytes, std::size_t body_bytes)
{
    ByteReader reader(bytes);
    if (bytes.size() != header_bytes || reader.take<std::uint32_t>() != magic) {
        return tl::unexpected<std::string>("not a message between ranks");
    }
    if (reader.take<std::uint8_t>() != version) {
        return tl::unexpected<std::string>(
            "another version of the messages between ranks; run programs of the same release");
    }
    const auto kind = reader.take<std::uint8_t>();
    const auto operation = reader.take<std::uint8_t>();
    const auto type = reader.take<std::uint8_t>();
    const auto reduce = reader.take<std::uint8_t>();
    reader.take<std::uint8_t>();
    reader.take<std::uint16_t>();
    if (kind == 0 || !is_at_most(kind, FrameKind::leave) || !is_at_most(operation, OperationKind::device_all_reduce) ||
        !is_at_most(type, ElementType::float64) || !is_at_most(reduce, ReduceOp::avg)) {
        return tl::unexpected<std::string>("an unknown kind of message between ranks");
    }
    FrameHeader header;
    header.kind = static_cast<FrameKind>(kind);
    header.operation.kind = static_cast<OperationKind>(operation);
    header.operation.type = static_cast<ElementType>(type);
    header.operation.reduce = static_cast<ReduceOp>(reduce);
    header.operation.root = reader.take<std::uint32_t>();
    header.epoch = reader.take<std::uint64_t>();
    header.operation.sequence = reader.take<std::uint64_t>();
    header.operation.whole_bytes = reader.take<std::uint64_t>();
    header.payload_bytes = reader.take<std::uint64_t>();
    header.offset = reader.take<std::uint64_t>();
    if (header.payload_bytes > max_payload_bytes || header.offset > header.payload_bytes ||
        body_bytes > header.payload_bytes - header.offset ||
        (body_bytes == 0 && header.offset != header.payload_bytes)) {
        return tl::unexpected<std::string>("a piece that lies outside its payload");
    }
    return header;
}

} // namespace sdfleet::collective
