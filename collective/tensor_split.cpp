// SPDX-License-Identifier: Apache-2.0
#include "collective/tensor_split.hpp"

#include <ATen/ops/cat.h>

namespace sdfleet::collective {

Result<at::Tensor> take(const at::Tensor& rows, std::uint32_t num_processes, std::uint32_t rank, Padding padding)
{
    if (!rows.defined() || rows.dim() == 0) {
        return tl::unexpected(
            Error{InvalidArgument{}, "split_between_processes: a tensor without dimensions has no rows"});
    }
    const Share share = share_of(static_cast<std::size_t>(rows.size(0)), num_processes, rank, padding);
    const auto mine =
        rows.slice(0, static_cast<std::int64_t>(share.range.begin), static_cast<std::int64_t>(share.range.end));
    if (share.repeats == 0) {
        return mine;
    }
    auto sizes = rows.sizes().vec();
    sizes[0] = static_cast<std::int64_t>(share.repeats);
    return at::cat({mine, rows.slice(0, -1).expand(sizes)});
}

} // namespace sdfleet::collective
