// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.hpp"

#include "base/sha256_x86.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <sodium.h>

namespace sdfleet::base {

namespace {

using Digest = std::array<unsigned char, crypto_hash_sha256_BYTES>;

std::string to_hex(const Digest& digest)
{
    std::array<char, crypto_hash_sha256_BYTES * 2 + 1> hex{};
    sodium_bin2hex(hex.data(), hex.size(), digest.data(), digest.size());
    return {hex.data(), hex.size() - 1};
}

} // namespace

std::string sha256_hex(std::span<const std::byte> bytes)
{
    if (const auto digest = sha256_by_processor(bytes)) { // four times as fast
        return to_hex(*digest);
    }
    Digest digest{};
    crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    return to_hex(digest);
}

std::string sha256_hex(std::string_view text)
{
    return sha256_hex(std::as_bytes(std::span(text)));
}

Result<std::string> sha256_hex_of_file(const std::filesystem::path& path)
{
    std::ifstream file(path, std::ios::binary);
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    std::array<char, 1 << 16> piece{};
    while (file) {
        file.read(piece.data(), piece.size());
        const auto count = static_cast<unsigned long long>(file.gcount());
        crypto_hash_sha256_update(&state, reinterpret_cast<const unsigned char*>(piece.data()), count);
    }
    if (!file.eof()) {
        return fail(ExitCode::failed, "cannot read " + path.string() + ": " + std::strerror(errno));
    }
    Digest digest{};
    crypto_hash_sha256_final(&state, digest.data());
    return to_hex(digest);
}

bool is_sha256_hex(std::string_view text)
{
    return text.size() == crypto_hash_sha256_BYTES * 2 &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

} // namespace sdfleet::base
