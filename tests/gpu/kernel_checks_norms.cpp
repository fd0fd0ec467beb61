// SPDX-License-Identifier: Apache-2.0
#include "tests/gpu/kernel_check_tools.hpp"

#include <optional>

namespace sdfleet::gpu_test {

using kernels::GroupNormArguments;
using kernels::LayerNormArguments;

namespace {

struct NormInputs {
    Bytes input, other, weight, bias; ///< other: row_bias or residual
};

Bytes group_norm(const KernelSubject& on, GroupNormArguments a, const NormInputs& in, bool in_place)
{
    const KernelArray input(on.memory, in.input);
    const KernelArray row_bias(on.memory, in.other);
    const KernelArray weight(on.memory, in.weight);
    const KernelArray bias(on.memory, in.bias);
    const KernelArray output(on.memory, unwritten(in_place ? 0 : static_cast<std::int64_t>(in.input.size())));
    const KernelArray workspace(
        on.memory, unwritten(on.table.group_norm_workspace_bytes(a.batch, a.pixels, a.channels, a.groups)));
    a.input = input.data();
    a.row_bias = a.bias_rows > 0 ? row_bias.data() : nullptr;
    a.weight = weight.data();
    a.bias = bias.data();
    a.output = in_place ? input.data() : output.data();
    a.workspace = workspace.data();
    require_done(on.table.group_norm(a, on.queue), "group_norm");
    static_cast<void>(workspace.read());
    return in_place ? input.read() : output.read();
}

struct LayerNormResult {
    Bytes output, sum;
};

struct LayerNormForm {
    bool has_residual, has_sum, in_place;
};

LayerNormResult layer_norm(const KernelSubject& on, LayerNormArguments a, const NormInputs& in,
                           const LayerNormForm& form)
{
    const KernelArray input(on.memory, in.input);
    const KernelArray residual(on.memory, in.other);
    const KernelArray weight(on.memory, in.weight);
    const KernelArray bias(on.memory, in.bias);
    const KernelArray output(on.memory, unwritten(static_cast<std::int64_t>(in.input.size())));
    const KernelArray sum(on.memory, unwritten(static_cast<std::int64_t>(in.input.size())));
    // In place the sum goes where the input was, the output where the residual was.
    const KernelArray& sum_place = form.in_place ? input : sum;
    const KernelArray& output_place = form.in_place ? residual : output;
    a.input = input.data();
    a.residual = form.has_residual ? residual.data() : nullptr;
    a.weight = weight.data();
    a.bias = bias.data();
    a.sum = form.has_sum ? sum_place.data() : nullptr;
    a.output = output_place.data();
    require_done(on.table.layer_norm(a, on.queue), "layer_norm");
    return {output_place.read(), form.has_sum ? sum_place.read() : Bytes{}};
}

} // namespace

void check_group_norm(const KernelSubject& subject, const GroupNormArguments& sizes)
{
    Random random;
    const std::int64_t image = sizes.pixels * sizes.channels;
    const std::int64_t bias_size = sizes.bias_rows * std::max(sizes.bias_stride, sizes.channels);
    const NormInputs in{random.elements(sizes.type, sizes.batch * image), random.elements(sizes.type, bias_size),
                        random.elements(sizes.type, sizes.channels), random.elements(sizes.type, sizes.channels)};
    const std::string what = std::string("group_norm ") + name_of(sizes.type) + ' ' + std::to_string(sizes.batch) +
                             " x " + std::to_string(sizes.pixels) + " x " + std::to_string(sizes.channels) + " in " +
                             std::to_string(sizes.groups) + " groups";
    const Bytes output = group_norm(subject, sizes, in, false);
    require_close(sizes.type, output, group_norm(reference(), sizes, in, false), what);
    require_equal(group_norm(subject, sizes, in, true), output, what + ", in place");

    GroupNormArguments one = sizes;
    one.batch = 1;
    one.bias_rows = std::min<std::int64_t>(sizes.bias_rows, 1);
    const std::int64_t row_bytes = image * bytes_of(sizes.type);
    const std::int64_t bias_row_bytes = bias_size * bytes_of(sizes.type) / std::max<std::int64_t>(1, sizes.bias_rows);
    for (std::int64_t row = 0; row < sizes.batch && sizes.batch > 1; ++row) {
        const Bytes row_bias = sizes.bias_rows > 1 ? rows_of(in.other, bias_row_bytes, row, 1)
                                                   : rows_of(in.other, bias_row_bytes, 0, one.bias_rows);
        const NormInputs alone{rows_of(in.input, row_bytes, row, 1), row_bias, in.weight, in.bias};
        require_equal(group_norm(subject, one, alone, false), rows_of(output, row_bytes, row, 1),
                      what + ", image alone");
    }
}

void check_layer_norm(const KernelSubject& subject, const LayerNormArguments& sizes)
{
    Random random;
    const std::int64_t elements = sizes.rows * sizes.features;
    const NormInputs in{random.elements(sizes.type, elements), random.elements(sizes.type, elements),
                        random.elements(sizes.type, sizes.features), random.elements(sizes.type, sizes.features)};
    const std::string what = std::string("layer_norm ") + name_of(sizes.type) + ' ' + std::to_string(sizes.rows) +
                             " x " + std::to_string(sizes.features);
    for (const LayerNormForm& form : {LayerNormForm{false, false, false}, LayerNormForm{true, false, false},
                                      LayerNormForm{true, true, false}, LayerNormForm{false, true, false}}) {
        const LayerNormResult got = layer_norm(subject, sizes, in, form);
        const LayerNormResult expected = layer_norm(reference(), sizes, in, form);
        require_close(sizes.type, got.output, expected.output, what);
        require_equal(got.sum, expected.sum, what + ", sum");
    }
    const LayerNormResult apart = layer_norm(subject, sizes, in, {true, true, false});
    const LayerNormResult in_place = layer_norm(subject, sizes, in, {true, true, true});
    require_equal(in_place.output, apart.output, what + ", in place");
    require_equal(in_place.sum, apart.sum, what + ", sum in place");

    LayerNormArguments one = sizes;
    one.rows = 1;
    const std::int64_t row_bytes = sizes.features * bytes_of(sizes.type);
    const std::int64_t last = sizes.rows - 1;
    const NormInputs alone{rows_of(in.input, row_bytes, last, 1), rows_of(in.other, row_bytes, last, 1), in.weight,
                           in.bias};
    require_equal(layer_norm(subject, one, alone, {true, true, false}).output,
                  rows_of(apart.output, row_bytes, last, 1), what + ", row alone");
}

} // namespace sdfleet::gpu_test
