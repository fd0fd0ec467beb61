// SPDX-License-Identifier: Apache-2.0
#include "pipeline/safetensors_file.hpp"

#include "base/unique_fd.hpp"
#include "pipeline/bounded_json.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/stat.h>

namespace sdfleet::pipeline {

namespace {

using nlohmann::json;

constexpr std::uint64_t max_header_bytes = 100'000'000;
constexpr std::size_t length_bytes = 8;

constexpr std::array<std::pair<std::string_view, std::size_t>, 17> element_sizes{{
    {"BOOL", 1},
    {"U8", 1},
    {"I8", 1},
    {"F8_E5M2", 1},
    {"F8_E4M3", 1},
    {"F8_E8M0", 1},
    {"I16", 2},
    {"U16", 2},
    {"F16", 2},
    {"BF16", 2},
    {"I32", 4},
    {"U32", 4},
    {"F32", 4},
    {"F64", 8},
    {"I64", 8},
    {"U64", 8},
    {"C64", 8},
}};

/// Finds a key that occurs twice in one object, which the plain parser would silently overwrite.
class DuplicateFinder final : public nlohmann::json_sax<json> {
public:
    const std::string& found() const { return found_; }

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_array(std::size_t) override { return true; }
    bool end_array() override { return true; }
    bool parse_error(std::size_t, const std::string&, const json::exception&) override { return false; }
    bool start_object(std::size_t) override
    {
        keys_.emplace_back();
        return true;
    }
    bool end_object() override
    {
        keys_.pop_back();
        return true;
    }
    bool key(string_t& name) override
    {
        if (!keys_.back().insert(name).second) {
            found_ = name;
        }
        return true;
    }

private:
    std::vector<std::set<std::string>> keys_; ///< of the objects that are open
    std::string found_;
};

std::optional<json> parse_strict(std::string_view text, std::string& problem)
{
    if (nests_too_deep(text)) {
        problem = "its header is JSON that nests too deep";
        return std::nullopt;
    }
    // Two passes: the parser's own callback looks at all of an object's members for each one of them.
    DuplicateFinder duplicates;
    json parsed = json::parse(text, nullptr, false);
    if (!json::sax_parse(text, &duplicates) || !parsed.is_object()) {
        problem = "its header is not a JSON object";
        return std::nullopt;
    }
    if (!duplicates.found().empty()) {
        problem = "its header names '" + duplicates.found() + "' twice";
        return std::nullopt;
    }
    return parsed;
}

struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

/// Bytes that a tensor of this type and shape takes; nothing when that overflows.
std::optional<std::uint64_t> byte_count(std::size_t element_bytes, const std::vector<std::int64_t>& shape)
{
    std::uint64_t total = element_bytes;
    for (const std::int64_t extent : shape) {
        if (__builtin_mul_overflow(total, static_cast<std::uint64_t>(extent), &total)) {
            return std::nullopt;
        }
    }
    return total;
}

/// Fills `view`'s type and shape and `range` from one header entry; returns what is wrong with it, or nothing.
std::string read_entry(const json& entry, std::uint64_t data_bytes, TensorView& view, Range& range)
{
    if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets")) {
        return "lacks dtype, shape or data_offsets";
    }
    const json& dtype = entry["dtype"];
    const json& shape = entry["shape"];
    const json& offsets = entry["data_offsets"];
    if (!dtype.is_string() || safetensors_element_bytes(dtype.get<std::string>()) == 0) {
        return "has an unknown dtype";
    }
    const auto is_extent = [](const json& v) {
        return v.is_number_unsigned() && v.get<std::uint64_t>() <= std::uint64_t{INT64_MAX};
    };
    if (!shape.is_array() || shape.size() > 64 || !std::all_of(shape.begin(), shape.end(), is_extent)) {
        return "has a shape that is not a list of sizes";
    }
    if (!offsets.is_array() || offsets.size() != 2 || !std::all_of(offsets.begin(), offsets.end(), is_extent)) {
        return "has data_offsets that are not two positions";
    }
    view.dtype = dtype.get<std::string>();
    view.shape = shape.get<std::vector<std::int64_t>>();
    range = Range{offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>()};
    if (range.begin > range.end || range.end > data_bytes) {
        return "lies outside the file (is the file truncated?)";
    }
    if (byte_count(safetensors_element_bytes(view.dtype), view.shape) != range.end - range.begin) {
        return "has data_offsets that do not fit its dtype and shape";
    }
    return {};
}

/// The data must be covered by the tensors exactly once: what the format demands so that a file hides nothing.
bool covers_exactly(std::vector<Range> ranges, std::uint64_t data_bytes)
{
    std::sort(ranges.begin(), ranges.end(),
              [](const Range& a, const Range& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
    std::uint64_t expected = 0;
    for (const Range& range : ranges) {
        if (range.begin != expected) {
            return false;
        }
        expected = range.end;
    }
    return expected == data_bytes;
}

} // namespace

std::size_t safetensors_element_bytes(std::string_view dtype)
{
    const auto* found =
        std::find_if(element_sizes.begin(), element_sizes.end(), [&](const auto& e) { return e.first == dtype; });
    return found == element_sizes.end() ? 0 : found->second;
}

base::Result<TensorViews> parse_safetensors(std::span<const std::byte> file, const std::string& where)
{
    const auto bad = [&](const std::string& what) {
        return base::fail(base::ExitCode::bad_input, where + ": not a usable safetensors file: " + what);
    };
    if (file.size() < length_bytes) {
        return bad("it is too short (is it truncated?)");
    }
    std::uint64_t header_bytes = 0;
    for (std::size_t i = 0; i < length_bytes; ++i) {
        header_bytes |= std::to_integer<std::uint64_t>(file[i]) << (8 * i);
    }
    if (header_bytes > max_header_bytes || header_bytes > file.size() - length_bytes) {
        return bad("its header length is impossible (is it truncated, or another format?)");
    }
    const auto header = file.subspan(length_bytes, header_bytes);
    const auto data = file.subspan(length_bytes + header_bytes);
    std::string problem;
    const auto parsed = parse_strict({reinterpret_cast<const char*>(header.data()), header.size()}, problem);
    if (!parsed) {
        return bad(problem);
    }
    TensorViews views;
    std::vector<Range> ranges;
    for (const auto& [name, entry] : parsed->items()) {
        if (name == "__metadata__") {
            continue;
        }
        TensorView view;
        Range range;
        if (const std::string wrong = read_entry(entry, data.size(), view, range); !wrong.empty()) {
            return bad("tensor '" + name + "' " + wrong);
        }
        view.bytes = data.subspan(range.begin, range.end - range.begin);
        ranges.push_back(range);
        views.emplace(name, std::move(view));
    }
    if (!covers_exactly(std::move(ranges), data.size())) {
        return bad("its tensors overlap or leave gaps");
    }
    return views;
}

base::Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path)
{
    const auto bad = [&](const std::string& what) {
        return base::fail(base::ExitCode::bad_input, path.string() + ": " + what);
    };
    const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0) {
        return bad(std::strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return bad("not a file");
    }
    SafetensorsFile file;
    const auto bytes = static_cast<std::size_t>(info.st_size);
    if (bytes > 0) {
        void* start = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd.get(), 0);
        if (start == MAP_FAILED) {
            return bad(std::strerror(errno));
        }
        file.mapping_ = {static_cast<const std::byte*>(start), bytes};
    }
    auto views = parse_safetensors(file.mapping_, path.string());
    if (!views) {
        return tl::unexpected(views.error());
    }
    file.tensors_ = std::move(*views);
    return file;
}

SafetensorsFile::SafetensorsFile(SafetensorsFile&& other) noexcept
    : mapping_(std::exchange(other.mapping_, {})), tensors_(std::move(other.tensors_))
{
}

SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&& other) noexcept
{
    std::swap(mapping_, other.mapping_);
    std::swap(tensors_, other.tensors_);
    return *this;
}

SafetensorsFile::~SafetensorsFile()
{
    if (!mapping_.empty()) {
        ::munmap(const_cast<std::byte*>(mapping_.data()), mapping_.size());
    }
}

} // namespace sdfleet::pipeline
