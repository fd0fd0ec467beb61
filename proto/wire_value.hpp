// SPDX-License-Identifier: Apache-2.0
// How values that are not plain structs travel in msgpack: strong types as what they wrap, enumerations as checked
// numbers. The structs themselves use SDFLEET_WIRE_MAP (wire_map.hpp).
#pragma once

#include <compare>
#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>

#include <msgpack.hpp>

namespace sdfleet::proto {

template <class Tag>
struct StrongString {
    std::string value;

    auto operator<=>(const StrongString&) const = default;

    template <class Packer>
    void msgpack_pack(Packer& packer) const
    {
        packer.pack(value);
    }
    void msgpack_unpack(const msgpack::object& object) { object.convert(value); }
};

template <class Tag, std::unsigned_integral Number>
struct StrongNumber {
    Number value = 0;

    auto operator<=>(const StrongNumber&) const = default;

    template <class Packer>
    void msgpack_pack(Packer& packer) const
    {
        packer.pack(value);
    }
    void msgpack_unpack(const msgpack::object& object) { object.convert(value); }
};

/// An enumeration that travels: its enumerators are written out from 0 (or 1) without holes, and `last_enumerator(E{})`
/// names the highest. A number above it does not decode.
template <class E>
concept WireEnum = std::is_enum_v<E> && requires(E value)
{
    {
        last_enumerator(value)
        } -> std::same_as<E>;
};

} // namespace sdfleet::proto

namespace msgpack {
MSGPACK_API_VERSION_NAMESPACE(MSGPACK_DEFAULT_API_NS)
{
    namespace adaptor {

    template <sdfleet::proto::WireEnum E>
    struct convert<E, void> {
        const msgpack::object& operator()(const msgpack::object& object, E& value) const
        {
            std::underlying_type_t<E> number{};
            object.convert(number);
            if (number > static_cast<std::underlying_type_t<E>>(last_enumerator(E{}))) {
                throw msgpack::type_error();
            }
            value = static_cast<E>(number);
            return object;
        }
    };

    template <sdfleet::proto::WireEnum E>
    struct pack<E, void> {
        template <class Stream>
        msgpack::packer<Stream>& operator()(msgpack::packer<Stream>& packer, const E& value) const
        {
            return packer.pack(static_cast<std::underlying_type_t<E>>(value));
        }
    };

    } // namespace adaptor
}
} // namespace msgpack
