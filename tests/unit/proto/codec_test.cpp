// SPDX-License-Identifier: Apache-2.0
#include "proto/codec.hpp"
#include "proto/packet.hpp"
#include "tests/unit/proto/samples.hpp"

#include "tests/catch.hpp"

#include <rapidcheck.h>

namespace proto = sdfleet::proto;
using Kind = proto::DecodeError::Kind;

namespace {

std::span<const std::byte> bytes_of(const std::string& text)
{
    return std::as_bytes(std::span(text));
}

const proto::Envelope envelope{1, {"cluster"}, 0, 12};

std::string envelope_of_type(std::uint8_t type, std::uint16_t version = 1)
{
    msgpack::sbuffer buffer;
    msgpack::pack(buffer, proto::Envelope{version, {"cluster"}, type, 0});
    return {buffer.data(), buffer.size()};
}

} // namespace

TEST_CASE("there is a sample of every message")
{
    const auto samples = proto::sample_messages();
    REQUIRE(samples.size() == std::variant_size_v<proto::MessageVariant>);
    for (std::size_t i = 0; i < samples.size(); ++i) {
        REQUIRE(samples[i].index() == i);
    }
}

TEST_CASE("every message comes back as it was sent")
{
    for (const auto& message : proto::sample_messages()) {
        const auto decoded = proto::decode(bytes_of(proto::encode(envelope, message)));

        REQUIRE(decoded);
        REQUIRE(decoded->message == message);
        REQUIRE(decoded->envelope.correlation == 12);
        REQUIRE(decoded->envelope.cluster.value == "cluster");
        REQUIRE(decoded->envelope.type == static_cast<std::uint8_t>(proto::type_of(message)));
    }
}

TEST_CASE("a message cut short at any byte is refused, never misread")
{
    for (const auto& message : proto::sample_messages()) {
        const auto bytes = proto::encode(envelope, message);
        for (std::size_t length = 0; length < bytes.size(); ++length) {
            REQUIRE_FALSE(proto::decode(bytes_of(bytes.substr(0, length))));
        }
    }
}

TEST_CASE("bytes behind the body are refused")
{
    const auto bytes = proto::encode(envelope, proto::ListJobs{}) + "x";

    REQUIRE(proto::decode(bytes_of(bytes)).error().kind == Kind::trailing_bytes);
}

TEST_CASE("a message number that does not exist is refused as such")
{
    REQUIRE(proto::decode(bytes_of(envelope_of_type(255) + "\x80")).error().kind == Kind::unknown_message);
    REQUIRE(proto::decode(bytes_of(envelope_of_type(0) + "\x80")).error().kind == Kind::unknown_message);
}

TEST_CASE("a future version is refused, but its hello and its refusal are read")
{
    const auto list_jobs = static_cast<std::uint8_t>(proto::MessageType::list_jobs);
    const auto hello = static_cast<std::uint8_t>(proto::MessageType::agent_hello);
    const auto refused = static_cast<std::uint8_t>(proto::MessageType::refused);

    REQUIRE(proto::decode(bytes_of(envelope_of_type(list_jobs, 9) + "\x80")).error().kind == Kind::unsupported_version);
    REQUIRE(proto::decode(bytes_of(envelope_of_type(hello, 9) + "\x80")));
    REQUIRE(proto::decode(bytes_of(envelope_of_type(refused, 9) + "\x80")));
}

TEST_CASE("unknown keys are ignored and missing ones keep their defaults")
{
    const auto type = static_cast<std::uint8_t>(proto::MessageType::watch_job);
    const std::string body = "\x82\xa6job_id\xa1j\xa7"
                             "unknown\x01"; // {"job_id": "j", "unknown": 1}

    const auto decoded = proto::decode(bytes_of(envelope_of_type(type) + body));

    REQUIRE(decoded);
    const auto& watch = std::get<proto::WatchJob>(decoded->message);
    REQUIRE(watch.job_id.value == "j");
    REQUIRE(watch.max_items == 256);
}

TEST_CASE("a member of another type, a negative number and an unknown enumerator are refused")
{
    const auto watch = static_cast<std::uint8_t>(proto::MessageType::watch_job);
    const auto ack = static_cast<std::uint8_t>(proto::MessageType::result_ack);

    REQUIRE(proto::decode(bytes_of(envelope_of_type(watch) + "\x81\xa6job_id\x01")).error().kind == Kind::wrong_type);
    REQUIRE(proto::decode(bytes_of(envelope_of_type(watch) + "\x81\xa7wait_ms\xff")).error().kind == Kind::wrong_type);
    REQUIRE(proto::decode(bytes_of(envelope_of_type(ack) + "\x81\xa7verdict\x03")).error().kind == Kind::wrong_type);
}

TEST_CASE("length prefixes beyond the limits are refused before anything is allocated")
{
    const auto type = static_cast<std::uint8_t>(proto::MessageType::list_jobs);
    const std::string huge_array("\x81\xa1x\xdd\x7f\xff\xff\xff", 8);
    const std::string huge_string("\x81\xa1x\xdb\x7f\xff\xff\xff", 8);
    const std::string deep = "\x81\xa1x" + std::string(1000, '\x91') + "\x01";

    for (const auto& body : {huge_array, huge_string, deep}) {
        REQUIRE(proto::decode(bytes_of(envelope_of_type(type) + body)).error().kind == Kind::malformed);
    }
    const std::string large(proto::max_message_bytes + 1, '\0');
    REQUIRE(proto::decode(bytes_of(large)).error().kind == Kind::too_large);
}

TEST_CASE("random bytes, and random damage to good messages, never do more than fail")
{
    const auto samples = proto::sample_messages();
    REQUIRE(rc::check([&samples] {
        auto bytes = proto::encode(envelope, *rc::gen::elementOf(samples));
        const auto damages = *rc::gen::inRange(0, 8);
        for (int i = 0; i < damages; ++i) {
            bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())] = *rc::gen::arbitrary<char>();
        }
        static_cast<void>(proto::decode(bytes_of(bytes)));
        static_cast<void>(proto::decode(bytes_of(*rc::gen::string<std::string>())));
    }));
}
