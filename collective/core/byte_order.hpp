// SPDX-License-Identifier: Apache-2.0
// Numbers as bytes, the least significant first, whatever the machine's own order.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sdfleet::collective {

/// Writes into memory that is large enough.
class ByteWriter {
public:
    explicit ByteWriter(std::span<std::byte> to) : to_(to) {}

    template <std::unsigned_integral Number>
    void put(Number number)
    {
        for (std::size_t i = 0; i < sizeof(Number); ++i) {
            to_[at_++] = static_cast<std::byte>(static_cast<std::uint64_t>(number) >> (8 * i));
        }
    }

private:
    std::span<std::byte> to_;
    std::size_t at_ = 0;
};

/// Reads any bytes: what is beyond their end reads as 0, and is_good() tells.
class ByteReader {
public:
    explicit ByteReader(std::span<const std::byte> from) : from_(from) {}

    template <std::unsigned_integral Number>
    Number take()
    {
        if (from_.size() - at_ < sizeof(Number)) {
            is_good_ = false;
            return 0;
        }
        std::uint64_t number = 0;
        for (std::size_t i = 0; i < sizeof(Number); ++i) {
            number |= std::to_integer<std::uint64_t>(from_[at_++]) << (8 * i);
        }
        return static_cast<Number>(number);
    }

    std::span<const std::byte> rest() const { return from_.subspan(at_); }
    bool is_good() const { return is_good_; }

private:
    std::span<const std::byte> from_;
    std::size_t at_ = 0;
    bool is_good_ = true;
};

} // namespace sdfleet::collective
