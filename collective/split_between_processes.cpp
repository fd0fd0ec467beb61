// SPDX-License-Identifier: Apache-2.0
#include "collective/split_between_processes.hpp"

namespace sdfleet::collective {

Error unequal_columns(const std::string& one, std::size_t items_of_one, const std::string& other,
                      std::size_t items_of_other)
{
    return {InvalidArgument{}, "split_between_processes: '" + one + "' has " + std::to_string(items_of_one) +
                                   " items and '" + other + "' has " + std::to_string(items_of_other) +
                                   "; columns that are split together must be equally long"};
}

} // namespace sdfleet::collective
