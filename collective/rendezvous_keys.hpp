// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/curve.hpp"

#include <string>

namespace sdfleet::collective {

/// What rank 0 and the ranks that dial it prove themselves with: derived from the secret that they share, so that nobody
/// else can take either place.
struct RendezvousKeys {
    net::CurveKeyPair server;
    net::CurveKeyPair client;
};

/// `secret` is not empty.
RendezvousKeys derive_keys(const std::string& secret);

} // namespace sdfleet::collective
