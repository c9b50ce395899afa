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

// What the class logits of a grid say: the best class and the class distribution of each cell, and
// the votes of the cells for the class of the segment that they belong to.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "pixel/elementary.hpp"
#include "pixel/grid.hpp"
#include "util/avx2.hpp"

namespace ssap {

// One map per class, in which rows are dense and lie `row_stride` floats apart.
struct ClassMaps {
  const float* data;
  std::ptrdiff_t map_stride;
  std::ptrdiff_t row_stride;
  GridSize size;

  const float* row(std::size_t map, std::ptrdiff_t y) const {
    return data + static_cast<std::ptrdiff_t>(map) * map_stride + y * row_stride;
  }
};

namespace detail {

SSAP_INLINE void best_class(const ClassMaps& maps, const std::vector<std::uint8_t>& name,
                            std::uint8_t* out) {
  const std::ptrdiff_t width = maps.size.width;
  std::vector<float> best(static_cast<std::size_t>(width));
  std::vector<std::int32_t> winner(static_cast<std::size_t>(width));
  for (std::ptrdiff_t y = 0; y < maps.size.height; ++y, out += width) {
    std::copy_n(maps.row(0, y), width, best.data());
    std::fill(winner.begin(), winner.end(), 0);
    for (std::size_t k = 1; k < name.size(); ++k) {
      const float* const row = maps.row(k, y);
      const auto index = static_cast<std::int32_t>(k);
      for (std::ptrdiff_t x = 0; x < width; ++x) {
        const auto i = static_cast<std::size_t>(x);
        winner[i] = row[x] > best[i] ? index : winner[i];
        best[i] = std::max(best[i], row[x]);
      }
    }
    for (std::ptrdiff_t x = 0; x < width; ++x) {
      out[x] = name[static_cast<std::size_t>(winner[static_cast<std::size_t>(x)])];
    }
  }
}

SSAP_INLINE void softmax(const ClassMaps& maps, const std::vector<std::size_t>& chosen,
                         float* out) {
  const std::ptrdiff_t width = maps.size.width;
  const std::ptrdiff_t area = maps.size.height * width;
  std::vector<float> highest(static_cast<std::size_t>(width));
  std::vector<float> sums(static_cast<std::size_t>(width));
  for (std::ptrdiff_t y = 0; y < maps.size.height; ++y, out += width) {
    std::copy_n(maps.row(chosen.front(), y), width, highest.data());
    for (const std::size_t map : chosen) {
      const float* const row = maps.row(map, y);
      for (std::ptrdiff_t x = 0; x < width; ++x) highest[x] = std::max(highest[x], row[x]);
    }
    std::fill(sums.begin(), sums.end(), 0.0F);
    for (std::size_t k = 0; k < chosen.size(); ++k) {
      const float* const row = maps.row(chosen[k], y);
      float* const to = out + static_cast<std::ptrdiff_t>(k) * area;
      for (std::ptrdiff_t x = 0; x < width; ++x) {
        to[x] = exp_minus(highest[x] - row[x]);
        sums[x] += to[x] + 0.0F * row[x];
      }
    }
    for (std::size_t k = 0; k < chosen.size(); ++k) {
      float* const to = out + static_cast<std::ptrdiff_t>(k) * area;
      for (std::ptrdiff_t x = 0; x < width; ++x) to[x] /= sums[x];
    }
  }
}

}  // namespace detail

// out: name[k] for the map k that is largest in a cell, the first one of equals.
inline void best_class(const ClassMaps& maps, const std::vector<std::uint8_t>& name,
                       std::uint8_t* out) {
  with_avx2([&]() __attribute__((always_inline)) { detail::best_class(maps, name, out); });
}

// out: dense maps, the softmax over the chosen ones of `maps`; NaN where a logit is not finite.
inline void softmax(const ClassMaps& maps, const std::vector<std::size_t>& chosen, float* out) {
  with_avx2([&]() __attribute__((always_inline)) { detail::softmax(maps, chosen, out); });
}

// One row per segment: its cells, their weight, how many of them have each class, and the weighted
// sum over all of them of each class's probability. Cells with a neighbour in another segment, or
// in none, weigh a tenth, the others 1.
//
// labels: dense, 0 = no segment, at most n_segments. classes: dense, 0 = none, k = maps[k - 1].
// rows: zeros. Throws if a label or a class is beyond that.
inline void count_votes(const std::int32_t* labels, const std::uint8_t* classes,
                        const std::vector<const float*>& maps, GridSize size,
                        std::size_t n_segments, double* rows) {
  constexpr double kEdgeWeight = 0.1;
  const std::size_t n_maps = maps.size();
  for (std::ptrdiff_t y = 0; y < size.height; ++y) {
    for (std::ptrdiff_t x = 0; x < size.width; ++x) {
      const std::ptrdiff_t i = y * size.width + x;
      const std::int32_t label = labels[i];
      if (label == 0) continue;
      const auto segment = static_cast<std::size_t>(label - 1);  // huge for a negative label
      if (segment >= n_segments || classes[i] > n_maps) {
        throw std::invalid_argument("a label or a class is beyond the table");
      }
      const bool edge = (x > 0 && labels[i - 1] != label) ||
                        (x + 1 < size.width && labels[i + 1] != label) ||
                        (y > 0 && labels[i - size.width] != label) ||
                        (y + 1 < size.height && labels[i + size.width] != label);
      const double weight = edge ? kEdgeWeight : 1.0;
      double* const row = rows + segment * (2 + 2 * n_maps);
      row[0] += 1;
      row[1] += weight;
      if (classes[i] > 0) row[1 + classes[i]] += 1;
      for (std::size_t k = 0; k < n_maps; ++k) row[2 + n_maps + k] += weight * maps[k][i];
    }
  }
}

}  // namespace ssap
