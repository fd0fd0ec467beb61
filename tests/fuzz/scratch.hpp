// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace sdfleet::fuzz {

/// A folder for what the code under test wants to read from files; in memory where the system has that.
class Scratch {
public:
    Scratch()
    {
        std::string pattern =
            std::filesystem::is_directory("/dev/shm") ? "/dev/shm/sdfleet-fuzz-XXXXXX" : "/tmp/sdfleet-fuzz-XXXXXX";
        root_ = ::mkdtemp(pattern.data());
    }
    ~Scratch() { std::filesystem::remove_all(root_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    std::filesystem::path write(const std::string& name, std::string_view text) const
    {
        std::ofstream(root_ / name, std::ios::binary) << text;
        return root_ / name;
    }
    void remove(const std::string& name) const { std::filesystem::remove(root_ / name); }
    const std::filesystem::path& path() const { return root_; }

private:
    std::filesystem::path root_;
};

inline std::string_view text_of(const std::uint8_t* data, std::size_t size)
{
    return {reinterpret_cast<const char*>(data), size};
}

/// Takes what stands before the next '\f' off the front of `text`.
inline std::string_view take_part(std::string_view& text)
{
    const std::size_t end = std::min(text.find('\f'), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

} // namespace sdfleet::fuzz
