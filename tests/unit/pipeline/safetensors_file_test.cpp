// SPDX-License-Identifier: Apache-2.0
#include "pipeline/safetensors_file.hpp"

#include "pipeline/safetensors_writer.hpp"
#include "tests/catch.hpp"

#include <cstring>
#include <string>

#include <rapidcheck.h>

using namespace sdfleet;
using pipeline::parse_safetensors;

namespace {

std::vector<std::byte> file_of(const std::string& header, std::size_t data_bytes)
{
    std::vector<std::byte> file;
    for (unsigned i = 0; i < 8; ++i) {
        file.push_back(static_cast<std::byte>(header.size() >> (8 * i) & 0xff));
    }
    for (const char c : header) {
        file.push_back(static_cast<std::byte>(c));
    }
    file.resize(file.size() + data_bytes);
    return file;
}

void check_refused(const std::vector<std::byte>& file, const std::string& part)
{
    CAPTURE(part);
    const auto parsed = parse_safetensors(file, "x.safetensors");
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == base::ExitCode::bad_input);
    CHECK_THAT(parsed.error().message, StartsWith("x.safetensors: ") && ContainsSubstring(part));
}

const std::string one_float = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";

} // namespace

TEST_CASE("tensors are found with type, shape and bytes")
{
    const auto file =
        file_of(R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]},)"
                R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                R"("empty":{"dtype":"I64","shape":[0,7],"data_offsets":[4,4]}}   )",
                16);
    const auto views = parse_safetensors(file, "x");
    REQUIRE(views);
    REQUIRE(views->size() == 3);
    CHECK(views->at("b").dtype == "F16");
    CHECK(views->at("b").shape == std::vector<std::int64_t>{2, 3});
    CHECK(views->at("b").bytes.size() == 12);
    CHECK(views->at("a").shape.empty());
    CHECK(views->at("empty").bytes.empty());
}

TEST_CASE("hostile and damaged files are refused with a reason")
{
    check_refused({}, "too short");
    check_refused(std::vector<std::byte>(7), "too short");
    check_refused(std::vector<std::byte>(100, std::byte{0xff}), "header length");
    check_refused(file_of("not json", 0), "JSON");
    check_refused(file_of("[1,2]", 0), "JSON");
    check_refused(file_of(std::string(100'000, '['), 0), "JSON");
    check_refused(file_of(one_float, 3), "truncated");
    check_refused(file_of(one_float, 5), "overlap or leave gaps");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],)"
                          R"("data_offsets":[4,8]}})",
                          8),
                  "'a' twice");
    check_refused(file_of(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4), "twice");
    check_refused(file_of(R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4), "unknown dtype");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4), "shape");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4), "do not fit");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0),
                  "do not fit");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4), "outside");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4), "data_offsets");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[1]}})", 4), "lacks");
    check_refused(file_of(R"({"a":3})", 4), "lacks");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                          R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                          4),
                  "overlap");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8), "gaps");
}

TEST_CASE("any shortening of a file is noticed")
{
    const auto whole = file_of(one_float, 4);
    for (std::size_t length = 0; length < whole.size(); ++length) {
        CHECK_FALSE(parse_safetensors(std::span(whole).first(length), "x"));
    }
}

TEST_CASE("random bytes never crash the reader")
{
    const bool held = rc::check([](const std::vector<std::uint8_t>& noise) {
        auto file = file_of(one_float, 4);
        for (std::size_t i = 0; i < noise.size(); ++i) {
            file[(noise[i] * 31 + i * 7) % file.size()] = static_cast<std::byte>(noise[i]);
        }
        (void)parse_safetensors(file, "x");
    });
    CHECK(held);
}

TEST_CASE("what the writer writes, the reader reads, and each tensor is aligned")
{
    const std::vector<float> floats{1, 2, 3};
    const std::vector<std::uint8_t> bytes{7, 8};
    const auto file = pipeline::write_safetensors({{"image", "U8", {2}, std::as_bytes(std::span(bytes))},
                                                   {"latents", "F32", {1, 3}, std::as_bytes(std::span(floats))}});
    const auto views = parse_safetensors(file, "x");
    REQUIRE(views);
    const auto& latents = views->at("latents");
    CHECK(latents.shape == std::vector<std::int64_t>{1, 3});
    CHECK(std::memcmp(latents.bytes.data(), floats.data(), 12) == 0);
    CHECK((latents.bytes.data() - file.data()) % 8 == 0);
    CHECK(views->at("image").bytes[1] == std::byte{8});
}
