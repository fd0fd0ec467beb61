// SPDX-License-Identifier: Apache-2.0
// The plug-in's kernels on this machine's GPU, beside the CPU's, at the sizes of SD 1.5 and SDXL.
//   kernels_gpu_test PLUGIN            all of them
//   kernels_gpu_test PLUGIN --quick    small ones only: for compute-sanitizer
//   kernels_gpu_test PLUGIN --bench    how fast each is
// Prints one JSON document. Exit codes: 0 all is well, 1 a check failed, 2 a wrong argument, 77 there is no GPU.
#include "tests/gpu/kernel_bench.hpp"
#include "tests/gpu/kernel_checks.hpp"
#include "tests/gpu/kernel_library.hpp"
#include "tests/gpu/kernel_shapes.hpp"

#include <functional>
#include <iostream>
#include <string>

namespace gpu_test = sdfleet::gpu_test;
using namespace sdfleet::kernels;
using json = nlohmann::json;

namespace {

constexpr int skipped = 77;
constexpr ElementType all_types[] = {ElementType::float16, ElementType::bfloat16, ElementType::float32};

/// Runs checks, counts them, and keeps what went wrong.
class Checks {
public:
    Checks(const gpu_test::KernelSubject& subject, bool quick) : subject_(subject), quick_(quick) {}

    /// `elements` of one array: the large ones are checked in fp16 only, which is what they are computed in.
    void in_types(std::int64_t elements, const std::function<void(const gpu_test::KernelSubject&, ElementType)>& check)
    {
        if (quick_ && elements > 1'400'000) {
            return;
        }
        for (const ElementType type : all_types) {
            if (type != ElementType::float16 && elements > 12'000'000) {
                continue;
            }
            ++count_;
            try {
                check(subject_, type);
            } catch (const std::exception& error) {
                faults_.push_back(error.what());
            }
        }
    }

    json report() const { return {{"checks", count_}, {"faults", faults_}}; }
    bool are_well() const { return count_ > 0 && faults_.empty(); }

private:
    const gpu_test::KernelSubject& subject_;
    bool quick_;
    int count_ = 0;
    std::vector<std::string> faults_;
};

GroupNormArguments image_of(ElementType type, const gpu_test::Image& shape, std::int64_t groups, std::int64_t bias_rows)
{
    GroupNormArguments sizes{};
    sizes.type = type;
    sizes.batch = shape.batch;
    sizes.pixels = shape.pixels;
    sizes.channels = shape.channels;
    sizes.groups = groups;
    sizes.bias_rows = bias_rows;
    sizes.bias_stride = shape.channels + 8;
    sizes.eps = 1e-5f;
    sizes.silu = bias_rows > 0;
    return sizes;
}

void check_norms(Checks& checks)
{
    for (const auto& shape : gpu_test::group_norm_shapes) {
        checks.in_types(shape.batch * shape.pixels * shape.channels, [&](const auto& subject, ElementType type) {
            check_group_norm(subject, image_of(type, shape, 32, shape.batch));
        });
    }
    for (const gpu_test::Image& odd : {gpu_test::Image{3, 35, 21}, {2, 1'101, 40}, {1, 4'099, 1'030}, {2, 1, 8}}) {
        checks.in_types(1, [&](const auto& subject, ElementType type) {
            check_group_norm(subject, image_of(type, odd, odd.channels % 7 == 0 ? 7 : 2, 0));
        });
    }
    auto rows = gpu_test::layer_norm_shapes;
    rows.insert(rows.end(), {{77, 2'048}, {33, 77}, {9, 5'000}});
    for (const auto& shape : rows) {
        checks.in_types(shape.rows * shape.columns, [&](const auto& subject, ElementType type) {
            LayerNormArguments sizes{};
            sizes.type = type;
            sizes.rows = shape.rows;
            sizes.features = shape.columns;
            sizes.eps = 1e-5f;
            check_layer_norm(subject, sizes);
        });
    }
}

void check_elementwise(Checks& checks)
{
    auto gates = gpu_test::geglu_shapes;
    gates.insert(gates.end(), {{77, 13}});
    for (const auto& shape : gates) {
        checks.in_types(shape.rows * shape.columns, [&](const auto& subject, ElementType type) {
            check_geglu(
                subject,
                {.type = type, .input = nullptr, .output = nullptr, .rows = shape.rows, .features = shape.columns});
        });
    }
    auto sums = gpu_test::bias_residual_shapes;
    sums.insert(sums.end(), {{1'001, 7}});
    for (const auto& shape : sums) {
        checks.in_types(shape.rows * shape.columns, [&](const auto& subject, ElementType type) {
            check_bias_residual(subject, {.type = type,
                                          .input = nullptr,
                                          .bias = nullptr,
                                          .residual = nullptr,
                                          .output = nullptr,
                                          .rows = shape.rows,
                                          .channels = shape.columns});
        });
    }
    for (const auto& shape : gpu_test::upsample_shapes) {
        for (const std::int64_t odd : {0, 1}) {
            checks.in_types(4 * shape.batch * shape.side * shape.side * shape.channels,
                            [&](const auto& subject, ElementType type) {
                                check_upsample(subject, {.type = type,
                                                         .input = nullptr,
                                                         .output = nullptr,
                                                         .batch = shape.batch,
                                                         .height = shape.side,
                                                         .width = shape.side,
                                                         .channels = shape.channels + odd,
                                                         .output_height = 2 * shape.side + odd,
                                                         .output_width = 2 * shape.side - odd});
                            });
        }
    }
}

void check_sampling(Checks& checks)
{
    for (const auto& shape : gpu_test::latent_shapes) {
        for (const std::int64_t copies : {1, 2}) {
            checks.in_types(shape.batch * shape.pixels * shape.channels, [&](const auto& subject, ElementType type) {
                check_model_input(subject, {.type = type,
                                            .rows = nullptr,
                                            .more = nullptr,
                                            .scale = nullptr,
                                            .output = nullptr,
                                            .batch = shape.batch,
                                            .pixels = shape.pixels,
                                            .channels = shape.channels,
                                            .more_channels = copies == 2 ? 5 : 0,
                                            .copies = copies});
                check_sample_update(subject, {.type = type,
                                              .model_output = nullptr,
                                              .rows = nullptr,
                                              .batch = shape.batch,
                                              .pixels = shape.pixels,
                                              .channels = shape.channels,
                                              .copies = copies});
            });
        }
    }
    for (const auto& shape : gpu_test::picture_shapes) {
        checks.in_types(shape.rows * shape.columns, [&](const auto& subject, ElementType type) {
            check_image_bytes(
                subject,
                {.type = type, .input = nullptr, .output = nullptr, .pixels = shape.rows, .channels = shape.columns});
        });
    }
}

int run(const std::string& plugin, const std::string& mode)
{
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
        std::cout << json{{"skipped", "there is no GPU"}} << '\n';
        return skipped;
    }
    const KernelTable* table = gpu_test::kernels_of(plugin);
    if (table == nullptr) {
        std::cout << json{{"error", plugin + " was built without kernels"}} << '\n';
        return 1;
    }
    cudaDeviceProp properties{};
    gpu_test::require(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
    gpu_test::DeviceKernelMemory memory;
    if (mode == "--bench") {
        std::cout << json{{"device", properties.name}, {"kernels", bench_kernels(*table, memory)}}.dump(1) << '\n';
        return 0;
    }
    const gpu_test::KernelSubject subject{*table, memory, memory.stream()};
    Checks checks(subject, mode == "--quick");
    checks.in_types(1, [](const auto& on, ElementType) { check_refusals(on); });
    check_norms(checks);
    check_elementwise(checks);
    check_sampling(checks);
    json report = checks.report();
    report["device"] = properties.name;
    std::cout << report.dump(1) << '\n';
    return checks.are_well() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv)
{
    const std::string mode = argc == 3 ? argv[2] : "";
    if (argc < 2 || argc > 3 || (argc == 3 && mode != "--quick" && mode != "--bench")) {
        std::cerr << "usage: kernels_gpu_test PLUGIN [--quick | --bench]\n";
        return 2;
    }
    try {
        return run(argv[1], mode);
    } catch (const std::exception& error) {
        std::cout << json{{"error", error.what()}} << '\n';
        return 1;
    }
}
