// SPDX-License-Identifier: Apache-2.0
// The sizes that Stable Diffusion 1.5 at 512 x 512 and SDXL at 1024 x 1024 ask for, with guidance (two images in a batch), and
// those of their decoders.
#pragma once

#include "kernels/kernel_table.hpp"

#include <vector>

namespace sdfleet::gpu_test {

struct Matrix {
    std::int64_t rows, columns;
};

struct Image {
    std::int64_t batch, pixels, channels;
};

struct Enlargement {
    std::int64_t batch, side, channels; ///< to twice the side
};

inline const std::vector<Image> group_norm_shapes = {
    {2, 64, 1'280},    {2, 64, 2'560},    {2, 256, 640},      {2, 256, 1'280},   {2, 256, 1'920},   {2, 256, 2'560},
    {2, 1'024, 320},   {2, 1'024, 640},   {2, 1'024, 960},    {2, 1'024, 1'280}, {2, 1'024, 1'920}, {2, 1'024, 2'560},
    {2, 4'096, 320},   {2, 4'096, 640},   {2, 4'096, 960},    {2, 4'096, 1'280}, {2, 4'096, 1'920}, {2, 16'384, 320},
    {2, 16'384, 640},  {2, 16'384, 960},  {1, 4'096, 512},    {1, 16'384, 512},  {1, 65'536, 512},  {1, 65'536, 256},
    {1, 262'144, 256}, {1, 262'144, 128}, {1, 1'048'576, 128}};

inline const std::vector<Matrix> layer_norm_shapes = {{154, 768},   {154, 1'280},   {128, 1'280}, {512, 1'280},
                                                      {2'048, 640}, {2'048, 1'280}, {8'192, 320}, {8'192, 640}};

inline const std::vector<Matrix> geglu_shapes = {{128, 5'120},   {512, 5'120},   {2'048, 2'560},
                                                 {2'048, 5'120}, {8'192, 1'280}, {8'192, 2'560}};

inline const std::vector<Matrix> bias_residual_shapes = {{128, 1'280}, {512, 1'280}, {2'048, 640},  {2'048, 1'280},
                                                         {8'192, 320}, {8'192, 640}, {32'768, 320}, {262'144, 128}};

inline const std::vector<Enlargement> upsample_shapes = {{2, 8, 1'280},  {2, 16, 1'280}, {2, 32, 640},
                                                         {2, 32, 1'280}, {2, 64, 640},   {1, 64, 512},
                                                         {1, 128, 512},  {1, 256, 256},  {1, 512, 256}};

inline const std::vector<Image> latent_shapes = {
    {1, 4'096, 4}, {4, 4'096, 4}, {64, 4'096, 4}, {1, 16'384, 4}, {4, 16'384, 4}};

inline const std::vector<Matrix> picture_shapes = {{512 * 512, 3}, {1'024 * 1'024, 3}};

} // namespace sdfleet::gpu_test
