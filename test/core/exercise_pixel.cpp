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

// Pixels: edge costs, labels made larger, images and class maps.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "exercise.hpp"
#include "pixel/area_resize.hpp"
#include "pixel/class_maps.hpp"
#include "pixel/edge_costs.hpp"
#include "pixel/upsample.hpp"

namespace {

// Every instruction set against double precision.
void exercise_costs(unsigned n_cases) {
  for (unsigned seed = 0; seed < n_cases; ++seed) {
    Random random(seed);
    const ssap::GridSize size{draw(random, 1, 7), draw(random, 1, 70)};
    std::normal_distribution<float> normal(0.0f, 4.0f);
    std::vector<float> logits(25 * size.area());
    for (float& x : logits) x = normal(random);
    const ssap::Affinities in{logits.data(), false, ssap::Meaning::kLogits, 25, size, 1e-4f,
                              nullptr,       0};
    for (const ssap::SimdPath& path : ssap::simd_paths()) {
      std::vector<float> costs(ssap::kNumOffsets * size.area());
      require(ssap::edge_costs(in, *path.kernels, costs.data()), "the costs are finite");
      for (std::size_t k = 0; k < ssap::kNumOffsets; ++k) {
        const auto [dy, dx] = ssap::kOffsets[k];
        for (std::ptrdiff_t y = 0; y + dy < size.height; ++y) {
          for (std::ptrdiff_t x = std::max(0, -dx); x < size.width && x + dx < size.width; ++x) {
            const auto at = [&](std::size_t channel, std::ptrdiff_t i, std::ptrdiff_t j) {
              const std::size_t index = channel * size.area();
              return index + static_cast<std::size_t>(i * size.width + j);
            };
            const double a = 1 / (1 + std::exp(-double{logits[at(13 + k, y, x)]}));
            const double b = 1 / (1 + std::exp(-double{logits[at(11 - k, y + dy, x + dx)]}));
            const double alpha = std::clamp((a + b) / 2, 1e-4, 1 - 1e-4);
            const double expected = std::log(alpha / (1 - alpha));
            const double error = std::abs(costs[at(k, y, x)] - expected);
            require(error <= 1e-5 * std::max(1.0, std::abs(expected)),
                    ("costs of path " + path.name).c_str());
          }
        }
      }
    }
  }
}

void exercise_upsampling(unsigned n_cases) {
  for (unsigned seed = 0; seed < n_cases; ++seed) {
    Random random(seed);
    const ssap::GridSize cells{draw(random, 1, 20), draw(random, 1, 20)};
    const ssap::GridSize size{draw(random, 1, 60), draw(random, 1, 60)};
    std::vector<std::int32_t> labels(cells.area());
    for (std::int32_t& label : labels) label = static_cast<std::int32_t>(draw(random, 0, 3));
    std::vector<std::int32_t> out(size.area(), -1);
    ssap::upsample_labels(labels.data(), cells, size, 0.1 + 0.1 * (seed % 13), out.data());
    for (const std::int32_t label : out) require(label >= 0 && label <= 3, "labels are labels");
  }
}

// The copies for AVX2 and for every machine give the same bits, and nothing beside the maps is read
// or written.
void exercise_images(unsigned n_cases) {
  for (unsigned seed = 0; seed < n_cases; ++seed) {
    Random random(seed);
    const ssap::GridSize target{draw(random, 1, 20), draw(random, 1, 20)};
    const ssap::GridSize source{target.height + draw(random, 0, 90),
                                target.width + draw(random, 0, 90)};
    std::vector<std::uint8_t> image(3 * source.area());
    for (std::uint8_t& value : image) value = static_cast<std::uint8_t>(draw(random, 0, 255));
    const std::array<float, 3> factor{0.1F, 0.2F, 0.3F};
    const std::array<float, 3> offset{1, 2, 3};
    const auto area = static_cast<std::ptrdiff_t>(target.area());
    const auto planes = [area](std::vector<float>& out) {
      return std::array<float*, 3>{out.data(), out.data() + area, out.data() + 2 * area};
    };
    std::vector<float> plain(3 * target.area());
    std::vector<float> fast(3 * target.area());
    ssap::detail::area_resize(image.data(), source, target, factor, offset, planes(plain),
                              target.width);
    ssap::area_resize(image.data(), source, target, factor, offset, planes(fast), target.width);
    require(plain == fast, "images of both copies");

    std::vector<float> logits(4 * source.area());
    for (float& logit : logits) logit = 0.1F * static_cast<float>(draw(random, -99, 99));
    const ssap::ClassMaps maps{logits.data(), static_cast<std::ptrdiff_t>(source.area()),
                               source.width, target};
    const std::vector<std::size_t> chosen{3, 1};
    std::vector<float> shares(2 * target.area());
    std::vector<float> same(2 * target.area());
    ssap::detail::softmax(maps, chosen, shares.data());
    ssap::softmax(maps, chosen, same.data());
    require(shares == same, "distributions of both copies");
    std::vector<std::uint8_t> classes(target.area());
    ssap::best_class(maps, {7, 5, 3, 1}, classes.data());
    for (const std::uint8_t name : classes) require(name % 2 == 1 && name < 8, "class names");
  }
}

}  // namespace

void exercise_pixel(unsigned n_cases) {
  exercise_costs(n_cases);
  exercise_upsampling(n_cases);
  exercise_images(n_cases);
}
