// SPDX-License-Identifier: Apache-2.0
#include "pipeline/safetensors_writer.hpp"

#include "pipeline/safetensors_file.hpp"

#include <algorithm>
#include <tuple>

#include <nlohmann/json.hpp>

namespace sdfleet::pipeline {

std::vector<std::byte> write_safetensors(std::vector<NamedTensor> tensors)
{
    std::sort(tensors.begin(), tensors.end(), [](const NamedTensor& a, const NamedTensor& b) {
        return std::tuple(safetensors_element_bytes(b.dtype), a.name) <
               std::tuple(safetensors_element_bytes(a.dtype), b.name);
    });
    nlohmann::json header = nlohmann::json::object();
    std::size_t data_bytes = 0;
    for (const NamedTensor& tensor : tensors) {
        header[tensor.name] = {{"dtype", tensor.dtype},
                               {"shape", tensor.shape},
                               {"data_offsets", {data_bytes, data_bytes + tensor.bytes.size()}}};
        data_bytes += tensor.bytes.size();
    }
    std::string text = header.dump();
    constexpr std::size_t alignment = 8; // of the data after the header; readers may map it
    text.resize((text.size() + alignment - 1) / alignment * alignment, ' ');

    std::vector<std::byte> file;
    file.reserve(alignment + text.size() + data_bytes);
    for (unsigned i = 0; i < 8; ++i) {
        file.push_back(static_cast<std::byte>(text.size() >> (8 * i) & 0xff));
    }
    const auto header_bytes = std::as_bytes(std::span(text));
    file.insert(file.end(), header_bytes.begin(), header_bytes.end());
    for (const NamedTensor& tensor : tensors) {
        file.insert(file.end(), tensor.bytes.begin(), tensor.bytes.end());
    }
    return file;
}

} // namespace sdfleet::pipeline
