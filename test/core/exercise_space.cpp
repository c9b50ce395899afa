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

// Space: points of the surface, placed objects, and the erosion of their masks.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "exercise.hpp"
#include "pixel/grid.hpp"
#include "space/placed_object.hpp"
#include "space/surface.hpp"

namespace {

// Against plain loops.
void exercise_points(unsigned n_cases) {
  for (unsigned seed = 0; seed < n_cases; ++seed) {
    Random random(seed);
    std::normal_distribution<float> normal;
    const auto n = static_cast<std::size_t>(draw(random, 1, 500));
    std::vector<std::uint16_t> labels(n);
    std::vector<float> depth(n);
    std::vector<float> ray(n);
    for (std::size_t i = 0; i < n; ++i) {
      labels[i] = static_cast<std::uint16_t>(std::max<std::ptrdiff_t>(0, draw(random, -9, 3)));
      depth[i] = static_cast<float>(draw(random, 0, 4));
      ray[i] = normal(random);
    }
    const ssap::DepthView view{depth.data(), ray.data(), ray.data()};
    const std::size_t n_points = ssap::count_surface(labels.data(), depth.data(), n);
    const float pose[12] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 7};
    std::vector<std::uint8_t> table(4 * 13);
    for (std::size_t k = 0; k < 4; ++k) table[13 * k + 12] = static_cast<std::uint8_t>(k);
    std::vector<std::uint8_t> rows(13 * n_points);
    ssap::surface_rows(labels.data(), view, n, pose, {table.data(), 13}, rows.data());
    std::vector<std::int64_t> pixels;
    const std::uint8_t* row = rows.data();
    for (std::size_t i = 0; i < n; ++i) {
      if (labels[i] == 0 || depth[i] <= 0) continue;
      float z = 0;
      std::memcpy(&z, row + 8, sizeof z);
      require(z == depth[i] + 7 && row[12] == labels[i], "a row");
      row += 13;
      pixels.push_back(static_cast<std::int64_t>(i));
    }
    require(pixels.size() == n_points, "a row for every pixel");
    const float frame[9] = {1, 0, 0, 0, 0, -1, 0, 1, 0};                // z of a camera is forward
    const ssap::PixelBox box{0, 0, 1, static_cast<std::ptrdiff_t>(n)};  // an image of one column
    const auto placed =
        ssap::place_object(labels.data(), 1, 2, box, view, frame, {0, 9999, 20, 3.5F, 9});
    std::vector<std::int64_t> own;
    float lowest = 99;
    for (const std::int64_t pixel : pixels) {
      if (labels[static_cast<std::size_t>(pixel)] != 2) continue;
      own.push_back(pixel);
      lowest = std::min(lowest, view.point(static_cast<std::size_t>(pixel))[1]);
    }
    require(placed.has_value() == (own.size() >= 20), "placed where it is seen");
    if (!placed) continue;
    require(placed->n_points == own.size(), "nothing is far from the median");
    require(-placed->box.high[2] == lowest, "the third axis points upwards");
  }
}

// Against every pixel of the square around every pixel.
void exercise_erosion(unsigned n_cases) {
  for (unsigned seed = 0; seed < n_cases; ++seed) {
    Random random(seed);
    const ssap::GridSize size{draw(random, 1, 30), draw(random, 1, 30)};
    std::vector<std::uint16_t> labels(size.area());
    for (std::uint16_t& label : labels) {
      label = static_cast<std::uint16_t>(std::max<std::ptrdiff_t>(1, draw(random, -20, 2)));
    }
    const std::ptrdiff_t x0 = draw(random, 0, static_cast<int>(size.width) - 1);
    const std::ptrdiff_t y0 = draw(random, 0, static_cast<int>(size.height) - 1);
    const ssap::PixelBox box{x0, y0, draw(random, 1, static_cast<int>(size.width - x0)),
                             draw(random, 1, static_cast<int>(size.height - y0))};
    const std::ptrdiff_t erosion = draw(random, 0, 3);
    const auto inside = ssap::detail::eroded(labels.data(), size.width, 1, box, erosion);
    for (std::ptrdiff_t y = 0; y < box.height; ++y) {
      for (std::ptrdiff_t x = 0; x < box.width; ++x) {
        bool all = true;
        for (std::ptrdiff_t v = y - erosion; v <= y + erosion; ++v) {
          for (std::ptrdiff_t u = x - erosion; u <= x + erosion; ++u) {
            const bool in_box = u >= 0 && v >= 0 && u < box.width && v < box.height;
            all = all && in_box &&
                  labels[static_cast<std::size_t>((y0 + v) * size.width + x0 + u)] == 1;
          }
        }
        require((inside[static_cast<std::size_t>(y * box.width + x)] != 0) == all, "erosion");
      }
    }
  }
}

}  // namespace

void exercise_space(unsigned n_cases) {
  exercise_points(n_cases);
  exercise_erosion(n_cases);
}
