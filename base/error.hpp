// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/exit_code.hpp"

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace sdfleet::base {

/// A failure that ends a command: one line for a person (what, where, why, what to do) and the exit code it maps to.
struct Error {
    ExitCode code = ExitCode::failed;
    std::string message;

    bool operator==(const Error&) const = default;
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ExitCode code, std::string message)
{
    return tl::unexpected(Error{code, std::move(message)});
}

} // namespace sdfleet::base
