// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/ids.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include <tl/expected.hpp>

namespace sdfleet::collective {

using proto::Epoch;
using proto::Rank;

/// The deadline came, and these ranks had not done their part.
struct TimedOut {
    std::vector<Rank> missing;
    std::chrono::milliseconds after{};
};

/// These ranks died, or left while the operation needed them.
struct PeerLost {
    std::vector<Rank> ranks;
};

/// The epoch is over: abort() was called, here or elsewhere, or an earlier operation failed.
struct Aborted {};

/// The ranks' tensors differ where the operation needs them equal.
struct SizeMismatch {
    struct Size {
        Rank rank;
        std::size_t bytes = 0;
    };
    std::vector<Size> sizes; ///< those known where the error arose
};

/// The ranks called different operations, or one with different arguments (root, reduction, element type).
struct OperationMismatch {};

/// The call cannot work whatever the others do: a root out of range, a tensor that is not contiguous.
struct InvalidArgument {};

/// The group did not come about: what the rendezvous said, or that there is none.
struct NotFormed {};

/// The backend cannot work here: NCCL without a GPU, a plug-in that does not load.
struct BackendUnavailable {};

using Cause = std::variant<TimedOut, PeerLost, Aborted, SizeMismatch, OperationMismatch, InvalidArgument, NotFormed,
                           BackendUnavailable>;

/// Every failure of a group. All but InvalidArgument end the epoch: what is called afterwards gives Aborted, on every
/// rank. `message` is one line for people and names operation, group, epoch and the ranks concerned.
struct Error {
    Cause cause;
    std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;

} // namespace sdfleet::collective
