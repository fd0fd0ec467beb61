// SPDX-License-Identifier: Apache-2.0
#include "base/atomic_file.hpp"

#include "base/test_fault.hpp"
#include "base/unique_fd.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sdfleet::base {

namespace {

tl::unexpected<Error> fail_with_errno(const std::string& what, const std::filesystem::path& path, int error)
{
    return fail(ExitCode::failed, what + " " + path.string() + ": " + std::strerror(error));
}

bool write_all(int fd, std::span<const std::byte> bytes)
{
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return true;
}

bool sync_folder(const std::filesystem::path& folder)
{
    const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return fd && ::fsync(fd.get()) == 0;
}

} // namespace

Result<void> write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes, FileMode mode)
{
    const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    std::string temporary = (folder / ("." + path.filename().string() + ".XXXXXX")).string();
    UniqueFd fd(test_fault("file.create") ? -1 : ::mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd) {
        return fail_with_errno("cannot create a file in", folder, errno);
    }
    // mkostemp makes the file private, whatever it is to become.
    const bool written = ::fchmod(fd.get(), static_cast<mode_t>(mode)) == 0 && !test_fault("file.write") &&
                         write_all(fd.get(), bytes) && !test_fault("file.sync") && ::fsync(fd.get()) == 0;
    if (!written || test_fault("file.rename") || ::rename(temporary.c_str(), path.c_str()) != 0) {
        const int error = errno;
        ::unlink(temporary.c_str());
        return fail_with_errno("cannot write", path, error);
    }
    if (test_fault("file.sync_folder") || !sync_folder(folder)) {
        return fail_with_errno("cannot sync the folder", folder, errno);
    }
    return {};
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes)
{
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0) {
        return fail_with_errno("cannot open", path, errno);
    }
    if (S_ISDIR(info.st_mode)) {
        return fail_with_errno("cannot read", path, EISDIR);
    }
    std::string content;
    std::string piece(1 << 16, '\0');
    for (;;) {
        const ssize_t count = ::read(fd.get(), piece.data(), piece.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return fail_with_errno("cannot read", path, errno);
        }
        if (count == 0) {
            return content;
        }
        if (content.size() + static_cast<std::size_t>(count) > max_bytes) {
            return fail(ExitCode::failed,
                        "cannot read " + path.string() + ": it is larger than " + std::to_string(max_bytes) + " bytes");
        }
        content.append(piece.data(), static_cast<std::size_t>(count));
    }
}

} // namespace sdfleet::base
