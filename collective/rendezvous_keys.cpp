// SPDX-License-Identifier: Apache-2.0
#include "collective/rendezvous_keys.hpp"

#include "base/sha256.hpp"

#include <stdexcept>

namespace sdfleet::collective {

namespace {

net::CurveKeyPair derive(const std::string& purpose, const std::string& secret)
{
    const auto pair = net::curve_key_pair_from_hex(base::sha256_hex("sdfleet rendezvous " + purpose + "\n" + secret));
    if (!pair) {
        throw std::logic_error("a hash that is no key");
    }
    return *pair;
}

} // namespace

RendezvousKeys derive_keys(const std::string& secret)
{
    return {derive("server", secret), derive("client", secret)};
}

} // namespace sdfleet::collective
