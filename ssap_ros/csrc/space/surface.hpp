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

// What a depth image shows of labelled pixels, in space.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "pixel/look_up.hpp"

namespace ssap {

// Depths in metres, and where their pixels look: x and y of the point at depth 1.
struct DepthView {
  const float* depth;
  const float* ray_x;
  const float* ray_y;

  std::array<float, 3> point(std::size_t pixel) const {
    const float z = depth[pixel];
    return {ray_x[pixel] * z, ray_y[pixel] * z, z};
  }
};

// Points as rows of bytes: x, y and z as floats, then what all points of a label share.
struct RowTable {
  const std::uint8_t* rows;  // one per label; the places of x, y and z are not read
  std::size_t row_bytes;
};

inline std::size_t count_surface(const std::uint16_t* labels, const float* depth,
                                 std::size_t n_pixels) {
  std::uint32_t n = 0;  // of this width the compiler counts many pixels at once
  for (std::size_t i = 0; i < n_pixels; ++i) {
    n += static_cast<std::uint32_t>(labels[i] != 0) & static_cast<std::uint32_t>(depth[i] > 0);
  }
  return n;
}

// out: one row for every pixel with a label and a depth, in order, as many as `count_surface` says.
// pose: rotation and shift, (3, 4) row by row, that every point is moved by.
inline void surface_rows(const std::uint16_t* labels, const DepthView& view, std::size_t n_pixels,
                         const float* pose, const RowTable& table, std::uint8_t* out) {
  for_each_labelled(labels, n_pixels, [&](std::size_t i) {
    if (!(view.depth[i] > 0)) return;
    const auto [x, y, z] = view.point(i);
    std::array<float, 3> moved;
    for (std::size_t k = 0; k < 3; ++k) {
      const float* const row = pose + 4 * k;
      moved[k] = row[0] * x + row[1] * y + row[2] * z + row[3];
    }
    std::memcpy(out, table.rows + labels[i] * table.row_bytes, table.row_bytes);
    std::memcpy(out, moved.data(), sizeof moved);
    out += table.row_bytes;
  });
}

}  // namespace ssap
