// SPDX-License-Identifier: Apache-2.0
#include "tests/gpu/kernel_check_tools.hpp"

#include <limits>

namespace sdfleet::gpu_test {

using kernels::BiasResidualArguments;
using kernels::GegluArguments;
using kernels::ImageBytesArguments;
using kernels::UpsampleArguments;

namespace {

Bytes geglu(const KernelSubject& on, GegluArguments a, const Bytes& in)
{
    const KernelArray input(on.memory, in);
    const KernelArray output(on.memory, unwritten(static_cast<std::int64_t>(in.size() / 2)));
    a.input = input.data();
    a.output = output.data();
    require_done(on.table.geglu(a, on.queue), "geglu");
    return output.read();
}

struct AddInputs {
    Bytes input, bias, residual;
};

enum class Into { own, input, residual };

Bytes bias_residual(const KernelSubject& on, BiasResidualArguments a, const AddInputs& in, bool has_bias,
                    bool has_residual, Into into)
{
    const KernelArray input(on.memory, in.input);
    const KernelArray bias(on.memory, in.bias);
    const KernelArray residual(on.memory, in.residual);
    const KernelArray own(on.memory, unwritten(static_cast<std::int64_t>(in.input.size())));
    const KernelArray& output = into == Into::input ? input : into == Into::residual ? residual : own;
    a.input = input.data();
    a.bias = has_bias ? bias.data() : nullptr;
    a.residual = has_residual ? residual.data() : nullptr;
    a.output = output.data();
    require_done(on.table.bias_residual(a, on.queue), "bias_residual");
    return output.read();
}

Bytes upsample(const KernelSubject& on, UpsampleArguments a, const Bytes& in)
{
    const KernelArray input(on.memory, in);
    const KernelArray output(on.memory,
                             unwritten(a.batch * a.output_height * a.output_width * a.channels * bytes_of(a.type)));
    a.input = input.data();
    a.output = output.data();
    require_done(on.table.upsample_nearest(a, on.queue), "upsample_nearest");
    return output.read();
}

/// Leaves out the first `skipped` elements, of the input and of the output.
Bytes image_bytes(const KernelSubject& on, ImageBytesArguments a, const Bytes& in, std::int64_t skipped)
{
    const KernelArray input(on.memory, in);
    const KernelArray output(on.memory, unwritten(a.pixels * a.channels));
    a.input = static_cast<const std::byte*>(input.data()) + skipped * bytes_of(a.type);
    a.output = static_cast<std::uint8_t*>(output.data()) + skipped;
    a.pixels = a.pixels * a.channels - skipped;
    a.channels = 1;
    require_done(on.table.image_bytes(a, on.queue), "image_bytes");
    return output.read();
}

} // namespace

void check_geglu(const KernelSubject& subject, const GegluArguments& sizes)
{
    const Bytes in = Random().elements(sizes.type, sizes.rows * 2 * sizes.features);
    require_close(sizes.type, geglu(subject, sizes, in), geglu(reference(), sizes, in),
                  std::string("geglu ") + name_of(sizes.type) + ' ' + std::to_string(sizes.rows) + " x " +
                      std::to_string(sizes.features));
}

void check_bias_residual(const KernelSubject& subject, const BiasResidualArguments& sizes)
{
    Random random;
    const std::int64_t elements = sizes.rows * sizes.channels;
    const AddInputs in{random.elements(sizes.type, elements), random.elements(sizes.type, sizes.channels),
                       random.elements(sizes.type, elements)};
    const std::string what = std::string("bias_residual ") + name_of(sizes.type) + ' ' + std::to_string(sizes.rows) +
                             " x " + std::to_string(sizes.channels);
    for (const bool has_bias : {false, true}) {
        for (const bool has_residual : {false, true}) {
            const Bytes expected = bias_residual(reference(), sizes, in, has_bias, has_residual, Into::own);
            require_equal(bias_residual(subject, sizes, in, has_bias, has_residual, Into::own), expected, what);
            require_equal(bias_residual(subject, sizes, in, has_bias, has_residual, Into::input), expected,
                          what + ", over its input");
            if (has_residual) {
                require_equal(bias_residual(subject, sizes, in, has_bias, true, Into::residual), expected,
                              what + ", over its residual");
            }
        }
    }
}

void check_upsample(const KernelSubject& subject, const UpsampleArguments& sizes)
{
    const Bytes in = Random().elements(sizes.type, sizes.batch * sizes.height * sizes.width * sizes.channels);
    require_equal(upsample(subject, sizes, in), upsample(reference(), sizes, in),
                  std::string("upsample_nearest ") + name_of(sizes.type) + ' ' + std::to_string(sizes.height) + " x " +
                      std::to_string(sizes.width) + " x " + std::to_string(sizes.channels) + " to " +
                      std::to_string(sizes.output_height) + " x " + std::to_string(sizes.output_width));
}

void check_image_bytes(const KernelSubject& subject, const ImageBytesArguments& sizes)
{
    Bytes in = Random().elements(sizes.type, sizes.pixels * sizes.channels);
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const std::vector<float> special = {0.0f, infinity, -infinity, std::numeric_limits<float>::quiet_NaN(),
                                        1e4f, -1e4f,    1.0f,      -1.0f};
    kernels::cpu::run_as(sizes.type, [&](auto zero) {
        for (std::size_t i = 0; i < std::min(special.size(), in.size() / sizeof(zero)); ++i) {
            const auto element = kernels::cpu::to_element<decltype(zero)>(special[i]);
            std::memcpy(in.data() + i * sizeof(element), &element, sizeof(element));
        }
    });
    for (std::int64_t skipped = 0; skipped < std::min<std::int64_t>(3, sizes.pixels * sizes.channels); ++skipped) {
        require_equal(image_bytes(subject, sizes, in, skipped), image_bytes(reference(), sizes, in, skipped),
                      std::string("image_bytes ") + name_of(sizes.type) + ' ' + std::to_string(sizes.pixels) + " x " +
                          std::to_string(sizes.channels) + " from element " + std::to_string(skipped));
    }
}

} // namespace sdfleet::gpu_test
