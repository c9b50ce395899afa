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

// An object in space from some pixels of its mask.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "space/surface.hpp"
#include "space/upright_box.hpp"

namespace ssap {

// What of an object is trusted.
struct Trust {
  std::ptrdiff_t erosion;    // pixels at the rim of its mask are not
  std::size_t max_samples;   // about so many pixels are looked at, evenly spread
  std::size_t min_points;    // an object with fewer is not placed
  float outlier_deviations;  // in standard deviations, estimated from the median deviation
  float sure;                // metres; what is not farther from the median depth is no outlier
};

// In pixels, inside of the image.
struct PixelBox {
  std::ptrdiff_t x;
  std::ptrdiff_t y;
  std::ptrdiff_t width;
  std::ptrdiff_t height;
};

// depth: the median. covariance: of the points, row by row.
struct PlacedObject {
  std::uint16_t label;
  std::size_t n_points;
  float depth;
  UprightBox box;
  std::array<double, 9> covariance;
};

namespace detail {

// One pixel of the box each: 1 = all pixels of the square around it, and they are in the box, have
// the label.
inline std::vector<std::uint8_t> eroded(const std::uint16_t* labels, std::ptrdiff_t row_length,
                                        std::uint16_t label, const PixelBox& box,
                                        std::ptrdiff_t erosion) {
  const auto width = static_cast<std::size_t>(box.width);
  const auto side = static_cast<std::size_t>(2 * erosion + 1);
  std::vector<std::uint8_t> inside(width * static_cast<std::size_t>(box.height));
  std::vector<std::uint8_t> mask(width + side - 1);
  std::vector<std::uint8_t> wide(width);
  std::vector<std::int32_t> n_wide(width);  // rows in succession, up to this one
  for (std::ptrdiff_t y = 0; y < box.height; ++y) {
    const std::uint16_t* const row = labels + (box.y + y) * row_length + box.x;
    for (std::size_t x = 0; x < width; ++x) mask[x + side / 2] = row[x] == label;
    std::copy_n(mask.begin(), width, wide.begin());
    for (std::size_t d = 1; d < side; ++d) {
      for (std::size_t x = 0; x < width; ++x) wide[x] &= mask[x + d];
    }
    for (std::size_t x = 0; x < width; ++x) n_wide[x] = wide[x] != 0 ? n_wide[x] + 1 : 0;
    if (y < erosion) continue;
    std::uint8_t* const out = inside.data() + static_cast<std::size_t>(y - erosion) * width;
    for (std::size_t x = 0; x < width; ++x) out[x] = n_wide[x] >= static_cast<std::int32_t>(side);
  }
  return inside;
}

// Pixels well inside of a mask, evenly spread if there are many.
inline std::vector<std::size_t> samples(const std::uint16_t* labels, std::ptrdiff_t row_length,
                                        std::uint16_t label, const PixelBox& box,
                                        const Trust& trust) {
  const auto inside = eroded(labels, row_length, label, box, trust.erosion);
  const auto n = static_cast<double>(std::count(inside.begin(), inside.end(), 1));
  const double share = n / static_cast<double>(trust.max_samples);
  const auto step = std::max<std::ptrdiff_t>(1, std::lround(std::ceil(std::sqrt(share))));
  std::vector<std::size_t> pixels;
  for (std::ptrdiff_t y = step / 2; y < box.height; y += step) {
    for (std::ptrdiff_t x = step / 2; x < box.width; x += step) {
      if (inside[static_cast<std::size_t>(y * box.width + x)] == 0) continue;
      pixels.push_back(static_cast<std::size_t>((box.y + y) * row_length + box.x + x));
    }
  }
  return pixels;
}

// The upper one of an even number, of every value or, if there are many, of some; changes the
// order.
inline float median(std::vector<float>& values) {
  constexpr std::size_t kEnough = 1024;
  const std::size_t stride = (values.size() + kEnough - 1) / kEnough;
  for (std::size_t i = 0; i * stride < values.size(); ++i) values[i] = values[i * stride];
  const auto end =
      values.begin() + static_cast<std::ptrdiff_t>((values.size() + stride - 1) / stride);
  const auto middle = values.begin() + (end - values.begin()) / 2;
  std::nth_element(values.begin(), middle, end);
  return *middle;
}

inline std::array<double, 9> covariance(const std::vector<float>& points, std::size_t n) {
  std::array<double, 3> mean{};
  for (std::size_t k = 0; k < 3; ++k) {
    for (std::size_t i = 0; i < n; ++i) mean[k] += double{points[k * n + i]};
    mean[k] /= static_cast<double>(n);
  }
  std::array<double, 9> sums{};
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = j; k < 3; ++k) {
        sums[3 * j + k] +=
            (double{points[j * n + i]} - mean[j]) * (double{points[k * n + i]} - mean[k]);
      }
    }
  }
  for (std::size_t j = 0; j < 3; ++j) {
    for (std::size_t k = j; k < 3; ++k) {
      sums[3 * j + k] /= static_cast<double>(n - 1);
      sums[3 * k + j] = sums[3 * j + k];
    }
  }
  return sums;
}

}  // namespace detail

// The median of the depths is that of the object; what lies farther from it than some standard
// deviations, by the median deviation, is left out. The box stands upright in `frame` around the
// rest. Nothing if too few pixels have a depth.
//
// frame: two axes of the ground and upwards in columns, row by row.
inline std::optional<PlacedObject> place_object(const std::uint16_t* labels,
                                                std::ptrdiff_t row_length, std::uint16_t label,
                                                const PixelBox& box, const DepthView& view,
                                                const float* frame, const Trust& trust) {
  constexpr float kStandard = 1.4826F;  // standard deviations per median deviation of normal noise
  std::vector<std::size_t> seen = detail::samples(labels, row_length, label, box, trust);
  const auto is_hole = [&](std::size_t pixel) { return !(view.depth[pixel] > 0); };
  seen.erase(std::remove_if(seen.begin(), seen.end(), is_hole), seen.end());
  if (seen.size() < trust.min_points) return std::nullopt;
  std::vector<float> values(seen.size());
  const auto fill_values = [&](const auto& value_of) {
    std::transform(seen.begin(), seen.end(), values.begin(), value_of);
  };
  fill_values([&](std::size_t pixel) { return view.depth[pixel]; });
  const float middle = detail::median(values);
  fill_values([&](std::size_t pixel) { return std::abs(view.depth[pixel] - middle); });
  const float spread = kStandard * detail::median(values);
  const float limit = std::max(trust.outlier_deviations * spread, trust.sure);
  const auto is_outlier = [&](std::size_t pixel) {
    return !(std::abs(view.depth[pixel] - middle) <= limit);
  };
  seen.erase(std::remove_if(seen.begin(), seen.end(), is_outlier), seen.end());
  const std::size_t n = seen.size();
  if (n < trust.min_points) return std::nullopt;
  std::vector<float> points(3 * n);
  for (std::size_t i = 0; i < n; ++i) {
    const std::array<float, 3> point = view.point(seen[i]);
    for (std::size_t k = 0; k < 3; ++k) points[k * n + i] = point[k];
  }
  values.assign(points.begin() + static_cast<std::ptrdiff_t>(2 * n), points.end());
  return PlacedObject{label, n, detail::median(values), upright_box(points.data(), n, frame),
                      detail::covariance(points, n)};
}

}  // namespace ssap
