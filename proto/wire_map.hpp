// SPDX-License-Identifier: Apache-2.0
// How a plain struct travels in msgpack: as a map from its members' names to their values. Does what MSGPACK_DEFINE_MAP
// does, but reads without building a tree of strings for every map: messages are small and many.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <utility>

#include <msgpack.hpp>

/// In a struct, with all members that travel. Their order is that on the wire; readers take any order, ignore unknown keys
/// and leave members alone whose keys are missing.
#define SDFLEET_WIRE_MAP(...)                                                                                          \
    template <class Packer>                                                                                            \
    void msgpack_pack(Packer& packer) const                                                                            \
    {                                                                                                                  \
        static constexpr auto keys =                                                                                   \
            ::sdfleet::proto::detail::split<::sdfleet::proto::detail::count(#__VA_ARGS__)>(#__VA_ARGS__);              \
        ::sdfleet::proto::detail::pack_map(packer, keys, std::tie(__VA_ARGS__));                                       \
    }                                                                                                                  \
    void msgpack_unpack(const msgpack::object& object)                                                                 \
    {                                                                                                                  \
        static constexpr auto keys =                                                                                   \
            ::sdfleet::proto::detail::split<::sdfleet::proto::detail::count(#__VA_ARGS__)>(#__VA_ARGS__);              \
        ::sdfleet::proto::detail::unpack_map(object, keys, std::tie(__VA_ARGS__));                                     \
    }

namespace sdfleet::proto::detail {

/// Of the names in "a, b, c".
consteval std::size_t count(std::string_view names)
{
    return 1 + static_cast<std::size_t>(std::ranges::count(names, ','));
}

template <std::size_t N>
consteval std::array<std::string_view, N> split(std::string_view names)
{
    std::array<std::string_view, N> keys;
    for (auto& key : keys) {
        const auto begin = names.find_first_not_of(" \n");
        const auto end = std::min(names.find(','), names.size());
        key = names.substr(begin, end - begin);
        names.remove_prefix(std::min(end + 1, names.size()));
    }
    return keys;
}

template <class Packer, std::size_t N, class... Members>
void pack_map(Packer& packer, const std::array<std::string_view, N>& keys, const std::tuple<Members...>& members)
{
    static_assert(N == sizeof...(Members));
    packer.pack_map(static_cast<std::uint32_t>(N));
    const auto pack_entry = [&](std::string_view key, const auto& value) {
        packer.pack_str(static_cast<std::uint32_t>(key.size()));
        packer.pack_str_body(key.data(), static_cast<std::uint32_t>(key.size()));
        packer.pack(value);
    };
    [&]<std::size_t... Index>(std::index_sequence<Index...>)
    {
        (pack_entry(keys[Index], std::get<Index>(members)), ...);
    }
    (std::make_index_sequence<N>());
}

template <std::size_t N, class... Members>
void unpack_map(const msgpack::object& object, const std::array<std::string_view, N>& keys,
                const std::tuple<Members...>& members)
{
    static_assert(N == sizeof...(Members));
    if (object.type != msgpack::type::MAP) {
        throw msgpack::type_error();
    }
    std::size_t next = 0; // our own peers send the keys in our order
    for (std::uint32_t i = 0; i < object.via.map.size; ++i) {
        const auto& entry = object.via.map.ptr[i];
        if (entry.key.type != msgpack::type::STR) {
            throw msgpack::type_error();
        }
        const std::string_view key(entry.key.via.str.ptr, entry.key.via.str.size);
        const auto found = next < N && keys[next] == key
                               ? next
                               : static_cast<std::size_t>(std::ranges::find(keys, key) - keys.begin());
        [&]<std::size_t... Index>(std::index_sequence<Index...>)
        {
            (void)((Index == found && (entry.val.convert(std::get<Index>(members)), true)) || ...);
        }
        (std::make_index_sequence<N>());
        next = found + 1;
    }
}

} // namespace sdfleet::proto::detail
