// Copyright 2026 ssap_ros maintainers
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file
// except in compliance with the License. You may obtain a copy of the License at
// http://www.apache.org/licenses/LICENSE-2.0
// Unless required by applicable law or agreed to in writing, software distributed under the
// License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND,
// either express or implied. See the License for the specific language governing permissions
// and limitations under the License.

// Shrinks an image and makes the network input of it in one pass.
//
// Every output pixel is the mean of the source area that it covers, with fractional weights at the
// rim of that area. The mean is separable: first the rows that an output row covers are summed into
// one line of floats, then the pixels of that line that an output pixel covers. The result is
// rounded to whole levels, as if it had been stored, normalised and written plane by plane.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "pixel/grid.hpp"
#include "util/avx2.hpp"

namespace ssap {

namespace detail {

inline constexpr std::ptrdiff_t kTapGroup = 3;

// What the output pixels cover along one axis: `n_taps` source pixels from `first[i]` on, with
// weights[i * n_taps ...] that sum to 1. There are whole groups of taps; the last ones may have no
// weight and lie beyond the source.
struct Coverage {
  std::ptrdiff_t n_taps = 0;
  std::vector<std::ptrdiff_t> first;
  std::vector<float> weights;

  Coverage(std::ptrdiff_t source, std::ptrdiff_t target) {
    std::ptrdiff_t most = 0;
    for (std::ptrdiff_t i = 0; i < target; ++i) {
      first.push_back(i * source / target);
      most = std::max(most, ((i + 1) * source + target - 1) / target - first.back());
    }
    n_taps = (most + kTapGroup - 1) / kTapGroup * kTapGroup;
    const double scale = static_cast<double>(source) / static_cast<double>(target);
    for (std::ptrdiff_t i = 0; i < target; ++i) {
      const double begin = static_cast<double>(i) * scale;
      const double end = static_cast<double>(i + 1) * scale;
      for (std::ptrdiff_t tap = 0; tap < n_taps; ++tap) {
        const auto pixel = static_cast<double>(first[static_cast<std::size_t>(i)] + tap);
        const double covered = std::min(end, pixel + 1) - std::max(begin, pixel);
        weights.push_back(static_cast<float>(std::max(covered, 0.0) / (end - begin)));
      }
    }
  }
};

// Colours are kept in vectors of four floats, the fourth of which means nothing.
using Colour = float __attribute__((vector_size(16)));
using Order = std::int32_t __attribute__((vector_size(16)));

SSAP_INLINE Colour load_colour(const float* values) {
  Colour colour;
  std::memcpy(&colour, values, sizeof(colour));
  return colour;
}

SSAP_INLINE void store(Colour colour, float* out) { std::memcpy(out, &colour, sizeof(colour)); }

// Adding and taking away 1.5 * 2^23 leaves no bits for a fraction: rounds half to even.
SSAP_INLINE Colour round_levels(Colour colour) {
  const Colour magic = {12582912.0F, 12582912.0F, 12582912.0F, 12582912.0F};
  return (colour + magic) - magic;
}

// sums = the weighted sum of `n_taps` rows of `image`, which has `n_rows`.
SSAP_INLINE void sum_rows(const std::uint8_t* image, std::ptrdiff_t n_rows, std::ptrdiff_t n_values,
                          const float* weights, std::ptrdiff_t n_taps, float* sums) {
  const auto row = [&](std::ptrdiff_t y) { return image + std::min(y, n_rows - 1) * n_values; };
  for (std::ptrdiff_t k = 0; k < n_taps; k += kTapGroup) {
    const std::array<float, kTapGroup> w{weights[k], weights[k + 1], weights[k + 2]};
    const std::uint8_t* const a = row(k);
    const std::uint8_t* const b = row(k + 1);
    const std::uint8_t* const c = row(k + 2);
    for (std::ptrdiff_t i = 0; i < n_values; ++i) {
      sums[i] = (k > 0 ? sums[i] : 0.0F) + w[0] * a[i] + w[1] * b[i] + w[2] * c[i];
    }
  }
}

// The weighted sum of `n_taps` colours.
SSAP_INLINE Colour sum_colours(const float* values, const float* weights, std::ptrdiff_t n_taps) {
  Colour sum = {};
  for (std::ptrdiff_t k = 0; k < n_taps; k += kTapGroup) {
    for (std::ptrdiff_t i = k; i < k + kTapGroup; ++i) {
      sum += weights[i] * load_colour(values + 3 * i);
    }
  }
  return sum;
}

SSAP_INLINE void area_resize(const std::uint8_t* image, GridSize source, GridSize target,
                             const std::array<float, 3>& factor, const std::array<float, 3>& offset,
                             const std::array<float*, 3>& planes, std::ptrdiff_t row_stride) {
  const Coverage rows(source.height, target.height);
  const Coverage columns(source.width, target.width);
  const std::ptrdiff_t n_values = 3 * source.width;
  const Colour factors = {factor[0], factor[1], factor[2], 0};
  const Colour offsets = {offset[0], offset[1], offset[2], 0};
  // Taps without weight are loaded from beyond the end, and one float more than a colour has.
  std::vector<float> line(static_cast<std::size_t>(n_values + 3 * columns.n_taps + 1));
  const auto colour = [&](std::ptrdiff_t x) __attribute__((always_inline)) {
    const auto i = static_cast<std::size_t>(x);
    const float* const values = line.data() + 3 * columns.first[i];
    const float* const weights = columns.weights.data() + x * columns.n_taps;
    return round_levels(sum_colours(values, weights, columns.n_taps)) * factors - offsets;
  };
  for (std::ptrdiff_t y = 0; y < target.height; ++y) {
    const std::ptrdiff_t top = rows.first[static_cast<std::size_t>(y)];
    sum_rows(image + top * n_values, source.height - top, n_values,
             rows.weights.data() + y * rows.n_taps, rows.n_taps, line.data());
    float* const red = planes[0] + y * row_stride;
    float* const green = planes[1] + y * row_stride;
    float* const blue = planes[2] + y * row_stride;
    std::ptrdiff_t x = 0;
    for (; x + 4 <= target.width; x += 4) {
      const Colour a = colour(x);
      const Colour b = colour(x + 1);
      const Colour c = colour(x + 2);
      const Colour d = colour(x + 3);
      const Colour ab = __builtin_shuffle(a, b, Order{0, 4, 1, 5});  // red, red, green, green
      const Colour cd = __builtin_shuffle(c, d, Order{0, 4, 1, 5});
      store(__builtin_shuffle(ab, cd, Order{0, 1, 4, 5}), red + x);
      store(__builtin_shuffle(ab, cd, Order{2, 3, 6, 7}), green + x);
      const Colour ab_blue = __builtin_shuffle(a, b, Order{2, 6, 2, 6});
      const Colour cd_blue = __builtin_shuffle(c, d, Order{2, 6, 2, 6});
      store(__builtin_shuffle(ab_blue, cd_blue, Order{0, 1, 4, 5}), blue + x);
    }
    for (; x < target.width; ++x) {
      const Colour last = colour(x);
      red[x] = last[0];
      green[x] = last[1];
      blue[x] = last[2];
    }
  }
}

}  // namespace detail

// image: RGB (source.height, source.width, 3). factor, offset: level * factor - offset is the
// normalised value, per channel. planes: where each channel begins, rows `row_stride` floats apart.
inline void area_resize(const std::uint8_t* image, GridSize source, GridSize target,
                        const std::array<float, 3>& factor, const std::array<float, 3>& offset,
                        const std::array<float*, 3>& planes, std::ptrdiff_t row_stride) {
  with_avx2([&]() __attribute__((always_inline)) {
    detail::area_resize(image, source, target, factor, offset, planes, row_stride);
  });
}

}  // namespace ssap
