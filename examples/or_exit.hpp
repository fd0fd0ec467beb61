// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <iostream>
#include <type_traits>
#include <utility>

namespace examples {

/// What a result holds; where it holds an error, that is said in one line and the program ends with 1. What an uncaught
/// exception does in a Python script.
template <class Result>
auto or_exit(Result result)
{
    if (!result) {
        std::cerr << result.error().message + '\n'; // in one piece, because ranks share stderr
        std::exit(EXIT_FAILURE);
    }
    if constexpr (!std::is_void_v<typename Result::value_type>) {
        return *std::move(result);
    }
}

} // namespace examples
