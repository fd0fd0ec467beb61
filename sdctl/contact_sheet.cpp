// SPDX-License-Identifier: Apache-2.0
#include "sdctl/contact_sheet.hpp"

#include "base/atomic_file.hpp"
#include "proto/packet.hpp"

#include <algorithm>
#include <cmath>

namespace sdfleet::sdctl {

namespace {

constexpr std::uint32_t max_sheet_side = 2048;
constexpr std::uint8_t white = 255;

std::uint32_t divide_up(std::uint32_t value, std::uint32_t by)
{
    return (value + by - 1) / by;
}

/// Each target pixel is the mean of a square of `factor` x `factor` source pixels, cut at the border.
RgbImage shrink(const RgbImage& source, std::uint32_t factor)
{
    if (factor == 1) {
        return source;
    }
    RgbImage target{divide_up(source.width, factor), divide_up(source.height, factor), {}};
    target.pixels.reserve(std::size_t{3} * target.width * target.height);
    for (std::uint32_t y = 0; y < target.height; ++y) {
        for (std::uint32_t x = 0; x < target.width; ++x) {
            const auto right = std::min((x + 1) * factor, source.width);
            const auto bottom = std::min((y + 1) * factor, source.height);
            std::uint32_t sums[3] = {};
            for (auto row = y * factor; row < bottom; ++row) {
                for (auto column = x * factor; column < right; ++column) {
                    const auto* pixel = &source.pixels[3 * (std::size_t{row} * source.width + column)];
                    for (int channel = 0; channel < 3; ++channel) {
                        sums[channel] += pixel[channel];
                    }
                }
            }
            const auto count = (right - x * factor) * (bottom - y * factor);
            for (const auto sum : sums) {
                target.pixels.push_back(static_cast<std::uint8_t>((sum + count / 2) / count));
            }
        }
    }
    return target;
}

void paste(RgbImage& sheet, const RgbImage& picture, std::uint32_t left, std::uint32_t top)
{
    for (std::uint32_t row = 0; row < picture.height; ++row) {
        const auto* begin = &picture.pixels[std::size_t{3} * row * picture.width];
        auto* target = &sheet.pixels[3 * (std::size_t{top + row} * sheet.width + left)];
        std::copy_n(begin, std::size_t{3} * picture.width, target);
    }
}

} // namespace

SheetLayout plan_sheet(std::size_t count, std::uint32_t largest_width, std::uint32_t largest_height)
{
    SheetLayout layout;
    layout.gap = 4;
    const auto pictures = static_cast<std::uint32_t>(std::min(count, max_sheet_pictures));
    layout.columns = static_cast<std::uint32_t>(std::ceil(std::sqrt(pictures)));
    layout.rows = divide_up(pictures, layout.columns);
    do {
        layout.cell_width = divide_up(largest_width, layout.shrink);
        layout.cell_height = divide_up(largest_height, layout.shrink);
    } while (std::max(layout.width(), layout.height()) > max_sheet_side && ++layout.shrink <= largest_width);
    return layout;
}

RgbImage compose_sheet(std::span<const RgbImage> pictures)
{
    pictures = pictures.first(std::min(pictures.size(), max_sheet_pictures));
    std::uint32_t largest_width = 1;
    std::uint32_t largest_height = 1;
    for (const auto& picture : pictures) {
        largest_width = std::max(largest_width, picture.width);
        largest_height = std::max(largest_height, picture.height);
    }
    const auto layout = plan_sheet(pictures.size(), largest_width, largest_height);
    RgbImage sheet{layout.width(), layout.height(), {}};
    sheet.pixels.assign(std::size_t{3} * sheet.width * sheet.height, white);
    for (std::uint32_t i = 0; i < pictures.size(); ++i) {
        const auto small = shrink(pictures[i], layout.shrink);
        const auto left = layout.gap + i % layout.columns * (layout.cell_width + layout.gap);
        const auto top = layout.gap + i / layout.columns * (layout.cell_height + layout.gap);
        paste(sheet, small, left + (layout.cell_width - small.width) / 2,
              top + (layout.cell_height - small.height) / 2);
    }
    return sheet;
}

base::Result<void> write_contact_sheet(const std::filesystem::path& folder, const std::vector<std::string>& files)
{
    std::vector<RgbImage> pictures;
    for (const auto& file : files) {
        if (pictures.size() == max_sheet_pictures) {
            break;
        }
        const auto bytes = base::read_file(folder / file, proto::max_blob_bytes);
        if (!bytes) {
            return tl::unexpected(bytes.error());
        }
        if (auto picture = decode_png(std::as_bytes(std::span(*bytes)))) {
            pictures.push_back(std::move(*picture));
        }
    }
    if (pictures.empty()) {
        return {};
    }
    const auto sheet = encode_png(compose_sheet(pictures));
    if (!sheet) {
        return tl::unexpected(sheet.error());
    }
    return base::write_file_atomically(folder / "grid.png", *sheet);
}

} // namespace sdfleet::sdctl
