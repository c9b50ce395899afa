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

// The nodes that the pixels of a level belong to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "pixel/grid.hpp"
#include "util/buffer.hpp"

namespace ssap {

// The node of each pixel, and a group: 0 = no node; only pixels of one group are neighbours. Padded
// so that stepping out of the image by any offset arrives at a cell of group 0, and inner loops
// need no bounds checks: two cells after each row also serve as the two cells before the next one.
class NodeMap {
 public:
  void start(GridSize size) {
    stride_ = size.width + kReach;
    const auto n = static_cast<std::size_t>((size.height + 2 * kReach) * stride_ + kReach);
    groups_.fill(n, 0);
    if (n > nodes_.capacity()) nodes_.fill(n, 0);  // elsewhere it has nodes that are not read
  }

  std::uint8_t* groups(std::ptrdiff_t y) {
    return groups_.data() + (y + kReach) * stride_ + kReach;
  }
  std::uint32_t* nodes(std::ptrdiff_t y) { return nodes_.data() + (y + kReach) * stride_ + kReach; }
  std::ptrdiff_t stride() const { return stride_; }
  std::size_t bytes() const { return nodes_.bytes() + groups_.bytes(); }

 private:
  std::ptrdiff_t stride_ = 0;
  Buffer<std::uint8_t> groups_;
  Buffer<std::uint32_t> nodes_;
};

// Calls visit(first, last + 1) for every run of cells that are not 0.
template <typename Visit>
void for_each_run(const std::uint8_t* cells, std::ptrdiff_t n, Visit&& visit) {
  constexpr std::ptrdiff_t kWord = sizeof(std::uint64_t);
  for (std::ptrdiff_t x = 0; x < n;) {
    std::uint64_t word = 0;
    if (x + kWord <= n) std::memcpy(&word, cells + x, kWord);
    if (x + kWord <= n && word == 0) {
      x += kWord;
    } else if (cells[x] == 0) {
      ++x;
    } else {
      const std::ptrdiff_t first = x;
      while (x < n && cells[x] != 0) ++x;
      visit(first, x);
    }
  }
}

}  // namespace ssap
