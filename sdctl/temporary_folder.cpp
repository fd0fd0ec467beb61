// SPDX-License-Identifier: Apache-2.0
#include "sdctl/temporary_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>

namespace sdfleet::sdctl {

base::Result<TemporaryFolder> TemporaryFolder::make()
{
    constexpr std::size_t longest_parent = 40; // a socket's address holds 107 bytes, and folders follow in this one
    const char* wanted = std::getenv("TMPDIR");
    const std::string parent =
        wanted != nullptr && *wanted == '/' && std::strlen(wanted) <= longest_parent ? wanted : "/tmp";
    std::string path = parent + "/sdfleet.XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
        return base::fail(base::ExitCode::failed, "cannot make a folder in " + parent + ": " + std::strerror(errno));
    }
    return TemporaryFolder(path);
}

TemporaryFolder::~TemporaryFolder()
{
    if (!path_.empty()) {
        std::error_code error; // what cannot be removed is not worth a failure
        std::filesystem::remove_all(path_, error);
    }
}

} // namespace sdfleet::sdctl
