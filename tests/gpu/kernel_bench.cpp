// SPDX-License-Identifier: Apache-2.0
#include "tests/gpu/kernel_bench.hpp"

#include "tests/gpu/kernel_shapes.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sdfleet::gpu_test {

using namespace kernels;

namespace {

constexpr ElementType type = ElementType::float16;
constexpr std::int64_t element_bytes = 2;
constexpr std::int64_t beyond_cache_bytes = 256 << 20;
constexpr int launches = 64; ///< in a graph
constexpr int replays = 10;

using Arrays = std::vector<std::byte*>;
using Launch = std::function<Status(const Arrays&)>;

struct Case {
    std::string kernel, shape;
    std::vector<std::int64_t> array_bytes; ///< of what the launch is given
    std::int64_t traffic_bytes;
    Launch launch;
};

std::string shape_text(const std::vector<std::int64_t>& sizes)
{
    std::string text;
    for (const std::int64_t size : sizes) {
        text += (text.empty() ? "" : "x") + std::to_string(size);
    }
    return text;
}

class Bench {
public:
    explicit Bench(DeviceKernelMemory& memory) : memory_(memory) {}

    nlohmann::json measure(const Case& of)
    {
        std::int64_t set_bytes = 0;
        for (const std::int64_t bytes : of.array_bytes) {
            set_bytes += rounded(bytes);
        }
        const std::int64_t sets = std::clamp<std::int64_t>(beyond_cache_bytes / set_bytes + 1, 1, launches);
        std::byte* all = memory_.allocate(static_cast<std::size_t>(set_bytes * sets));
        // 1.06 in fp16: a number like others.
        require(cudaMemsetAsync(all, 0x3c, static_cast<std::size_t>(set_bytes * sets), memory_.stream()),
                "cudaMemsetAsync");
        const double far = microseconds(of, all, set_bytes, sets);
        const double cached = microseconds(of, all, set_bytes, 1);
        memory_.release(all);
        return {{"kernel", of.kernel},
                {"shape", of.shape},
                {"bytes", of.traffic_bytes},
                {"microseconds", far},
                {"gigabytes_per_second", static_cast<double>(of.traffic_bytes) / far * 1e-3},
                {"cached_microseconds", cached}};
    }

private:
    static std::int64_t rounded(std::int64_t bytes) { return (bytes + 255) / 256 * 256; }

    static void start(const Case& of, std::byte* next)
    {
        Arrays arrays;
        for (const std::int64_t bytes : of.array_bytes) {
            arrays.push_back(next);
            next += rounded(bytes);
        }
        if (of.launch(arrays) != Status::done) {
            throw std::runtime_error(of.kernel + ' ' + of.shape + " was not started");
        }
    }

    double microseconds(const Case& of, std::byte* all, std::int64_t set_bytes, std::int64_t sets)
    {
        cudaGraph_t graph = nullptr;
        cudaGraphExec_t executable = nullptr;
        start(of, all); // its code is loaded by the first launch, which is not to be recorded
        require(cudaStreamSynchronize(memory_.stream()), "a kernel");
        require(cudaStreamBeginCapture(memory_.stream(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
        for (int i = 0; i < launches; ++i) {
            start(of, all + i % sets * set_bytes);
        }
        require(cudaStreamEndCapture(memory_.stream(), &graph), "cudaStreamEndCapture");
        require(cudaGraphInstantiate(&executable, graph, 0), "cudaGraphInstantiate");
        const double time = milliseconds_of(executable) * 1e3 / (launches * replays);
        static_cast<void>(cudaGraphExecDestroy(executable));
        static_cast<void>(cudaGraphDestroy(graph));
        return time;
    }

    double milliseconds_of(cudaGraphExec_t executable)
    {
        cudaEvent_t begin = nullptr;
        cudaEvent_t end = nullptr;
        require(cudaEventCreate(&begin), "cudaEventCreate");
        require(cudaEventCreate(&end), "cudaEventCreate");
        for (int i = 0; i < 3; ++i) {
            require(cudaGraphLaunch(executable, memory_.stream()), "cudaGraphLaunch");
        }
        require(cudaEventRecord(begin, memory_.stream()), "cudaEventRecord");
        for (int i = 0; i < replays; ++i) {
            require(cudaGraphLaunch(executable, memory_.stream()), "cudaGraphLaunch");
        }
        require(cudaEventRecord(end, memory_.stream()), "cudaEventRecord");
        require(cudaEventSynchronize(end), "a kernel");
        float milliseconds = 0;
        require(cudaEventElapsedTime(&milliseconds, begin, end), "cudaEventElapsedTime");
        static_cast<void>(cudaEventDestroy(begin));
        static_cast<void>(cudaEventDestroy(end));
        return static_cast<double>(milliseconds);
    }

    DeviceKernelMemory& memory_;
};

Case group_norm_case(const KernelTable& table, Queue queue, const Image& of)
{
    const std::int64_t bytes = of.batch * of.pixels * of.channels * element_bytes;
    const std::int64_t workspace = table.group_norm_workspace_bytes(of.batch, of.pixels, of.channels, 32);
    return {"group_norm",
            shape_text({of.batch, of.pixels, of.channels}),
            {bytes, of.channels * element_bytes, of.channels * element_bytes, of.channels * element_bytes, bytes,
             workspace},
            2 * bytes,
            [=, &table](const Arrays& at) {
                return table.group_norm({.type = type,
                                         .input = at[0],
                                         .row_bias = at[1],
                                         .bias_rows = 1,
                                         .bias_stride = of.channels,
                                         .weight = at[2],
                                         .bias = at[3],
                                         .output = at[4],
                                         .workspace = at[5],
                                         .batch = of.batch,
                                         .pixels = of.pixels,
                                         .channels = of.channels,
                                         .groups = 32,
                                         .eps = 1e-5f,
                                         .silu = true},
                                        queue);
            }};
}

Case layer_norm_case(const KernelTable& table, Queue queue, const Matrix& of)
{
    const std::int64_t bytes = of.rows * of.columns * element_bytes;
    const std::int64_t row = of.columns * element_bytes;
    return {"layer_norm",
            shape_text({of.rows, of.columns}),
            {bytes, bytes, row, row, bytes, bytes},
            4 * bytes,
            [=, &table](const Arrays& at) {
                return table.layer_norm({.type = type,
                                         .input = at[0],
                                         .residual = at[1],
                                         .weight = at[2],
                                         .bias = at[3],
                                         .sum = at[4],
                                         .output = at[5],
                                         .rows = of.rows,
                                         .features = of.columns,
                                         .eps = 1e-5f},
                                        queue);
            }};
}

Case geglu_case(const KernelTable& table, Queue queue, const Matrix& of)
{
    const std::int64_t bytes = of.rows * of.columns * element_bytes;
    return {"geglu", shape_text({of.rows, of.columns}), {2 * bytes, bytes}, 3 * bytes, [=, &table](const Arrays& at) {
                return table.geglu(
                    {.type = type, .input = at[0], .output = at[1], .rows = of.rows, .features = of.columns}, queue);
            }};
}

Case bias_residual_case(const KernelTable& table, Queue queue, const Matrix& of)
{
    const std::int64_t bytes = of.rows * of.columns * element_bytes;
    return {"bias_residual",
            shape_text({of.rows, of.columns}),
            {bytes, of.columns * element_bytes, bytes, bytes},
            3 * bytes,
            [=, &table](const Arrays& at) {
                return table.bias_residual({.type = type,
                                            .input = at[0],
                                            .bias = at[1],
                                            .residual = at[2],
                                            .output = at[3],
                                            .rows = of.rows,
                                            .channels = of.columns},
                                           queue);
            }};
}

Case upsample_case(const KernelTable& table, Queue queue, const Enlargement& of)
{
    const std::int64_t bytes = of.batch * of.side * of.side * of.channels * element_bytes;
    return {"upsample_nearest",
            shape_text({of.batch, of.side, of.side, of.channels}),
            {bytes, 4 * bytes},
            5 * bytes,
            [=, &table](const Arrays& at) {
                return table.upsample_nearest({.type = type,
                                               .input = at[0],
                                               .output = at[1],
                                               .batch = of.batch,
                                               .height = of.side,
                                               .width = of.side,
                                               .channels = of.channels,
                                               .output_height = 2 * of.side,
                                               .output_width = 2 * of.side},
                                              queue);
            }};
}

Case model_input_case(const KernelTable& table, Queue queue, const Image& of)
{
    const std::int64_t row_bytes = of.pixels * of.channels * 4;
    return {"model_input",
            shape_text({of.batch, of.pixels, of.channels}),
            {of.batch * row_bytes, of.batch * row_bytes},
            2 * of.batch * row_bytes,
            [=, &table](const Arrays& at) {
                std::vector<const float*> rows;
                for (std::int64_t row = 0; row < of.batch; ++row) {
                    rows.push_back(reinterpret_cast<const float*>(at[0] + row * row_bytes));
                }
                const std::vector<float> scale(rows.size(), 1.0f);
                return table.model_input({.type = type,
                                          .rows = rows.data(),
                                          .more = nullptr,
                                          .scale = scale.data(),
                                          .output = at[1],
                                          .batch = of.batch,
                                          .pixels = of.pixels,
                                          .channels = of.channels,
                                          .more_channels = 0,
                                          .copies = 2},
                                         queue);
            }};
}

Case sample_update_case(const KernelTable& table, Queue queue, const Image& of)
{
    const std::int64_t row_bytes = of.pixels * of.channels * 4;
    return {"sample_update",
            shape_text({of.batch, of.pixels, of.channels}),
            {of.batch * row_bytes, of.batch * row_bytes, of.batch * row_bytes},
            3 * of.batch * row_bytes,
            [=, &table](const Arrays& at) {
                std::vector<SampleRow> rows(static_cast<std::size_t>(of.batch));
                for (std::size_t row = 0; row < rows.size(); ++row) {
                    const auto begin = static_cast<std::ptrdiff_t>(row) * row_bytes;
                    rows[row] = {.guidance = 7.5f,
                                 .terms = 2,
                                 .factor = {0.5f, 0.5f},
                                 .term = {},
                                 .result = nullptr,
                                 .prediction = nullptr};
                    rows[row].term[1] = reinterpret_cast<const float*>(at[1] + begin);
                    rows[row].result = reinterpret_cast<float*>(at[2] + begin);
                }
                return table.sample_update({.type = type,
                                            .model_output = at[0],
                                            .rows = rows.data(),
                                            .batch = of.batch,
                                            .pixels = of.pixels,
                                            .channels = of.channels,
                                            .copies = 2},
                                           queue);
            }};
}

Case image_bytes_case(const KernelTable& table, Queue queue, const Matrix& of)
{
    const std::int64_t elements = of.rows * of.columns;
    return {"image_bytes",
            shape_text({of.rows, of.columns}),
            {elements * element_bytes, elements},
            3 * elements,
            [=, &table](const Arrays& at) {
                return table.image_bytes({.type = type,
                                          .input = at[0],
                                          .output = reinterpret_cast<std::uint8_t*>(at[1]),
                                          .pixels = of.rows,
                                          .channels = of.columns},
                                         queue);
            }};
}

} // namespace

nlohmann::json bench_kernels(const KernelTable& table, DeviceKernelMemory& memory)
{
    Bench bench(memory);
    auto results = nlohmann::json::array();
    const auto measure_all = [&](const auto& shapes, const auto& case_of) {
        for (const auto& shape : shapes) {
            results.push_back(bench.measure(case_of(table, memory.stream(), shape)));
        }
    };
    measure_all(group_norm_shapes, group_norm_case);
    measure_all(layer_norm_shapes, layer_norm_case);
    measure_all(geglu_shapes, geglu_case);
    measure_all(bias_residual_shapes, bias_residual_case);
    measure_all(upsample_shapes, upsample_case);
    measure_all(latent_shapes, model_input_case);
    measure_all(latent_shapes, sample_update_case);
    measure_all(picture_shapes, image_bytes_case);
    return results;
}

} // namespace sdfleet::gpu_test
