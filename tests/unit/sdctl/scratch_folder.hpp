// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sdctl/temporary_folder.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace sdfleet::tests {

/// A folder for one test.
class ScratchFolder {
public:
    const std::filesystem::path& path() const { return folder_.path(); }

    void write(const std::string& name, const std::string& content) const
    {
        std::filesystem::create_directories((path() / name).parent_path());
        std::ofstream(path() / name, std::ios::binary) << content;
    }

    std::string read(const std::string& name) const
    {
        std::ifstream file(path() / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    }

private:
    sdctl::TemporaryFolder folder_ = sdctl::TemporaryFolder::make().value();
};

} // namespace sdfleet::tests
