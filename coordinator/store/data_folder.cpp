// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/data_folder.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>

namespace sdfleet::coordinator {

base::Result<DataFolder> DataFolder::open(const std::filesystem::path& path)
{
    std::error_code error;
    std::filesystem::create_directories(path / "artifacts", error);
    if (error) {
        return base::fail(base::ExitCode::failed,
                          "cannot use the data folder " + path.string() + ": " + error.message());
    }
    const auto lock_path = path / "lock";
    base::UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!lock) {
        return base::fail(base::ExitCode::failed, "cannot open " + lock_path.string() + ": " + std::strerror(errno));
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return base::fail(base::ExitCode::failed,
                          errno == EWOULDBLOCK
                              ? "the data folder " + path.string() +
                                    " is in use by another coordinator; stop it or choose another --data-dir"
                              : "cannot lock " + lock_path.string() + ": " + std::strerror(errno));
    }
    return DataFolder(path, std::move(lock));
}

} // namespace sdfleet::coordinator
