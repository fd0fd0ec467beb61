// SPDX-License-Identifier: Apache-2.0
#include "collective/object_codec.hpp"

#include "tests/catch.hpp"

#include <rapidcheck.h>

using namespace sdfleet::collective;
using Bytes = std::vector<std::byte>;

namespace {

struct Size {
    std::int32_t width = 0;
    std::int32_t height = 0;

    bool operator==(const Size&) const = default;
};

template <class T>
void require_round_trip(const T& object)
{
    REQUIRE(decode_object<T>(encode_object(object)) == object);
}

} // namespace

/// A type of the program's own.
template <>
struct sdfleet::collective::ObjectCodec<Size> {
    static std::string name() { return "size"; }
    static constexpr std::size_t least_bytes = 8;
    static void write(ObjectWriter& to, const Size& size)
    {
        ObjectCodec<std::int32_t>::write(to, size.width);
        ObjectCodec<std::int32_t>::write(to, size.height);
    }
    static std::optional<Size> read(ObjectReader& from)
    {
        const auto width = from.number<std::int32_t>();
        const auto height = from.number<std::int32_t>();
        return width && height ? std::optional(Size{*width, *height}) : std::nullopt;
    }
};

TEST_CASE("objects arrive as they were sent")
{
    require_round_trip(std::vector<std::string>{"", "a red circle", std::string("zero \0 inside", 13)});
    require_round_trip(std::vector<double>{0.5, -1e300});
    require_round_trip(std::vector<std::vector<float>>{{}, {1.0F, 2.0F}});
    require_round_trip(std::vector<Bytes>{{std::byte{1}, std::byte{255}}, {}});
    require_round_trip(std::vector<Size>{{64, 64}, {512, 768}});
    require_round_trip(std::vector<std::int64_t>{});
}

TEST_CASE("an object of another type is not taken for one's own")
{
    const auto floats = encode_object(std::vector<float>{1.0F});
    REQUIRE_FALSE(decode_object<std::vector<std::int32_t>>(floats));
    REQUIRE_FALSE(decode_object<std::vector<std::string>>(floats));
    REQUIRE(decode_object<std::vector<float>>(floats));
}

TEST_CASE("a cut, lengthened or changed object is refused, or is another object; it never reads past its end")
{
    rc::check([] {
        const auto texts = *rc::gen::arbitrary<std::vector<std::string>>();
        auto bytes = encode_object(texts);
        const auto cut = *rc::gen::inRange<std::size_t>(0, bytes.size());
        RC_ASSERT(!decode_object<std::vector<std::string>>(std::span(bytes).first(cut)));
        bytes[cut] ^= std::byte{*rc::gen::inRange<std::uint8_t>(1, 255)};
        const auto changed = decode_object<std::vector<std::string>>(bytes);
        RC_ASSERT(!changed || *changed != texts);
        bytes.push_back(std::byte{0});
        RC_ASSERT(!decode_object<std::vector<std::string>>(bytes) || changed != texts);
    });
}

TEST_CASE("a count that the bytes cannot hold allocates nothing")
{
    auto bytes = encode_object(std::vector<std::string>{});
    for (std::size_t i = bytes.size() - 8; i < bytes.size(); ++i) {
        bytes[i] = std::byte{255};
    }
    REQUIRE_FALSE(decode_object<std::vector<std::string>>(bytes));
}
