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

// The part of each segment that is beyond doubt at the next level, twice as fine: the pixels that
// have no other segment near them. Where there is no segment at all does not count: an outline
// towards the background is decided by the classes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "pixel/grid.hpp"
#include "util/buffer.hpp"

namespace ssap {

class InnerRegions {
 public:
  // `labels`: segments 1, 2, ... of the coarser level, 0 = none; kept until the next call.
  // `radius`: how near, in pixels of the finer level.
  void start(const std::int32_t* labels, GridSize size, std::ptrdiff_t radius) {
    labels_ = labels;
    size_ = size;
    radius_ = radius;
    find_isolated_cells((std::max(radius, kReach) + 1) / 2);
  }

  // The segment around pixel (y, x) of the finer level, 0 if it is not within an inner region.
  // `is_near` becomes true if another segment is within reach of an edge.
  std::int32_t label(std::ptrdiff_t y, std::ptrdiff_t x, bool& is_near) const {
    const std::ptrdiff_t cell = y / 2 * size_.width + x / 2;
    const std::int32_t label = labels_[cell];
    is_near = label != isolated_[cell];
    return is_near && is_beside_another(y, x) ? 0 : label;
  }

  std::size_t bytes() const { return isolated_.bytes() + lowest_.bytes() + highest_.bytes(); }

 private:
  struct Range {
    std::ptrdiff_t first;
    std::ptrdiff_t last;
  };

  // Keeps the labels of the cells whose square neighbourhood holds no other segment.
  void find_isolated_cells(std::ptrdiff_t radius) {
    const auto [height, width] = size_;
    isolated_.reserve(size_.area());
    lowest_.reserve(static_cast<std::size_t>(width));
    highest_.reserve(static_cast<std::size_t>(width));
    for (std::ptrdiff_t y = 0; y < height; ++y) {
      // of each column; label - 1 makes 0 the highest
      std::fill_n(lowest_.data(), width, ~std::uint32_t{0});
      std::fill_n(highest_.data(), width, 0u);
      const auto [top, bottom] = around(y, radius, height);
      for (std::ptrdiff_t row = top; row <= bottom; ++row) {
        for (std::ptrdiff_t x = 0; x < width; ++x) {
          const auto label = static_cast<std::uint32_t>(labels_[row * width + x]);
          lowest_[x] = std::min(lowest_[x], label - 1);
          highest_[x] = std::max(highest_[x], label);
        }
      }
      for (std::ptrdiff_t x = 0; x < width; ++x) {
        isolated_[y * width + x] = 0;
        if (labels_[y * width + x] == 0) continue;
        const auto [left, right] = around(x, radius, width);
        std::uint32_t low = ~std::uint32_t{0};
        std::uint32_t high = 0;
        for (std::ptrdiff_t i = left; i <= right; ++i) {
          low = std::min(low, lowest_[i]);
          high = std::max(high, highest_[i]);
        }
        if (low + 1 == high) isolated_[y * width + x] = labels_[y * width + x];
      }
    }
  }

  bool is_beside_another(std::ptrdiff_t y, std::ptrdiff_t x) const {
    const std::int32_t label = labels_[y / 2 * size_.width + x / 2];
    const auto [top, bottom] = around(y, radius_, 2 * size_.height);
    const auto [left, right] = around(x, radius_, 2 * size_.width);
    for (std::ptrdiff_t row = top / 2; row <= bottom / 2; ++row) {
      for (std::ptrdiff_t column = left / 2; column <= right / 2; ++column) {
        const std::int32_t other = labels_[row * size_.width + column];
        if (other != 0 && other != label) return true;
      }
    }
    return false;
  }

  static Range around(std::ptrdiff_t i, std::ptrdiff_t radius, std::ptrdiff_t n) {
    return {std::max<std::ptrdiff_t>(i - radius, 0), std::min(i + radius, n - 1)};
  }

  const std::int32_t* labels_ = nullptr;
  GridSize size_{};
  std::ptrdiff_t radius_ = 0;
  Buffer<std::int32_t> isolated_;
  Buffer<std::uint32_t> lowest_;
  Buffer<std::uint32_t> highest_;
};

}  // namespace ssap
