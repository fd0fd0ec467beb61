// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/context.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>

#include <tl/expected.hpp>

namespace sdfleet::net {

/// A CurveZMQ key pair, each half as 40 printable characters (Z85).
struct CurveKeyPair {
    std::string public_key;
    std::string secret_key;

    bool operator==(const CurveKeyPair&) const = default;
};

CurveKeyPair make_curve_key_pair();

/// The public half of a secret key; nothing when it is not 40 characters of Z85.
std::optional<std::string> curve_public_key(const std::string& secret_key);

/// The pair whose secret half is these 32 bytes, as 64 hexadecimal digits; nothing when they are not.
std::optional<CurveKeyPair> curve_key_pair_from_hex(const std::string& digits);

/// What a listening socket needs to encrypt and to prove itself.
struct CurveServer {
    CurveKeyPair keys;
};

/// What a dialling socket needs: whom it expects to find, and who it is.
struct CurveClient {
    std::string server_public_key;
    CurveKeyPair keys;
};

/// Decides which client keys may talk to the context's CURVE sockets (RFC 27, ZAP).
///
/// ZeroMQ fails open: a CURVE socket without a live ZAP handler accepts any key. So make this before the first CURVE
/// socket, keep it until the last one is gone, and call self_test() before listening. At most one a context.
class Authenticator {
public:
    /// Throws std::runtime_error when the context has a ZAP handler already.
    Authenticator(Context& context, std::set<std::string> allowed_public_keys);
    ~Authenticator();

    /// Takes effect for handshakes from now on. Thread-safe.
    void allow(std::set<std::string> public_keys);

    /// Dials a socket of its own with a key that nobody knows and with one that is allowed, and requires that the first
    /// is turned away and the second gets through. Takes milliseconds; at most 5 s. The error is one line for people.
    tl::expected<void, std::string> self_test();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace sdfleet::net
