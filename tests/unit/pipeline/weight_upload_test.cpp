// SPDX-License-Identifier: Apache-2.0
#include "pipeline/weight_upload.hpp"

#include <cstring>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>

#undef CHECK // c10's logging defines one, too
#include "tests/catch.hpp"

using namespace sdfleet::pipeline;

namespace {

const at::TensorOptions fp32 = at::TensorOptions().dtype(at::kFloat);

/// A tensor's bytes as they lie in a file, which may be anywhere.
struct FileBytes {
    std::vector<std::byte> memory;
    std::span<const std::byte> bytes;

    explicit FileBytes(const at::Tensor& tensor, std::size_t offset = 0) : memory(tensor.nbytes() + offset)
    {
        std::memcpy(memory.data() + offset, tensor.const_data_ptr(), tensor.nbytes());
        bytes = std::span<const std::byte>(memory).subspan(offset);
    }
};

} // namespace

TEST_CASE("tensors arrive whole, in chunks that several threads carry")
{
    std::vector<at::Tensor> originals;
    std::vector<FileBytes> files;
    for (std::int64_t size = 1; size < 40; ++size) {
        originals.push_back(at::randn({size, 3, 7}));
        files.emplace_back(originals.back());
    }
    WeightUpload upload(fp32, {.threads = 3, .chunk_bytes = 100, .chunks_per_thread = 2});
    std::vector<at::Tensor> arrived;
    for (std::size_t i = 0; i < files.size(); ++i) {
        arrived.push_back(upload.add(files[i].bytes, originals[i].sizes(), at::kFloat));
    }

    upload.run();

    for (std::size_t i = 0; i < files.size(); ++i) {
        CHECK(at::equal(arrived[i], originals[i]));
    }
}

TEST_CASE("types are converted, and bytes may lie anywhere")
{
    const at::Tensor original = at::randn({33, 5}).to(at::kHalf);
    const FileBytes file(original, 3);
    WeightUpload upload(fp32, {.threads = 2, .chunk_bytes = 33, .chunks_per_thread = 1});

    const at::Tensor arrived = upload.add(file.bytes, {33, 5}, at::kHalf);
    upload.run();

    CHECK(arrived.scalar_type() == at::kFloat);
    CHECK(at::equal(arrived, original.to(at::kFloat)));
}

TEST_CASE("an upload goes on after a run, and what is empty is nothing to carry")
{
    const at::Tensor original = at::arange(0, 10, fp32);
    const FileBytes file(original);
    WeightUpload upload(fp32);
    const at::Tensor empty = upload.add({}, {0, 4}, at::kFloat);
    upload.run();

    const at::Tensor arrived = upload.add(file.bytes, {10}, at::kFloat);
    upload.run();

    CHECK(empty.numel() == 0);
    CHECK(at::equal(arrived, original));
}
