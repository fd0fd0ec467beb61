// SPDX-License-Identifier: Apache-2.0
#include "collective/core/frame_header.hpp"
#include "collective/core/inbox.hpp"
#include "collective/core/notice.hpp"

#include "tests/catch.hpp"

#include <vector>

#include <rapidcheck.h>

using namespace sdfleet::collective;
using namespace std::chrono_literals;

namespace {

using Bytes = std::vector<std::byte>;

FrameHeader piece_header(std::uint64_t sequence, OperationKind kind = OperationKind::gather, std::uint32_t tag = 0)
{
    FrameHeader header{FrameKind::data, 3, {}, 10, 0};
    header.operation = {kind, ElementType::uint8, ReduceOp::sum, tag, sequence, 0};
    return header;
}

Piece piece_of(const FrameHeader& header, std::size_t size = 10)
{
    return {header, sdfleet::proto::Blob::of(std::string(size, 'x'))};
}

} // namespace

TEST_CASE("a header comes back as it was, with every number in its place")
{
    FrameHeader header{FrameKind::data, 0x0102030405060708, {}, 5'000'000'000, 4'000'000'000};
    header.operation = {
        OperationKind::all_reduce, ElementType::bfloat16, ReduceOp::avg, 77, 0xfffffffffffffff0, 123'456};
    const auto bytes = encode(header);
    REQUIRE(decode_header(bytes, 1'000'000'000) == header);
    REQUIRE(std::to_integer<int>(bytes[0]) == 'S'); // the wire's order does not depend on the machine's
    REQUIRE(std::to_integer<int>(bytes[16]) == 0x08);
}

TEST_CASE("whatever bytes come, a header that passes is in range")
{
    rc::check([](const std::vector<std::uint8_t>& noise, bool is_long) {
        auto bytes = encode(piece_header(1));
        std::vector<std::byte> mutated(bytes.begin(), bytes.end());
        for (std::size_t i = 0; i + 1 < noise.size(); i += 2) {
            mutated[noise[i] % mutated.size()] = static_cast<std::byte>(noise[i + 1]);
        }
        if (is_long) {
            mutated.push_back({});
        }
        const std::size_t body = noise.size();
        if (const auto header = decode_header(mutated, body)) {
            RC_ASSERT(!is_long);
            RC_ASSERT(header->offset + body <= header->payload_bytes);
            RC_ASSERT(header->payload_bytes <= max_payload_bytes);
            RC_ASSERT(std::string(to_string(header->operation.kind)).size() > 0U);
            RC_ASSERT(size_of(header->operation.type) <= 8U);
        }
    });
}

TEST_CASE("a notice brings cause, ranks, sizes and line to the others")
{
    const std::vector<Error> errors{
        {TimedOut{{{3}, {5}}, 250ms}, "barrier: ranks 3, 5 did not come"},
        {PeerLost{{{1}}}, "rank 1 is lost"},
        {Aborted{}, "enough"},
        {SizeMismatch{{{{0}, 4}, {{2}, 8}}}, "sizes differ"},
        {OperationMismatch{}, "gather and barrier"},
        {BackendUnavailable{}, "rank 1 has no device"},
    };
    for (const auto& error : errors) {
        const auto read = decode_notice(encode_notice(error));
        REQUIRE(read);
        REQUIRE(read->cause.index() == error.cause.index());
        REQUIRE(read->message == error.message);
    }
    const auto timed_out = decode_notice(encode_notice(errors[0]));
    REQUIRE(std::get<TimedOut>(timed_out->cause).missing == std::vector<Rank>{{3}, {5}});
    REQUIRE(std::get<TimedOut>(timed_out->cause).after == 250ms);
    REQUIRE(std::get<SizeMismatch>(decode_notice(encode_notice(errors[3]))->cause).sizes.at(1).bytes == 8);
}

TEST_CASE("a notice of any bytes is one line, or none")
{
    rc::check([](const std::vector<std::uint8_t>& noise) {
        Bytes bytes;
        for (const auto byte : noise) {
            bytes.push_back(static_cast<std::byte>(byte));
        }
        if (const auto error = decode_notice(bytes)) {
            RC_ASSERT(error->message.find('\n') == std::string::npos);
        }
    });
    Error error{PeerLost{}, std::string(100'000, 'x')};
    std::get<PeerLost>(error.cause).ranks.resize(100'000);
    REQUIRE(encode_notice(error).size() < 16'384);
    REQUIRE(decode_notice(encode_notice(error)));
}

TEST_CASE("pieces wait in order, messages by tag")
{
    Inbox inbox;
    const auto tag_7 = piece_header(0, OperationKind::message, 7);
    const auto tag_8 = piece_header(0, OperationKind::message, 8);
    REQUIRE(inbox.put(piece_of(tag_7, 1)));
    REQUIRE(inbox.put(piece_of(piece_header(1))));
    REQUIRE(inbox.put(piece_of(tag_8, 2)));
    REQUIRE(inbox.put(piece_of(piece_header(2))));

    REQUIRE(inbox.front(piece_header(9).operation)->header.operation.sequence == 1);
    REQUIRE(inbox.take(piece_header(1).operation).header.operation.sequence == 1);
    REQUIRE(inbox.front(piece_header(9).operation)->header.operation.sequence == 2);
    REQUIRE(inbox.take(tag_8.operation).payload.bytes.size() == 2);
    REQUIRE(inbox.front(tag_8.operation) == nullptr);
    REQUIRE(inbox.take(tag_7.operation).payload.bytes.size() == 1);
}

TEST_CASE("messages for device memory are a queue of their own, whoever sends")
{
    Inbox inbox;
    const auto theirs = piece_header(0, OperationKind::device_message, 1);
    const auto ours = piece_header(0, OperationKind::device_message, 0);
    const auto tag_1 = piece_header(0, OperationKind::message, 1);
    REQUIRE(inbox.put(piece_of(tag_1, 5)));
    REQUIRE(inbox.put(piece_of(theirs, 0)));

    // A rank that sends, too, sees that the other one does.
    REQUIRE(inbox.front(ours.operation)->header.operation.root == 1);
    REQUIRE(inbox.take(theirs.operation).header.operation.kind == OperationKind::device_message);
    REQUIRE(inbox.front(theirs.operation) == nullptr);
    REQUIRE(inbox.take(tag_1.operation).payload.bytes.size() == 5);
}

TEST_CASE("who sends more than the window is found out, also with many small pieces")
{
    for (const std::size_t size : {std::size_t{0}, max_piece_bytes}) {
        Inbox inbox;
        std::size_t kept = 0;
        while (inbox.put(piece_of(piece_header(1), size))) {
            ++kept;
        }
        REQUIRE(kept == window_bytes / cost_of(size));
    }
}
