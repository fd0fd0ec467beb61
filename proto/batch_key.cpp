// SPDX-License-Identifier: Apache-2.0
#include "proto/batch_key.hpp"

namespace sdfleet::proto {

namespace {

std::string shape_of(const DiffusionParameters& parameters)
{
    return std::to_string(parameters.width) + "x" + std::to_string(parameters.height);
}

/// Echoes of one length take their steps together.
std::string shape_of(const EchoParameters& parameters)
{
    return std::to_string(parameters.delay_ms) + " ms";
}

} // namespace

std::string batch_key(const std::string& model, const Parameters& parameters)
{
    const auto shape = std::visit([](const auto& kind) { return shape_of(kind); }, parameters.kind);
    return std::string(parameters.kind_name()) + " " + shape + " " + model;
}

} // namespace sdfleet::proto
