// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.hpp"

#include <optional>
#include <string>

namespace sdfleet::collective {

/// A folder that nobody but this user can enter, for one socket file; gone with this object. What processes left that were
/// killed is removed by the next that makes one: a folder without a lock belongs to nobody.
class PrivateFolder {
public:
    /// Nothing when no place for it can be found: then there are no private sockets.
    static std::optional<PrivateFolder> make();

    PrivateFolder(PrivateFolder&&) noexcept = default;
    PrivateFolder& operator=(PrivateFolder&&) noexcept = default;
    ~PrivateFolder();

    /// Of the one file. Short enough for a socket's name.
    std::string file() const;

private:
    PrivateFolder(std::string path, base::UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

    std::string path_;
    base::UniqueFd lock_;
};

} // namespace sdfleet::collective
