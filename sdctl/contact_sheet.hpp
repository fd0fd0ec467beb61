// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "sdctl/rgb_image.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace sdfleet::sdctl {

constexpr std::size_t max_sheet_pictures = 64;

/// How pictures lie on a contact sheet. All sizes in pixels.
struct SheetLayout {
    std::uint32_t columns = 0;
    std::uint32_t rows = 0;
    std::uint32_t cell_width = 0;
    std::uint32_t cell_height = 0;
    std::uint32_t gap = 0;    ///< around and between the cells
    std::uint32_t shrink = 1; ///< every picture is made smaller by this whole factor

    bool operator==(const SheetLayout&) const = default;
    std::uint32_t width() const { return columns * (cell_width + gap) + gap; }
    std::uint32_t height() const { return rows * (cell_height + gap) + gap; }
};

/// As square as it goes, at least as wide as high; small enough to look at in one window. `largest_*` is the size of the
/// largest picture. Requires count > 0.
SheetLayout plan_sheet(std::size_t count, std::uint32_t largest_width, std::uint32_t largest_height);

/// The first max_sheet_pictures pictures in their order, row by row on white, each centred in its cell.
RgbImage compose_sheet(std::span<const RgbImage> pictures);

/// Makes grid.png in `folder` from the named PNG files in it. Files that are no PNG are left out; with none left nothing
/// is written.
base::Result<void> write_contact_sheet(const std::filesystem::path& folder, const std::vector<std::string>& files);

} // namespace sdfleet::sdctl
