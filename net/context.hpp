// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

namespace sdfleet::net {

/// One per process: owns ZeroMQ's I/O threads. Made after any fork. Must outlive every socket made from it.
class Context {
public:
    Context();
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    struct Impl;
    Impl& impl() { return *impl_; }

private:
    std::unique_ptr<Impl> impl_;
};

} // namespace sdfleet::net
