// SPDX-License-Identifier: Apache-2.0
#include "actor/batch_policy.hpp"

namespace sdfleet::actor {

std::vector<std::size_t> BatchPolicy::joiners(const std::optional<OpenBatch>& batch, std::span<const Waiting> waiting,
                                              Time now) const
{
    if (!batch) {
        return waiting.empty() ? std::vector<std::size_t>{} : std::vector<std::size_t>{0};
    }
    std::vector<std::size_t> joining;
    for (std::size_t i = 0; i < waiting.size() && joining.size() < batch->room; ++i) {
        if (!batch->key.empty() && waiting[i].key == batch->key) {
            joining.push_back(i);
        } else if (waiting[i].key.empty() || now - waiting[i].since >= patience_) {
            break; // nobody passes this one
        }
    }
    return joining;
}

} // namespace sdfleet::actor
