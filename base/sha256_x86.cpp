// SPDX-License-Identifier: Apache-2.0
#include "base/sha256_x86.hpp"

#include <algorithm>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace sdfleet::base {

#if defined(__x86_64__) && defined(__GNUC__)

namespace {

constexpr std::size_t block_bytes = 64;
using State = std::array<std::uint32_t, 8>;

constexpr State initial_state{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                              0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

alignas(16) constexpr std::array<std::uint32_t, 64> round_constants{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

bool has_instructions()
{
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    constexpr unsigned sse_4_1 = 1U << 19;
    constexpr unsigned ssse_3 = 1U << 9;
    constexpr unsigned sha = 1U << 29;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & sse_4_1) == 0 || (c & ssse_3) == 0) {
        return false;
    }
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & sha) != 0;
}

/// The instructions keep the eight words of the state as ABEF and CDGH.
__attribute__((target("sha,sse4.1,ssse3"))) void compress(State& state, const std::byte* data, std::size_t blocks)
{
    const auto load = [](const void* from) { return _mm_loadu_si128(static_cast<const __m128i*>(from)); };
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    const __m128i cdab = _mm_shuffle_epi32(load(&state[0]), 0xB1);
    const __m128i efgh = _mm_shuffle_epi32(load(&state[4]), 0x1B);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
    __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
    for (; blocks > 0; --blocks, data += block_bytes) {
        const __m128i abef_before = abef;
        const __m128i cdgh_before = cdgh;
        __m128i w[4];
        for (std::size_t i = 0; i < 16; ++i) { // four rounds each
            __m128i& now = w[i % 4];
            if (i < 4) {
                now = _mm_shuffle_epi8(load(data + 16 * i), big_endian);
            } else {
                const __m128i last = w[(i + 3) % 4];
                const __m128i seven_ago = _mm_alignr_epi8(last, w[(i + 2) % 4], 4);
                now = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(now, w[(i + 1) % 4]), seven_ago), last);
            }
            __m128i with_constants = _mm_add_epi32(now, load(&round_constants[4 * i]));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, with_constants);
            with_constants = _mm_shuffle_epi32(with_constants, 0x0E);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, with_constants);
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
    const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(&state[0]), _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(&state[4]), _mm_alignr_epi8(dchg, feba, 8));
}

template <class Number>
void write_big_endian(unsigned char* to, Number number)
{
    for (std::size_t i = sizeof number; i-- > 0; number = static_cast<Number>(number >> 8)) {
        to[i] = static_cast<unsigned char>(number);
    }
}

} // namespace

std::optional<std::array<unsigned char, 32>> sha256_by_processor(std::span<const std::byte> bytes)
{
    static const bool is_there = has_instructions();
    if (!is_there) {
        return std::nullopt;
    }
    State state = initial_state;
    const std::size_t whole = bytes.size() / block_bytes;
    compress(state, bytes.data(), whole);

    std::array<unsigned char, 2 * block_bytes> end{}; // what is left, a one bit, zeros, the length in bits
    const auto rest = bytes.subspan(whole * block_bytes);
    std::ranges::transform(rest, end.begin(), [](std::byte byte) { return static_cast<unsigned char>(byte); });
    end[rest.size()] = 0x80;
    const std::size_t end_blocks = rest.size() + 1 + sizeof(std::uint64_t) <= block_bytes ? 1 : 2;
    write_big_endian(&end[end_blocks * block_bytes - sizeof(std::uint64_t)], std::uint64_t{bytes.size()} * 8);
    compress(state, reinterpret_cast<const std::byte*>(end.data()), end_blocks);

    std::array<unsigned char, 32> digest{};
    for (std::size_t i = 0; i < state.size(); ++i) {
        write_big_endian(&digest[i * sizeof(std::uint32_t)], state[i]);
    }
    return digest;
}

#else

std::optional<std::array<unsigned char, 32>> sha256_by_processor(std::span<const std::byte>)
{
    return std::nullopt;
}

#endif

} // namespace sdfleet::base
