// SPDX-License-Identifier: Apache-2.0
// How objects travel between the ranks of one program, which are one build on machines of one byte order.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace sdfleet::collective {

static_assert(std::endian::native == std::endian::little, "numbers travel as they lie in memory, little-endian");

/// What an object becomes.
class ObjectWriter {
public:
    void add(const void* data, std::size_t size_bytes)
    {
        const auto* begin = static_cast<const std::byte*>(data);
        bytes_.insert(bytes_.end(), begin, begin + size_bytes);
    }
    void add_count(std::size_t count)
    {
        const auto number = static_cast<std::uint64_t>(count);
        add(&number, sizeof(number));
    }
    std::vector<std::byte> take() && { return std::move(bytes_); }

private:
    std::vector<std::byte> bytes_;
};

/// What an object is made from. Another rank wrote it, perhaps another program: each read says whether so much is there.
class ObjectReader {
public:
    explicit ObjectReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

    std::optional<std::span<const std::byte>> bytes(std::size_t size_bytes)
    {
        if (size_bytes > bytes_.size()) {
            return std::nullopt;
        }
        const auto result = bytes_.first(size_bytes);
        bytes_ = bytes_.subspan(size_bytes);
        return result;
    }

    template <class T>
    std::optional<T> number()
    {
        const auto source = bytes(sizeof(T));
        if (!source) {
            return std::nullopt;
        }
        T result;
        std::memcpy(&result, source->data(), sizeof(T));
        return result;
    }

    /// Of things that take at least `least_bytes` each: nothing when so many cannot be here.
    std::optional<std::size_t> count(std::size_t least_bytes)
    {
        const auto result = number<std::uint64_t>();
        return result && *result <= bytes_.size() / least_bytes ? std::optional<std::size_t>(*result) : std::nullopt;
    }

    bool is_at_end() const { return bytes_.empty(); }

private:
    std::span<const std::byte> bytes_;
};

/// How objects of type T are written and read. To gather a type of one's own, specialise it with
///     static std::string name();                          // equal names = equal bytes
///     static constexpr std::size_t least_bytes;           // of any written object, at least 1
///     static void write(ObjectWriter&, const T&);
///     static std::optional<T> read(ObjectReader&);        // nothing: these bytes are no T
template <class T>
struct ObjectCodec;

/// bool aside, whose memory may hold no other byte than 0 and 1.
template <class T>
concept Number = (std::integral<T> && !std::same_as<T, bool>) || std::floating_point<T> || std::same_as<T, std::byte>;

template <Number T>
struct ObjectCodec<T> {
    static std::string name()
    {
        const char kind = std::floating_point<T> ? 'f' : std::is_signed_v<T> ? 'i' : 'u';
        return kind + std::to_string(sizeof(T) * 8);
    }
    static constexpr std::size_t least_bytes = sizeof(T);
    static void write(ObjectWriter& to, const T& number) { to.add(&number, sizeof(number)); }
    static std::optional<T> read(ObjectReader& from) { return from.number<T>(); }
};

template <>
struct ObjectCodec<std::string> {
    static std::string name() { return "string"; }
    static constexpr std::size_t least_bytes = sizeof(std::uint64_t);
    static void write(ObjectWriter& to, const std::string& text)
    {
        to.add_count(text.size());
        to.add(text.data(), text.size());
    }
    static std::optional<std::string> read(ObjectReader& from)
    {
        const auto size = from.count(1);
        if (!size) {
            return std::nullopt;
        }
        const auto bytes = *from.bytes(*size);
        return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
};

template <class T>
struct ObjectCodec<std::vector<T>> {
    static std::string name() { return "[" + ObjectCodec<T>::name() + "]"; }
    static constexpr std::size_t least_bytes = sizeof(std::uint64_t);
    static void write(ObjectWriter& to, const std::vector<T>& items)
    {
        to.add_count(items.size());
        if constexpr (Number<T>) {
            to.add(items.data(), items.size() * sizeof(T));
        } else {
            for (const T& item : items) {
                ObjectCodec<T>::write(to, item);
            }
        }
    }
    static std::optional<std::vector<T>> read(ObjectReader& from)
    {
        const auto count = from.count(ObjectCodec<T>::least_bytes);
        if (!count) {
            return std::nullopt;
        }
        std::vector<T> items;
        if constexpr (Number<T>) {
            const auto bytes = *from.bytes(*count * sizeof(T));
            items.resize(*count);
            if (!bytes.empty()) {
                std::memcpy(items.data(), bytes.data(), bytes.size());
            }
            return items;
        } else {
            for (std::size_t i = 0; i < *count; ++i) {
                auto item = ObjectCodec<T>::read(from);
                if (!item) {
                    return std::nullopt;
                }
                items.push_back(std::move(*item));
            }
            return items;
        }
    }
};

/// With the type's name ahead, so that ranks which gather different types learn it.
template <class T>
std::vector<std::byte> encode_object(const T& object)
{
    ObjectWriter writer;
    ObjectCodec<std::string>::write(writer, ObjectCodec<T>::name());
    ObjectCodec<T>::write(writer, object);
    return std::move(writer).take();
}

/// Nothing: the bytes are no T, or more than one.
template <class T>
std::optional<T> decode_object(std::span<const std::byte> bytes)
{
    ObjectReader reader(bytes);
    const auto name = ObjectCodec<std::string>::read(reader);
    if (!name || *name != ObjectCodec<T>::name()) {
        return std::nullopt;
    }
    auto object = ObjectCodec<T>::read(reader);
    return object && reader.is_at_end() ? std::move(object) : std::nullopt;
}

} // namespace sdfleet::collective
