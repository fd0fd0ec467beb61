// SPDX-License-Identifier: Apache-2.0
#include "net/context.hpp"

#include "net/socket_loop.hpp"

namespace sdfleet::net {

Context::Context() : impl_(std::make_unique<Impl>()) {}
Context::~Context() = default;

} // namespace sdfleet::net
